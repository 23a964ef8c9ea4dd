"""Codex CLI, which speaks Responses."""

from clients.base import BASE_URL, BIN, Row, Visit

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


def _command(visit: Visit):
    folder = visit.home / ".codex"
    folder.mkdir()
    (folder / "config.toml").write_text(CONFIG.format(url=visit.url), encoding="utf-8")
    flags = ["--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", "--color", "never"]
    return [str(BIN / "codex"), "exec", *flags, visit.prompt], {"GUARD_TOKEN": visit.token}


ROWS = [Row("Codex CLI", "Responses", BASE_URL, _command)]
