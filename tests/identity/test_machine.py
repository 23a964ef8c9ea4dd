"""A CI job with credentials of its own: client credentials, an answer, and its name in the record."""

import json

import pytest

from provider import GATEWAY, GATEWAY_ES256, claims, header
from wire import EXCHANGE, assert_answered, chat


@pytest.mark.parametrize(("resource", "alg"), [(GATEWAY, "RS256"), (GATEWAY_ES256, "ES256")])
def test_a_machine_gets_an_answer_and_is_on_record(gateway, idp, resource, alg):
    token = idp.machine(resource=resource)
    assert header(token) | {"kid": ""} == {"alg": alg, "typ": "at+jwt", "kid": ""}
    assert claims(token)["sub"] == "ci-job"

    reply = chat(gateway.url, token)
    assert_answered(reply)
    record = gateway.closed(reply.headers[EXCHANGE])
    assert (record["subject"], record["issuer"], record["client"]) == ("ci-job", idp.issuer, "ci-job")
    assert record["groups"] == ["ci"]
    assert record["outcome"] == "completed"


def test_the_command_shows_the_machine_too(gateway, idp):
    reply = chat(gateway.url, idp.machine())
    assert_answered(reply)
    gateway.closed(reply.headers[EXCHANGE])
    shown = gateway.cli("audit", "show", reply.headers[EXCHANGE], "--store", gateway.store)
    assert shown.returncode == 0, shown.stderr
    assert "ci-job" in shown.stdout


def test_a_person_is_on_record_with_their_groups(gateway, idp, account):
    reply = chat(gateway.url, idp.login(account).access_token)
    assert_answered(reply)
    record = gateway.closed(reply.headers[EXCHANGE])
    assert (record["subject"], record["client"], record["groups"]) == (account, "laptop", ["developers"])


def test_the_upstream_sees_its_own_credential_alone(gateway, idp, upstream, account):
    token = idp.login(account).access_token
    assert_answered(chat(gateway.url, token, text=account))
    (request,) = upstream.with_text(account)
    assert request.headers["authorization"] == f"Bearer {gateway.credential}"
    assert token not in json.dumps(request.headers) + json.dumps(request.body)


def test_a_client_that_is_not_on_the_list_is_refused(office, idp):
    assert_answered(chat(office.url, idp.machine("ci-job")))
    assert chat(office.url, idp.machine("stranger")).status == 401


def test_without_a_list_every_client_of_the_audience_counts(gateway, idp):
    """The negative control of the test above."""
    assert_answered(chat(gateway.url, idp.machine("stranger")))
