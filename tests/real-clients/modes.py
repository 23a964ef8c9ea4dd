"""What each mode asks, and what has to be true afterwards: with the guard, and, as the negative control, without it."""

import json
import time
from dataclasses import dataclass
from typing import Callable

import samples
from clients.base import GITHUB_TOKEN, Row
from gateway import BLOCK_MESSAGE, BLOCKED_TEXT, HELD_TEXT, HOLD_MESSAGE
from model import script
from support import wait_until

HELD_SECONDS = 45
DENIED_SECONDS = 5
START_SECONDS = 60  # until a request of the client has come to the gateway
FEW = 2  # requests for one prompt that are still no storm

# mode: the text before the word of the cell, and the scenario
PROMPTS = {
    "plain": ("hello", "plain"),
    "tool": ("use the tool", "tool"),
    "secret": ("what is the token", "secret"),
    "blocked": (BLOCKED_TEXT, "plain"),
    "held-approved": (HELD_TEXT, "plain"),
    "held-denied": (HELD_TEXT, "plain"),
    "cut": ("hello", "cut"),
}
MODES = list(PROMPTS)
CONTROLS = ["plain", "tool", "secret", "blocked", "held", "cut"]


class Wrong(Exception):
    """The cell is red, and this is why."""


@dataclass
class Cell:
    row: Row
    mode: str
    word: str  # in the prompt of this cell and nowhere else
    subject: str
    token: str  # by which the guard knows the subject
    model: object
    guard: object  # None in the negative control
    client: object  # the running client
    leave: Callable  # lets another client run, while this one is held

    # What can be asked

    def said(self) -> str:
        return self.client.stdout() + self.client.stderr()

    def asked(self) -> list:
        """The questions that reached the model."""
        return [asked for asked in self.model.with_word(self.word) if asked.dialect]

    def sockets(self) -> list:
        """Web sockets that clients have tried to open with the model: through this guard, or else around all of them."""
        through = [asked.headers.get("authorization", "").removeprefix("Bearer ") for asked in self.model.upgrades()]
        if self.guard:
            return [credential for credential in through if credential == self.guard.credential]
        return [credential for credential in through if not credential.startswith("upstream-")]

    def must(self, truth, why: str):
        if not truth:
            raise Wrong(why)

    def answered(self, text: str):
        shown = self.client.stdout().strip()
        same = shown == text if self.row.exact else text in shown
        self.must(same, "the answer is not the model's")
        self.must(self.client.code == 0, f"the client ended with {self.client.code}")


def prompt(mode: str, word: str, work) -> str:
    lead, scenario = PROMPTS["held-approved" if mode == "held" else mode]
    return f"{lead} {word} scenario:{scenario} file:{work / 'note.txt'} end"


# With the guard


def plain(cell: Cell):
    cell.client.finish()
    cell.answered(script.GHOST if cell.row.ghost else script.PLAIN)
    cell.must(cell.asked(), "the model was not asked: then who answered?")
    cell.must(not cell.sockets(), "a web socket has reached the model")
    headers = [value for asked in cell.asked() for value in asked.headers.values()]
    cell.must(not any(cell.token in value or GITHUB_TOKEN in value for value in headers), "THE CLIENT'S CREDENTIAL REACHED THE MODEL")
    cell.must(any(cell.guard.credential in value for value in headers), "the model was not asked with the guard's credential")


def tool(cell: Cell):
    cell.client.finish()
    if cell.row.ghost:
        return choices(cell)
    results = json.dumps([result for asked in cell.asked() for result in asked.results()])
    cell.must(script.WORD in results, "the tool's result did not come up to the model")
    cell.must(script.RAN in cell.client.stdout(), "the last answer is not shown")
    cell.must(cell.client.code == 0, f"the client ended with {cell.client.code}")
    sealed = [text for asked in cell.asked() for text in asked.sealed()]
    cell.must(all(text == script.SEALED for text in sealed), "sealed reasoning has been changed on the way")


def choices(cell: Cell):
    """Ghost text has no tools. Here several choices come at once, an event of each in turn."""
    shown = {each.strip() for each in cell.client.stdout().split("---")}
    counts = [asked.body.get("n") or 1 for asked in cell.asked()]
    cell.must(counts and max(counts) > 1, "the editor asked for one choice only")
    cell.must(shown == {script.ghost_text(index) for index in range(max(counts))}, "the choices are not the model's")


def secret(cell: Cell):
    cell.client.finish()
    cell.must(samples.PAT not in cell.said(), "THE SECRET IS SHOWN")
    cell.must(not cell.client.wrote(samples.PAT), f"THE SECRET IS IN A FILE: {cell.client.wrote(samples.PAT)}")
    cell.must(cell.asked(), "the model was not asked")
    cell.must("REDACTED:github-pat" in cell.client.stdout(), "no mask is shown")


