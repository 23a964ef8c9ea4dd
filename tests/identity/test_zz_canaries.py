"""Last: no secret that was in play is in a log, a metric, the record, or an answer that refused."""

import pytest

from deployment import ALL
from support import call
from wire import ERRORS, PLANTED, assert_answered, chat


def pieces(secret: str) -> list:
    """What of a secret is looked for: all of it, and the part that makes it one."""
    if secret.count(".") == 2:
        signature = secret.rsplit(".", 1)[1]
        return [secret, signature] if len(signature) >= 40 else [secret]
    return [secret, secret[-40:]] if len(secret) > 80 else [secret]


def leaks(where: str, data: bytes) -> list:
    return [f"{what} in {where}" for secret, what in PLANTED.items() if any(piece.encode() in data for piece in pieces(secret))]


def stored(deployment) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(deployment.folder.glob("guard.db*")))


@pytest.fixture(scope="module", autouse=True)
def something_happened(gateway, idp):
    """So that this file alone has something to search, too."""
    assert_answered(chat(gateway.url, idp.machine()))
    assert chat(gateway.url, idp.mint("dev1", lifetime=-120)).status == 401
    assert PLANTED and ERRORS and ALL


def test_the_search_finds_what_is_there(upstream, gateway):
    """The control: the upstream got the credential, and the record holds names."""
    assert gateway.credential in PLANTED
    seen = "\n".join(str(request.headers) for request in upstream.requests)
    assert "upstream credential in what upstream saw" in leaks("what upstream saw", seen.encode())
    assert b"ci-job" in stored(gateway)


def test_logs():
    for deployment in ALL:
        assert leaks(str(deployment.folder.name), deployment.log.read_bytes() if deployment.log.exists() else b"") == []


def test_metrics():
    running = [deployment for deployment in ALL if deployment.process]
    assert running
    for deployment in running:
        reply = call("GET", deployment.admin_url + "/metrics")
        assert reply.status == 200 and b"# TYPE" in reply.body
        assert leaks(deployment.folder.name, reply.body) == []


def test_records():
    for deployment in ALL:
        assert leaks(deployment.folder.name, stored(deployment)) == []


def test_answers_that_refused():
    for what, reply in ERRORS:
        told = reply.body + b"\n" + str(reply.headers).encode()
        assert leaks(what, told) == []
