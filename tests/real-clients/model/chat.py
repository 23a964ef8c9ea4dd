"""OpenAI chat completions."""

import json

ERROR = {"error": {"message": "the scripted model does not know this", "type": "invalid_request_error"}}
HEAD = {"id": "chatcmpl-scripted", "created": 1760000000}
USAGE = {"prompt_tokens": 21, "completion_tokens": 34, "total_tokens": 55}


def tools(body: dict) -> list:
    return [tool["function"]["name"] for tool in body.get("tools") or [] if "function" in tool]


def results(body: dict) -> list:
    """What the tools have answered, so far."""
    return [message.get("content") for message in body.get("messages") or [] if message.get("role") == "tool"]


def _call(reply) -> dict:
    name, arguments = reply.tool
    return {"id": "call_scripted", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}


def whole(body: dict, reply) -> dict:
    message = {"role": "assistant", "content": reply.text}
    if reply.tool:
        message["tool_calls"] = [_call(reply)]
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if reply.tool else "stop", "logprobs": None}
    return {**HEAD, "object": "chat.completion", "model": body.get("model"), "choices": [choice], "usage": USAGE}


def stream(body: dict, reply):
    def event(choices, **more) -> bytes:
        head = {**HEAD, "object": "chat.completion.chunk", "model": body.get("model")}
        return b"data: " + json.dumps({**head, "choices": choices, **more}, ensure_ascii=False).encode() + b"\n\n"

    def delta(delta, reason=None) -> bytes:
        return event([{"index": 0, "delta": delta, "finish_reason": reason, "logprobs": None}])

    yield delta({"role": "assistant", "content": ""})
    for piece in reply.until_cut():
        yield delta({"content": piece})
    if reply.cut:
        return
    if reply.tool:
        call = _call(reply)
        arguments = call["function"].pop("arguments")
        yield delta({"tool_calls": [{"index": 0, **call, "function": {**call["function"], "arguments": ""}}]})
        for piece in arguments:
            yield delta({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]})
    yield delta({}, "tool_calls" if reply.tool else "stop")
    if (body.get("stream_options") or {}).get("include_usage"):
        yield event([], usage=USAGE)
    yield b"data: [DONE]\n\n"
