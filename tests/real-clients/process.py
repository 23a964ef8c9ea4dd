"""One running client: its output in files, its end by its process group."""

import os
import pathlib
import signal
import subprocess
import time

SMALL = 4_000_000  # larger files are programs that the client has unpacked


class Client:
    def __init__(self, arguments: list, environment: dict, home: pathlib.Path, work: pathlib.Path, limit: float):
        self._home, self._end = home, time.monotonic() + limit
        self._out, self._err = home / "stdout", home / "stderr"
        with open(self._out, "wb") as out, open(self._err, "wb") as err:
            self._process = subprocess.Popen(
                ["nice", "-n", "5", *arguments], cwd=work, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                start_new_session=True,
            )
        self.late = False

    @property
    def code(self):
        return self._process.poll()

    def ended(self) -> bool:
        return self._process.poll() is not None

    def finish(self):
        """Waits for its own end, but not past its limit."""
        try:
            self._process.wait(max(0.1, self._end - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.late = True
        self.stop()

    def stop(self):
        """The client and what it has started. Its group bears the id of its first process."""
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._process.wait()

    def stdout(self) -> str:
        return self._out.read_text(encoding="utf-8", errors="replace")

    def stderr(self) -> str:
        return self._err.read_text(encoding="utf-8", errors="replace")

    def wrote(self, needle: str) -> list:
        """The files under its home that hold `needle`."""
        files = [path for path in self._home.rglob("*") if path.is_file() and path.stat().st_size < SMALL]
        return [str(path.relative_to(self._home)) for path in files if needle.encode() in path.read_bytes()]