def blocked(cell: Cell):
    cell.client.finish()
    cell.must(not cell.model.with_word(cell.word), "THE PROMPT REACHED THE MODEL")
    count = len([one for one in cell.guard.exchanges(cell.subject) if one["outcome"] == "blocked"])
    cell.must(count, "the record has no blocked exchange")
    cell.must(count <= 1 + FEW, f"{count} requests for one blocked prompt")
    if cell.row.ghost:
        return cell.must(not cell.said().strip(), "the editor is not quiet")
    cell.must(BLOCK_MESSAGE in cell.said(), "the policy's message is not shown")


def pending(cell: Cell) -> list:
    """The approvals that the cell's person waits for."""
    def probe():
        if cell.client.ended():
            raise Wrong("the client ended before there was an approval")
        return cell.guard.approvals(cell.subject, "pending")

    return wait_until(probe, "an approval is pending", START_SECONDS, every=0.5)


def hold(cell: Cell, seconds: float):
    pending(cell)
    since = time.monotonic()
    cell.leave()
    wait_until(lambda: cell.client.ended() or time.monotonic() - since >= seconds, "the hold is over", seconds + 10, every=0.5)
    cell.must(not cell.client.ended(), f"the client left after {time.monotonic() - since:.0f} s")
    cell.must(not cell.model.with_word(cell.word), "THE PROMPT REACHED THE MODEL BEFORE THE VOTE")


def vote(cell: Cell, vote: str):
    """On all that is pending, so that a client that opened several still comes to its end."""
    for approval in pending(cell):
        reply = cell.guard.vote(approval["id"], vote, cell.guard.reviewer())
        cell.must(reply.status == 200, f"the vote was answered {reply.status}: {reply.text[:200]}")


def held_approved(cell: Cell):
    if cell.row.ghost:
        return never_held(cell)
    hold(cell, HELD_SECONDS)
    vote(cell, "approve")
    cell.client.finish()
    opened = len(cell.guard.approvals(cell.subject, None))
    cell.must(opened == 1, f"{opened} approvals were opened for one prompt")
    cell.answered(script.PLAIN)


def held_denied(cell: Cell):
    if cell.row.ghost:
        return never_held(cell)
    hold(cell, DENIED_SECONDS)
    vote(cell, "deny")
    cell.client.finish()
    cell.must(not cell.model.with_word(cell.word), "THE PROMPT REACHED THE MODEL")
    cell.must(HOLD_MESSAGE in cell.said(), "the denial is not shown")


def never_held(cell: Cell):
    """Ghost text is useless after a second or two: what needs an approval is refused at once, in silence."""
    cell.client.finish()
    cell.must(not cell.model.with_word(cell.word), "THE PROMPT REACHED THE MODEL")
    cell.must(not cell.guard.approvals(cell.subject, None), "an approval was opened for ghost text")
    cell.must(cell.guard.exchanges(cell.subject), "the record has nothing of it")
    cell.must(not cell.said().strip(), "the editor is not quiet")


def cut(cell: Cell):
    cell.client.finish()
    broken = [one for one in cell.guard.exchanges(cell.subject) if one["outcome"] == "upstream_failed"]
    cell.must(broken, "the record has no exchange that upstream broke off")
    cell.must(len(cell.asked()) <= FEW, f"{len(cell.asked())} requests after one cut")
    if cell.row.ghost:
        return cell.must("status:" not in cell.said() and "popup:" not in cell.said(), "the editor is not quiet")
    cell.must(script.CUT[:20] in cell.client.stdout(), "the half that came is not shown")
    cell.must(any(one["id"] in cell.said() for one in broken), "the notice is not shown")
    cell.must(cell.client.code == 0, f"the client ended with {cell.client.code}")


WITH_GUARD = {
    "plain": plain, "tool": tool, "secret": secret, "blocked": blocked,
    "held-approved": held_approved, "held-denied": held_denied, "cut": cut,
}


# Without it


def bare_plain(cell: Cell):
    cell.client.finish()
    cell.answered(script.GHOST if cell.row.ghost else script.PLAIN)
    cell.must(cell.sockets() or not cell.row.socket, "no web socket is tried even without the guard")


def bare_secret(cell: Cell):
    cell.client.finish()
    cell.must(samples.PAT in cell.client.stdout(), "the secret is not shown even without the guard")


def bare_asked(cell: Cell):
    cell.client.finish()
    cell.must(cell.asked(), "the prompt does not reach the model even without the guard")
    cell.answered(script.GHOST if cell.row.ghost else script.PLAIN)


def bare_cut(cell: Cell):
    """An error, or another request for the same prompt. Some clients ask without end, so the second one will do."""
    wait_until(lambda: cell.client.ended() or len(cell.asked()) > 1, "an error or a retry", 60)
    cell.client.stop()
    failed = cell.client.code not in (0, None)
    quiet = cell.row.ghost and not cell.client.stdout().strip().endswith(script.GHOST)
    cell.must(failed or len(cell.asked()) > 1 or quiet, "a cut does no harm even without the guard")


WITHOUT = {
    "plain": bare_plain, "tool": tool, "secret": bare_secret, "blocked": bare_asked, "held": bare_asked, "cut": bare_cut,
}
