"""The Copilot language server, driven by a small editor: ghost text and chat."""

import json

from clients.base import BIN, COPILOT_MODE, FORWARD, GITHUB_TOKEN, INSTALLED, PROGRAMS, PYTHON, Row, Visit

SERVER = INSTALLED / "node_modules" / "@github" / "copilot-language-server" / "dist" / "language-server.js"
LIMIT = 200


def _editor(visit: Visit, do: str, model: str, way: dict, settings: dict):
    return [str(PYTHON), str(PROGRAMS / "editor.py")], {
        "SERVER_NODE": str(BIN / "node"), "SERVER": str(SERVER), "WORK": str(visit.work), "PROMPT": visit.prompt, "DO": do,
        "MODEL": model, "SETTINGS": json.dumps(settings), "LIMIT": str(LIMIT), **way,
    }


def _copilot_mode(do: str, model: str = ""):
    def command(visit: Visit):
        way = {"GITHUB_COPILOT_TOKEN": visit.token, "GITHUB_COPILOT_API_URL": visit.url, "GITHUB_COPILOT_SERVER_URL": visit.url}
        return _editor(visit, _what(visit, do), model, way, {})

    return command


def _forward(do: str, model: str = ""):
    def command(visit: Visit):
        way = {**visit.through_proxy(), "GITHUB_COPILOT_TOKEN": GITHUB_TOKEN}
        return _editor(visit, _what(visit, do), model, way, {"http": {"proxy": visit.url}})

    return command


def _what(visit: Visit, do: str) -> str:
    """There are no tools in ghost text: in their place stand several choices at once."""
    return "choices" if do == GHOST and visit.mode == "tool" else do


GHOST = "ghost"
ROWS = [
    Row("Language server", "ghost text", COPILOT_MODE, _copilot_mode(GHOST), ghost=True),
    Row("Language server", "chat", COPILOT_MODE, _copilot_mode("chat", "gpt-5-mini")),
    Row("Language server", "chat over Responses", COPILOT_MODE, _copilot_mode("chat", "gpt-5.4")),
    Row("Language server", "forward, ghost text", FORWARD, _forward(GHOST), ghost=True),
    Row("Language server", "forward, chat", FORWARD, _forward("chat", "gpt-5-mini")),
]
