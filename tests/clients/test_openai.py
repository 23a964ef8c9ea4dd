"""The OpenAI SDK through the proxy: answers, masks, tool calls, refusals, credentials and broken upstreams."""

import json

import openai
import pytest

import samples
import upstream as script
from gateway import BLOCK_MESSAGE, BLOCKED_TEXT, MODEL_MESSAGE, PUSH_MESSAGE
from support import call, nonce, raw_stream

EXCHANGE, DECISION = "x-copilot-guard-exchange", "x-copilot-guard-decision"
MASKED = script.LEAK.format(pat=samples.PAT_MARK, aws=samples.AWS_MARK)


def body(scenario, text="", **options):
    return {"model": "scripted-model", "messages": [{"role": "user", "content": f"{text} scenario:{scenario}"}], **options}


def ask(client, scenario, text="", **options):
    return client.chat.completions.create(**body(scenario, text, **options))


def streamed(client, scenario, text="", **options):
    """The chunks of a streamed answer, and the headers it came with."""
    raw = client.chat.completions.with_raw_response.create(**body(scenario, text, stream=True, **options))
    return list(raw.parse()), raw.headers


def joined(chunks, field="content", index=0):
    deltas = [choice.delta.model_dump() for chunk in chunks for choice in chunk.choices if choice.index == index]
    return "".join(delta.get(field) or "" for delta in deltas)


def finish(chunks, index=0):
    reasons = [choice.finish_reason for chunk in chunks for choice in chunk.choices if choice.index == index]
    return [reason for reason in reasons if reason]


def no_secret(*things):
    for thing in things:
        text = thing if isinstance(thing, str) else "".join(item.model_dump_json() for item in thing)
        assert samples.PAT not in text and samples.AWS not in text
        assert samples.PAT[4:] not in text and samples.AWS[4:] not in text


# Answers


def test_streamed_answer(client):
    chunks, headers = streamed(client, "plain")
    assert joined(chunks) == script.PLAIN
    assert finish(chunks) == ["stop"]
    assert chunks[0].model == "scripted-model"
    assert headers[EXCHANGE] and headers["x-github-request-id"]
    assert headers[DECISION] == "allow"


def test_plain_answer(client):
    raw = client.chat.completions.with_raw_response.create(**body("plain"))
    answer = raw.parse()
    assert answer.choices[0].message.content == script.PLAIN
    assert answer.choices[0].finish_reason == "stop"
    assert raw.headers[EXCHANGE] and raw.headers["x-github-request-id"]
    assert raw.headers[DECISION] == "allow"


def test_each_exchange_has_its_own_id(client):
    ids = {client.chat.completions.with_raw_response.create(**body("plain")).headers[EXCHANGE] for _ in range(3)}
    assert len(ids) == 3


def test_usage_survives(client):
    assert ask(client, "plain").usage.model_dump(include={"prompt_tokens", "completion_tokens", "total_tokens"}) == {
        "prompt_tokens": 21, "completion_tokens": 34, "total_tokens": 55,
    }
    chunks, _ = streamed(client, "plain", stream_options={"include_usage": True})
    assert chunks[-1].choices == [] and chunks[-1].usage.total_tokens == 55


def test_reasoning_survives(client):
    chunks, _ = streamed(client, "reasoning")
    assert joined(chunks, "reasoning_content") == script.THOUGHT
    assert joined(chunks) == script.PLAIN


def test_text_arrives_while_the_model_still_speaks(client, upstream):
    gate = nonce()
    seen = ""
    stream = client.chat.completions.create(**body("slow", f"gate:{gate}", stream=True))
    try:
        for chunk in stream:
            seen += "".join(choice.delta.content or "" for choice in chunk.choices)
            if len(seen) >= len(script.SLOW[0]) // 2:
                break
        assert script.SLOW[0].startswith(seen)
    finally:
        upstream.open_gate(gate)
    assert seen + joined(list(stream)) == "".join(script.SLOW)


