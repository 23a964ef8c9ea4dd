"""Anthropic messages."""

import json

ERROR = {"type": "error", "error": {"type": "invalid_request_error", "message": "the scripted model does not know this"}}


def tools(body: dict) -> list:
    return [tool["name"] for tool in body.get("tools") or [] if "name" in tool]


def results(body: dict) -> list:
    parts = [part for message in body.get("messages") or [] for part in message["content"] if isinstance(part, dict)]
    return [part.get("content") for part in parts if part.get("type") == "tool_result"]


def _blocks(reply) -> list:
    blocks = [{"type": "text", "text": reply.text}]
    if reply.tool:
        blocks.append({"type": "tool_use", "id": "toolu_scripted", "name": reply.tool[0], "input": reply.tool[1]})
    return blocks


def whole(body: dict, reply) -> dict:
    return {
        "id": "msg_scripted", "type": "message", "role": "assistant", "model": body.get("model"), "content": _blocks(reply),
        "stop_reason": "tool_use" if reply.tool else "end_turn", "stop_sequence": None,
        "usage": {"input_tokens": 21, "output_tokens": 34},
    }


def stream(body: dict, reply):
    def event(kind: str, **more) -> bytes:
        return f"event: {kind}\ndata: {json.dumps({'type': kind, **more}, ensure_ascii=False)}\n\n".encode()

    message = whole(body, reply)
    yield event("message_start", message={**message, "content": [], "stop_reason": None})
    yield event("ping")
    for index, block in enumerate(message["content"]):
        text = block["type"] == "text"
        yield event("content_block_start", index=index, content_block={**block, **({"text": ""} if text else {"input": {}})})
        for piece in reply.until_cut() if text else json.dumps(block["input"]):
            delta = {"type": "text_delta", "text": piece} if text else {"type": "input_json_delta", "partial_json": piece}
            yield event("content_block_delta", index=index, delta=delta)
        if reply.cut:
            return
        yield event("content_block_stop", index=index)
    delta = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    yield event("message_delta", delta=delta, usage={"output_tokens": 34})
    yield event("message_stop")
