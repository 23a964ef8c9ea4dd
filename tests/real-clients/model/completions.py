"""Legacy completions, which are also ghost text. Several choices are sent in turn, an event of each."""

import json
from itertools import zip_longest

ERROR = {"error": {"message": "the scripted model does not know this", "type": "invalid_request_error"}}
HEAD = {"id": "cmpl-scripted", "object": "text_completion", "created": 1760000000}


def tools(_body: dict) -> list:
    return []


def results(_body: dict) -> list:
    return []


def _choice(index: int, text: str, reason) -> dict:
    return {"index": index, "text": text, "finish_reason": reason, "logprobs": None}


def whole(body: dict, replies: list) -> dict:
    choices = [_choice(index, reply.text, "stop") for index, reply in enumerate(replies)]
    return {**HEAD, "model": body.get("model"), "choices": choices}


def stream(body: dict, replies: list):
    def event(index: int, text: str, reason=None) -> bytes:
        data = {**HEAD, "model": body.get("model"), "choices": [_choice(index, text, reason)]}
        return b"data: " + json.dumps(data, ensure_ascii=False).encode() + b"\n\n"

    for pieces in zip_longest(*(reply.until_cut() for reply in replies), fillvalue=""):
        yield from (event(index, piece) for index, piece in enumerate(pieces))
    if replies[0].cut:
        return
    yield from (event(index, "", "stop") for index in range(len(replies)))
    yield b"data: [DONE]\n\n"
