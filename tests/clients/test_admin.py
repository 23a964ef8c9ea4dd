"""Approvals and the record, over the admin listener."""

import json

import pytest

import samples
import upstream as script
from gateway import BLOCKED_TEXT, HELD_TEXT, HOLD_MESSAGE
from support import Background, call, nonce, raw_stream, stream_text, wait_until

EXCHANGE, DECISION = "x-copilot-guard-exchange", "x-copilot-guard-decision"


def chat_body(scenario, text="", **options):
    return {"model": "scripted-model", "messages": [{"role": "user", "content": f"{text} scenario:{scenario}"}], **options}


def error_code(reply):
    return reply.json()["error"]["code"]


class Held:
    """A streamed chat request that is read in the background, event by event."""

    def __init__(self, gateway, token, word, path="/v1/chat/completions", **options):
        self.word, self.events, self.head = word, [], None
        body = chat_body("plain", f"{HELD_TEXT} {word}", stream=True, **options)
        stream = raw_stream(gateway.url + path, {"authorization": f"Bearer {token}"}, body, timeout=120)

        def read(_):
            self.head = next(stream)
            assert self.head.status == 200, self.head.text
            for event in stream:
                self.events.append(event)

        self.reader = Background(read)
        wait_until(self._has_head, "the head of a held stream is there at once", 10)
        self.exchange = self.head.headers[EXCHANGE]

    def _has_head(self):
        if self.head is None and not self.reader.is_alive():
            self.reader.result()
        return self.head

    @property
    def text(self) -> str:
        return stream_text("\n".join(f"data:{data}" for _, data in list(self.events)))

    def end(self) -> str:
        self.reader.result(60)
        return self.text


@pytest.fixture
def hold(gateway, token):
    def start(as_token=None, **options) -> Held:
        return Held(gateway, as_token or token, nonce(), **options)

    return start


# Approvals


def test_held_stream_stays_open_until_a_reviewer_approves(hold, gateway, upstream):
    held = hold()
    assert held.head.headers[DECISION] == "pending"
    approval = gateway.wait_pending(held.exchange)
    wait_until(lambda: len(held.events) >= 2, "no-op events keep the stream open", 45)
    assert held.reader.is_alive() and held.text == ""
    assert all(json.loads(data)["choices"] for _, data in held.events), "no-ops are events of the format"
    assert not upstream.with_text(held.word), "nothing goes up before the vote"

    reply = gateway.vote(approval, "approve", gateway.reviewer())
    assert reply.status == 200, reply.text
    assert held.end() == script.PLAIN
    assert held.events[-1][1] == "[DONE]"
    assert len(upstream.with_text(held.word)) == 1
    record = gateway.closed(held.exchange)
    assert record["outcome"] == "completed" and record["approval"] == approval


def test_held_stream_through_the_sdk(client, gateway, upstream):
    word = nonce()

    def read(job):
        raw = client.chat.completions.with_raw_response.create(**chat_body("plain", f"{HELD_TEXT} {word}", stream=True))
        job.items.append(raw.headers[EXCHANGE])
        return "".join(choice.delta.content or "" for chunk in raw.parse() for choice in chunk.choices)

    job = Background(read)
    exchange = wait_until(lambda: job.items, "the head of the held stream")[0]
    assert gateway.vote(gateway.wait_pending(exchange), "approve", gateway.reviewer()).status == 200
    assert job.result() == script.PLAIN


def test_held_anthropic_stream(claude, gateway, token, upstream):
    word, pings = nonce(), []
    body = {
        "model": "scripted-model", "max_tokens": 64, "stream": True,
        "messages": [{"role": "user", "content": f"{HELD_TEXT} {word} scenario:plain"}],
    }
    stream = raw_stream(gateway.url + "/v1/messages", {"authorization": f"Bearer {token}"}, body, timeout=120)
    head = next(stream)
    assert head.status == 200 and head.headers[DECISION] == "pending"

    def read(_):
        out = []
        for name, data in stream:
            if name == "ping":
                pings.append(data)
            out.append(f"data:{data}")
        return stream_text("\n".join(out))

    job = Background(read)
    approval = gateway.wait_pending(head.headers[EXCHANGE])
    wait_until(lambda: pings, "a ping keeps the stream open", 45)
    assert not upstream.with_text(word)
    assert gateway.vote(approval, "approve", gateway.reviewer()).status == 200
    assert job.result() == script.PLAIN


