"""OpenAI Responses. Each text is said up to five times: in deltas, and again whole in four closing events."""

import json

from model.script import SEALED

ERROR = {"error": {"message": "the scripted model does not know this", "type": "invalid_request_error"}}
THOUGHT = "First I read the question."
USAGE = {
    "input_tokens": 21, "input_tokens_details": {"cached_tokens": 0},
    "output_tokens": 34, "output_tokens_details": {"reasoning_tokens": 5}, "total_tokens": 55,
}


def tools(body: dict) -> list:
    return [tool["name"] for tool in body.get("tools") or [] if "name" in tool]


def _input(body: dict) -> list:
    items = body.get("input") or []
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def results(body: dict) -> list:
    kinds = ("function_call_output", "custom_tool_call_output")
    return [item.get("output") for item in _input(body) if item.get("type") in kinds]


def sealed(body: dict) -> list:
    """The sealed reasoning that the client has sent back."""
    return [item.get("encrypted_content") for item in _input(body) if item.get("type") == "reasoning"]


def _items(reply, status: str) -> list:
    part = {"type": "output_text", "text": reply.text, "annotations": [], "logprobs": []}
    items = [
        {"id": "rs_scripted", "type": "reasoning", "summary": [{"type": "summary_text", "text": THOUGHT}], "encrypted_content": SEALED},
        {"id": "msg_scripted", "type": "message", "role": "assistant", "status": status, "content": [part]},
    ]
    if reply.tool:
        name, arguments = reply.tool
        items.append({
            "id": "fc_scripted", "type": "function_call", "status": status, "call_id": "call_scripted",
            "name": name, "arguments": json.dumps(arguments),
        })
    return items


def _response(body: dict, status: str, output: list) -> dict:
    return {
        "id": "resp_scripted", "object": "response", "created_at": 1760000000, "status": status, "error": None,
        "incomplete_details": None, "instructions": None, "max_output_tokens": None, "model": body.get("model"),
        "output": output, "parallel_tool_calls": True, "previous_response_id": None, "reasoning": {"effort": None, "summary": None},
        "store": False, "temperature": 1.0, "text": {"format": {"type": "text"}}, "tool_choice": "auto", "tools": [],
        "top_p": 1.0, "truncation": "disabled", "usage": USAGE if status == "completed" else None, "user": None, "metadata": {},
    }


def whole(body: dict, reply) -> dict:
    return _response(body, "completed", _items(reply, "completed"))


def _inside(item: dict, reply):
    """The events between an item's `added` and its `done`, without the sequence number."""
    at = {"item_id": item["id"]}
    if item["type"] == "reasoning":
        at, (part,) = {**at, "summary_index": 0}, item["summary"]
        yield "response.reasoning_summary_part.added", {**at, "part": {**part, "text": ""}}
        yield "response.reasoning_summary_text.delta", {**at, "delta": part["text"]}
        yield "response.reasoning_summary_text.done", {**at, "text": part["text"]}
        yield "response.reasoning_summary_part.done", {**at, "part": part}
    elif item["type"] == "message":
        at, (part,) = {**at, "content_index": 0}, item["content"]
        yield "response.content_part.added", {**at, "part": {**part, "text": ""}}
        for piece in reply.until_cut():
            yield "response.output_text.delta", {**at, "delta": piece, "logprobs": []}
        yield "response.output_text.done", {**at, "text": part["text"], "logprobs": []}
        yield "response.content_part.done", {**at, "part": part}
    else:
        for piece in item["arguments"]:
            yield "response.function_call_arguments.delta", {**at, "delta": piece}
        yield "response.function_call_arguments.done", {**at, "name": item["name"], "arguments": item["arguments"]}


def _events(body: dict, reply):
    yield "response.created", {"response": _response(body, "in_progress", [])}
    yield "response.in_progress", {"response": _response(body, "in_progress", [])}
    done = _items(reply, "completed")
    for index, item in enumerate(done):
        at = {"output_index": index}
        empty = {"reasoning": {"summary": []}, "message": {"content": []}, "function_call": {"arguments": ""}}[item["type"]]
        status = {"status": "in_progress"} if "status" in item else {}
        yield "response.output_item.added", {**at, "item": {**item, **empty, **status}}
        for kind, data in _inside(item, reply):
            if reply.cut and kind == "response.output_text.done":
                return
            yield kind, {**at, **data}
        yield "response.output_item.done", {**at, "item": item}
    yield "response.completed", {"response": _response(body, "completed", done)}


def stream(body: dict, reply):
    for number, (kind, data) in enumerate(_events(body, reply)):
        event = json.dumps({"type": kind, "sequence_number": number, **data}, ensure_ascii=False)
        yield f"event: {kind}\ndata: {event}\n\n".encode()
