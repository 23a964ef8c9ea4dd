"""A scripted model on loopback that speaks OpenAI chat completions and Anthropic messages.

The script is chosen by `scenario:NAME` in the last user text, or by a model named `script:NAME`; without either it is
`plain`. A user text may also say `gate:WORD`: the scenario `slow` then waits in its middle until `open_gate("WORD")`.

Every request is kept in `requests`, with the headers it came with.
"""

import json
import re
import socket
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import samples

PLAIN = "Twelve bytes make a dozen, and this is a plain answer: žluťoučký kůň, 你好, 🦀."
LEAK = "The deploy token is {pat} and the key id is {aws}, keep both safe."
THOUGHT = "First I look at the file, then I answer."
SIGNATURE = "c2lnbmF0dXJlLW9mLXRoZS1zY3JpcHRlZC1tb2RlbA=="
TOOL = ("write_note", {"title": "Release notes", "lines": ["one", "two", "three"], "draft": True})
FORBIDDEN_TOOL = ("run_in_terminal", {"command": "git push --force origin main", "explanation": "rewrite the branch"})
SLOW = ["This is the early half of the answer.\n", "And this is the late half, said by the gate.\n"]
USAGE = {"prompt": 21, "completion": 34}
GATE_SECONDS = 60


@dataclass
class Choice:
    text: str = ""
    thought: str = ""
    tool: tuple | None = None


@dataclass
class Script:
    choices: list
    pieces: list | None = None  # the text as it is cut, when 7 characters at a time is not wanted
    gated: bool = False  # wait before the last piece
    cut: bool = False  # drop the connection in the middle of the text
    failure: tuple | None = None  # (status, headers, message)


@dataclass
class Recorded:
    path: str
    headers: dict
    body: dict
    scenario: str
    gate: str | None = None
    finished: threading.Event = field(default_factory=threading.Event)


def leak() -> str:
    return LEAK.format(pat=samples.PAT, aws=samples.AWS)


def script_for(name: str, headers: dict) -> Script:
    if name == "plain":
        return Script([Choice(PLAIN)])
    if name == "leak-content":
        return Script([Choice(leak())])
    if name == "leak-second-choice":
        return Script([Choice(PLAIN), Choice(leak())])
    if name == "reasoning":
        return Script([Choice(PLAIN, thought=THOUGHT)])
    if name == "leak-reasoning":
        return Script([Choice(PLAIN, thought=leak())])
    if name == "tool":
        return Script([Choice("I write that down.", tool=TOOL)])
    if name == "leak-tool":
        return Script([Choice("I write that down.", tool=(TOOL[0], {**TOOL[1], "lines": ["one", leak()]}))])
    if name == "forbidden-tool":
        return Script([Choice("I push that now.", tool=FORBIDDEN_TOOL)])
    if name == "slow":
        return Script([Choice("".join(SLOW))], pieces=SLOW, gated=True)
    if name == "cut":
        return Script([Choice(PLAIN)], cut=True)
    if name == "echo-credential":
        return Script([Choice("You called me with " + " and ".join(credentials(headers)) + ", I think.")])
    if name == "fail":
        return Script([], failure=(500, {"set-cookie": "session=upstream"}, "database at 10.9.8.7 is down"))
    if name == "fail-with-credential":
        return Script([], failure=(500, {"x-debug": "; ".join(credentials(headers))}, " ".join(credentials(headers))))
    if name == "rate-limit":
        return Script([], failure=(429, {"retry-after": "7"}, "slow down"))
    return Script([], failure=(404, {}, f"no such script: {name}"))


def credentials(headers: dict) -> list:
    found = [headers[name] for name in ("authorization", "x-api-key", "api-key") if name in headers]
    return [value.removeprefix("Bearer ") for value in found]


def last_user_text(body: dict) -> str:
    for message in reversed(body.get("messages") or []):
        if message.get("role") != "user":
            continue
        content = message.get("content")
        if isinstance(content, str):
            return content
        return " ".join(part.get("text") or "" for part in content or [] if isinstance(part, dict))
    return ""


def sevens(text: str) -> list:
    return [text[at : at + 7] for at in range(0, len(text), 7)]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        pass  # callers that leave in the middle are part of the tests


