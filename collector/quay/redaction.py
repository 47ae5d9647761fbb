"""Redaction: secrets that Quay writes into its answers are cut out of the bytes before anything else sees them.

Rules are versioned; the mark is constant, so that two readings of one event stay equal. `docs/secrets.md` is made from RULES.
"""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec

RULES_VERSION = 2
MARK = "[secret-removed]"


class Rule(msgspec.Struct, frozen=True):
    """What is cut, and why it is there at all."""

    name: str
    what: str
    why: str


RULES = (
    Rule(
        "secret-keys",
        "the value of any field called token, token_code, access_token, refresh_token, auth_token, webhook_token, secret, "
        "client_secret, password, passwd, external_registry_password, private_key or api_key; of an app token, which is itself "
        "called token, its token_code only",
        "robot lists, applications and app tokens return usable secrets; `login_failure` holds the beginning of an expired "
        "token; the configuration of a build trigger holds its webhook token",
    ),
    Rule(
        "changed-to",
        "the new value of a change, where `changed` names one of these fields",
        "mirror changes are logged as `changed` and `to`",
    ),
    Rule(
        "credentials-in-urls",
        "user and password before the @ of any address, and the values of parameters in it that are called key or whose "
        "names end in token, secret, sig, signature, credential, password or access_key",
        "webhook addresses carry tokens, presigned addresses their signature; `setup_repo_trigger` holds the webhook's "
        "address with its token",
    ),
    Rule(
        "proxies",
        "what stands before the @ of a proxy, with a scheme or without: fields called http_proxy and https_proxy, and `to` "
        "where `changed` names one of them",
        "mirror changes log http_proxy and https_proxy as they were typed",
    ),
    Rule(
        "webhook-paths",
        "the last part of a `/webhooks/…/trigger/` address",
        "the address that a build trigger listens on helps to start a build",
    ),
)

_KEYS = frozenset(
    {
        "token",
        "token_code",
        "access_token",
        "refresh_token",
        "auth_token",
        "webhook_token",
        "secret",
        "client_secret",
        "password",
        "passwd",
        "external_registry_password",
        "private_key",
        "api_key",
    }
)
_PROXIES = frozenset({"http_proxy", "https_proxy"})
_STARS = "********"  # what Quay itself puts in a password's place
_CURSOR = "next_page"  # opaque, needed as it is, and no secret: it opens nothing without the token

_USERINFO = re.compile(r"(?i)(\b[a-z][a-z0-9+.\-]*://)[^\s/\"']*@")
_PARAMETER = re.compile(
    r"(?i)([?&;](?:key|[\w.\-]*(?:token|secret|sig|signature|credential|password|access_?key|api_?key))=)"
    rf"(?!{re.escape(MARK)})[^&;\s\"'#]+"
)
_WEBHOOK = re.compile(rf"(?i)(/webhooks/[a-z]+/trigger/)(?!{re.escape(MARK)})[^/?\s\"']+")
_PAIR = re.compile(rf'(?i)("(?:{"|".join(sorted(_KEYS))})"\s*:\s*)("(?:[^"\\]|\\.)*"?|[^\s,}}\]"]+)')
_BEFORE_AT = re.compile(rb"://[^\s\"'/]*@")
_QUERY = re.compile(rb"[?&;](?:[\w.\-]*(?:token|secret|sig|signature|credential|password|key))=")
_ESCAPED_ASCII = re.compile(rb"\\u00[2-7]|\\/")

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def redact(body: bytes) -> bytes:
    """The same JSON without secrets; the very same bytes where there is none. Bytes that are no JSON are cut as text.

    Raises RecursionError where the JSON is nested too deeply to be looked through."""
    if not may_hold_secrets(body):
        return body
    try:
        value, encode = _decode(body), _encode
    except (msgspec.DecodeError, UnicodeDecodeError):
        text = body.decode("utf-8", "replace")
        try:
            value, encode = json.loads(text), _encode_ascii
        except ValueError:
            return _PAIR.sub(rf'\1"{MARK}"', redact_text(text)).encode()
    clean = _walk(value)
    return body if clean is value else encode(clean)


def redact_text(text: str) -> str:
    """Text without credentials in addresses."""
    text = _USERINFO.sub(rf"\1{MARK}@", text)
    text = _PARAMETER.sub(rf"\1{MARK}", text)
    return _WEBHOOK.sub(rf"\1{MARK}", text)


def may_hold_secrets(body: bytes) -> bool:
    """Plain searches, cheapest first: a page of events is looked at in well under 0.1 ms. May err on the safe side."""
    low = body.lower()
    if b"\\" in low and _ESCAPED_ASCII.search(low):
        return True
    if b'"token' in low or b"secret" in low or b"passw" in low or b'_key"' in low:
        return True
    # sync_token and app_specific_token stand in ordinary events and are none.
    if low.count(b'_token"') != low.count(b'c_token"'):
        return True
    if b"/webhooks/" in low or (b"?" in low and _QUERY.search(low)):
        return True
    return b"@" in low and (b"_proxy" in low or _BEFORE_AT.search(low) is not None)


def _encode_ascii(value: Any) -> bytes:
    """For text that only escapes can carry, such as half a surrogate pair."""
    return json.dumps(value, separators=(",", ":")).encode()


def _walk(value: Any) -> Any:
    """The value itself where nothing is cut, so that unchanged answers keep their bytes."""
    if type(value) is str:
        clean = redact_text(value) if "://" in value or "=" in value or "/webhooks/" in value else value
        return value if clean == value else clean
    if type(value) is dict:
        named = value.get("changed")
        changed = {
            key: _cut(named.lower() if key == "to" and isinstance(named, str) else key.lower(), item)
            for key, item in value.items()
        }
        return changed if any(changed[key] is not value[key] for key in value) else value
    if type(value) is list:
        items = [_walk(item) for item in value]
        return items if any(new is not old for new, old in zip(items, value, strict=True)) else value
    return value


def _cut(key: str, value: Any) -> Any:
    if key in _KEYS and value not in (None, "", MARK, _STARS) and not isinstance(value, bool):
        return _walk(value) if type(value) is dict and "token_code" in value else MARK
    if key in _PROXIES and type(value) is str and "@" in value:
        scheme, apart, rest = value.rpartition("://")
        clean = f"{scheme}{apart}{MARK}@{rest.rpartition('@')[2]}"
        return value if clean == value else clean
    return value if key == _CURSOR and type(value) is str else _walk(value)
