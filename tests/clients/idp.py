"""A stand-in OpenID Connect provider on loopback: discovery, one signing key, and a mint."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

GATEWAY = "copilot-guard"
ADMIN = "copilot-guard-admin"


class IdentityProvider:
    """Keys live as long as the object. `forge` signs with a key that is not published, under the published id."""

    def __init__(self):
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._kid = "stand-in-1"
        provider = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                document = provider._documents().get(self.path)
                body = json.dumps(document or {"error": "not found"}).encode()
                self.send_response(200 if document else 404)
                self.send_header("content-type", "application/json")
                self.send_header("cache-control", "max-age=300")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.issuer = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def _documents(self):
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self._key.public_key()))
        public = {name: public[name] for name in ("kty", "n", "e")}
        return {
            "/.well-known/openid-configuration": {
                "issuer": self.issuer,
                "jwks_uri": f"{self.issuer}/jwks",
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
            },
            "/jwks": {"keys": [{**public, "kid": self._kid, "use": "sig", "alg": "RS256"}]},
        }

    def _claims(self, subject, groups, audience, lifetime, logged_in_ago, extra):
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "sub": subject,
            "aud": audience,
            "iat": now - max(0, -lifetime) - 1,
            "exp": now + lifetime,
            "auth_time": now - logged_in_ago,
            "groups": list(groups),
        }
        claims.update(extra)
        return {name: value for name, value in claims.items() if value is not None}

    def mint(self, subject, groups=("developers",), audience=GATEWAY, lifetime=3600, logged_in_ago=5, **extra) -> str:
        """A good token, unless the arguments make it a bad one. A claim given as `None` is left out."""
        claims = self._claims(subject, groups, audience, lifetime, logged_in_ago, extra)
        return jwt.encode(claims, self._key, algorithm="RS256", headers={"kid": self._kid})

    def admin(self, subject, groups, **extra) -> str:
        """A token for the admin plane, of a person who has just logged in."""
        return self.mint(subject, groups, audience=ADMIN, **extra)

    def forge(self, subject, groups=("developers",), audience=GATEWAY) -> str:
        """Right in everything but the signature."""
        claims = self._claims(subject, groups, audience, 3600, 5, {})
        return jwt.encode(claims, self._other, algorithm="RS256", headers={"kid": self._kid})

    def unsigned(self, subject, groups=("developers",), audience=GATEWAY) -> str:
        """`alg: none`."""
        claims = self._claims(subject, groups, audience, 3600, 5, {})
        return jwt.encode(claims, None, algorithm="none", headers={"kid": self._kid})

    def close(self):
        self._server.shutdown()
        self._server.server_close()
