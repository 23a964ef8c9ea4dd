"""`login`, `token`, `logout`: a laptop that keeps a grant of the gateway, and no token of the provider."""

import re

import pytest

from support import call, wait_until
from wire import EXCHANGE, assert_answered, bearer, chat, form, noted, plant


@pytest.fixture
def machine(laptop, office):
    return laptop(office)


def logged_in(machine, account):
    done = machine.login(account)
    assert done.returncode == 0, f"`login` ended with {done.returncode}: {done.stderr}"
    return done


def test_login_token_answer_logout(machine, office, account):
    done = logged_in(machine, account)
    (grant,) = set(machine.grants())
    assert grant not in done.stdout + done.stderr, "the grant is not for a terminal's history"

    token = machine.token()
    assert token != grant
    reply = chat(office.url, token)
    assert_answered(reply)
    record = office.closed(reply.headers[EXCHANGE])
    assert (record["subject"], record["groups"]) == (account, ["developers"])

    assert chat(office.url, grant).status == 401, "a grant is for `token` alone"

    done = machine.run("logout")
    assert done.returncode == 0, done.stderr
    assert not machine.grants()
    done = machine.run("token")
    assert done.returncode in (1, 2) and done.stdout == ""
    assert done.stderr.startswith("error:") and "login" in done.stderr
    reply = form(office.url + "/copilot-guard/token", {}, grant)
    assert reply.status == 401, "`logout` ends the grant at the gateway too, not only the file"


def test_what_is_on_the_laptop(machine, account):
    logged_in(machine, account)
    machine.token()
    assert machine.files(), "the grant is in a file"
    assert set(machine.modes().values()) == {0o600}, machine.modes()
    assert machine.state.stat().st_mode & 0o077 == 0, "others can look into the folder"
    kept = "".join(path.read_text(errors="replace") for path in machine.files())
    assert not re.search(r"eyJ[\w-]+\.eyJ", kept), "a token of the provider is on the disk"


def test_the_gateway_need_not_be_named_again(machine, office, account):
    logged_in(machine, account)
    command = machine.command("token")
    at = command.index("--gateway")
    done = machine.run_command(command[:at] + command[at + 2 :])
    assert done.returncode == 0, done.stderr
    assert_answered(chat(office.url, done.stdout.strip()))


def test_each_token_is_short(machine, office, account):
    logged_in(machine, account)
    (grant,) = set(machine.grants())
    reply = form(office.url + "/copilot-guard/token", {}, grant)
    assert reply.status == 200, reply.text
    plant("gateway token", reply.json()["access_token"])
    assert 0 < reply.json()["expires_in"] <= 900


def test_a_person_who_says_no(machine):
    done = machine.login(None)
    assert done.returncode == 1, f"{done.returncode}: {done.stderr}"
    assert "error:" in done.stderr
    assert not machine.grants()


def test_a_gateway_without_login(laptop, gateway, office):
    assert call("GET", office.url + "/copilot-guard/login").status == 200  # the control
    done = laptop(gateway).login("dev1")
    assert done.returncode in (1, 2)
    assert "error:" in done.stderr
    assert call("GET", gateway.url + "/copilot-guard/login").status == 404


def test_token_without_login(machine):
    done = machine.run("token")
    assert done.returncode in (1, 2) and done.stdout == ""
    assert done.stderr.startswith("error:") and "login" in done.stderr


def test_what_the_command_is_told(office, idp):
    reply = call("GET", office.url + "/copilot-guard/login")
    assert reply.status == 200
    told = reply.json()
    assert (told["issuer"], told["client_id"], told["scopes"]) == (idp.issuer, "laptop", ["openid"])
    assert told["resource"] == "urn:copilot-guard"


# Who may have a grant


def grant_for(office, token):
    return noted("device grant", call("POST", office.url + "/copilot-guard/device-grants", bearer(token)))


def test_a_person_may_have_a_grant(office, idp, account):
    reply = grant_for(office, idp.login(account).access_token)
    assert reply.status == 200, reply.text
    told = reply.json()
    plant("device grant", told["device_grant"])
    assert told["device_grant"].startswith("gho_") and told["id"] and 0 < told["expires_in"] <= 3600


def test_nothing_else_may(office, idp, account):
    token = idp.login(account).access_token
    grant = plant("device grant", grant_for(office, token).json()["device_grant"])
    short = plant("gateway token", call("POST", office.url + "/copilot-guard/token", bearer(token)).json()["access_token"])
    for what, credential in {"a grant": grant, "a gateway token": short, "a machine": idp.machine(), "nothing": None}.items():
        reply = grant_for(office, credential)
        assert reply.status in (400, 401), f"{what} got {reply.status}"


def test_a_grant_is_worth_nothing_elsewhere(office, idp, upstream, account):
    grant = plant("device grant", grant_for(office, idp.login(account).access_token).json()["device_grant"])
    before = upstream.count
    for path, body in (("/v1/chat/completions", {}), ("/v1/models", None)):
        method = "GET" if body is None else "POST"
        assert noted(path, call(method, office.url + path, bearer(grant), body)).status == 401, path
    assert noted("admin", call("GET", office.admin_url + "/api/exchanges", bearer(grant))).status == 401
    assert upstream.count == before


def test_rfc_7009(office, idp, account):
    grant = plant("device grant", grant_for(office, idp.login(account).access_token).json()["device_grant"])
    reply = form(office.url + "/copilot-guard/token", {}, grant)
    assert reply.status == 200, reply.text
    token = plant("gateway token", reply.json()["access_token"])
    assert_answered(chat(office.url, token))
    assert form(office.url + "/copilot-guard/revoke", {"token": "not-a-token-but-some-text"}).status == 200
    assert_answered(chat(office.url, token))
    assert form(office.url + "/copilot-guard/revoke", {"token": grant}).status == 200
    assert form(office.url + "/copilot-guard/token", {}, grant).status == 401
    wait_until(lambda: chat(office.url, token).status == 401, "what the grant gave ends with it", 5)
    assert form(office.url + "/copilot-guard/revoke", {"token": grant}).status == 200, "twice is no error"


def test_rfc_7009_of_a_gateway_token_alone(office, idp, account):
    source = idp.login(account).access_token
    one, other = (
        plant("gateway token", call("POST", office.url + "/copilot-guard/token", bearer(source)).json()["access_token"])
        for _ in range(2)
    )
    assert form(office.url + "/copilot-guard/revoke", {"token": one}).status == 200
    wait_until(lambda: chat(office.url, one).status == 401, "the revoked token is refused", 5)
    assert_answered(chat(office.url, other))
