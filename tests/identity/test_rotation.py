"""The provider changes its keys while streams are open and requests keep coming."""

import threading
import time

from provider import header
from support import Background, wait_until
from wire import OpenStream, assert_answered, chat

STREAMS = 6
# The gateway asks for an unknown key at most this often (ARCHITECTURE, identity); a little is added for two clocks.
PAUSE = 30.0 + 0.5
MAX_REQUESTS = 2000


class Load:
    """Requests without a pause longer than 0.1 s, each with a token of the key in use, or the oldest one that counts."""

    def __init__(self, gateway, idp):
        self._stop = threading.Event()
        self.kids, self.failures = {}, []
        self.older = idp.machine()

        def run(_):
            for number in range(MAX_REQUESTS):
                if self._stop.is_set():
                    return
                token = self.older if number % 2 else idp.machine()
                reply = chat(gateway.url, token)
                kid = header(token)["kid"]
                if reply.status == 200:
                    self.kids[kid] = self.kids.get(kid, 0) + 1
                else:
                    self.failures.append((kid, reply.status, reply.text))
                self._stop.wait(0.1)

        self._runner = Background(run)

    def wait_for(self, kid: str, count: int):
        wait_until(lambda: self.kids.get(kid, 0) >= count or self.failures, f"{count} answers for {kid}", 20)
        assert not self.failures, self.failures[:3]

    def end(self):
        self._stop.set()
        self._runner.result(30)
        assert not self.failures, self.failures[:3]


def test_keys_rotate_under_load(rotating, upstream):
    gateway, idp = rotating, rotating.idp
    first = idp.state()["keys"][0]["kid"]
    early = idp.machine()
    load = Load(gateway, idp)
    try:
        streams = [OpenStream(gateway.url, idp.machine(), upstream) for _ in range(STREAMS)]

        # A second key signs, the first is still published.
        idp.wait_jwks_age(PAUSE)
        fetched = idp.state()["jwks"]["fetches"]
        second = idp.rotate()
        load.wait_for(second, 5)
        streams += [OpenStream(gateway.url, idp.machine(), upstream) for _ in range(STREAMS)]
        # Many requests at once with a key that was new: one fetch.
        assert idp.state()["jwks"]["fetches"] == fetched + 1
        assert_answered(chat(gateway.url, early))
        for stream in streams[: STREAMS // 2]:
            stream.assert_whole()

        # A third key signs, and the first is withdrawn. Before the next refresh nobody can know; after it, it is out.
        load.older = idp.machine()
        assert header(load.older)["kid"] == second
        idp.wait_jwks_age(PAUSE)
        assert_answered(chat(gateway.url, early))
        third = idp.rotate(drop=first)
        load.wait_for(third, 5)
        assert header(early)["kid"] == first
        wait_until(lambda: chat(gateway.url, early).status == 401, "the token of the withdrawn key is refused", 10)
        assert_answered(chat(gateway.url, load.older))

        for stream in streams[STREAMS:]:
            stream.assert_whole()
    finally:
        load.end()
    for stream in streams[STREAMS // 2 : STREAMS]:
        # Begun with a key that was then withdrawn: whole, or ended as a withdrawn caller's, but never broken off.
        text = stream.finish()
        assert stream.events[-1] == "[DONE]", text


def test_unknown_keys_do_not_flood_the_provider(own_idp, own_gateway):
    """Anybody can send a token with an invented key id: that must not become requests to the provider."""
    gateway = own_gateway(own_idp)
    before = own_idp.state()["jwks"]["fetches"]
    for number in range(50):
        assert chat(gateway.url, own_idp.sign({"iss": own_idp.issuer}, kid=f"invented-{number}")).status == 401
    assert own_idp.state()["jwks"]["fetches"] <= before + 1
    began = time.monotonic()
    assert_answered(chat(gateway.url, own_idp.machine()))
    assert time.monotonic() - began < 5
