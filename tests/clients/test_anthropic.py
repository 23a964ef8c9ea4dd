"""The Anthropic SDK through the proxy."""

import json

import anthropic
import pytest

import samples
import upstream as script
from gateway import BLOCK_MESSAGE, BLOCKED_TEXT, PUSH_MESSAGE
from support import nonce, raw_stream

EXCHANGE, DECISION = "x-copilot-guard-exchange", "x-copilot-guard-decision"
MASKED = script.LEAK.format(pat=samples.PAT_MARK, aws=samples.AWS_MARK)


def body(scenario, text="", **options):
    messages = [{"role": "user", "content": f"{text} scenario:{scenario}"}]
    return {"model": "scripted-model", "max_tokens": 512, "messages": messages, **options}


def ask(claude, scenario, text=""):
    return claude.messages.create(**body(scenario, text))


def streamed(claude, scenario, text=""):
    """The final message of a streamed answer, as the SDK puts it together, and the headers."""
    with claude.messages.stream(**body(scenario, text)) as stream:
        return stream.get_final_message(), stream.response.headers


def both(claude, scenario):
    return [streamed(claude, scenario)[0], ask(claude, scenario)]


def no_secret(message):
    text = message if isinstance(message, str) else message.model_dump_json()
    assert samples.PAT[4:] not in text and samples.AWS[4:] not in text


def raw_events(gateway, token, scenario):
    events = raw_stream(gateway.url + "/v1/messages", {"authorization": f"Bearer {token}"}, body(scenario, stream=True))
    head = next(events)
    assert head.status == 200, head.text
    return head, [(name, json.loads(data)) for name, data in events]


def test_answers(claude):
    for message in both(claude, "plain"):
        assert [block.type for block in message.content] == ["text"]
        assert message.content[0].text == script.PLAIN
        assert message.stop_reason == "end_turn"
        assert (message.usage.input_tokens, message.usage.output_tokens) == (21, 34)
    _, headers = streamed(claude, "plain")
    assert headers[EXCHANGE] and headers["x-github-request-id"] and headers[DECISION] == "allow"


def test_x_api_key_is_a_credential_too(gateway, token, upstream):
    word = nonce()
    headers = {"X-Api-Key": token, "Authorization": anthropic.Omit()}
    claude = anthropic.Anthropic(api_key="unused", base_url=gateway.url, max_retries=0, timeout=60, default_headers=headers)
    assert ask(claude, "plain", word).content[0].text == script.PLAIN
    (request,) = upstream.with_text(word)
    assert "x-api-key" not in request.headers and request.headers["authorization"] == f"Bearer {gateway.credential}"
    assert token not in json.dumps(request.headers)


def test_event_names_match_their_types(gateway, token):
    _, events = raw_events(gateway, token, "reasoning")
    assert all(name == data["type"] for name, data in events)
    kinds = [name for name, _ in events if name != "ping"]
    assert (kinds[0], kinds[-2], kinds[-1]) == ("message_start", "message_delta", "message_stop")
    starts = [data["index"] for name, data in events if name == "content_block_start"]
    stops = [data["index"] for name, data in events if name == "content_block_stop"]
    assert starts == stops == [0, 1]


def test_text_arrives_while_the_model_still_speaks(claude, upstream):
    gate, seen = nonce(), ""
    with claude.messages.stream(**body("slow", f"gate:{gate}")) as stream:
        try:
            for piece in stream.text_stream:
                seen += piece
                if len(seen) >= len(script.SLOW[0]) // 2:
                    break
            assert script.SLOW[0].startswith(seen)
        finally:
            upstream.open_gate(gate)
        assert stream.get_final_text() == "".join(script.SLOW)


def test_signed_reasoning_is_not_edited(claude):
    for message in both(claude, "reasoning"):
        thinking, text = message.content
        assert (thinking.type, thinking.thinking, thinking.signature) == ("thinking", script.THOUGHT, script.SIGNATURE)
        assert text.text == script.PLAIN