class Upstream:
    def __init__(self):
        self.requests: list[Recorded] = []
        self._gates: dict[str, threading.Event] = {}
        self._lock = threading.Lock()
        outer = self

        class Handler(_Handler):
            upstream = outer

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def count(self) -> int:
        with self._lock:
            return len(self.requests)

    def with_text(self, needle: str) -> list:
        """The requests whose body holds `needle`."""
        with self._lock:
            return [request for request in self.requests if needle in json.dumps(request.body, ensure_ascii=False)]

    def record(self, request: Recorded):
        with self._lock:
            self.requests.append(request)

    def gate(self, word: str) -> threading.Event:
        with self._lock:
            return self._gates.setdefault(word, threading.Event())

    def open_gate(self, word: str):
        self.gate(word).set()

    def close(self):
        with self._lock:
            gates = list(self._gates.values())
        for gate in gates:
            gate.set()
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    upstream: Upstream

    def log_message(self, *_):
        pass

    def do_POST(self):
        length = self.headers.get("content-length")
        raw = self._chunked() if length is None else self.rfile.read(int(length))
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            body = json.loads(raw)
        except ValueError:
            return self._json(400, {"error": {"message": "not JSON", "type": "invalid_request_error"}})
        text = last_user_text(body)
        found = re.search(r"scenario:([a-z0-9-]+)", text) or re.fullmatch(r"script:(.+)", body.get("model") or "")
        gate = re.search(r"gate:([a-z]+)", text)
        request = Recorded(self.path, headers, body, found.group(1) if found else "plain", gate and gate.group(1))
        self.upstream.record(request)
        path = self.path.partition("?")[0]
        dialect = {"/v1/chat/completions": _Chat, "/v1/messages": _Messages}.get(path)
        try:
            if dialect is None:
                return self._json(404, {"error": {"message": f"no route {path}", "type": "invalid_request_error"}})
            self._answer(dialect(body), script_for(request.scenario, headers), request)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the caller left
        finally:
            request.finished.set()

    def _chunked(self) -> bytes:
        out = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            out += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return out

    def _json(self, status: int, body: dict, headers: dict | None = None):
        data = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"content-type": "application/json", "x-request-id": "req-scripted", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _answer(self, dialect, script: Script, request: Recorded):
        if script.failure:
            status, headers, message = script.failure
            return self._json(status, dialect.error(status, message), headers)
        if not request.body.get("stream"):
            self._wait(script, request)
            if script.cut:
                return self._cut_plain(dialect.whole(script))
            return self._json(200, dialect.whole(script))
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("x-request-id", "req-scripted")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for step in dialect.steps(script):
            if step == "gate":
                self._wait(script, request)
            elif step == "cut":
                return self._drop()
            else:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(step), step))
        self.wfile.write(b"0\r\n\r\n")

    def _wait(self, script: Script, request: Recorded):
        if script.gated and request.gate:
            self.upstream.gate(request.gate).wait(GATE_SECONDS)

    def _cut_plain(self, body: dict):
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[: len(data) // 2])
        self._drop()

    def _drop(self):
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)


def _text_steps(script: Script, text: str, wrap):
    """The pieces of a text, with the gate or the cut where the script wants it."""
    pieces = script.pieces or sevens(text)
    for at, piece in enumerate(pieces):
        if script.gated and at == len(pieces) - 1:
            yield "gate"
        if script.cut and at == len(pieces) // 2:
            yield "cut"
            return
        yield wrap(piece)