def test_unknown_fields_reach_upstream_unchanged(client, upstream):
    word, extra = nonce(), {"x_vendor_option": {"depth": [1, 2.5, None, "ž"]}, "prompt_cache_key": "cache-a"}
    ask(client, "plain", word, extra_body=extra, temperature=0.25)
    (request,) = upstream.with_text(word)
    assert {name: request.body[name] for name in extra} == extra
    assert request.body["temperature"] == 0.25


# Masks


def test_secret_in_text_is_masked(client):
    chunks, _ = streamed(client, "leak-content")
    no_secret(chunks)
    assert samples.untagged(joined(chunks)) == MASKED
    assert finish(chunks) == ["stop"]
    whole = ask(client, "leak-content")
    no_secret(whole.model_dump_json())
    assert samples.untagged(whole.choices[0].message.content) == MASKED


def test_secret_in_second_choice_is_masked(client):
    chunks, _ = streamed(client, "leak-second-choice", n=2)
    no_secret(chunks, joined(chunks, index=1))
    assert joined(chunks, index=0) == script.PLAIN
    assert samples.untagged(joined(chunks, index=1)) == MASKED
    assert finish(chunks, 0) == ["stop"] and finish(chunks, 1) == ["stop"]
    whole = ask(client, "leak-second-choice", n=2)
    assert [samples.untagged(choice.message.content) for choice in whole.choices] == [script.PLAIN, MASKED]


def test_secret_in_reasoning_is_masked(client):
    chunks, _ = streamed(client, "leak-reasoning")
    no_secret(chunks, joined(chunks, "reasoning_content"))
    assert samples.untagged(joined(chunks, "reasoning_content")) == MASKED
    assert joined(chunks) == script.PLAIN
    whole = ask(client, "leak-reasoning").choices[0].message.model_dump()
    assert (samples.untagged(whole["reasoning_content"]), whole["content"]) == (MASKED, script.PLAIN)


def test_secret_in_the_prompt_does_not_go_up(client, upstream):
    word = nonce()
    ask(client, "plain", f"{word} my token is {samples.PAT} , why does it fail?")
    (request,) = upstream.with_text(word)
    sent = json.dumps(request.body)
    assert samples.PAT not in sent
    assert samples.PAT_MARK in samples.untagged(sent)


def test_secret_in_a_tool_result_does_not_go_up(client, upstream):
    word = nonce()
    function = {"name": "read_file", "arguments": json.dumps({"path": "settings.txt"})}
    messages = [
        {"role": "user", "content": f"read the settings {word} scenario:plain"},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "call_1", "type": "function", "function": function}]},
        {"role": "tool", "tool_call_id": "call_1", "content": f"url = https://example.com\ntoken = {samples.PAT}\n"},
    ]
    client.chat.completions.create(model="scripted-model", messages=messages)
    (request,) = upstream.with_text(word)
    sent = json.dumps(request.body)
    assert samples.PAT not in sent
    assert samples.PAT_MARK in samples.untagged(sent)
    assert [message["role"] for message in request.body["messages"]] == ["user", "assistant", "tool"]


# Tool calls


def test_tool_call_arrives_whole(client):
    with client.chat.completions.stream(**body("tool")) as stream:
        final = stream.get_final_completion()
    (tool,) = final.choices[0].message.tool_calls
    assert (tool.function.name, json.loads(tool.function.arguments)) == script.TOOL
    assert final.choices[0].finish_reason == "tool_calls"
    (tool,) = ask(client, "tool").choices[0].message.tool_calls
    assert (tool.function.name, json.loads(tool.function.arguments)) == script.TOOL


