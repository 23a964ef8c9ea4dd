"""The parts, started once for the whole run; only what a test asks for is started."""

import os

import anthropic
import openai
import pytest

for name in ("http_proxy", "https_proxy", "all_proxy"):  # everything here is on loopback
    os.environ.pop(name, None)
    os.environ.pop(name.upper(), None)

from gateway import Gateway
from idp import IdentityProvider
from support import nonce
from upstream import Upstream

TIMEOUT = 60.0


@pytest.fixture(scope="session")
def idp():
    provider = IdentityProvider()
    yield provider
    provider.close()


@pytest.fixture(scope="session")
def upstream():
    model = Upstream()
    yield model
    model.close()


@pytest.fixture(scope="session")
def gateway(tmp_path_factory, idp, upstream):
    proxy = Gateway(tmp_path_factory.mktemp("gateway"), idp, upstream)
    try:
        yield proxy.start()
    finally:
        proxy.stop()


@pytest.fixture
def own_gateway(tmp_path, idp, upstream):
    """Makes a proxy for one test alone."""
    made = []

    def make(**settings) -> Gateway:
        folder = tmp_path / f"gateway-{len(made)}"
        folder.mkdir()
        made.append(Gateway(folder, idp, upstream, **settings))
        return made[-1].start()

    yield make
    for proxy in made:
        proxy.stop()


@pytest.fixture
def subject():
    """A person of this test alone, so that no test rides on an approval of another."""
    return f"developer-{nonce(8)}"


@pytest.fixture
def token(idp, subject):
    return idp.mint(subject)


@pytest.fixture
def openai_for(gateway):
    def make(token: str, to: Gateway | None = None) -> openai.OpenAI:
        return openai.OpenAI(api_key=token, base_url=(to or gateway).url + "/v1", max_retries=0, timeout=TIMEOUT)

    return make


@pytest.fixture
def anthropic_for(gateway):
    def make(token: str, to: Gateway | None = None) -> anthropic.Anthropic:
        return anthropic.Anthropic(api_key=token, base_url=(to or gateway).url, max_retries=0, timeout=TIMEOUT)

    return make


@pytest.fixture
def client(openai_for, token):
    """The OpenAI SDK as a developer."""
    return openai_for(token)


@pytest.fixture
def claude(anthropic_for, token):
    """The Anthropic SDK as a developer."""
    return anthropic_for(token)