class _Chat:
    """OpenAI chat completions."""

    def __init__(self, body: dict):
        self.model = body.get("model") or "scripted"
        self.n = body.get("n") or 1
        self.usage = bool((body.get("stream_options") or {}).get("include_usage"))

    def error(self, _status, message):
        return {"error": {"message": message, "type": "server_error", "param": None, "code": None}}

    def _choices(self, script: Script):
        return [script.choices[min(index, len(script.choices) - 1)] for index in range(self.n)]

    def _usage(self):
        prompt, completion = USAGE["prompt"], USAGE["completion"]
        return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}

    def whole(self, script: Script) -> dict:
        choices = []
        for index, choice in enumerate(self._choices(script)):
            message = {"role": "assistant", "content": choice.text}
            if choice.thought:
                message["reasoning_content"] = choice.thought
            if choice.tool:
                name, arguments = choice.tool
                function = {"name": name, "arguments": json.dumps(arguments)}
                message["tool_calls"] = [{"id": f"call_{index}", "type": "function", "function": function}]
            reason = "tool_calls" if choice.tool else "stop"
            choices.append({"index": index, "message": message, "finish_reason": reason, "logprobs": None})
        head = {"id": "chatcmpl-scripted", "object": "chat.completion", "created": 1760000000, "model": self.model}
        return {**head, "choices": choices, "usage": self._usage()}

    def _event(self, choices, **more) -> bytes:
        head = {"id": "chatcmpl-scripted", "object": "chat.completion.chunk", "created": 1760000000, "model": self.model}
        return b"data: " + json.dumps({**head, "choices": choices, **more}, ensure_ascii=False).encode() + b"\n\n"

    def _delta(self, index, delta, reason=None) -> bytes:
        return self._event([{"index": index, "delta": delta, "finish_reason": reason, "logprobs": None}])

    def _one(self, script: Script, index: int, choice: Choice):
        yield self._delta(index, {"role": "assistant", "content": ""})
        for piece in sevens(choice.thought):
            yield self._delta(index, {"reasoning_content": piece})
        yield from _text_steps(script, choice.text, lambda piece: self._delta(index, {"content": piece}))
        if choice.tool:
            name, arguments = choice.tool
            call = {"index": 0, "id": f"call_{index}", "type": "function", "function": {"name": name, "arguments": ""}}
            yield self._delta(index, {"tool_calls": [call]})
            for piece in sevens(json.dumps(arguments)):
                yield self._delta(index, {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]})
        yield self._delta(index, {}, "tool_calls" if choice.tool else "stop")

    def steps(self, script: Script):
        running = [self._one(script, index, choice) for index, choice in enumerate(self._choices(script))]
        while running:  # one event of each choice in turn
            for one in list(running):
                step = next(one, None)
                if step is None:
                    running.remove(one)
                    continue
                yield step
        if self.usage:
            yield self._event([], usage=self._usage())
        yield b"data: [DONE]\n\n"


class _Messages:
    """Anthropic messages. One choice only."""

    def __init__(self, body: dict):
        self.model = body.get("model") or "scripted"

    def error(self, status, message):
        kind = "rate_limit_error" if status == 429 else "api_error"
        return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req-scripted"}

    def _blocks(self, choice: Choice):
        if choice.thought:
            yield {"type": "thinking", "thinking": choice.thought, "signature": SIGNATURE}
        yield {"type": "text", "text": choice.text}
        if choice.tool:
            yield {"type": "tool_use", "id": "toolu_scripted", "name": choice.tool[0], "input": choice.tool[1]}

    def whole(self, script: Script) -> dict:
        choice = script.choices[0]
        return {
            "id": "msg_scripted",
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": list(self._blocks(choice)),
            "stop_reason": "tool_use" if choice.tool else "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": USAGE["prompt"], "output_tokens": USAGE["completion"]},
        }

    def _event(self, kind: str, **more) -> bytes:
        data = json.dumps({"type": kind, **more}, ensure_ascii=False)
        return f"event: {kind}\ndata: {data}\n\n".encode()

    def _delta(self, index: int, kind: str, key: str):
        return lambda piece: self._event("content_block_delta", index=index, delta={"type": kind, key: piece})

    def steps(self, script: Script):
        choice, whole = script.choices[0], self.whole(script)
        start = {**whole, "content": [], "stop_reason": None, "usage": {"input_tokens": USAGE["prompt"], "output_tokens": 1}}
        yield self._event("message_start", message=start)
        yield self._event("ping")
        for index, block in enumerate(self._blocks(choice)):
            empty = {"thinking": {"thinking": "", "signature": ""}, "text": {"text": ""}, "tool_use": {"input": {}}}
            yield self._event("content_block_start", index=index, content_block={**block, **empty[block["type"]]})
            if block["type"] == "thinking":
                yield from map(self._delta(index, "thinking_delta", "thinking"), sevens(block["thinking"]))
                yield self._delta(index, "signature_delta", "signature")(block["signature"])
            elif block["type"] == "text":
                yield from _text_steps(script, block["text"], self._delta(index, "text_delta", "text"))
            else:
                arguments = sevens(json.dumps(block["input"]))
                yield from map(self._delta(index, "input_json_delta", "partial_json"), arguments)
            yield self._event("content_block_stop", index=index)
        delta = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
        yield self._event("message_delta", delta=delta, usage={"output_tokens": USAGE["completion"]})
        yield self._event("message_stop")
