"""One question to the OpenAI SDK for Python, with tools. The answer goes to stdout, an error to stderr."""

import json
import os
import subprocess
import sys

import openai

PARAMETERS = {"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"]}
client = openai.OpenAI(base_url=os.environ["BASE_URL"], api_key=os.environ["API_KEY"])


def run(arguments: str) -> str:
    return subprocess.run(json.loads(arguments)["command"], shell=True, capture_output=True, text=True, timeout=20).stdout


def say(piece: str):
    print(piece, end="", flush=True)


def chat():
    messages = [{"role": "user", "content": os.environ["PROMPT"]}]
    tools = [{"type": "function", "function": {"name": "bash", "description": "Runs a command.", "parameters": PARAMETERS}}]
    while True:
        with client.chat.completions.stream(model="gpt-5-mini", messages=messages, tools=tools) as stream:
            for event in stream:
                if event.type == "content.delta":
                    say(event.delta)
            message = stream.get_final_completion().choices[0].message
        if not message.tool_calls:
            return
        messages.append(message.model_dump(exclude_none=True))
        for call in message.tool_calls:
            messages.append({"role": "tool", "tool_call_id": call.id, "content": run(call.function.arguments)})


def responses():
    asked = [{"role": "user", "content": os.environ["PROMPT"]}]
    tools = [{"type": "function", "name": "bash", "description": "Runs a command.", "parameters": PARAMETERS, "strict": False}]
    while True:
        said = ""
        with client.responses.stream(model="gpt-5.4", input=asked, tools=tools, store=False) as stream:
            for event in stream:
                if event.type == "response.output_text.delta":
                    said += event.delta
                    say(event.delta)
            answer = stream.get_final_response()
        assert answer.output_text == said, f"the final text is not what the deltas said: {answer.output_text}"
        calls = [item for item in answer.output if item.type == "function_call"]
        if not calls:
            return
        asked += [item.model_dump(exclude={"parsed_arguments"}, exclude_none=True) for item in answer.output]
        asked += [{"type": "function_call_output", "call_id": call.call_id, "output": run(call.arguments)} for call in calls]


try:
    responses() if os.environ["API"] == "responses" else chat()
except Exception as error:
    sys.exit(f"{type(error).__name__}: {error}")
