"""One question to the Anthropic SDK for Python, with tools. The answer goes to stdout, an error to stderr."""

import os
import subprocess
import sys

import anthropic

SCHEMA = {"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"]}
TOOLS = [{"name": "bash", "description": "Runs a command.", "input_schema": SCHEMA}]
client = anthropic.Anthropic(base_url=os.environ["BASE_URL"], api_key=os.environ["API_KEY"])


def result(call) -> dict:
    done = subprocess.run(call.input["command"], shell=True, capture_output=True, text=True, timeout=20)
    return {"type": "tool_result", "tool_use_id": call.id, "content": done.stdout}


def ask():
    messages = [{"role": "user", "content": os.environ["PROMPT"]}]
    while True:
        with client.messages.stream(model="claude-sonnet-4.5", max_tokens=1000, messages=messages, tools=TOOLS) as stream:
            for piece in stream.text_stream:
                print(piece, end="", flush=True)
            message = stream.get_final_message()
        calls = [block for block in message.content if block.type == "tool_use"]
        if not calls:
            return
        messages.append({"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in message.content]})
        messages.append({"role": "user", "content": [result(call) for call in calls]})


try:
    ask()
except Exception as error:
    sys.exit(f"{type(error).__name__}: {error}")
