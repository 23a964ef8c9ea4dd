"""OpenID Connect Back-Channel Logout: the provider says that a session ended."""

import time

import pytest

from provider import claims
from support import nonce
from wire import OpenStream, assert_answered, chat, form

EVENT = "http://schemas.openid.net/event/backchannel-logout"
SECONDS = 5.0


def tell(office, token):
    return form(office.url + "/copilot-guard/backchannel-logout", {"logout_token": token})


def test_a_session_ends(office, idp, upstream, account):
    ended, other = idp.login(account), idp.login(account)
    assert ended.claims["sid"] != other.claims["sid"]
    stream = OpenStream(office.url, ended.access_token, upstream)
    token = idp.logout_token(account, ended.claims["sid"])
    reply = tell(office, token)
    assert reply.status in (200, 204), f"{reply.status}: {reply.text}"
    stream.assert_cut_off(SECONDS, time.monotonic())
    assert chat(office.url, ended.access_token).status == 401
    assert chat(office.url, idp.refresh(ended).access_token).status == 401, "a later token of the same session"
    assert_answered(chat(office.url, other.access_token))
    assert tell(office, token).status == 400, "replayed"


def logout_claims(idp, account, sid=None, change=None):
    now = int(time.time())
    what = {
        "iss": idp.issuer, "aud": "laptop", "sub": account, "sid": sid, "iat": now, "exp": now + 120, "jti": nonce(20),
        "events": {EVENT: {}}, **(change or {}),
    }
    return {name: value for name, value in what.items() if value is not None}


def test_the_mint_makes_good_logout_tokens(office, idp, account):
    """The control of every row of `BAD`."""
    login = idp.login(account)
    assert tell(office, idp.sign(logout_claims(idp, account, login.claims["sid"]), typ="logout+jwt")).status in (200, 204)
    assert chat(office.url, login.access_token).status == 401


def test_all_sessions_of_a_person(office, idp, account):
    logins = [idp.login(account), idp.login(account)]
    assert tell(office, idp.sign(logout_claims(idp, account), typ="logout+jwt")).status in (200, 204)
    assert [chat(office.url, login.access_token).status for login in logins] == [401, 401]
    assert_answered(chat(office.url, idp.login("dev1").access_token))


BAD = {
    "a nonce": {"nonce": "n"},
    "no event": {"events": None},
    "another event": {"events": {"http://schemas.openid.net/event/other": {}}},
    "another audience": {"aud": "elsewhere"},
    "another issuer": {"iss": "https://login.example.com"},
    "expired": {"iat": 1_700_000_000, "exp": 1_700_000_120},
    "neither sub nor sid": {"sub": None, "sid": None},
    "no id": {"jti": None},
}


@pytest.mark.parametrize("why", BAD)
def test_what_is_no_logout_token(office, idp, account, why):
    login = idp.login(account)
    token = idp.sign(logout_claims(idp, account, login.claims["sid"], BAD[why]), typ="logout+jwt")
    assert tell(office, token).status == 400, why
    assert_answered(chat(office.url, login.access_token))


def test_other_tokens_are_no_logout_tokens(office, idp, account):
    login = idp.login(account)
    good = idp.logout_token(account, login.claims["sid"])
    tampered = ".".join([*good.split(".")[:2], idp.logout_token(account, "other").split(".")[2]])
    wrong_type = idp.sign(claims(good), typ="at+jwt")
    for token in (login.access_token, tampered, wrong_type, "not-a-token-but-some-text"):
        assert tell(office, token).status == 400
    assert_answered(chat(office.url, login.access_token))