def test_secret_in_tool_arguments_is_masked(client):
    chunks, _ = streamed(client, "leak-tool")
    no_secret(chunks)
    with client.chat.completions.stream(**body("leak-tool")) as stream:
        streamed_call = stream.get_final_completion().choices[0].message.tool_calls[0]
    for tool in (streamed_call, ask(client, "leak-tool").choices[0].message.tool_calls[0]):
        no_secret(tool.function.arguments)
        lines = json.loads(tool.function.arguments)["lines"]
        assert [samples.untagged(line) for line in lines] == ["one", MASKED]


def test_forbidden_tool_call_becomes_text(client):
    chunks, headers = streamed(client, "forbidden-tool")
    assert not any(choice.delta.tool_calls for chunk in chunks for choice in chunk.choices)
    text = joined(chunks)
    assert PUSH_MESSAGE in text and headers[EXCHANGE] in text and "--force" not in text
    assert finish(chunks) == ["stop"]
    message = ask(client, "forbidden-tool").choices[0].message
    assert not message.tool_calls and PUSH_MESSAGE in message.content


# Refusals


@pytest.mark.parametrize("stream", [False, True])
def test_blocked_prompt(client, upstream, stream):
    before = upstream.count
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, "plain", BLOCKED_TEXT, stream=stream)
    error = caught.value
    assert (error.status_code, error.code) == (400, "blocked_by_policy")
    assert BLOCK_MESSAGE in error.message
    assert error.response.headers[EXCHANGE] in error.response.text
    assert error.response.headers[DECISION] == "block"
    assert error.response.headers["x-github-request-id"]
    assert "heron" not in error.response.text.replace(BLOCK_MESSAGE, "").lower()
    assert upstream.count == before


def test_policy_goes_by_group(openai_for, idp, client, subject, upstream):
    contractor = openai_for(idp.mint(subject, ["contractors"]))
    before = upstream.count
    with pytest.raises(openai.BadRequestError) as caught:
        contractor.chat.completions.create(**{**body("plain"), "model": "restricted-large"})
    assert MODEL_MESSAGE in caught.value.message
    assert upstream.count == before
    assert ask(contractor, "plain").choices[0].message.content == script.PLAIN
    allowed = client.chat.completions.create(**{**body("plain"), "model": "restricted-large"})
    assert allowed.choices[0].message.content == script.PLAIN


BAD_TOKENS = {
    "forged": lambda idp: idp.forge("developer-x"),
    "unsigned": lambda idp: idp.unsigned("developer-x"),
    "expired": lambda idp: idp.mint("developer-x", lifetime=-3600),
    "for another audience": lambda idp: idp.mint("developer-x", audience="something-else"),
    "for the admin plane": lambda idp: idp.admin("developer-x", ["developers"]),
    "of another issuer": lambda idp: idp.mint("developer-x", iss="https://login.example.com"),
    "without a subject": lambda idp: idp.mint(None),
    "no token at all": lambda idp: "sk-" + nonce(40),
}


@pytest.mark.parametrize("kind", BAD_TOKENS)
def test_bad_token(openai_for, idp, upstream, kind):
    before = upstream.count
    for stream in (False, True):
        with pytest.raises(openai.AuthenticationError) as caught:
            ask(openai_for(BAD_TOKENS[kind](idp)), "plain", stream=stream)
        assert (caught.value.status_code, caught.value.code) == (401, "invalid_token"), "why is for the record alone"
        assert caught.value.response.headers[EXCHANGE]
    assert upstream.count == before


def test_missing_token(gateway, upstream):
    before = upstream.count
    reply = call("POST", gateway.url + "/v1/chat/completions", body=body("plain"))
    assert reply.status == 401 and reply.json()["error"]["code"] == "invalid_token"
    assert reply.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    assert upstream.count == before


def test_two_credentials_are_refused(gateway, token, upstream):
    before = upstream.count
    headers = {"authorization": f"Bearer {token}", "x-api-key": token}
    reply = call("POST", gateway.url + "/v1/chat/completions", headers, body("plain"))
    assert reply.status == 401 and reply.json()["error"]["code"] == "invalid_token"
    assert upstream.count == before


