"""Runs `provider/server.mjs`, and is its clients: a CI job, a laptop, and a person in front of a browser."""

import base64
import html.parser
import http.cookiejar
import json
import os
import pathlib
import select
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass

from support import call, wait_until
from wire import plant

HERE = pathlib.Path(__file__).resolve().parent
INSTALLED = pathlib.Path(os.environ.get("COPILOT_GUARD_IDENTITY") or HERE.parents[1] / "target" / "identity")
READY_SECONDS = 20
STOP_SECONDS = 5
DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
FORM = {"content-type": "application/x-www-form-urlencoded"}

GATEWAY, GATEWAY_ES256 = "urn:copilot-guard", "urn:copilot-guard:es256"
ADMIN, ELSEWHERE = "urn:copilot-guard-admin", "urn:elsewhere"


@dataclass
class Login:
    """What a client has after a login of a person."""

    access_token: str
    refresh_token: str

    @property
    def claims(self) -> dict:
        return claims(self.access_token)


def claims(token: str) -> dict:
    """What a token says, unverified."""
    return _part(token, 1)


def header(token: str) -> dict:
    return _part(token, 0)


def _part(token: str, index: int) -> dict:
    part = token.split(".")[index]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def encode(value: dict) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


class Provider:
    """One provider. `start` after `stop` comes back on the same port, with new keys and nothing remembered."""

    def __init__(self):
        self.process, self.port = None, 0
        self._log = None
        self._admins = {}

    def start(self) -> "Provider":
        node = INSTALLED / "node_modules" / ".bin" / "node"
        program = INSTALLED / "server.mjs"  # JavaScript finds its packages beside itself
        if not (INSTALLED / "node_modules" / "oidc-provider").is_dir():
            raise FileNotFoundError(f"{INSTALLED} has no oidc-provider: run tests/identity/run, which installs it")
        shutil.copy(HERE / "provider" / "server.mjs", program)
        self._log = open(INSTALLED / "provider.log", "ab")
        self.process = subprocess.Popen(
            [str(node) if node.exists() else "node", str(program)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, env={**os.environ, "PORT": str(self.port)},
        )
        ready, _, _ = select.select([self.process.stdout], [], [], READY_SECONDS)
        line = self.process.stdout.readline() if ready else b""
        if not line:
            self.stop()
            raise AssertionError(f"the provider did not start: {(INSTALLED / 'provider.log').read_text()[-2000:]}")
        said = json.loads(line)
        self.issuer, self.port, self.secrets = said["issuer"], said["port"], said["secrets"]
        self._admins.clear()
        return self

    def stop(self):
        if self.process is None:
            return
        process, self.process = self.process, None
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdin.close()
        process.stdout.close()
        self._log.close()

    # As a client

    def _form(self, path: str, fields: dict) -> tuple:
        reply = call("POST", self.issuer + path, FORM, urllib.parse.urlencode(fields))
        return reply.status, reply.json() if reply.body else {}

    def machine(self, client: str = "ci-job", resource: str = GATEWAY) -> str:
        """A token by client credentials."""
        fields = {
            "grant_type": "client_credentials", "client_id": client, "client_secret": self.secrets[client], "resource": resource,
        }
        status, answer = self._form("/token", fields)
        assert status == 200, answer
        return answer["access_token"]

    def login(self, account: str, resource: str = GATEWAY) -> Login:
        """A device login, both sides of it: the laptop, and the person at the verification page."""
        fields = {"client_id": "laptop", "scope": "openid", "resource": resource}
        status, asked = self._form("/device/auth", fields)
        assert status == 200, asked
        poll = {"grant_type": DEVICE, "client_id": "laptop", "device_code": asked["device_code"]}
        status, early = self._form("/token", poll)
        assert (status, early.get("error")) == (400, "authorization_pending"), early
        self.approve(asked["verification_uri"], asked["user_code"], account)
        status, answer = self._form("/token", poll)
        assert status == 200, answer
        return Login(answer["access_token"], answer["refresh_token"])

    def refresh(self, login: Login) -> Login:
        """The same session, another token."""
        fields = {"grant_type": "refresh_token", "client_id": "laptop", "refresh_token": login.refresh_token}
        status, answer = self._form("/token", fields)
        assert status == 200, answer
        return Login(answer["access_token"], answer.get("refresh_token") or login.refresh_token)

    def approve(self, verification_uri: str, user_code: str, account: str):
        """The person: opens the page, types the code, signs in and agrees."""
        Visitor().walk(verification_uri, user_code, account)

    def deny(self, verification_uri: str, user_code: str):
        """The person: opens the page, types the code, and gives up."""
        Visitor().walk(verification_uri, user_code, None)

    # As `tests/clients/gateway.py` asks for tokens

    def admin(self, _subject: str, groups, **_claims) -> str:
        """A token for the admin plane, of the person who has these groups."""
        accounts = {"security-reviewers": "rev1", "auditors": "aud1", "operators": "op1"}
        account = accounts[groups[0]]
        if account not in self._admins:
            self._admins[account] = plant("admin token", self.login(account, ADMIN).access_token)
        return self._admins[account]

    # As nobody else can

    def _control(self, name: str, **body) -> dict:
        reply = call("POST", f"{self.issuer}/control/{name}", {}, body)
        assert reply.status == 200, reply.text
        return reply.json()

    def rotate(self, drop: str | None = None) -> str:
        """A new key signs from now on. With `drop`, that one is not published any more."""
        return self._control("rotate", drop=drop)["kid"]

    def state(self) -> dict:
        return self._control("state")

    def sign(self, what: dict, alg: str = "RS256", **header) -> str:
        """Any claims, signed by the key in use."""
        return self._control("sign", claims=what, alg=alg, header=header)["token"]

    def mint(self, subject: str, audience="copilot-guard", lifetime: int = 600, **more) -> str:
        """A token like those of a login, unless the arguments make it another. A claim given as `None` is left out."""
        now = int(time.time())
        what = {
            "iss": self.issuer, "sub": subject, "aud": audience, "client_id": "laptop", "groups": ["developers"],
            "iat": now - max(0, -lifetime) - 1, "exp": now + lifetime, "jti": base64.b16encode(os.urandom(8)).decode(), **more,
        }
        return self.sign({name: value for name, value in what.items() if value is not None})

    def logout_token(self, sub: str, sid: str) -> str:
        """What the provider would send when that session ends."""
        return self._control("logout-token", sub=sub, sid=sid)["token"]

    def wait_jwks_age(self, seconds: float):
        """Until the key set was last fetched so long ago."""
        def old_enough():
            age = self.state()["jwks"]["age"]
            return age is not None and age >= seconds

        wait_until(old_enough, f"the key set was fetched {seconds:g} s ago", seconds + 10, every=0.25)


class Visitor:
    """A browser without a screen: keeps cookies, follows redirects, sends the form of the page."""

    PAGES = 12

    def __init__(self):
        jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), jar)

    def _open(self, url: str, fields: dict | None = None) -> tuple:
        data = urllib.parse.urlencode(fields).encode() if fields is not None else None
        with self._opener.open(url, data, timeout=20) as reply:
            return reply.geturl(), reply.read().decode()

    def walk(self, verification_uri: str, user_code: str, account: str | None):
        url, page = self._open(verification_uri)
        for _ in range(self.PAGES):
            form = _Form.of(page)
            if form is None:
                return
            fields = dict(form.fields)
            if "user_code" in fields and not fields["user_code"]:
                fields["user_code"] = user_code
            if fields.get("confirm") and account is None:
                fields.pop("confirm")
                fields["abort"] = "yes"
            if fields.get("prompt") == "login":
                fields |= {"login": account, "password": "any"}
            try:
                url, page = self._open(urllib.parse.urljoin(url, form.action), fields)
            except urllib.error.HTTPError as error:
                text = error.read().decode(errors="replace")
                if account is None and fields.get("abort"):
                    return
                raise AssertionError(f"{error.code} at {url}: {text[-600:]}") from None
            if account is None and fields.get("abort"):
                return
        raise AssertionError(f"the login did not end in {self.PAGES} pages; the last was {url}")


class _Form(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.action, self.fields, self.found = "", {}, False

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "form":
            self.found, self.action = True, attributes.get("action") or ""
        elif tag == "input" and attributes.get("name"):
            self.fields[attributes["name"]] = attributes.get("value") or ""

    @classmethod
    def of(cls, page: str):
        form = cls()
        form.feed(page)
        return form if form.found else None
