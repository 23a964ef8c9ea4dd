"""The SDKs straight at the scripted upstream, without the proxy: the negative control of the other files.

What they assert never to happen happens here, so a green run there is the proxy's doing.
"""

import json

import anthropic
import httpx2
import openai
import pytest

import samples
import upstream as script


@pytest.fixture
def direct(upstream):
    return openai.OpenAI(api_key="direct-key", base_url=upstream.url + "/v1", max_retries=0, timeout=30)


@pytest.fixture
def direct_claude(upstream):
    return anthropic.Anthropic(api_key="direct-key", base_url=upstream.url, max_retries=0, timeout=30)


def chat(client, scenario, **options):
    messages = [{"role": "user", "content": f"scenario:{scenario}"}]
    return client.chat.completions.create(model="scripted-model", messages=messages, **options)


def message(client, scenario):
    return client.messages.stream(
        model="scripted-model", max_tokens=512, messages=[{"role": "user", "content": f"scenario:{scenario}"}]
    )


def joined(chunks, field="content", index=0):
    deltas = [choice.delta.model_dump() for chunk in chunks for choice in chunk.choices if choice.index == index]
    return "".join(delta.get(field) or "" for delta in deltas)


def test_openai_plain_and_streamed_say_the_same(direct):
    whole = chat(direct, "plain")
    assert whole.choices[0].message.content == script.PLAIN
    assert whole.usage.total_tokens == 55
    chunks = list(chat(direct, "plain", stream=True, stream_options={"include_usage": True}))
    assert joined(chunks) == script.PLAIN
    assert chunks[-1].usage.total_tokens == 55


def test_openai_secrets_arrive_without_the_guard(direct):
    chunks = list(chat(direct, "leak-content", stream=True))
    assert joined(chunks) == script.leak()
    assert not any(samples.PAT in chunk.model_dump_json() for chunk in chunks), "it is cut over the deltas"
    assert samples.PAT in joined(list(chat(direct, "leak-second-choice", stream=True, n=2)), index=1)
    assert samples.PAT in joined(list(chat(direct, "leak-reasoning", stream=True)), "reasoning_content")
    assert samples.PAT in chat(direct, "leak-second-choice", n=2).choices[1].message.content


@pytest.mark.parametrize("scenario", ["tool", "leak-tool", "forbidden-tool"])
def test_openai_tool_calls_parse(direct, scenario):
    with direct.chat.completions.stream(
        model="scripted-model", messages=[{"role": "user", "content": f"scenario:{scenario}"}]
    ) as stream:
        final = stream.get_final_completion()
    call = final.choices[0].message.tool_calls[0]
    assert json.loads(call.function.arguments)
    assert (samples.PAT in call.function.arguments) == (scenario == "leak-tool")


def test_openai_failures(direct):
    with pytest.raises(openai.InternalServerError):
        chat(direct, "fail")
    with pytest.raises(openai.RateLimitError) as error:
        chat(direct, "rate-limit", stream=True)
    assert error.value.response.headers["retry-after"] == "7"
    with pytest.raises(openai.InternalServerError) as error:
        chat(direct, "fail-with-credential")
    assert "direct-key" in error.value.response.text
    with pytest.raises(openai.APIConnectionError):
        chat(direct, "cut")
    with pytest.raises(openai.APIConnectionError):
        list(chat(direct, "cut", stream=True))


def test_openai_slow_waits_for_its_gate(direct, upstream):
    stream = chat(direct, "slow gate:direct", stream=True)
    seen = ""
    for chunk in stream:
        seen += chunk.choices[0].delta.content or ""
        if seen:
            assert seen == script.SLOW[0]
            upstream.open_gate("direct")
            break
    assert seen + joined(list(stream)) == "".join(script.SLOW)


def test_anthropic_plain_and_streamed_say_the_same(direct_claude):
    whole = direct_claude.messages.create(
        model="script:plain", max_tokens=512, messages=[{"role": "user", "content": "hello"}]
    )
    assert whole.content[0].text == script.PLAIN
    with message(direct_claude, "plain") as stream:
        final = stream.get_final_message()
    assert final.content[0].text == script.PLAIN
    assert (final.usage.input_tokens, final.usage.output_tokens) == (21, 34)
    assert final.stop_reason == "end_turn"


def test_anthropic_secrets_arrive_without_the_guard(direct_claude):
    with message(direct_claude, "leak-content") as stream:
        assert stream.get_final_text() == script.leak()
    with message(direct_claude, "leak-reasoning") as stream:
        thinking = stream.get_final_message().content[0]
    assert (thinking.thinking, thinking.signature) == (script.leak(), script.SIGNATURE)
    with message(direct_claude, "leak-tool") as stream:
        assert samples.PAT in json.dumps(stream.get_final_message().content[-1].input)


def test_anthropic_failures(direct_claude):
    with pytest.raises(anthropic.InternalServerError):
        message(direct_claude, "fail").__enter__()
    with pytest.raises(anthropic.RateLimitError):
        message(direct_claude, "rate-limit").__enter__()
    with pytest.raises(httpx2.HTTPError), message(direct_claude, "cut") as stream:
        stream.get_final_message()
