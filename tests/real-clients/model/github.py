"""GitHub's own routes, as far as its clients need them. They are there for the runs without the guard."""

import time

CHAT, RESPONSES, SOCKET, MESSAGES = "/chat/completions", "/responses", "ws:/responses", "/v1/messages"


def _model(id: str, vendor: str, endpoints: list, kind: str = "chat", **more) -> dict:
    supports = {"streaming": True, "tool_calls": True, "parallel_tool_calls": True}
    limits = {"max_context_window_tokens": 200000, "max_output_tokens": 16384, "max_prompt_tokens": 128000}
    return {
        "id": id, "name": id, "object": "model", "vendor": vendor, "version": id, "preview": False,
        "model_picker_enabled": kind == "chat", "is_chat_default": False, "is_chat_fallback": False,
        "capabilities": {
            "family": id, "type": kind, "object": "model_capabilities", "tokenizer": "o200k_base", "supports": supports, "limits": limits,
        },
        "policy": {"state": "enabled", "terms": ""}, "billing": {"is_premium": False, "multiplier": 0},
        "supported_endpoints": endpoints, **more,
    }


def _models() -> dict:
    default = {"is_chat_default": True, "is_chat_fallback": True}
    return {"object": "list", "data": [
        _model("gpt-4.1", "Azure OpenAI", [CHAT], **default),
        _model("gpt-5-mini", "Azure OpenAI", [CHAT]),
        _model("gpt-5.4", "Azure OpenAI", [RESPONSES, SOCKET]),
        _model("claude-sonnet-4.5", "Anthropic", [MESSAGES, CHAT]),
        _model("gpt-41-copilot", "Azure OpenAI", [], kind="completion"),
    ]}


def here(url: str) -> dict:
    """Endpoints for clients that call the scripted model by its own address."""
    return {name: url for name in ("api", "proxy", "telemetry", "origin-tracker")}


# And for clients that call GitHub by name, through a forward proxy.
BY_NAME = {name: f"https://{name}.enterprise.githubcopilot.com" for name in here("")}


def _token(endpoints: dict) -> dict:
    now = int(time.time())
    parts = f"tid=scripted;exp={now + 1800};sku=copilot_enterprise_seat;st=dotcom;chat=1;cit=1;malfil=1;agent_mode=1;mcp=1;8kp=1"
    return {
        "token": parts, "expires_at": now + 1800, "refresh_in": 1500, "sku": "copilot_enterprise_seat", "individual": False,
        "endpoints": endpoints, "chat_enabled": True, "code_quote_enabled": False, "copilotignore_enabled": False,
        "codesearch": False, "public_suggestions": "enabled", "telemetry": "disabled", "tracking_id": "scripted",
        "organization_list": [], "enterprise_list": [], "limited_user_quotas": None, "limited_user_reset_date": None,
        "annotations_enabled": False, "snippy_load_test_enabled": False, "prompt_8k": True,
        "vsc_electron_fetcher_v2": False, "xcode": False, "xcode_chat": False,
    }


def _user(endpoints: dict) -> dict:
    return {
        "login": "scripted-user", "access_type_sku": "copilot_enterprise_seat", "copilot_plan": "enterprise",
        "analytics_tracking_id": "scripted", "assigned_date": None, "can_signup_for_limited": False, "chat_enabled": True,
        "cli_enabled": True, "organization_login_list": [], "organization_list": [], "endpoints": endpoints,
    }


def answer(path: str, endpoints: dict) -> dict:
    """What a GET gets. Unknown paths get an empty object, telemetry its experiments."""
    name = path.rstrip("/")
    if name.endswith("/embeddings/models"):
        return {"models": []}
    if name.endswith("/models"):
        return _models()
    if name.endswith("/agents"):
        return {"agents": []}
    if "/models/" in name:
        return next((model for model in _models()["data"] if name.endswith("/" + model["id"])), {})
    if name.endswith("/copilot_internal/v2/token"):
        return _token(endpoints)
    if name.endswith("/copilot_internal/user"):
        return _user(endpoints)
    if name.endswith("/user"):
        return {"login": "scripted-user", "id": 1, "type": "User"}
    return {"Configs": [], "Features": [], "Flights": {}, "AssignmentContext": "", "ParameterGroups": []}
