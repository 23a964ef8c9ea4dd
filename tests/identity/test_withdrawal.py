"""Withdrawing access: what is open ends, what comes is refused, others notice nothing, and a new login works."""

import json
import time

import pytest

from support import call, wait_until
from wire import OpenStream, assert_answered, bearer, chat, noted, plant

SECONDS = 5.0
REASON = "left the company, HR-1041"


class Person:
    """A developer with a login, a gateway token made of it, and an open stream."""

    def __init__(self, office, idp, upstream, account):
        self.office, self.idp, self.account = office, idp, account
        self.login = idp.login(account)
        reply = noted("token", call("POST", office.url + "/copilot-guard/token", bearer(self.login.access_token)))
        assert reply.status == 200, reply.text
        self.gateway_token = plant("gateway token", reply.json()["access_token"])
        self.stream = OpenStream(office.url, self.login.access_token, upstream)
        self.second_stream = OpenStream(office.url, self.gateway_token, upstream)

    @property
    def token(self):
        return self.login.access_token

    def assert_out(self, since: float):
        self.stream.assert_cut_off(SECONDS, since)
        self.second_stream.assert_cut_off(SECONDS, since)
        for what, token in {"the token": self.token, "what was made of it": self.gateway_token}.items():
            assert chat(self.office.url, token).status == 401, f"{what} still counts"


@pytest.fixture
def person(office, idp, upstream, account):
    return Person(office, idp, upstream, account)


@pytest.fixture
def bystander(office, idp, upstream):
    """Somebody else, whose stream must end whole."""
    stream = OpenStream(office.url, idp.login("dev1").access_token, upstream)
    yield stream
    stream.assert_whole()
    assert_answered(chat(office.url, idp.login("dev1").access_token))


def by_command(office, *arguments):
    done = office.revoke(*arguments, "--reason", REASON)
    assert done.returncode == 0, f"`revoke` ended with {done.returncode}: {done.stderr}"


def by_api(office, **what):
    reply = noted("revocations", call("POST", office.admin_url + "/api/revocations", bearer(office.operator()), {**what, "reason": REASON}))
    assert reply.status in (200, 201), f"{reply.status}: {reply.text}"


def new_login_works(office, idp, account):
    """Whole seconds: what is issued in the second of the withdrawal may still be refused."""
    def probe():
        reply = chat(office.url, idp.login(account).access_token)
        return reply if reply.status == 200 else None

    assert_answered(wait_until(probe, "a new login works", 5, every=0.5))


# By command


def test_a_person(office, idp, person, bystander):
    by_command(office, "--person", f"{idp.issuer}#{person.account}")
    person.assert_out(time.monotonic())
    assert chat(office.url, idp.mint(person.account, iat=int(time.time()) - 60)).status == 401, "every earlier token"
    new_login_works(office, idp, person.account)


def test_an_account(office, idp, person, bystander):
    by_command(office, "--issuer", idp.issuer, "--subject", person.account)
    person.assert_out(time.monotonic())
    new_login_works(office, idp, person.account)


def test_one_token(office, idp, person, bystander):
    other = idp.refresh(person.login).access_token
    by_command(office, "--token-id", person.login.claims["jti"])
    person.assert_out(time.monotonic())
    assert_answered(chat(office.url, other))


def test_a_session(office, idp, person, bystander):
    same_session = idp.refresh(person.login)
    assert same_session.claims["sid"] == person.login.claims["sid"]
    by_command(office, "--session", person.login.claims["sid"])
    person.assert_out(time.monotonic())
    assert chat(office.url, same_session.access_token).status == 401
    new_login_works(office, idp, person.account)


def test_the_command_needs_no_secrets_of_the_service(office, idp, account):
    """Whoever withdraws in a hurry has a shell, not the environment of the service."""
    token = idp.login(account).access_token
    done = office.revoke("--person", f"{idp.issuer}#{account}", "--reason", REASON, secrets=False)
    assert done.returncode == 0, done.stderr
    wait_until(lambda: chat(office.url, token).status == 401, "the person is out", SECONDS)


