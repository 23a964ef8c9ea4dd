"""opencode, through its OpenAI-compatible provider."""

import json

from clients.base import BASE_URL, BIN, Row, Visit

# It would fetch its list of models, and its plugins' package, from the network.
QUIET = {"OPENCODE_DISABLE_AUTOUPDATE": "1", "OPENCODE_DISABLE_MODELS_FETCH": "1", "npm_config_offline": "true"}


def _command(visit: Visit):
    provider = {
        "npm": "@ai-sdk/openai-compatible", "name": "guard", "models": {"gpt-5-mini": {"name": "gpt-5-mini"}},
        "options": {"baseURL": f"{visit.url}/v1", "apiKey": "{env:GUARD_TOKEN}"},
    }
    settings = {
        "autoupdate": False, "share": "disabled", "provider": {"guard": provider},
        "model": "guard/gpt-5-mini", "small_model": "guard/gpt-5-mini",
    }
    (visit.work / "opencode.json").write_text(json.dumps(settings), encoding="utf-8")
    return [str(BIN / "opencode"), "run", visit.prompt], {"GUARD_TOKEN": visit.token, **QUIET}


ROWS = [Row("opencode", "chat", BASE_URL, _command, exact=False)]
