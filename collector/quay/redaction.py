"""Redaction: secrets that Quay writes into its answers are cut out of the bytes before anything else sees them.

Rules are versioned; the mark is constant, so that two readings of one event stay equal. `docs/secrets.md` is made from RULES.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

RULES_VERSION = 1
MARK = "[secret-removed]"


class Rule(msgspec.Struct, frozen=True):
    """What is cut, and why it is there at all."""

    name: str
    what: str
    why: str


RULES = (
    Rule(
        "secret-keys",
        "the value of any field called token, token_code, access_token, refresh_token, client_secret, secret, password, "
        "passwd, private_key, webhook_token, auth_token or api_key",
        "robot lists, applications and app tokens return usable secrets; `login_failure` holds the beginning of an expired "
        "token; `setup_repo_trigger` the webhook token of its trigger",
    ),
    Rule(
        "credentials-in-urls",
        "user and password before the @ of any address, and the values of token, secret, signature, password, key and access "
        "parameters in it",
        "mirror changes log http_proxy and https_proxy as they were typed; webhook addresses carry tokens",
    ),
    Rule(
        "webhook-paths",
        "the token in `/webhooks/push/trigger/` addresses and in `$token:` credentials",
        "the address that a build trigger listens on is all it takes to start a build",
    ),
)

_KEYS = frozenset(
    {
        "token",
        "token_code",
        "access_token",
        "refresh_token",
        "client_secret",
        "secret",
        "password",
        "passwd",
        "private_key",
        "webhook_token",
        "auth_token",
        "api_key",
        "external_registry_password",
    }
)
_CANDIDATE = re.compile(
    rb'"(?:[a-z_]*token|token_code|client_secret|secret|password|passwd|private_key|api_key|external_registry_password)"\s*:'
    rb"|://[^\s\"/]*@|[?&](?:[a-z_]*token|secret|sig|signature|password|key|access[a-z_]*)=|/webhooks/|\\u00[0-9a-f]{2}|\\/",
    re.IGNORECASE,
)
_USERINFO = re.compile(r"(?i)(\b[a-z][a-z0-9+.\-]*://)[^\s/@\"']+@")
_PARAMETER = re.compile(r"(?i)([?&](?:[a-z_]*token|secret|sig|signature|password|key|access[a-z_]*)=)[^&\s\"'#]+")
_WEBHOOK = re.compile(r"(?i)(/webhooks/[a-z]+/trigger/)[^/\s\"']+")
_CURSOR = frozenset({"next_page"})

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def redact(body: bytes) -> bytes:
    """The same JSON without secrets; the very same bytes where there is none. Bytes that are no JSON are cut as text."""
    if _CANDIDATE.search(body) is None:
        return body
    try:
        value = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return redact_text(body.decode("utf-8", "replace")).encode()
    clean = _walk(value)
    return body if clean is value else _encode(clean)


def redact_text(text: str) -> str:
    """Text without credentials in addresses."""
    text = _USERINFO.sub(rf"\1{MARK}@", text)
    text = _PARAMETER.sub(rf"\1{MARK}", text)
    return _WEBHOOK.sub(rf"\1{MARK}", text)


def _walk(value: Any) -> Any:
    """The value itself where nothing is cut, so that unchanged answers keep their bytes."""
    if type(value) is str:
        clean = redact_text(value) if "://" in value or "=" in value or "/webhooks/" in value else value
        return value if clean == value else clean
    if type(value) is dict:
        changed = {key: _cut(key, item) for key, item in value.items()}
        return changed if any(changed[key] is not value[key] for key in value) else value
    if type(value) is list:
        items = [_walk(item) for item in value]
        return items if any(new is not old for new, old in zip(items, value, strict=True)) else value
    return value


def _cut(key: str, value: Any) -> Any:
    if key.lower() in _KEYS and value not in (None, "", MARK) and not isinstance(value, bool):
        return MARK
    return value if key in _CURSOR else _walk(value)
