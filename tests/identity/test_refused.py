"""Tokens that must not pass, each one step away from a good one, and what the refusal gives away: nothing."""

import base64
import hashlib
import hmac
import time

import pytest

from provider import ADMIN, ELSEWHERE, GATEWAY, claims, encode, header
from support import call
from wire import assert_answered, bearer, chat, form, noted, without_ids


def _tampered(idp):
    head, _, signature = idp.machine().split(".")
    return f"{head}.{encode({**claims(idp.machine()), 'groups': ['operators']})}.{signature}"


def _signature_of_another(idp):
    return ".".join([*idp.machine().split(".")[:2], idp.machine().split(".")[2]])


def _one_bit(idp):
    head, body, signature = idp.machine().split(".")
    raw = bytearray(base64.urlsafe_b64decode(signature + "=="))
    raw[7] ^= 1
    return f"{head}.{body}.{base64.urlsafe_b64encode(bytes(raw)).rstrip(b'=').decode()}"


def _unsigned(idp, alg):
    good = idp.machine()
    return f"{encode({**header(good), 'alg': alg})}.{good.split('.')[1]}."


def _hmac_with_public_key(idp):
    """Algorithm confusion: the public key as the secret of an HMAC."""
    good = idp.machine()
    key = next(each for each in call("GET", idp.issuer + "/jwks").json()["keys"] if each["alg"] == "RS256")
    signed = f"{encode({**header(good), 'alg': 'HS256'})}.{good.split('.')[1]}"
    tag = hmac.new(key["n"].encode(), signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{base64.urlsafe_b64encode(tag).rstrip(b'=').decode()}"


BAD = {
    "audience of another service": lambda idp: idp.machine(resource=ELSEWHERE),
    "audience of the admin plane": lambda idp: idp.machine(resource=ADMIN),
    "audience is a client (ID token)": lambda idp: idp.mint("dev1", audience="laptop"),
    "no audience": lambda idp: idp.mint("dev1", audience=None),
    "expired": lambda idp: idp.mint("dev1", lifetime=-120),
    "no end": lambda idp: idp.mint("dev1", exp=None),
    "too long a life": lambda idp: idp.mint("dev1", lifetime=400 * 86400),
    "not yet valid": lambda idp: idp.mint("dev1", nbf=int(time.time()) + 300),
    "issued in the future": lambda idp: idp.mint("dev1", iat=int(time.time()) + 300, lifetime=900),
    "another issuer": lambda idp: idp.mint("dev1", iss=idp.issuer + "/"),
    "no subject": lambda idp: idp.mint("dev1", sub=None),
    "tampered claims": _tampered,
    "another token's signature": _signature_of_another,
    "one bit of the signature": _one_bit,
    "alg none": lambda idp: _unsigned(idp, "none"),
    "alg NONE": lambda idp: _unsigned(idp, "NONE"),
    "alg HS256 with the public key": _hmac_with_public_key,
    "signed, but a logout token": lambda idp: idp.logout_token("dev1", "session"),
    "signed, but of another type": lambda idp: idp.sign(claims(idp.mint("dev1")), typ="dpop+jwt"),
    "bound to a key": lambda idp: idp.mint("dev1", cnf={"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}),
    "critical extension": lambda idp: idp.sign(claims(idp.mint("dev1")), crit=["exp"]),
    "no token at all": lambda idp: "not-a-token-but-some-text",
    "looks like a gateway token": lambda idp: "gho_cg1" + encode({"sub": "dev1", "exp": 4102444800}) + "A" * 43,
}


@pytest.fixture(scope="module")
def usual(gateway, idp):
    """The refusal that all others must look like."""
    return without_ids(chat(gateway.url, idp.mint("dev1", lifetime=-120)))


def test_the_mint_makes_good_tokens(gateway, idp):
    """The control of every row below: what they change is all that is wrong with them."""
    assert_answered(chat(gateway.url, idp.mint("dev1")))
    assert_answered(chat(gateway.url, idp.sign(claims(idp.mint("dev1")), alg="ES256")))
    assert_answered(chat(gateway.url, idp.machine(resource=GATEWAY)))


@pytest.mark.parametrize("why", BAD)
def test_data_plane(gateway, idp, usual, why):
    reply = chat(gateway.url, BAD[why](idp))
    assert reply.status == 401, f"{why}: {reply.status}"
    assert without_ids(reply) == usual, "the body tells what was wrong"
    assert reply.headers["www-authenticate"], "RFC 6750 3"


def test_no_credential_looks_the_same(gateway, usual):
    reply = chat(gateway.url, None)
    assert reply.status == 401
    assert without_ids(reply) == usual


def test_a_refused_request_never_goes_up(gateway, idp, upstream):
    before = upstream.count
    for why in ("expired", "tampered claims", "alg none", "audience of the admin plane"):
        chat(gateway.url, BAD[why](idp))
    assert upstream.count == before


@pytest.mark.parametrize("why", ["expired", "tampered claims", "alg none", "no token at all"])
def test_exchange_for_a_gateway_token(gateway, idp, why):
    assert form(gateway.url + "/copilot-guard/token", {}, BAD[why](idp)).status == 401


def _audit(gateway, token):
    return noted("GET /api/exchanges", call("GET", gateway.admin_url + "/api/exchanges?limit=1", bearer(token)))


def test_admin_plane(gateway, idp):
    assert _audit(gateway, gateway.auditor()).status == 200  # the control
    bodies = set()
    bad = {
        "data-plane audience": idp.login("aud1", GATEWAY).access_token,
        "expired": idp.mint("aud1", audience="copilot-guard-admin", groups=["auditors"], lifetime=-120),
        "tampered": _tampered(idp),
        "alg none": _unsigned(idp, "none"),
        "a gateway token": call("POST", gateway.url + "/copilot-guard/token", bearer(idp.login("aud1").access_token)).json()["access_token"],
    }
    for why, token in bad.items():
        reply = _audit(gateway, token)
        assert reply.status == 401, f"{why}: {reply.status}"
        bodies.add(without_ids(reply))
    assert len(bodies) == 1, bodies
    control = idp.mint("aud1", audience="copilot-guard-admin", groups=["auditors"], auth_time=int(time.time()))
    assert _audit(gateway, control).status == 200
