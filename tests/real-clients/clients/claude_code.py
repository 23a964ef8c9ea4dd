"""Claude Code, with a base URL and through the gateway."""

from clients.base import BASE_URL, BIN, FORWARD, Row, Visit

QUIET = {
    name: "1" for name in ("DISABLE_TELEMETRY", "DISABLE_ERROR_REPORTING", "DISABLE_AUTOUPDATER", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC")
}


def _ask(visit: Visit) -> list:
    return [str(BIN / "claude"), "--print", visit.prompt, "--model", "claude-sonnet-4-5", "--allowed-tools", "Bash"]


def _base_url(visit: Visit):
    return _ask(visit), {**QUIET, "ANTHROPIC_BASE_URL": visit.url, "ANTHROPIC_AUTH_TOKEN": visit.token}


def _forward(visit: Visit):
    return _ask(visit), {**QUIET, **visit.through_proxy(), "ANTHROPIC_AUTH_TOKEN": "of-no-use-upstream"}


ROWS = [
    Row("Claude Code", "base URL", BASE_URL, _base_url),
    Row("Claude Code", "forward", FORWARD, _forward),
]