def test_it_outlives_a_restart(office, own_gateway, idp, account):
    gateway = own_gateway(idp, login=True)
    token = idp.login(account).access_token
    assert_answered(chat(gateway.url, token))
    by_command(gateway, "--person", f"{idp.issuer}#{account}")
    gateway.stop()
    gateway.start()
    assert chat(gateway.url, token).status == 401
    assert_answered(chat(gateway.url, idp.login("dev1").access_token))


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--person", "somebody"),
        ("--reason", REASON),
        ("--person", "somebody", "--token-id", "x", "--reason", REASON),
        ("--issuer", "https://login.example.com", "--reason", REASON),
        ("--person", "", "--reason", REASON),
    ],
    ids=["nothing", "no reason", "nobody", "two at once", "no subject", "empty"],
)
def test_a_command_that_says_too_little(office, arguments):
    done = office.revoke(*arguments)
    assert done.returncode == 2, f"{done.returncode}: {done.stdout} {done.stderr}"
    assert done.stderr


def test_a_grant_ends_with_its_person(office, idp, laptop, account):
    machine = laptop(office)
    assert machine.login(account).returncode == 0
    assert_answered(chat(office.url, machine.token()))
    by_command(office, "--person", f"{idp.issuer}#{account}")
    wait_until(lambda: machine.run("token").returncode in (1, 2), "`token` fails", SECONDS)
    time.sleep(1.1)  # whole seconds, as above
    done = machine.login(account)
    assert done.returncode == 0, done.stderr
    assert_answered(chat(office.url, machine.token()))


# Through the admin listener


def test_the_api_ends_a_person(office, idp, person, bystander):
    by_api(office, person=f"{idp.issuer}#{person.account}")
    person.assert_out(time.monotonic())
    new_login_works(office, idp, person.account)


def test_the_api_ends_a_session_a_token_an_account(office, idp, upstream):
    for what in ("session", "token_id", "account"):
        one = Person(office, idp, upstream, f"dev1-api-{what.replace('_', '-')}")
        told = one.login.claims
        by_api(office, **{
            "session": {"session": told["sid"]},
            "token_id": {"token_id": told["jti"]},
            "account": {"issuer": idp.issuer, "subject": one.account},
        }[what])
        one.assert_out(time.monotonic())


def test_withdrawals_are_listed(office, account):
    by_api(office, person=f"https://nobody.example#{account}")
    reply = call("GET", office.admin_url + "/api/revocations", bearer(office.operator()))
    assert reply.status == 200, reply.text
    assert account in json.dumps(reply.json()) and REASON in json.dumps(reply.json())


def test_operators_alone_may(office, idp, person):
    body = {"person": f"{idp.issuer}#{person.account}", "reason": REASON}
    for who, token in {
        "an auditor": office.auditor(), "a reviewer": office.reviewer(), "a developer": person.token,
        "a gateway token of an operator": call(
            "POST", office.url + "/copilot-guard/token", bearer(idp.login("op1").access_token)
        ).json()["access_token"],
        "nobody": None,
    }.items():
        reply = noted("revocations", call("POST", office.admin_url + "/api/revocations", bearer(token), body))
        assert reply.status in (401, 403), f"{who} got {reply.status}"
    assert person.stream.is_open
    person.stream.assert_whole()
    person.second_stream.assert_whole()


@pytest.mark.parametrize("body", [{}, {"person": "x"}, {"reason": "x"}, {"person": "x", "session": "y", "reason": "z"}, {"issuer": "x", "reason": "z"}])
def test_a_request_that_says_too_little(office, body):
    reply = noted("revocations", call("POST", office.admin_url + "/api/revocations", bearer(office.operator()), body))
    assert reply.status == 400, f"{reply.status}: {reply.text}"
