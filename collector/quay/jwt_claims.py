"""What a bearer token of an OIDC provider says of itself, and whether a Quay can accept it. Pure; no signature is checked.

Quay's rules (`auth/oauth.py`, `oauth/oidc.py` there): header `typ` JWT or at+jwt, `alg` RS256 or RS384, `kid`; claims `iss`, `aud`,
`exp`, `iat` and `sub`. It allows the clock 30 s.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

import msgspec

SKEW_S = 30.0
MOST_TOKEN_BYTES = 64 * 1024
_TYPES = ("jwt", "at+jwt")
_ALGORITHMS = ("RS256", "RS384")


class Expected(msgspec.Struct, frozen=True):
    """What the settings say that Quay expects; '' where they say nothing."""

    issuer: str = ""
    audience: str = ""


class Claims(msgspec.Struct, frozen=True):
    """A token that Quay can accept. Times in seconds since 1970; `account`: how Quay names its user."""

    issuer: str
    audiences: tuple[str, ...]
    subject: str
    account: str
    issued_at: float
    expires_at: float


class UnusableToken(ValueError):
    """A token that Quay would refuse; the text says why, and what must be set up, without the token."""


def read_claims(token: str, expected: Expected, now: float) -> Claims:
    """The claims of a token. Raises UnusableToken for one that Quay would refuse."""
    header, claims = _parts(token)
    _check_header(header)
    expires_at, issued_at = _number(claims, "exp"), _number(claims, "iat")
    subject, issuer = _text(claims, "sub"), _text(claims, "iss")
    if now > expires_at + SKEW_S:
        raise UnusableToken(
            f"it expired {now - expires_at:,.0f} s ago: the provider or the file gives an old token, or the clock here is wrong"
        )
    if issued_at > now + SKEW_S:
        raise UnusableToken(
            f"it was issued {issued_at - now:,.0f} s in the future: check the clocks here and at the provider"
        )
    audiences = _audiences(claims.get("aud"))
    _check_expected(expected, issuer, audiences)
    named = claims.get("preferred_username")
    account = named if isinstance(named, str) and named else subject
    return Claims(issuer, audiences, subject, account, issued_at, expires_at)


def advice(says: str) -> str | None:
    """What to do about Quay's refusal of a token, by its own words; None where they are not known."""
    low = says.lower()
    return next((text for words, text in _ADVICE if words in low), None)


_ADVICE = (
    ("expired", "The token is too old when it arrives: check the clocks of Quay and the provider, or its lifetime"),
    (
        "audience",
        "Request a token whose aud is Quay's CLIENT_ID, or add its aud to OIDC_AUDIENCES in Quay's configuration",
    ),
    ("issuer", "Quay's login configuration (X_LOGIN_CONFIG, OIDC_SERVER) must name exactly the token's iss"),
    (
        "public key",
        "Quay keeps the provider's key for an hour, and only one: wait an hour or restart Quay after a change of keys",
    ),
    ("allowed clients", "Add the client to the clients that Quay's login configuration allows"),
    ("user creation", "Create the account in Quay first, or allow FEATURE_USER_CREATION for the first login"),
)


def _parts(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    pieces = token.split(".")
    if len(token) > MOST_TOKEN_BYTES or len(pieces) != 3:
        raise UnusableToken(
            "it is not a JWT: three parts with dots between them. Quay does not accept opaque tokens here"
        )
    try:
        header, claims = (msgspec.json.decode(_decoded(piece), type=dict[str, Any]) for piece in pieces[:2])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, binascii.Error, ValueError):
        raise UnusableToken("it is not a JWT: its header or claims cannot be decoded") from None
    return header, claims


def _decoded(piece: str) -> bytes:
    return base64.b64decode(piece + "=" * (-len(piece) % 4), altchars=b"-_", validate=True)


def _check_header(header: dict[str, Any]) -> None:
    kind = header.get("typ")
    if not isinstance(kind, str) or kind.lower() not in _TYPES:
        raise UnusableToken(
            "its header has no typ JWT or at+jwt, which Quay requires (projected tokens of Kubernetes have none): use "
            "client credentials or another provider"
        )
    if header.get("alg") not in _ALGORITHMS:
        raise UnusableToken("its alg is not RS256 or RS384: choose one of them for the client at the provider")
    if not isinstance(header.get("kid"), str) or not header["kid"]:
        raise UnusableToken("its header has no kid, by which Quay finds the key")


def _check_expected(expected: Expected, issuer: str, audiences: tuple[str, ...]) -> None:
    if expected.issuer and issuer != expected.issuer:
        raise UnusableToken(f"its iss is {issuer[:100]!r} and not oidc_issuer: check the provider, or that setting")
    if expected.audience and expected.audience not in audiences:
        shown = ", ".join(audience[:60] for audience in audiences[:5])
        raise UnusableToken(f"its aud ({shown}) does not contain oidc_audience: add an audience mapper at the provider")


def _text(claims: dict[str, Any], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not value:
        raise UnusableToken(f"it has no {name}, which Quay requires")
    return value


def _number(claims: dict[str, Any], name: str) -> float:
    value = claims.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < 1e12:
        raise UnusableToken(f"it has no usable {name}, which Quay requires")
    return float(value)


def _audiences(value: object) -> tuple[str, ...]:
    found = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else ()
    texts = tuple(one for one in found if isinstance(one, str) and one)
    if not texts:
        raise UnusableToken("it has no aud, which Quay requires")
    return texts
