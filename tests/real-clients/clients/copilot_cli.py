"""GitHub Copilot CLI: with a key of one's own, as a Copilot client of the gateway, and through it."""

from clients.base import BASE_URL, BIN, COPILOT_MODE, FORWARD, GITHUB_TOKEN, INSTALLED, Row, Visit
from support import call

# It unpacks itself into its cache: once is enough.
QUIET = {"COPILOT_AUTO_UPDATE": "false", "XDG_CACHE_HOME": str(INSTALLED / "cache")}


def _ask(visit: Visit, model: str) -> list:
    return [str(BIN / "copilot"), "--silent", "--no-color", "--allow-all-tools", "--model", model, "--prompt", visit.prompt]


def _own_key(kind: str, api: str, model: str, prefix: str = ""):
    def command(visit: Visit):
        return _ask(visit, model), {
            **QUIET, "COPILOT_OFFLINE": "true", "COPILOT_PROVIDER_BASE_URL": visit.url + prefix, "COPILOT_PROVIDER_TYPE": kind,
            "COPILOT_PROVIDER_WIRE_API": api, "COPILOT_PROVIDER_API_KEY": visit.token,
        }

    return command


def _copilot_mode(model: str, credential=lambda visit: {"GH_TOKEN": visit.token}):
    def command(visit: Visit):
        way = {"COPILOT_API_URL": visit.url, "COPILOT_DEBUG_GITHUB_API_URL": visit.url}
        return _ask(visit, model), {**QUIET, **way, **credential(visit)}

    return command


def _gateway_token(visit: Visit) -> dict:
    """In this variable the CLI takes a token of GitHub's shape only. The gateway gives one for the person's own."""
    if not visit.guarded:
        return {"COPILOT_GITHUB_TOKEN": GITHUB_TOKEN}
    reply = call("POST", f"{visit.url}/copilot-guard/token", {"authorization": f"Bearer {visit.token}"})
    assert reply.status == 200, f"the gateway gives no token: {reply.status} {reply.text[:200]}"
    return {"COPILOT_GITHUB_TOKEN": reply.json()["access_token"]}


def _forward(model: str):
    def command(visit: Visit):
        return _ask(visit, model), {**QUIET, **visit.through_proxy(), "COPILOT_GITHUB_TOKEN": GITHUB_TOKEN}

    return command


ROWS = [
    Row("Copilot CLI", "own key, chat", BASE_URL, _own_key("openai", "completions", "gpt-5-mini", "/v1")),
    Row("Copilot CLI", "own key, Responses", BASE_URL, _own_key("openai", "responses", "gpt-5.4", "/v1")),
    Row("Copilot CLI", "own key, messages", BASE_URL, _own_key("anthropic", "completions", "claude-sonnet-4.5")),
    Row("Copilot CLI", "Copilot mode, Responses", COPILOT_MODE, _copilot_mode("gpt-5.4"), socket=True),
    Row("Copilot CLI", "Copilot mode, chat, gateway token", COPILOT_MODE, _copilot_mode("gpt-5-mini", _gateway_token)),
    Row("Copilot CLI", "Copilot mode, messages", COPILOT_MODE, _copilot_mode("claude-sonnet-4.5")),
    Row("Copilot CLI", "forward", FORWARD, _forward("gpt-5.4"), socket=True),
]
