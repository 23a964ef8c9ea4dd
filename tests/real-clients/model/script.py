"""What the scripted model says. The prompt chooses: `scenario:NAME`, anywhere in the request's text."""

import re
from dataclasses import dataclass

import samples

PLAIN = "Twelve bytes make a dozen: žluťoučký kůň, 你好, 🦀. This is a plain answer."
SECRET = "The deploy token is {pat} and that is all."
CUT = "The first half of this answer arrives. The second half is never sent by the model, because the line breaks."
RAN = "The command has run, and that was all."
SEALED = "c2VhbGVkIHJlYXNvbmluZyBvZiB0aGUgc2NyaXB0ZWQgbW9kZWw="
WORD = "guard-tool-ok"
COMMAND = f"echo {WORD}"

GHOST_SECRET = 'token = "{pat}"'

# By the name of the tool that runs a command, or reads a file: what the model calls it with.
TOOLS = {
    "bash": lambda _: {"command": COMMAND, "description": "say it"},
    "Bash": lambda _: {"command": COMMAND, "description": "say it"},
    "exec_command": lambda _: {"cmd": COMMAND},
    "shell_command": lambda _: {"command": COMMAND},
    "shell": lambda _: {"command": ["bash", "-c", COMMAND]},
    "run_in_terminal": lambda _: {"command": COMMAND, "explanation": "say it", "goal": "say it", "isBackground": False},
    "read_file": lambda path: {"filePath": path},
}


@dataclass
class Reply:
    pieces: list
    tool: tuple | None = None
    cut: bool = False  # the connection drops in the middle of the pieces

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    def until_cut(self) -> list:
        return self.pieces[: len(self.pieces) // 2] if self.cut else self.pieces


def scenario(text: str) -> str:
    found = re.search(r"scenario:([a-z-]+)", text)
    return found.group(1) if found else "plain"


def reply(name: str, text: str, tools: list, has_result: bool) -> Reply:
    """The answer to a request whose whole text is `text`, which offers `tools`."""
    if name == "secret":
        return Reply(list(SECRET.format(pat=samples.PAT)))
    if name == "cut":
        return Reply(sevens(CUT), cut=True)
    if name == "tool" and has_result:
        return Reply(sevens(RAN))
    if name == "tool":
        called = next((tool for tool in TOOLS if tool in tools), None)
        if called:
            path = re.search(r"file:([\w./-]+)", text)
            return Reply(sevens("I run that."), tool=(called, TOOLS[called](path and path.group(1))))
    return Reply(sevens(PLAIN))


def ghost_text(index: int) -> str:
    return "return a + b" if index == 0 else f"return sum((a, b))  # way {index}"


GHOST = ghost_text(0)


def ghost(name: str, index: int) -> Reply:
    """One of the suggestions for the editor."""
    if name == "secret":
        return Reply(list(GHOST_SECRET.format(pat=samples.PAT)))
    return Reply(sevens(ghost_text(index)), cut=name == "cut")


def sevens(text: str) -> list:
    return [text[at : at + 7] for at in range(0, len(text), 7)]
