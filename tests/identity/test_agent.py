"""`agent`: plain HTTP on the laptop, TLS to the gateway, and a fresh token for each request."""

import pytest

import upstream as script
from support import call, raw_stream, stream_text
from wire import CHAT, EXCHANGE, assert_answered, bearer, chat, chat_body, noted


@pytest.fixture
def machine(laptop, secure_office, account):
    made = laptop(secure_office)
    done = made.login(account)
    assert done.returncode == 0, f"`login` ended with {done.returncode}: {done.stderr}"
    return made


def test_plain_http_in_tls_out(machine, secure_office, account):
    with machine.agent() as agent:
        assert agent["listen"].startswith("http://127.0.0.1:")
        reply = chat(agent["listen"], agent["key"])
        assert_answered(reply)
        assert secure_office.closed(reply.headers[EXCHANGE])["subject"] == account


def test_a_stream_comes_through(machine):
    with machine.agent() as agent:
        events = raw_stream(agent["listen"] + CHAT, bearer(agent["key"]), chat_body(stream=True))
        assert next(events).status == 200
        data = [each for _, each in events]
        assert data[-1] == "[DONE]"
        assert stream_text("\n".join(f"data:{each}" for each in data) + "\n") == script.PLAIN


def test_only_with_its_key(machine, upstream):
    with machine.agent() as agent:
        before = upstream.count
        for key in (None, agent["key"][:-1] + ("a" if agent["key"][-1] != "a" else "b"), machine.grants()[0]):
            assert chat(agent["listen"], key).status == 401
        assert upstream.count == before
        assert_answered(chat(agent["listen"], agent["key"]))  # the control


def test_the_key_is_of_one_run(machine):
    with machine.agent() as first:
        pass
    with machine.agent() as second:
        assert first["key"] != second["key"]
        assert chat(second["listen"], first["key"]).status == 401


def test_the_key_does_not_leave_the_laptop(machine, upstream, account):
    with machine.agent() as agent:
        assert_answered(chat(agent["listen"], agent["key"], text=account))
        (request,) = upstream.with_text(account)
        assert agent["key"] not in str(request.headers)


def test_a_page_in_a_browser_cannot_use_it(machine):
    """DNS rebinding, and a form of a foreign page: neither knows the key, and the host is not the agent's."""
    with machine.agent() as agent:
        foreign = {**bearer(agent["key"]), "host": "attacker.example"}
        assert noted("agent", call("POST", agent["listen"] + CHAT, foreign, chat_body())).status in (400, 401, 403, 421)


def test_the_certificate_counts(machine):
    """The negative control of `--ca`: without it the authority is a stranger."""
    command = machine.command("token")
    at = command.index("--ca")
    done = machine.run_command(command[:at] + command[at + 2 :])
    assert done.returncode in (1, 2) and done.stdout == ""
    assert done.stderr.startswith("error:")


def test_after_logout_it_says_what_to_do(machine):
    with machine.agent() as agent:
        assert_answered(chat(agent["listen"], agent["key"]))
        assert machine.run("logout").returncode == 0
        # It may still hold a token of a few minutes; that token must have ended with its grant.
        reply = chat(agent["listen"], agent["key"])
        assert reply.status in (401, 502, 503), reply.status