def test_held_plain_request(client, gateway, upstream):
    word = nonce()
    job = Background(lambda _: client.chat.completions.create(**chat_body("plain", f"{HELD_TEXT} {word}")))

    def pending():
        items = gateway.admin("GET", "/api/approvals?state=pending", gateway.reviewer()).json()["items"]
        return next((item for item in items if word in json.dumps(item)), None)

    approval = wait_until(pending, "the approval shows the reviewer what is asked")
    assert not upstream.with_text(word)
    assert gateway.vote(approval["id"], "approve", gateway.reviewer()).status == 200
    assert job.result().choices[0].message.content == script.PLAIN


def test_denied(hold, gateway, upstream):
    held = hold()
    reply = gateway.vote(gateway.wait_pending(held.exchange), "deny", gateway.reviewer(), "not this month")
    assert reply.status == 200, reply.text
    text = held.end()
    assert HOLD_MESSAGE in text and held.exchange in text
    assert held.events[-1][1] == "[DONE]"
    reasons = [c.get("finish_reason") for _, d in held.events if d != "[DONE]" for c in json.loads(d)["choices"]]
    assert [reason for reason in reasons if reason] == ["stop"]
    assert not upstream.with_text(held.word)
    assert gateway.closed(held.exchange)["outcome"] == "denied"


def test_requester_cannot_approve(hold, gateway, idp, subject, upstream):
    held = hold(idp.mint(subject, ["developers", "security-reviewers"]))
    approval = gateway.wait_pending(held.exchange)
    reply = gateway.vote(approval, "approve", gateway.reviewer(subject))
    assert (reply.status, error_code(reply)) == (403, "own_request")
    assert gateway.pending_for(held.exchange), "it still waits"
    assert not upstream.with_text(held.word)
    assert gateway.vote(approval, "deny", gateway.reviewer()).status == 200
    held.end()


def test_who_may_vote(hold, gateway, idp, subject, upstream):
    held = hold()
    approval = gateway.wait_pending(held.exchange)
    refused = {
        "nobody": (None, 401, "invalid_token"),
        "a developer": (idp.admin("developer-other", ["developers"]), 403, "not_a_reviewer"),
        "an auditor": (gateway.auditor(), 403, "not_a_reviewer"),
        "a data-plane token": (idp.mint("reviewer-1", ["security-reviewers"]), 401, "invalid_token"),
        "an old login": (gateway.reviewer(logged_in_ago=13 * 3600), 403, "login_too_old"),
        "a login without a time": (gateway.reviewer(auth_time=None), 403, "login_too_old"),
        "a forged token": (idp.forge("reviewer-1", ["security-reviewers"], "copilot-guard-admin"), 401, "invalid_token"),
    }
    for who, (token, status, code) in refused.items():
        reply = gateway.vote(approval, "approve", token)
        assert (reply.status, error_code(reply)) == (status, code), who
        assert gateway.pending_for(held.exchange), who
    assert not upstream.with_text(held.word)
    assert gateway.vote(approval, "deny", gateway.reviewer()).status == 200
    held.end()


def test_approval_is_used_once_and_settled(hold, gateway):
    held = hold()
    approval = gateway.wait_pending(held.exchange)
    assert gateway.vote(approval, "approve", gateway.reviewer()).status == 200
    held.end()
    assert gateway.vote(approval, "deny", gateway.reviewer("reviewer-2")).status == 409
    reply = gateway.admin("GET", f"/api/approvals/{approval}", gateway.reviewer())
    assert reply.status == 200 and reply.json()["state"] == "consumed"


def test_another_person_does_not_ride(hold, gateway, idp, upstream):
    first = hold()
    assert gateway.vote(gateway.wait_pending(first.exchange), "approve", gateway.reviewer()).status == 200
    first.end()
    second = hold(idp.mint(f"developer-{nonce()}"))
    approval = gateway.wait_pending(second.exchange)
    assert not upstream.with_text(second.word)
    assert gateway.vote(approval, "deny", gateway.reviewer()).status == 200
    second.end()


def test_hold_that_ends_without_a_vote(own_gateway, token, upstream):
    gateway = own_gateway(hold_streaming="2s")
    word = nonce()
    held = Held(gateway, token, word)
    text = held.end()
    assert held.exchange in text and held.events[-1][1] == "[DONE]"
    assert not upstream.with_text(word)
    assert gateway.closed(held.exchange)["outcome"] == "held_over"
    approval = gateway.wait_pending(held.exchange)
    assert gateway.vote(approval, "approve", gateway.reviewer()).status == 200
    again = Held(gateway, token, word)
    assert again.end() == script.PLAIN
    assert len(upstream.with_text(word)) == 1


# The record


