"""The gateway with what this suite adds to its configuration, and the command on a laptop."""

import datetime
import ipaddress
import json
import os
import pathlib
import re
import select
import signal
import stat
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway import Gateway, binary
from support import call
from wire import plant

COMMAND_SECONDS = 30
ALL: list = []  # every deployment of this run, for the search at its end


@dataclass
class Certificates:
    ca: pathlib.Path
    cert: pathlib.Path
    key: pathlib.Path


def make_certificates(folder: pathlib.Path) -> Certificates:
    """An authority of this run alone, and a certificate of it for loopback."""
    now = datetime.datetime.now(datetime.timezone.utc)

    def build(name, key, issuer, issuer_key, *extensions):
        builder = (
            x509.CertificateBuilder()
            .subject_name(name).issuer_name(issuer).public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(now + datetime.timedelta(days=1))
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        return builder.sign(issuer_key, hashes.SHA256())

    def named(common):
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])

    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = named("identity suite authority")
    ca = build(ca_name, ca_key, ca_name, ca_key, (x509.BasicConstraints(ca=True, path_length=0), True))
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")])
    use = x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.SERVER_AUTH])
    leaf = build(named("localhost"), key, ca_name, ca_key, (x509.BasicConstraints(ca=False, path_length=None), True), (names, False), (use, False))

    made = Certificates(folder / "ca.pem", folder / "cert.pem", folder / "key.pem")
    made.ca.write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    made.cert.write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    made.key.touch(mode=0o600)
    made.key.write_bytes(private)
    return made


def _into(config: str, section: str, *lines: str) -> str:
    """The configuration with more keys at the top of a section."""
    assert config.count(f"\n{section}\n") == 1, f"{section} is expected once"
    return config.replace(f"\n{section}\n", f"\n{section}\n" + "".join(line + "\n" for line in lines))


class Deployment(Gateway):
    """A gateway in front of a genuine provider.

    With `login` it has everything: the login of laptops, operators who may withdraw, machines, an allow-list of clients.
    Without, its configuration is the one of the client suite. `waits` is whether `start` waits until it is ready.
    """

    def __init__(self, folder, idp, upstream, login: bool = False, tls: Certificates | None = None, waits: bool = True):
        self.login, self.tls, self.waits = login, tls, waits
        super().__init__(folder, idp, upstream)
        plant("upstream credential", self.credential)
        ALL.append(self)

    def start(self) -> "Deployment":
        super().start()
        if self.tls:
            self.url = self.url.replace("http://", "https://")
        return self

    def _is_ready(self) -> bool:
        if self.waits:
            return super()._is_ready()
        if self.process.poll() is not None:
            raise AssertionError(f"the proxy ended with {self.process.returncode}:\n{self.log_tail()}")
        try:
            return call("GET", self.admin_url + "/healthz", timeout=5).status == 200
        except OSError:
            return False

    @property
    def is_ready(self) -> bool:
        return call("GET", self.admin_url + "/readyz", timeout=5).status == 200

    def operator(self) -> str:
        return self.idp.admin("", ["operators"])

    def revoke(self, *arguments: str, secrets: bool = True) -> subprocess.CompletedProcess:
        """`revoke`, as an operator on the gateway's machine runs it: with the service's environment, or without."""
        extra = {"GUARD_TEST_UPSTREAM_CREDENTIAL": self.credential} if secrets else {}
        return subprocess.run(
            [str(binary()), "revoke", "--config", str(self.folder / "guard.toml"), *arguments], cwd=self.folder,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=COMMAND_SECONDS, env={**os.environ, **extra},
        )

    def _config(self, port: int, admin_port: int) -> str:
        config = super()._config(port, admin_port)
        if self.tls:
            tls = f"tls = {{ cert = {json.dumps(str(self.tls.cert))}, key = {json.dumps(str(self.tls.key))} }}"
            config = _into(config, "[server]", tls)
        if self.login:
            config = _into(
                config, "[[identity.issuers]]",
                'clients = ["laptop", "ci-job"]',
                'machine = { gty = "client_credentials" }',
            )
            config = _into(config, "[admin]", 'operator_groups = ["operators"]')
            config += f"""
[login]
issuer = {json.dumps(self.idp.issuer)}
client_id = "laptop"
scopes = ["openid"]
resource = "urn:copilot-guard"
grant_lifetime = "1h"
"""
        return config


