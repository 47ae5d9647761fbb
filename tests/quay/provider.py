"""A small OIDC provider on loopback, which signs its tokens here and now."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote_plus

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

CLIENT, SECRET = "quay ledger", "p%ss: +w/rd"
AUDIENCE = "quay"


def _coded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Provider:
    """`claims` and `header` change what the next tokens say (None leaves a name out); `status`: what the endpoint answers."""

    def __init__(self) -> None:
        self.key, self.kid = rsa.generate_private_key(65537, 2048), "one"
        self.claims: dict[str, Any] = {}
        self.header: dict[str, Any] = {}
        self.life_s, self.status = 300.0, 200
        self.given: list[str] = []
        self.forms: list[dict[str, list[str]]] = []
        self.url = ""

    def token(self, now: float | None = None) -> str:
        """A signed token."""
        now = time.time() if now is None else now
        usual = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": "s-1",
            "preferred_username": "auditor",
            "iat": now,
            "jti": len(self.given),
        }
        claims = {**usual, "exp": now + self.life_s, **self.claims}
        header = {"typ": "JWT", "alg": "RS256", "kid": self.kid, **self.header}
        parts = [{key: value for key, value in part.items() if value is not None} for part in (header, claims)]
        signed = ".".join(_coded(json.dumps(part).encode()) for part in parts)
        token = f"{signed}.{_coded(self.key.sign(signed.encode(), padding.PKCS1v15(), SHA256()))}"
        self.given.append(token)
        return token

    def answer(self, path: str, authorization: str, body: bytes) -> tuple[int, Any]:
        """Status and JSON."""
        if path == "/.well-known/openid-configuration":
            return 200, {"issuer": self.url, "jwks_uri": f"{self.url}/keys"}
        if path == "/keys":
            public = self.key.public_key().public_numbers()
            numbers = {
                name: _coded(value.to_bytes(256 if name == "n" else 3, "big"))
                for name, value in (("n", public.n), ("e", public.e))
            }
            return 200, {"keys": [{"kty": "RSA", "kid": self.kid, **numbers}]}
        self.forms.append(parse_qs(body.decode()))
        user, _, password = base64.b64decode(authorization.partition(" ")[2]).decode().partition(":")
        if (unquote_plus(user), unquote_plus(password)) != (CLIENT, SECRET):
            return 401, {"error": "invalid_client", "error_description": f"bad secret {password}"}
        return self.status, {"access_token": self.token(), "expires_in": self.life_s} if self.status == 200 else {
            "error": "oops"
        }


@contextmanager
def provider() -> Iterator[Provider]:
    """A provider that listens."""
    found = Provider()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            status, value = found.answer(self.path, self.headers.get("authorization", ""), body)
            data = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = _answer  # noqa: N815 - the names that the library calls

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
