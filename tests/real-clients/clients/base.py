"""What a row of the matrix is, and what its client is told."""

import os
import pathlib
from dataclasses import dataclass
from typing import Callable

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
INSTALLED = REPOSITORY / "target" / "real-clients"
PROGRAMS = REPOSITORY / "tests" / "real-clients" / "programs"
BIN = INSTALLED / "node_modules" / ".bin"
PYTHON = INSTALLED / "venv" / "bin" / "python"

# The ways to the gateway, by the names of `suite.py`.
BASE_URL, COPILOT_MODE, FORWARD = "base URL", "Copilot mode", "forward"

# What stands for a login at GitHub: of the right shape, and good for nothing.
GITHUB_TOKEN = "gho_" + "0" * 36


@dataclass
class Visit:
    """One client, one question, one way to the model."""

    url: str  # of the gateway, or of the scripted model; in forward mode of the proxy, with the credential in it
    token: str
    prompt: str
    mode: str
    home: pathlib.Path  # of this visit alone
    guarded: bool
    ca: pathlib.Path | None = None  # in forward mode, whom to trust

    @property
    def work(self) -> pathlib.Path:
        return self.home / "work"

    def through_proxy(self) -> dict:
        """What every client needs to call the outside through the gateway. Nothing is exempt."""
        trust = {name: str(self.ca) for name in ("NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE")}
        return {"HTTPS_PROXY": self.url, "https_proxy": self.url, **trust}


@dataclass
class Row:
    client: str
    transport: str
    way: str
    command: Callable  # of a Visit: the arguments and the environment
    exact: bool = True  # prints the answer and nothing else
    ghost: bool = False
    socket: bool = False  # would rather speak over a web socket, where the list of models offers one

    @property
    def name(self) -> str:
        return f"{self.client}: {self.transport}"


def surroundings(visit: Visit) -> dict:
    """An environment that has nothing of this machine but the way to its programs."""
    temporary = visit.home / "tmp"
    temporary.mkdir(exist_ok=True)
    return {
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "HOME": str(visit.home), "TMPDIR": str(temporary),
        "XDG_CONFIG_HOME": str(visit.home / ".config"), "XDG_CACHE_HOME": str(visit.home / ".cache"),
        "XDG_DATA_HOME": str(visit.home / ".local/share"), "XDG_STATE_HOME": str(visit.home / ".local/state"),
        "LANG": "C.UTF-8", "TERM": "dumb", "NO_COLOR": "1", "PYTHONDONTWRITEBYTECODE": "1",
    }
