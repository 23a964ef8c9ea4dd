"""The provider is away: keys that are known still count, and without keys nobody comes in."""

from support import wait_until
from wire import OpenStream, assert_answered, chat


def test_known_keys_outlast_the_provider(own_idp, own_gateway, upstream):
    gateway = own_gateway(own_idp)
    used, fresh = own_idp.machine(), own_idp.machine()
    assert_answered(chat(gateway.url, used))
    stream = OpenStream(gateway.url, used, upstream)
    own_idp.stop()
    assert_answered(chat(gateway.url, used))
    assert_answered(chat(gateway.url, fresh))  # never seen before: its key is
    stream.assert_whole()
    assert gateway.is_ready


def test_without_keys_nobody_comes_in(own_idp, own_gateway, upstream):
    token = own_idp.machine()
    own_idp.stop()
    gateway = own_gateway(own_idp, waits=False)
    before = upstream.count
    reply = chat(gateway.url, token)
    assert reply.status == 503, f"neither a refusal nor an answer: {reply.status} {reply.text}"
    assert not gateway.is_ready
    assert upstream.count == before

    # The control: it comes back by itself.
    own_idp.start()
    wait_until(lambda: gateway.is_ready, "the gateway found its provider again", 45)
    assert_answered(chat(gateway.url, own_idp.machine()))