def test_secret_in_signed_reasoning_is_withheld(claude):
    for message in both(claude, "leak-reasoning"):
        no_secret(message)
        assert not any(block.type == "thinking" and block.signature for block in message.content), "no signature without its text"
        assert message.stop_reason == "end_turn"


def test_secret_in_text_is_masked(claude, gateway, token):
    for message in both(claude, "leak-content"):
        no_secret(message)
        assert samples.untagged(message.content[0].text) == MASKED
    _, events = raw_events(gateway, token, "leak-content")
    no_secret(json.dumps(events))


def test_tool_call_arrives_whole(claude):
    for message in both(claude, "tool"):
        text, tool = message.content
        assert (tool.type, tool.name, tool.input) == ("tool_use", *script.TOOL)
        assert text.text == "I write that down."
        assert message.stop_reason == "tool_use"


def test_secret_in_tool_arguments_is_masked(claude, gateway, token):
    for message in both(claude, "leak-tool"):
        no_secret(message)
        assert [samples.untagged(line) for line in message.content[-1].input["lines"]] == ["one", MASKED]
    _, events = raw_events(gateway, token, "leak-tool")
    pieces = [data["delta"].get("partial_json") or "" for name, data in events if name == "content_block_delta"]
    no_secret("".join(pieces))


def test_forbidden_tool_call_becomes_text(claude):
    for message in both(claude, "forbidden-tool"):
        assert all(block.type == "text" for block in message.content)
        text = "".join(block.text for block in message.content)
        assert PUSH_MESSAGE in text and "--force" not in text
        assert message.stop_reason == "end_turn"


def test_blocked_prompt(claude, upstream):
    before = upstream.count
    for attempt in (ask, streamed):
        with pytest.raises(anthropic.BadRequestError) as caught:
            attempt(claude, "plain", BLOCKED_TEXT)
        error = caught.value
        assert error.status_code == 400
        assert error.body["type"] == "error" and BLOCK_MESSAGE in error.body["error"]["message"]
        assert error.body["error"]["code"] == "blocked_by_policy"
        assert error.response.headers[EXCHANGE] in error.response.text
        assert error.response.headers[DECISION] == "block"
    assert upstream.count == before


@pytest.mark.parametrize("kind", ["forged", "expired"])
def test_bad_token(anthropic_for, idp, upstream, kind):
    bad = idp.forge("developer-x") if kind == "forged" else idp.mint("developer-x", lifetime=-3600)
    before = upstream.count
    with pytest.raises(anthropic.AuthenticationError) as caught:
        ask(anthropic_for(bad), "plain")
    assert caught.value.status_code == 401 and caught.value.body["type"] == "error"
    assert caught.value.body["error"]["code"] == "invalid_token"
    assert upstream.count == before


def test_credentials_do_not_cross(claude, token, gateway, upstream):
    word = nonce()
    raw = claude.messages.with_raw_response.create(**body("plain", word))
    (request,) = upstream.with_text(word)
    assert token not in json.dumps(request.headers)
    assert gateway.credential in json.dumps(request.headers)
    assert gateway.credential not in str(raw.headers) + raw.parse().model_dump_json()


def test_upstream_failure(claude):
    with pytest.raises(anthropic.InternalServerError) as caught:
        ask(claude, "fail")
    assert caught.value.status_code == 502
    assert caught.value.body["type"] == "error" and "10.9.8.7" not in caught.value.response.text


def test_cut_stream_ends_properly(claude, gateway, token):
    message, headers = streamed(claude, "cut")
    text = "".join(block.text for block in message.content if block.type == "text")
    assert headers[EXCHANGE] in text and message.stop_reason
    head, events = raw_events(gateway, token, "cut")
    assert events[-1][0] == "message_stop"
    starts = [data["index"] for name, data in events if name == "content_block_start"]
    stops = [data["index"] for name, data in events if name == "content_block_stop"]
    assert starts == stops
    assert gateway.closed(head.headers[EXCHANGE])["outcome"] == "upstream_failed"
