"""Requests as a client of the data plane makes them, and a book of every secret that was in play.

Whatever goes out as a credential is planted here, and every answer that is no 200 is kept, for `test_zz_canaries.py`.
"""

import json
import threading
import time
import urllib.parse

import upstream as script
from support import Background, Reply, call, nonce, raw_stream, stream_text, wait_until

CHAT = "/v1/chat/completions"
EXCHANGE, DECISION = "x-copilot-guard-exchange", "x-copilot-guard-decision"

PLANTED: dict = {}  # secret -> what it is
ERRORS: list = []  # (what was asked, Reply)


def plant(what: str, secret: str) -> str:
    assert len(secret) > 12, f"{what} is too short to be told from other text"
    PLANTED[secret] = what
    return secret


def bearer(token: str | None) -> dict:
    return {"authorization": "Bearer " + plant("bearer token", token)} if token else {}


def noted(what: str, reply: Reply) -> Reply:
    if reply.status != 200:
        ERRORS.append((what, reply))
    return reply


def chat_body(scenario: str = "plain", text: str = "", **options) -> dict:
    return {"model": "scripted-model", "messages": [{"role": "user", "content": f"{text} scenario:{scenario}"}], **options}


def chat(url: str, token: str | None, scenario: str = "plain", text: str = "") -> Reply:
    """One completion, whole."""
    return noted(f"POST {CHAT}", call("POST", url + CHAT, bearer(token), chat_body(scenario, text)))


def assert_answered(reply: Reply):
    assert reply.status == 200, f"{reply.status}: {reply.text}"
    assert reply.json()["choices"][0]["message"]["content"] == script.PLAIN


def form(url: str, fields: dict, token: str | None = None) -> Reply:
    """A form, as OAuth endpoints take them."""
    for name in ("subject_token", "token", "logout_token"):
        if name in fields:
            plant(name, fields[name])
    headers = {"content-type": "application/x-www-form-urlencoded", **bearer(token)}
    return noted(f"POST {url}", call("POST", url, headers, urllib.parse.urlencode(fields)))


def without_ids(reply: Reply) -> str:
    """The body of a refusal, without what names this one request."""
    text = reply.text
    for name in (EXCHANGE, "x-github-request-id"):
        if reply.headers.get(name):
            text = text.replace(reply.headers[name], "ID")
    return text


class OpenStream:
    """A streamed answer that stays open in its middle until its gate opens, read in the background."""

    def __init__(self, url: str, token: str, upstream):
        self._upstream, self.gate = upstream, nonce()
        self.head, self.events, self.ended_at = None, [], None
        self._lock = threading.Lock()
        body = chat_body("slow", f"gate:{self.gate}", stream=True)
        stream = raw_stream(url + CHAT, bearer(token), body, timeout=120)

        def read(_):
            try:
                self.head = next(stream)
                for _name, data in stream:
                    with self._lock:
                        self.events.append(data)
            finally:
                self.ended_at = time.monotonic()

        self._reader = Background(read)
        half = script.SLOW[0]
        wait_until(lambda: self.text[: len(half) // 2] == half[: len(half) // 2] or self._early(), "a stream is under way", 15)

    def _early(self):
        if not self._reader.is_alive():
            self._reader.result()
            raise AssertionError(f"the stream ended before its middle: {self.head and self.head.status} {self.head and self.head.text}")

    @property
    def is_open(self) -> bool:
        return self._reader.is_alive()

    @property
    def text(self) -> str:
        with self._lock:
            return stream_text("\n".join(f"data:{data}" for data in self.events) + "\n")

    def finish(self) -> str:
        """Opens the gate and reads to the end."""
        self._upstream.open_gate(self.gate)
        self._reader.result(30)
        return self.text

    def assert_whole(self):
        assert self.finish() == "".join(script.SLOW), "the stream lost or gained text"
        self._assert_proper_end()

    def assert_cut_off(self, within: float, since: float):
        """It ended in time, without the second half, with a notice that a person sees, and as its format ends."""
        wait_until(lambda: not self.is_open, f"the stream of a withdrawn caller ends within {within:g} s", within)
        self._reader.result(1)
        assert self.ended_at - since <= within + 0.5
        assert script.SLOW[1].strip() not in self.text
        assert "[copilot-guard]" in self.text, f"no notice in: {self.text!r}"
        self._assert_proper_end()

    def _assert_proper_end(self):
        assert self.events[-1] == "[DONE]", self.events[-2:]
        reasons = [choice.get("finish_reason") for data in self.events[:-1] for choice in json.loads(data).get("choices") or []]
        assert [reason for reason in reasons if reason], "no finish_reason"
