"""Waiting with a bound, calls in the background, and a reader for raw event streams."""

import http.client
import json
import secrets
import string
import threading
import time
import urllib.parse


def nonce(length: int = 12) -> str:
    """Letters only: must not look like a key to any rule."""
    return "".join(secrets.choice(string.ascii_lowercase) for _ in range(length))


def wait_until(probe, what: str, seconds: float = 30.0, every: float = 0.05):
    """Calls `probe` until it gives something true, and returns that."""
    end = time.monotonic() + seconds
    while True:
        found = probe()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds:g} s: {what}")
        time.sleep(every)


class Background(threading.Thread):
    """Runs `work(self)`; `items` is for what it collects on the way."""

    def __init__(self, work):
        super().__init__(daemon=True)
        self._work, self.items, self.error, self.value = work, [], None, None
        self.start()

    def run(self):
        try:
            self.value = self._work(self)
        except BaseException as error:  # handed to whoever calls result()
            self.error = error

    def result(self, seconds: float = 60.0):
        self.join(seconds)
        assert not self.is_alive(), f"still running after {seconds:g} s"
        if self.error is not None:
            raise self.error
        return self.value


class Reply:
    def __init__(self, status: int, headers, body: bytes):
        self.status, self.headers, self.body = status, headers, body

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    def json(self):
        return json.loads(self.body)


def _open(method, url, headers, body, timeout):
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    if body is not None and not isinstance(body, (bytes, str)):
        body = json.dumps(body)
        headers = {"content-type": "application/json", **headers}
    connection.request(method, target, body=body, headers=headers)
    return connection, connection.getresponse()


def call(method: str, url: str, headers: dict | None = None, body=None, timeout: float = 30.0) -> Reply:
    """One plain HTTP request, without an SDK's opinions."""
    connection, response = _open(method, url, headers or {}, body, timeout)
    try:
        return Reply(response.status, response.headers, response.read())
    finally:
        connection.close()


def raw_stream(url: str, headers: dict, body, timeout: float = 60.0):
    """Yields the reply first, then `(event name or None, data)` for each event."""
    connection, response = _open("POST", url, {"content-type": "application/json", **headers}, body, timeout)
    try:
        if response.status != 200:
            yield Reply(response.status, response.headers, response.read())
            return
        yield Reply(response.status, response.headers, b"")
        name = None
        for line in response:
            line = line.decode().rstrip("\r\n")
            if line.startswith("event:"):
                name = line[6:].strip()
            elif line.startswith("data:"):
                yield name, line[5:].strip()
                name = None
    finally:
        connection.close()


def stream_text(recorded: str) -> str:
    """Joins the text of a recorded event stream, of either format. A last line that a crash cut off is left out."""
    out, lines = [], recorded.split("\n")
    for at, line in enumerate(lines):
        whole = at + 1 < len(lines) or line.endswith("}")
        if not line.startswith("data:") or line[5:].strip() == "[DONE]" or not whole:
            continue
        event = json.loads(line[5:])
        for choice in event.get("choices") or []:
            out.append((choice.get("delta") or {}).get("content") or "")
        if event.get("type") == "content_block_delta":
            out.append(event["delta"].get("text") or "")
    return "".join(out)
