"""An editor, as the Copilot language server sees one: JSON-RPC over stdin and stdout."""

import json
import subprocess
import threading
import time


class Editor:
    """Starts the server in `folder`. Asks answers from `replies` for what the server asks of its editor."""

    def __init__(self, command: list, env: dict, folder, replies: dict):
        self._errors = open(folder / "server.err", "wb")
        self.process = subprocess.Popen(
            command, cwd=folder, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, start_new_session=True
        )
        self._replies, self._answers, self._next = replies, {}, 0
        self.notices = []  # (method, params) of all that the server has said by itself
        self._changed = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        while head := self._head():
            message = json.loads(self.process.stdout.read(head))
            with self._changed:
                if "method" not in message:
                    self._answers[message["id"]] = message
                else:
                    self.notices.append((message["method"], message.get("params")))
                self._changed.notify_all()
            if "method" in message and "id" in message:
                reply = self._replies.get(message["method"], lambda _: None)
                self._send({"id": message["id"], "result": reply(message.get("params"))})

    def _head(self) -> int:
        length = 0
        for line in self.process.stdout:
            if line == b"\r\n":
                return length
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        return 0

    def _send(self, message: dict):
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        try:
            self.process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # it has ended; whoever waits for an answer is told

    def notify(self, method: str, params):
        self._send({"method": method, "params": params})

    def ask(self, method: str, params, seconds: float) -> dict:
        """The whole answer: it has `result` or `error`."""
        self._next += 1
        number = self._next
        self._send({"id": number, "method": method, "params": params})
        return self.wait(lambda: self._answers.get(number), f"an answer to {method}", seconds)

    def wait(self, probe, what: str, seconds: float):
        end = time.monotonic() + seconds
        with self._changed:
            while True:
                found = probe()
                if found:
                    return found
                if self.process.poll() is not None:
                    raise RuntimeError(f"the language server ended with {self.process.returncode}")
                if not self._changed.wait(min(1.0, end - time.monotonic())) and time.monotonic() >= end:
                    raise TimeoutError(f"not within {seconds:g} s: {what}")

    def close(self):
        self.process.kill()
        self.process.wait()
        self._errors.close()
