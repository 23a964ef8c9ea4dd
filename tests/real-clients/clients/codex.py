"""Codex CLI, which speaks Responses."""

from clients.base import BASE_URL, BIN, FORWARD, Row, Visit

CONFIG = """
model = "gpt-5.4"
model_provider = "guard"
check_for_update_on_startup = false

[model_providers.guard]
name = "guard"
base_url = "{url}/v1"
env_key = "GUARD_TOKEN"
wire_api = "responses"

[analytics]
enabled = false
"""


def _ask(visit: Visit, url: str) -> list:
    folder = visit.home / ".codex"
    folder.mkdir()
    (folder / "config.toml").write_text(CONFIG.format(url=url), encoding="utf-8")
    flags = ["--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", "--color", "never"]
    return [str(BIN / "codex"), "exec", *flags, visit.prompt]


def _base_url(visit: Visit):
    return _ask(visit, visit.url), {"GUARD_TOKEN": visit.token}


def _forward(visit: Visit):
    return _ask(visit, "https://api.openai.com"), {**visit.through_proxy(), "GUARD_TOKEN": "of-no-use-upstream"}


ROWS = [
    Row("Codex CLI", "Responses", BASE_URL, _base_url),
    Row("Codex CLI", "forward", FORWARD, _forward),
]
