"""The simulator's other way in: a bearer JWT of a configured OIDC provider, with Quay's own checks and words.

The provider is asked over HTTP for its keys, as Quay does: cached for an hour, one key alone. Where it cannot be reached, the
connection is closed without a reply.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import time
import urllib.error
import urllib.request
from typing import Any

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256, SHA384

_SKEW_S, _KEYS_KEPT_S = 30, 3600.0
_HASHES = {"RS256": SHA256, "RS384": SHA384}


class OidcLogin(msgspec.Struct, frozen=True):
    """A login service of this Quay. `issuer`: OIDC_SERVER; `audiences`: CLIENT_ID and OIDC_AUDIENCES; `links`:
    which account a subject is; `allowed_clients`: None for all; `user_creation`: FEATURE_USER_CREATION."""

    issuer: str
    audiences: tuple[str, ...]
    links: dict[str, str] = {}
    allowed_clients: tuple[str, ...] | None = None
    user_creation: bool = False


class Refused(Exception):
    """A token that is not taken; the text is Quay's. `status`: 401, or 500 for what Quay does not foresee."""

    def __init__(self, says: str, status: int = 401) -> None:
        super().__init__(says)
        self.status = status


class ProviderDown(Exception):
    """The keys cannot be had."""


class Verifier:
    """Checks tokens against one login service."""

    def __init__(self, login: OidcLogin) -> None:
        self.login = login
        self._key: tuple[str, rsa.RSAPublicKey] | None = None
        self._fetched_at = float("-inf")

    async def claims(self, token: str) -> dict[str, Any]:
        """The claims of a good token. Raises Refused and ProviderDown."""
        header, claims, signed, signature = _taken_apart(token)
        if str(header.get("typ", "")).lower() not in ("jwt", "at+jwt") or header.get("alg") not in _HASHES:
            raise Refused("")
        if claims.get("iss") != self.login.issuer:
            raise Refused(f"Issuer {claims.get('iss')} not configured")
        key = await self._key_of(str(header.get("kid")))
        try:
            key.verify(signature, signed, padding.PKCS1v15(), _HASHES[header["alg"]]())
        except InvalidSignature:
            raise Refused("Signature verification failed") from None
        self._check(claims)
        return claims

    def _check(self, claims: dict[str, Any]) -> None:
        for name in ("exp", "iat"):
            if not isinstance(claims.get(name), int | float):
                raise Refused(f'Token is missing the "{name}" claim')
        if claims["exp"] < time.time() - _SKEW_S:
            raise Refused("Signature has expired")
        audiences = [claims["aud"]] if isinstance(claims.get("aud"), str) else claims.get("aud") or []
        if not set(audiences) & set(self.login.audiences):
            raise Refused("Audience doesn't match")
        client = claims.get("azp", claims.get("client_id"))
        if self.login.allowed_clients is not None and client not in self.login.allowed_clients:
            raise Refused(f"Client '{client}' is not in the allowed clients list")
        if "sub" not in claims:
            raise Refused("", 500)

    async def _key_of(self, kid: str) -> rsa.RSAPublicKey:
        if self._key is None or self._key[0] != kid or time.monotonic() - self._fetched_at > _KEYS_KEPT_S:
            try:
                keys = await asyncio.to_thread(_fetch_keys, self.login.issuer)
            except (OSError, ValueError, KeyError) as error:
                raise ProviderDown from error
            self._fetched_at = time.monotonic()
            self._key = (kid, keys[kid]) if kid in keys else None
        if self._key is None:
            raise Refused(f"Public key {kid} not found")
        return self._key[1]


def is_jwt(token: str) -> bool:
    """Whether Quay takes a bearer token for a JWT at all."""
    return token.count(".") == 2


def _fetch_keys(issuer: str) -> dict[str, rsa.RSAPublicKey]:
    about = _get(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
    keys = _get(about["jwks_uri"])["keys"]
    return {key["kid"]: rsa.RSAPublicNumbers(_number(key["e"]), _number(key["n"])).public_key() for key in keys}


def _get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=3) as reply:  # noqa: S310 - the issuer that a test configured
        return json.load(reply)


def _number(text: str) -> int:
    return int.from_bytes(_decoded(text), "big")


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _taken_apart(token: str) -> tuple[dict[str, Any], dict[str, Any], bytes, bytes]:
    head, body, signature = token.split(".")
    try:
        return json.loads(_decoded(head)), json.loads(_decoded(body)), f"{head}.{body}".encode(), _decoded(signature)
    except (ValueError, binascii.Error):
        raise Refused("") from None
