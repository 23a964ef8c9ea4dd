"""The SDKs of OpenAI and Anthropic, for Python and JavaScript. Each is a small program that asks one question."""

from clients.base import BASE_URL, BIN, INSTALLED, PROGRAMS, PYTHON, Row, Visit


def _python(program: str, prefix: str = "", **more):
    def command(visit: Visit):
        arguments = [str(PYTHON), str(PROGRAMS / program)]
        return arguments, {"BASE_URL": visit.url + prefix, "API_KEY": visit.token, "PROMPT": visit.prompt, **more}

    return command


def _javascript(program: str, prefix: str = "", **more):
    def command(visit: Visit):
        arguments = [str(BIN / "node"), str(INSTALLED / program)]
        return arguments, {"BASE_URL": visit.url + prefix, "API_KEY": visit.token, "PROMPT": visit.prompt, **more}

    return command


ROWS = [
    Row("OpenAI SDK, Python", "chat", BASE_URL, _python("openai_python.py", "/v1", API="chat")),
    Row("OpenAI SDK, Python", "Responses", BASE_URL, _python("openai_python.py", "/v1", API="responses")),
    Row("OpenAI SDK, JavaScript", "chat", BASE_URL, _javascript("openai-js.mjs", "/v1", API="chat")),
    Row("OpenAI SDK, JavaScript", "Responses", BASE_URL, _javascript("openai-js.mjs", "/v1", API="responses")),
    Row("Anthropic SDK, Python", "messages", BASE_URL, _python("anthropic_python.py")),
    Row("Anthropic SDK, JavaScript", "messages", BASE_URL, _javascript("anthropic-js.mjs")),
    Row("Copilot SDK", "chat", BASE_URL, _javascript("copilot-sdk.mjs", "/v1")),
]