def has_command(name: str) -> bool:
    """Whether the binary knows this command."""
    shown = subprocess.run([str(binary()), name, "--help"], stdin=subprocess.DEVNULL, capture_output=True, timeout=20)
    return shown.returncode == 0


class Laptop:
    """A developer's machine: the commands, with a folder for grants and a home of its own."""

    USER_CODE = re.compile(r"\b[A-Z]{4}-[A-Z]{4}\b")
    ADDRESS = re.compile(r"https?://[^\s'\"<>)]+")
    GRANT = re.compile(r"gho_[A-Za-z0-9_.-]{16,}")

    def __init__(self, folder: pathlib.Path, gateway: Deployment):
        self.folder, self.gateway, self.idp = folder, gateway, gateway.idp
        self.state = folder / "state"
        (folder / "home").mkdir(parents=True)

    def command(self, name: str, *more: str) -> list:
        ca = ["--ca", str(self.gateway.tls.ca)] if self.gateway.tls else []
        return [str(binary()), name, "--gateway", self.gateway.url, "--state", str(self.state), *ca, *more]

    def _environment(self) -> dict:
        home = str(self.folder / "home")
        return {**os.environ, "HOME": home, "XDG_CONFIG_HOME": home + "/.config"}

    def run(self, name: str, *more: str) -> subprocess.CompletedProcess:
        return self.run_command(self.command(name, *more))

    def run_command(self, command: list) -> subprocess.CompletedProcess:
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=COMMAND_SECONDS,
            env=self._environment(), cwd=self.folder,
        )

    def login(self, account: str | None, *more: str) -> subprocess.CompletedProcess:
        """`login`, and the person who does what it says: signs in as `account`, or gives up when it is `None`."""
        process = subprocess.Popen(
            self.command("login", *more), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=self._environment(), cwd=self.folder,
        )
        try:
            said = self._read_until_code(process)
            code = self.USER_CODE.search(said)
            if code:
                addresses = [address.rstrip(".,;") for address in self.ADDRESS.findall(said)]
                page = next((each for each in addresses if each.startswith(self.idp.issuer)), None)
                assert page, f"`login` named no page of the provider: {said!r}"
                if account is None:
                    self.idp.deny(page, code.group())
                else:
                    self.idp.approve(page, code.group(), account)
            out, rest = process.communicate(timeout=COMMAND_SECONDS)
        finally:
            if process.poll() is None:
                process.kill()
                process.communicate()
        for grant in self.grants():
            plant("device grant", grant)
        return subprocess.CompletedProcess(process.args, process.returncode, out.decode(), said + rest.decode())

    def _read_until_code(self, process) -> str:
        """What it says on standard error, to the end of the lines that name an address and a code."""
        said, end = b"", time.monotonic() + COMMAND_SECONDS
        while time.monotonic() < end:
            ready, _, _ = select.select([process.stderr], [], [], 0.5)
            if ready:
                chunk = os.read(process.stderr.fileno(), 65536)
                said += chunk
                if not chunk:
                    break
            text = said.decode(errors="replace")
            if not ready and self.USER_CODE.search(text) and self.ADDRESS.search(text):
                break
        return said.decode(errors="replace")

    def token(self) -> str:
        """What `token` prints: a gateway token, on one line."""
        done = self.run("token")
        assert done.returncode == 0, f"`token` ended with {done.returncode}: {done.stderr}"
        lines = done.stdout.splitlines()
        assert len(lines) == 1 and lines[0] == lines[0].strip(), f"`token` printed {len(lines)} lines"
        return plant("gateway token", lines[0])

    def files(self) -> list:
        return [path for path in self.state.rglob("*") if path.is_file()] if self.state.exists() else []

    def grants(self) -> list:
        return [grant for path in self.files() for grant in self.GRANT.findall(path.read_text(errors="replace"))]

    def modes(self) -> dict:
        return {path.name: stat.S_IMODE(path.stat().st_mode) for path in self.files()}

    @contextmanager
    def agent(self):
        """`agent` while the block runs: its address and key."""
        process = subprocess.Popen(
            self.command("agent", "--listen", "127.0.0.1:0"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env=self._environment(), cwd=self.folder,
        )
        try:
            ready, _, _ = select.select([process.stdout], [], [], COMMAND_SECONDS)
            line = process.stdout.readline() if ready else b""
            if not line:
                process.kill()
                raise AssertionError(f"`agent` did not say where it listens: {process.communicate()[1].decode()}")
            said = json.loads(line)
            plant("agent key", said["key"])
            yield said
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    process.kill()
            process.communicate()
