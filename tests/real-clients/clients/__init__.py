"""The rows of the matrix."""

from clients import claude_code, codex, copilot_cli, language_server, opencode, sdks

ROWS = [*copilot_cli.ROWS, *language_server.ROWS, *claude_code.ROWS, *codex.ROWS, *opencode.ROWS, *sdks.ROWS]
