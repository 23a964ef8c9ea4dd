"""The proxies of the suite: one per way in which clients reach it. And the way around it, for the negative control."""

import json
import pathlib
import socket
import ssl
import threading
from datetime import datetime, timedelta, timezone

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from gateway import Gateway

OPENAI, ANTHROPIC, COPILOT = "openai", "anthropic", "copilot"


class Guard(Gateway):
    """A proxy with routes and server settings of its own. Everything else is as in the client suite."""

    routes = [OPENAI, ANTHROPIC]
    forward = False

    def server(self, _port: int) -> str:
        """What `[server]` has besides its listeners."""
        return ""

    def _config(self, port: int, admin_port: int) -> str:
        before, rest = super()._config(port, admin_port).split("[[upstreams]]", 1)
        after = rest.split("[policy]", 1)[1]
        credential = '{ kind = "static", value = { env = "GUARD_TEST_UPSTREAM_CREDENTIAL" } }'
        upstreams = "\n".join(
            f'[[upstreams]]\nname = "scripted-{name}"\nbase_url = {json.dumps(self.model_url())}\n'
            f'routes = ["{name}"]\ncredential = {credential}\n'
            for name in self.routes
        )
        return before.replace("[server]\n", f"[server]\n{self.server(port)}") + upstreams + "\n[policy]" + after

    def model_url(self) -> str:
        return self.upstream.url

    def exchanges(self, subject: str) -> list:
        """What the audit has of one person."""
        reply = self.admin("GET", f"/api/exchanges?user={subject}&limit=500", self.auditor())
        assert reply.status == 200, reply.text
        return reply.json()["items"]

    def approvals(self, subject: str, state: str | None) -> list:
        """Those that one person's requests have opened."""
        reply = self.admin("GET", "/api/approvals" + (f"?state={state}" if state else ""), self.reviewer())
        assert reply.status == 200, reply.text
        return [item for item in reply.json()["items"] if subject in json.dumps(item)]


class BaseUrl(Guard):
    """Clients that take a base URL: a key of one's own, as they call it."""


class CopilotMode(Guard):
    """Clients that take the gateway for GitHub."""

    routes = [COPILOT]

    def server(self, port: int) -> str:
        return f'public_url = "http://127.0.0.1:{port}"\n'


class Forward(Guard):
    """Clients that take the gateway for the way out, and call GitHub, OpenAI or Anthropic by name."""

    routes = [OPENAI, ANTHROPIC, COPILOT]
    forward = True

    def start(self) -> "Forward":
        if not self.ca.exists():
            self.cli("ca", "init", "--out", str(self.folder)).check_returncode()
        return super().start()

    def model_url(self) -> str:
        return self.upstream.by_name

    @property
    def ca(self) -> pathlib.Path:
        return self.folder / "guard-ca.pem"

    def server(self, _port: int) -> str:
        return 'mode = "forward"\nca = { cert = "guard-ca.pem", key = "guard-ca.key" }\n'


class PassThrough:
    """A forward proxy that looks at nothing: it ends TLS for any host and hands every byte to the scripted model."""

    def __init__(self, folder: pathlib.Path, model_url: str):
        self._model = ("127.0.0.1", int(model_url.rsplit(":", 1)[1]))
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "pass-through")])
        self.ca = folder / "pass-through.pem"
        self._authority = self._certificate("pass-through", authority=True)
        self.ca.write_bytes(self._authority.public_bytes(serialization.Encoding.PEM))
        self._contexts, self._lock = {}, threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _certificate(self, host: str, authority: bool) -> x509.Certificate:
        now = datetime.now(timezone.utc)
        subject = self._name if authority else x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
        return (
            x509.CertificateBuilder()
            .subject_name(subject).issuer_name(self._name).public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
            .sign(self._key, hashes.SHA256())
        )

    def _context(self, host: str) -> ssl.SSLContext:
        with self._lock:
            if host not in self._contexts:
                pem = self._folder / f"{host}.pem"
                key = self._key.private_bytes(
                    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
                )
                pem.write_bytes(key + self._certificate(host, authority=False).public_bytes(serialization.Encoding.PEM))
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(pem)
                context.set_alpn_protocols(["http/1.1"])
                self._contexts[host] = context
            return self._contexts[host]

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket):
        try:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                byte = client.recv(1)
                if not byte:
                    return
                head += byte
            host = head.split()[1].decode().rsplit(":", 1)[0]
            client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            inside = self._context(host).wrap_socket(client, server_side=True)
            model = socket.create_connection(self._model)
            threading.Thread(target=_pump, args=(inside, model), daemon=True).start()
            _pump(model, inside)
        except (OSError, IndexError):
            client.close()

    def close(self):
        self._listener.close()


def _pump(source: socket.socket, sink: socket.socket):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
    except OSError:
        pass
    for end in (source, sink):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