def test_every_exchange_is_on_record(client, gateway, idp, token, subject):
    ids = {}
    for outcome, scenario, text in [
        ("completed", "plain", ""), ("completed", "leak-content", ""), ("blocked", "plain", BLOCKED_TEXT),
        ("upstream_failed", "fail", ""), ("blocked", "forbidden-tool", ""),
    ]:
        for stream in (False, True):
            headers = {"authorization": f"Bearer {token}"}
            reply = call("POST", gateway.url + "/v1/chat/completions", headers, chat_body(scenario, text, stream=stream))
            ids[reply.headers[EXCHANGE]] = outcome

    for id, outcome in ids.items():
        assert gateway.closed(id)["outcome"] == outcome, id
    listed = gateway.admin("GET", f"/api/exchanges?user={subject}&limit=500", gateway.auditor())
    assert listed.status == 200, listed.text
    items = {item["id"]: item for item in listed.json()["items"]}
    assert {id: items[id]["outcome"] for id in ids} == ids
    assert set(items) == set(ids), "the filter by user"
    for item in items.values():
        assert item["subject"] == subject and item["issuer"] == idp.issuer and item["groups"] == ["developers"]
        assert item["model"] == "scripted-model" and item["upstream"] == "scripted-openai"
        assert item["started_at"] and item["ended_at"] and "request" not in item


def test_pages_of_the_list(client, gateway, subject):
    for _ in range(5):
        client.chat.completions.create(**chat_body("plain"))
    seen, cursor = [], ""
    for _ in range(4):
        page = gateway.admin("GET", f"/api/exchanges?user={subject}&limit=2{cursor}", gateway.auditor()).json()
        seen += [item["id"] for item in page["items"]]
        if not page["next_cursor"]:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert len(seen) == len(set(seen)) == 5


def test_record_holds_what_was_delivered_and_no_secret(client, gateway):
    raw = client.chat.completions.with_raw_response.create(
        **chat_body("leak-content", f"my token is {samples.PAT} ,", stream=True)
    )
    delivered = "".join(choice.delta.content or "" for chunk in raw.parse() for choice in chunk.choices)
    record = gateway.closed(raw.headers[EXCHANGE])
    events = gateway.admin("GET", f"/api/exchanges/{raw.headers[EXCHANGE]}/events", gateway.auditor())
    assert events.status == 200
    for text in (json.dumps(record), events.text):
        assert samples.PAT not in text and samples.AWS not in text
    assert stream_text(record["response"]) == delivered
    assert samples.PAT_MARK in samples.untagged(record["request"])
    assert {mask["rule"] for mask in record["masks"]} >= {"github-pat", "aws-access-key"}
    assert record["decision"] == "mask" and record["policy_version"]


def test_refused_strangers_are_on_record(gateway, idp):
    headers = {"authorization": f"Bearer {idp.forge('developer-x')}"}
    reply = call("POST", gateway.url + "/v1/chat/completions", headers, chat_body("plain"))
    assert reply.status == 401
    assert gateway.closed(reply.headers[EXCHANGE])["outcome"] == "refused"


def test_the_record_is_for_auditors(gateway, idp, token):
    strangers = (None, token, idp.mint("auditor-1", ["auditors"]), idp.forge("auditor-1", ["auditors"], "copilot-guard-admin"))
    for who in strangers:
        reply = gateway.admin("GET", "/api/exchanges", who)
        assert (reply.status, error_code(reply)) == (401, "invalid_token")
    for who in (idp.admin("developer-other", ["developers"]), gateway.reviewer()):
        reply = gateway.admin("GET", "/api/exchanges", who)
        assert (reply.status, error_code(reply)) == (403, "not_an_auditor")


def test_listeners_are_apart(gateway, token):
    assert gateway.admin("GET", "/healthz", None).status == 200
    assert gateway.admin("GET", "/readyz", None).status == 200
    for path in ("/healthz", "/readyz", "/metrics", "/api/exchanges", "/api/approvals"):
        for headers in ({"authorization": f"Bearer {token}"}, {"authorization": f"Bearer {gateway.auditor()}"}):
            assert call("GET", gateway.url + path, headers).status == 404, path
    assert gateway.admin("POST", "/v1/chat/completions", token, chat_body("plain")).status == 401
    assert gateway.admin("POST", "/v1/chat/completions", gateway.auditor(), chat_body("plain")).status == 404


def test_client_that_leaves_is_on_record(client, gateway, upstream):
    gate = nonce()
    raw = client.chat.completions.with_raw_response.create(**chat_body("slow", f"gate:{gate}", stream=True))
    stream = raw.parse()
    try:
        next(chunk for chunk in stream if chunk.choices and chunk.choices[0].delta.content)
        stream.close()
        assert gateway.closed(raw.headers[EXCHANGE])["outcome"] == "client_gone"
    finally:
        upstream.open_gate(gate)
