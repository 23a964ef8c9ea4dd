"""The parts, started once for the whole run; only what a test asks for is started."""

import os
import pathlib
import sys

import pytest

for name in ("http_proxy", "https_proxy", "all_proxy"):  # everything here is on loopback
    os.environ.pop(name, None)
    os.environ.pop(name.upper(), None)

HERE = pathlib.Path(__file__).resolve().parent
# The gateway's driver, the scripted model and the helpers of the client suite.
sys.path[:0] = [str(HERE), str(HERE.parent / "clients")]

from deployment import Deployment, Laptop, has_command, make_certificates  # noqa: E402
from provider import Provider  # noqa: E402
from support import nonce  # noqa: E402
from upstream import Upstream  # noqa: E402


@pytest.fixture(scope="session")
def idp():
    provider = Provider()
    try:
        yield provider.start()
    finally:
        provider.stop()


@pytest.fixture(scope="session")
def upstream():
    model = Upstream()
    yield model
    model.close()


@pytest.fixture(scope="session")
def gateway(tmp_path_factory, idp, upstream):
    """Verifies tokens, and nothing else."""
    proxy = Deployment(tmp_path_factory.mktemp("gateway"), idp, upstream)
    try:
        yield proxy.start()
    finally:
        proxy.stop()


@pytest.fixture(scope="session")
def office(tmp_path_factory, idp, upstream):
    """A gateway with everything: logins of laptops, operators, machines, an allow-list of clients."""
    _needs("login", "token", "logout", "revoke")
    proxy = Deployment(tmp_path_factory.mktemp("office"), idp, upstream, login=True)
    try:
        yield proxy.start()
    finally:
        proxy.stop()


@pytest.fixture(scope="session")
def secure_office(tmp_path_factory, idp, upstream):
    """The same, behind TLS."""
    _needs("login", "agent")
    certificates = make_certificates(tmp_path_factory.mktemp("certificates"))
    proxy = Deployment(tmp_path_factory.mktemp("secure-office"), idp, upstream, login=True, tls=certificates)
    try:
        yield proxy.start()
    finally:
        proxy.stop()


def _needs(*commands):
    missing = [name for name in commands if not has_command(name)]
    if missing:
        pytest.fail(f"this copilot-guard-proxy has no command {', '.join(missing)}", pytrace=False)


@pytest.fixture
def own_idp():
    """A provider for one test alone, which may stop it or change its keys."""
    provider = Provider()
    try:
        yield provider.start()
    finally:
        provider.stop()


@pytest.fixture
def own_gateway(tmp_path_factory, upstream):
    """Makes a gateway for one test alone."""
    made = []

    def make(idp, **settings) -> Deployment:
        made.append(Deployment(tmp_path_factory.mktemp("own-gateway"), idp, upstream, **settings))
        return made[-1].start()

    yield make
    for proxy in made:
        proxy.stop()


@pytest.fixture(scope="session", autouse=True)
def rotating(request, tmp_path_factory, upstream):
    """A gateway with a provider whose keys will change. Started first: how long ago it fetched its keys matters."""
    if not any(item.path.name == "test_rotation.py" for item in request.session.items):
        yield None
        return
    provider, proxy = Provider(), None
    try:
        proxy = Deployment(tmp_path_factory.mktemp("rotating"), provider.start(), upstream)
        yield proxy.start()
    finally:
        if proxy:
            proxy.stop()
        provider.stop()


@pytest.fixture
def laptop(tmp_path_factory):
    """Makes a developer's machine."""
    return lambda gateway: Laptop(tmp_path_factory.mktemp("laptop"), gateway)


@pytest.fixture
def account():
    """A developer of this test alone, so that no test ends the sessions of another."""
    return f"dev1-{nonce(8)}"
