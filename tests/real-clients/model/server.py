"""The scripted model on loopback. It keeps every request, and finds them again by a word in their body."""

import json
import re
import socket
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from model import chat, completions, github, messages, responses, script

ROUTES = [
    (r"(/v1)?/chat/completions", chat),
    (r"(/v1)?/responses", responses),
    (r"(/v1)?/messages", messages),
    (r"(/v1)?(/engines/[^/]+)?/completions", completions),
]


@dataclass
class Asked:
    method: str
    path: str
    headers: dict
    raw: str
    body: dict
    dialect: object = None

    def results(self) -> list:
        """What tools have answered, as far as this request tells."""
        return self.dialect.results(self.body) if self.dialect else []

    def sealed(self) -> list:
        """The sealed reasoning that the client has sent back."""
        return responses.sealed(self.body) if self.dialect is responses else []


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_):
        pass  # clients that leave in the middle are part of the suite


class Model:
    def __init__(self):
        self._asked: list[Asked] = []
        self._lock = threading.Lock()
        self._servers = []
        self.url = self._listen(github.here)
        self.by_name = self._listen(lambda _: github.BY_NAME)

    def _listen(self, endpoints) -> str:
        """Starts a listener that, as GitHub, names `endpoints(its address)` to its clients."""
        server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"model": self}))
        url = f"http://127.0.0.1:{server.server_address[1]}"
        server.RequestHandlerClass.endpoints = endpoints(url)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self._servers.append(server)
        return url

    def keep(self, asked: Asked):
        with self._lock:
            self._asked.append(asked)

    def with_word(self, word: str) -> list:
        """The requests in which `word` came, in the order of their coming."""
        with self._lock:
            return [asked for asked in self._asked if word in asked.raw]

    def upgrades(self) -> list:
        """The requests for a web socket. They have no body to find them by."""
        with self._lock:
            return [asked for asked in self._asked if "upgrade" in asked.headers]

    def close(self):
        for server in self._servers:
            server.shutdown()
            server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    model: Model
    endpoints: dict

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self._keep("")
        self._json(200, {})

    def do_GET(self):
        asked = self._keep("")
        if "upgrade" in asked.headers:
            return self._json(400, chat.ERROR)
        self._json(200, github.answer(self.path.partition("?")[0], self.endpoints))

    def do_POST(self):
        asked = self._keep(self._body())
        try:
            self._answer(asked)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the client left

    def _body(self) -> str:
        length = self.headers.get("content-length")
        raw = self._chunked() if length is None else self.rfile.read(int(length))
        return raw.decode("utf-8", "replace")

    def _chunked(self) -> bytes:
        out = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            out += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return out

    def _keep(self, raw: str) -> Asked:
        headers = {name.lower(): value for name, value in self.headers.items()}
        path = self.path.partition("?")[0]
        dialect = next((dialect for route, dialect in ROUTES if re.fullmatch(route, path)), None)
        try:
            body = json.loads(raw)
        except ValueError:
            body = None
        asked = Asked(self.command, self.path, headers, raw, body if isinstance(body, dict) else {}, dialect)
        self.model.keep(asked)
        return asked

    def _answer(self, asked: Asked):
        dialect, body = asked.dialect, asked.body
        if asked.path.startswith("/mcp"):
            return self._json(404, chat.ERROR)
        if dialect is None:  # telemetry and the like
            return self._json(200, github.answer(asked.path.partition("?")[0], self.endpoints))
        name = script.scenario(asked.raw)
        if dialect is completions:
            reply = [script.ghost(name, index) for index in range(body.get("n") or 1)]
        else:
            reply = script.reply(name, asked.raw, dialect.tools(body), bool(dialect.results(body)))
        if not body.get("stream"):
            return self._json(200, dialect.whole(body, reply), cut=name == "cut")
        self._head(200, "text/event-stream", {"transfer-encoding": "chunked"})
        for event in dialect.stream(body, reply):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(event), event))
        if name == "cut":
            return self._drop()
        self.wfile.write(b"0\r\n\r\n")

    def _drop(self):
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def _head(self, status: int, kind: str, headers: dict):
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("x-github-request-id", "SCRIPTED:REQUEST")
        self.send_header("x-request-id", "req-scripted")
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _json(self, status: int, body: dict, cut: bool = False):
        data = json.dumps(body).encode()
        self._head(status, "application/json", {"content-length": str(len(data))})
        if cut:
            self.wfile.write(data[: len(data) // 2])
            return self._drop()
        if self.command != "HEAD":
            self.wfile.write(data)
