"""Gateway tokens: RFC 8693 at `POST /copilot-guard/token`, and what they are good for."""

import time
import urllib.parse

import pytest

from provider import claims
from support import call
from wire import assert_answered, bearer, chat, form, noted, plant

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN, JWT = "urn:ietf:params:oauth:token-type:access_token", "urn:ietf:params:oauth:token-type:jwt"
MAX_SECONDS = 900


def exchange(gateway, token, kind=ACCESS_TOKEN, **more):
    fields = {"grant_type": EXCHANGE, "subject_token": token, "subject_token_type": kind, **more}
    return form(gateway.url + "/copilot-guard/token", fields)


def answer(reply) -> dict:
    assert reply.status == 200, f"{reply.status}: {reply.text}"
    told = reply.json()
    plant("gateway token", told["access_token"])
    assert told["token_type"] == "Bearer"
    assert 0 < told["expires_in"] <= MAX_SECONDS
    assert reply.headers["cache-control"] == "no-store", "RFC 6749 5.1"
    return told


@pytest.mark.parametrize("kind", [ACCESS_TOKEN, JWT])
def test_the_form_of_rfc_8693(office, idp, account, kind):
    told = answer(exchange(office, idp.login(account).access_token, kind))
    assert told["issued_token_type"] == ACCESS_TOKEN, "RFC 8693 2.2.1"
    assert_answered(chat(office.url, told["access_token"]))


def test_an_empty_body_still_does(gateway, idp, account):
    """The form of earlier versions: the token as the bearer."""
    reply = noted("token", call("POST", gateway.url + "/copilot-guard/token", bearer(idp.login(account).access_token)))
    assert_answered(chat(gateway.url, answer(reply)["access_token"]))


def test_github_style_authorization_does_too(office, idp, account):
    token = plant("bearer token", idp.login(account).access_token)
    reply = noted("token", call("POST", office.url + "/copilot-guard/token", {"authorization": f"token {token}"}))
    assert_answered(chat(office.url, answer(reply)["access_token"]))


def test_it_never_outlives_its_source(office, idp, account):
    short = idp.mint(account, lifetime=120)
    assert answer(exchange(office, short))["expires_in"] <= 120
    long = idp.mint(account, lifetime=7200)
    assert answer(exchange(office, long))["expires_in"] > 120, "the control: it is the source that bounds"


def test_a_gateway_token_for_a_gateway_token_ends_no_later(office, idp, account):
    first = answer(exchange(office, idp.mint(account, lifetime=120)))
    first_ends = time.time() + first["expires_in"]
    time.sleep(1.1)  # so that a life that began anew would show
    second = answer(exchange(office, first["access_token"]))
    assert time.time() + second["expires_in"] <= first_ends + 1
    assert_answered(chat(office.url, second["access_token"]))


def test_it_is_worth_nothing_on_the_admin_plane(office, idp):
    token = answer(exchange(office, idp.login("aud1").access_token))["access_token"]
    assert_answered(chat(office.url, token))
    reply = noted("GET /api/exchanges", call("GET", office.admin_url + "/api/exchanges", bearer(token)))
    assert reply.status == 401


def test_a_machine_may_exchange(office, idp):
    told = answer(exchange(office, idp.machine()))
    assert_answered(chat(office.url, told["access_token"]))


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"subject_token": "not-a-token-but-some-text"}, (400, 401)),
        ({"grant_type": "client_credentials"}, (400,)),
        ({"subject_token_type": "urn:ietf:params:oauth:token-type:saml2"}, (400,)),
        ({"requested_token_type": "urn:ietf:params:oauth:token-type:refresh_token"}, (400,)),
        ({"actor_token": "not-a-token-but-some-text", "actor_token_type": ACCESS_TOKEN}, (400,)),
    ],
)
def test_forms_that_must_not_pass(office, idp, account, change, status):
    token = idp.login(account).access_token
    fields = {"grant_type": EXCHANGE, "subject_token": token, "subject_token_type": ACCESS_TOKEN} | change
    reply = form(office.url + "/copilot-guard/token", fields)
    assert reply.status in status, f"{change}: {reply.status} {reply.text}"


def test_a_form_with_the_token_twice_is_refused(office, idp, account):
    token, other = idp.login(account).access_token, idp.login("rev1").access_token
    pairs = [("grant_type", EXCHANGE), ("subject_token", token), ("subject_token", other), ("subject_token_type", ACCESS_TOKEN)]
    headers = {"content-type": "application/x-www-form-urlencoded"}
    reply = noted("token", call("POST", office.url + "/copilot-guard/token", headers, urllib.parse.urlencode(pairs)))
    assert reply.status in (400, 401)


def test_the_source_is_not_in_the_token(office, idp, account):
    source = idp.login(account).access_token
    token = answer(exchange(office, source))["access_token"]
    assert source.split(".")[2] not in token
    assert claims(source)["email"] not in token
