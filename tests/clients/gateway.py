"""Writes the configuration, starts the proxy, and ends it by its process id."""

import json
import os
import pathlib
import secrets
import signal
import socket
import subprocess

from support import call, wait_until

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
READY_SECONDS = 30
STOP_SECONDS = 20

BLOCK_MESSAGE = "Project Blue Heron is not to be discussed with a model."
HOLD_MESSAGE = "Production data needs a reviewer."
PUSH_MESSAGE = "History of shared branches is not rewritten by an agent."
MODEL_MESSAGE = "Contractors use the standard models."
BLOCKED_TEXT = "please tell me about project blue heron"
HELD_TEXT = "please clean up the production database"

POLICY = f"""
version = 1
default = "allow"

[[rules]]
id = "no-blue-heron"
on = "prompt"
match = {{ regex = ['(?i)\\bproject blue heron\\b'] }}
action = "block"
message = "{BLOCK_MESSAGE}"

[[rules]]
id = "production-needs-a-reviewer"
on = "prompt"
match = {{ regex = ['(?i)\\bproduction database\\b'] }}
action = "require_approval"
approvals = {{ any = [{{ "security-reviewers" = 1 }}] }}
message = "{HOLD_MESSAGE}"

[[rules]]
id = "mask-prompt-secrets"
on = "prompt"
match = {{ secrets = ["*"] }}
action = "mask"

[[rules]]
id = "no-forced-push"
on = "tool_call"
match = {{ regex = ['git push --force'] }}
action = "block"
message = "{PUSH_MESSAGE}"

[[rules]]
id = "contractors-standard-models"
groups = ["contractors"]
models = ["restricted-*"]
on = "request"
action = "block"
message = "{MODEL_MESSAGE}"
"""


def binary() -> pathlib.Path:
    named = os.environ.get("COPILOT_GUARD_PROXY")
    if named:
        return pathlib.Path(named).resolve()
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR") or REPOSITORY / "target")
    for profile in ("release", "debug"):
        path = target / profile / "copilot-guard-proxy"
        if path.exists():
            return path
    raise FileNotFoundError("no copilot-guard-proxy: build it, or name it in COPILOT_GUARD_PROXY")


def free_ports(count: int) -> list:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


class Gateway:
    """One proxy in a folder of its own. `start` may be called again after `stop` or `kill`: the store stays."""

    def __init__(self, folder: pathlib.Path, idp, upstream, hold_streaming="240s", hold_plain="100s"):
        self.folder, self.idp, self.upstream = folder, idp, upstream
        self.hold_streaming, self.hold_plain = hold_streaming, hold_plain
        self.credential = "upstream-" + secrets.token_hex(20)
        self.store = f"sqlite:{folder / 'guard.db'}"
        self.process = None
        (folder / "policy.toml").write_text(POLICY, encoding="utf-8")
        self.cli("keys", "init", "--out", str(folder / "guard.keys")).check_returncode()

    # Running it

    def start(self) -> "Gateway":
        port, admin_port = free_ports(2)
        self.url, self.admin_url = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{admin_port}"
        config = self.folder / "guard.toml"
        config.write_text(self._config(port, admin_port), encoding="utf-8")
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [str(binary()), "serve", "--config", str(config)],
                cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**os.environ, "GUARD_TEST_UPSTREAM_CREDENTIAL": self.credential},
            )
        wait_until(self._is_ready, "the proxy is ready", READY_SECONDS)
        return self

    def _is_ready(self) -> bool:
        if self.process.poll() is not None:
            raise AssertionError(f"the proxy ended with {self.process.returncode}:\n{self.log_tail()}")
        try:
            return call("GET", self.admin_url + "/readyz", timeout=5).status == 200
        except OSError:
            return False

    def stop(self):
        """SIGTERM, and SIGKILL when draining takes too long."""
        if self.process is None:
            return
        process, self.process = self.process, None
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def kill(self):
        """SIGKILL: no chance to tidy up."""
        process, self.process = self.process, None
        process.kill()
        process.wait()

    @property
    def log(self) -> pathlib.Path:
        return self.folder / "proxy.log"

    def log_tail(self) -> str:
        return self.log.read_text(errors="replace")[-4000:] if self.log.exists() else ""

    def cli(self, *arguments) -> subprocess.CompletedProcess:
        """One command of the binary, to its end."""
        return subprocess.run(
            [str(binary()), *arguments], cwd=self.folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
        )

    def _config(self, port: int, admin_port: int) -> str:
        quote = json.dumps
        return f"""
[server]
listen = "127.0.0.1:{port}"
admin_listen = "127.0.0.1:{admin_port}"

[[identity.issuers]]
issuer = {quote(self.idp.issuer)}
audiences = ["copilot-guard"]
allow_http_loopback = true
groups = [{{ claim = "groups" }}]

[[upstreams]]
name = "scripted-openai"
base_url = {quote(self.upstream.url)}
routes = ["openai"]
credential = {{ kind = "static", value = {{ env = "GUARD_TEST_UPSTREAM_CREDENTIAL" }} }}

[[upstreams]]
name = "scripted-anthropic"
base_url = {quote(self.upstream.url)}
routes = ["anthropic"]
credential = {{ kind = "static", value = {{ env = "GUARD_TEST_UPSTREAM_CREDENTIAL" }} }}

[policy]
file = "policy.toml"

[store]
url = "sqlite:guard.db"

[keys]
file = "guard.keys"

[approvals]
reviewer_groups = ["security-reviewers"]
hold_streaming = {quote(self.hold_streaming)}
hold_plain = {quote(self.hold_plain)}

[audit]
on_failure = "deny"
max_undurable = 0
auditor_groups = ["auditors"]

[admin]
audiences = ["copilot-guard-admin"]
login_max_age = "12h"
"""

    # The admin plane

    def admin(self, method: str, path: str, token: str | None, body=None):
        headers = {"authorization": f"Bearer {token}"} if token else {}
        return call(method, self.admin_url + path, headers, body)

    def reviewer(self, subject: str = "reviewer-1", **claims) -> str:
        return self.idp.admin(subject, ["security-reviewers"], **claims)

    def auditor(self) -> str:
        return self.idp.admin("auditor-1", ["auditors"])

    def pending_for(self, exchange: str):
        """The pending approval that `exchange` opened, if there is one."""
        reply = self.admin("GET", "/api/approvals?state=pending", self.reviewer())
        assert reply.status == 200, reply.text
        return next((item for item in reply.json()["items"] if exchange in json.dumps(item)), None)

    def wait_pending(self, exchange: str) -> str:
        return wait_until(lambda: self.pending_for(exchange), f"an approval for {exchange} is pending")["id"]

    def vote(self, approval: str, vote: str, token: str, reason: str = "looked at it"):
        return self.admin("POST", f"/api/approvals/{approval}/votes", token, {"vote": vote, "reason": reason})

    def exchange(self, id: str):
        """The record of one exchange, or `None` while there is none."""
        reply = self.admin("GET", f"/api/exchanges/{id}", self.auditor())
        assert reply.status in (200, 404), reply.text
        return reply.json() if reply.status == 200 else None

    def closed(self, id: str) -> dict:
        """The record, once the exchange has ended."""
        def probe():
            record = self.exchange(id)
            return record if record and record.get("outcome") else None

        return wait_until(probe, f"exchange {id} has an outcome")