@pytest.mark.parametrize(
    "text",
    [
        '{"model":"a","model":"b","messages":[{"role":"user","content":"hi"}]}',
        '{"model":"a","messages":[{"role":"user","content":"hi"}]} {}',
        '{"model":"a","messages":[{"role":"user","content":"hi"',
    ],
    ids=["duplicate key", "trailing bytes", "cut off"],
)
def test_malformed_request(gateway, token, upstream, text):
    before = upstream.count
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    reply = call("POST", gateway.url + "/v1/chat/completions", headers, text)
    assert reply.status == 400 and reply.json()["error"]["code"] == "malformed_request"
    assert upstream.count == before


def test_unknown_route(client, upstream):
    before = upstream.count
    for path in ("/nothing", "/files", "/chat/completions/"):
        with pytest.raises(openai.NotFoundError) as caught:
            client.post(path, cast_to=object, body={})
        assert caught.value.code == "unknown_route"
    assert upstream.count == before


# Credentials


def test_credentials_do_not_cross(client, token, gateway, upstream):
    word = nonce()
    raw = client.chat.completions.with_raw_response.create(**body("plain", word))
    (request,) = upstream.with_text(word)
    up = json.dumps(request.headers)
    assert token not in up, "the client's own token stays with the guard"
    assert gateway.credential in up
    assert gateway.credential not in str(raw.headers) + raw.text
    assert "req-scripted" not in (raw.headers.get("x-copilot-guard-exchange") or "")


@pytest.mark.parametrize("stream", [False, True])
def test_leaked_credential_does_not_come_down(client, gateway, stream):
    with pytest.raises(openai.APIStatusError) as caught:
        ask(client, "fail-with-credential", stream=stream)
    assert gateway.credential not in str(caught.value.response.headers) + caught.value.response.text
    if stream:
        chunks, _ = streamed(client, "echo-credential")
        text = joined(chunks)
    else:
        text = ask(client, "echo-credential").choices[0].message.content
    assert text.startswith("You called me with ")
    assert gateway.credential not in text


# Broken upstreams


@pytest.mark.parametrize("stream", [False, True])
def test_upstream_failure(client, gateway, stream):
    with pytest.raises(openai.InternalServerError) as caught:
        ask(client, "fail", stream=stream)
    response = caught.value.response
    assert (response.status_code, caught.value.code) == (502, "upstream_failed")
    assert "10.9.8.7" not in response.text and "set-cookie" not in response.headers
    assert gateway.closed(response.headers[EXCHANGE])["outcome"] == "upstream_failed"


def test_upstream_rate_limit(client, gateway):
    with pytest.raises(openai.RateLimitError) as caught:
        ask(client, "rate-limit", stream=True)
    response = caught.value.response
    assert response.status_code == 429 and response.headers["retry-after"] == "7"
    assert caught.value.code == "rate_limit_exceeded" and "slow down" not in response.text
    assert gateway.closed(response.headers[EXCHANGE])["outcome"] == "upstream_failed"


def test_cut_stream_ends_properly(client, gateway, token):
    chunks, headers = streamed(client, "cut")
    text = joined(chunks)
    assert text and not text.startswith(script.PLAIN), "the half that came, then a notice"
    assert headers[EXCHANGE] in text
    assert len(finish(chunks)) == 1
    assert gateway.closed(headers[EXCHANGE])["outcome"] == "upstream_failed"

    events = raw_stream(
        gateway.url + "/v1/chat/completions", {"authorization": f"Bearer {token}"}, body("cut", stream=True)
    )
    assert next(events).status == 200
    assert [data for _, data in events][-1] == "[DONE]"


def test_cut_plain_answer_is_a_clean_error(client):
    with pytest.raises(openai.InternalServerError) as caught:
        ask(client, "cut")
    assert (caught.value.status_code, caught.value.code) == (502, "upstream_failed")
    assert script.PLAIN[:20] not in caught.value.response.text
