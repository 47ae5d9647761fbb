"""Redaction: removes secrets from Quay's replies, in the bytes, before anything else sees them.

The rules are versioned; the mark is constant, so that two readings of one event stay equal. `docs/secrets.md` is generated
from RULES.
"""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec

from quayledger.collector.quay import lenient_json
from quayledger.collector.quay.lenient_json import UNREADABLE

RULES_VERSION = 3
MARK = "[secret-removed]"


class RedactionRule(msgspec.Struct, frozen=True):
    """What is removed, and why it appears in a reply at all."""

    name: str
    what: str
    why: str


RULES = (
    RedactionRule(
        "secret-keys",
        "the value of any field called token, token_code, access_token, refresh_token, auth_token, webhook_token, secret, "
        "client_secret, password, passwd, external_registry_password, private_key or api_key. Of an app token, which is itself "
        "called token, only its token_code. In pulls, pushes and deletes `token` is the name of an access token, which is "
        "kept unless it looks like a secret itself",
        "robot lists, applications and app tokens return usable secrets; `login_failure` holds the beginning of an expired "
        "token; the configuration of a build trigger holds its webhook token",
    ),
    RedactionRule(
        "changed-to",
        "the new value of a change, where `changed` names one of these fields",
        "mirror changes are logged as `changed` and `to`",
    ),
    RedactionRule(
        "credentials-in-urls",
        "user and password before the @ of any address, and the values of parameters in it that are called key or whose "
        "names end in token, secret, sig, signature, credential, password or access_key",
        "webhook addresses carry tokens, presigned addresses their signature; `setup_repo_trigger` holds the webhook's "
        "address with its token",
    ),
    RedactionRule(
        "proxies",
        "what stands before the @ of a proxy, with a scheme or without: fields called http_proxy and https_proxy, and `to` "
        "where `changed` names one of them",
        "mirror changes log http_proxy and https_proxy as they were typed",
    ),
    RedactionRule(
        "secrets-as-usernames",
        "the `username` of a failed login, where it has the form of a password or token (upper case, lower case and digits "
        "or symbols together, or a long random string) and not that of a name, an e-mail address or a Windows account",
        "people type their password into the field of the user name; that it happened stays on record",
    ),
    RedactionRule(
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
_PAIR = re.compile(rf'(?i)("(?:{"|".join(sorted(_KEYS))})"\s*:\s*)("(?:[^"\\]|\\.)*"?|[^\s,{{}}\[\]"]+)')
_SHORTEST_SECRET, _LONG_SECRET = 6, 20
# E-mail addresses, Windows accounts and hosts, `FirstLast01`, and Quay's own pseudo users such as `$oauthtoken`.
_ACCOUNT = re.compile(
    r"[\w.+\-]+@[\w\-]+(?:\.[\w\-]+)+|[\w.\-]+\\[\w.\-]+\$?|[\w\-]+\$|(?:[A-Z][a-z]*)+[0-9]{0,3}|\$[a-z]+"
)
_KNOWN_TOKEN = re.compile(r"gh[a-z]_|github_pat_|glpat-|xox[a-z]-|sk-|AKIA|eyJ|npm_|hf_|dckr_pat_|ya29\.")
_SEPARATOR = re.compile(r"[._\- \\+]")
_SYMBOL = re.compile(r"[!\"#$%&()*;<=>?\[\]^`{|}~]")
_NESTED = re.compile(rf'(?i)"(?:{"|".join(sorted(_KEYS))})"\s*:\s*[{{\[]')
_BEFORE_AT = re.compile(rb"://[^\s\"'/]*@")
_QUERY = re.compile(rb"[?&;](?:[\w.\-]*(?:token|secret|sig|signature|credential|password|key))=")
_ESCAPED_ASCII = re.compile(rb"\\u00[2-7]|\\/")

# Their metadata names an access token by its friendly name, under the key `token`.
_TOKEN_NAMED_BY = frozenset(
    {"pull_repo", "push_repo", "delete_tag", "pull_repo_failed", "push_repo_failed", "delete_tag_failed"}
)
_MOST_DECODED_BYTES = 16 << 20
_DECODED_WHOLE_BYTES = 1 << 20  # larger bodies are taken apart first, so that memory holds one row and not all of them

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode
_decode_items = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def redact(body: bytes) -> bytes:
    """The same JSON without secrets; the very same bytes if there are none. What is not valid JSON is redacted as text, row
    by row where there are rows. Never fails."""
    if not may_hold_secrets(body):
        return body
    if len(body) <= _DECODED_WHOLE_BYTES:
        try:
            value = _decode(body)
            clean = _walk(value)
        except UNREADABLE:
            return _redact_parts(body)
        return body if clean is value else _encode(clean)
    return _redact_parts(body)


def _redact_parts(body: bytes) -> bytes:
    """Member by member and item by item, for what cannot or should not be decoded as a whole."""
    sign = body.lstrip()[:1]
    try:
        if sign == b"[":
            return b"[%b]" % b",".join(_redact_item(item) for item in _items(body))
        if sign == b"{":
            return b"{%b}" % b",".join(_redact_member(name, value) for name, value in _members(body).items())
    except UNREADABLE:
        pass
    return _redact_as_text(body)


def _redact_member(name: str, value: bytes) -> bytes:
    if value[:1] == b"[" and name.lower() not in _KEYS:
        return _encode(name) + b":" + _redact_parts(value)
    return _redact_item(b"{%b:%b}" % (_encode(name), value))[1:-1]


def _redact_item(item: bytes) -> bytes:
    if not may_hold_secrets(item):
        return item
    if len(item) > _MOST_DECODED_BYTES:
        return _redact_as_text(item)
    try:
        value, encode = _decode(item), _encode
    except UNREADABLE:
        try:
            value, encode = json.loads(item.decode("utf-8", "replace")), _encode_ascii
        except (ValueError, RecursionError):
            return _redact_as_text(item)
    try:
        clean = _walk(value)
    except RecursionError:
        return _redact_as_text(item)
    return item if clean is value else encode(clean)


def _items(body: bytes) -> list[bytes]:
    try:
        return [bytes(item) for item in _decode_items(body)]
    except UNREADABLE:
        return lenient_json.items(body)


def _members(body: bytes) -> dict[str, bytes]:
    try:
        return {name: bytes(value) for name, value in _decode_members(body).items()}
    except UNREADABLE:
        return lenient_json.members(body)


def _redact_as_text(body: bytes) -> bytes:
    """What cannot be decoded. Where a secret's value is not a plain one, nothing of it is kept."""
    text = _PAIR.sub(rf'\1"{MARK}"', redact_text(body.decode("utf-8", "replace")))
    return _encode(MARK) if _NESTED.search(text) else text.encode()


def redact_text(text: str) -> str:
    """Text without credentials in URLs."""
    if "://" in text:
        text = _USERINFO.sub(rf"\1{MARK}@", text)
    if "=" in text:
        text = _PARAMETER.sub(rf"\1{MARK}", text)
    return _WEBHOOK.sub(rf"\1{MARK}", text)


def may_hold_secrets(body: bytes) -> bool:
    """Plain searches, cheapest first: well under 0.1 ms for a page of events. May err on the safe side."""
    low = body.lower()
    if b"login_failure" in low:
        return True
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
    """For text that only escapes can represent, such as half a surrogate pair."""
    return json.dumps(value, separators=(",", ":")).encode()


def _walk(value: Any) -> Any:
    """The value without secrets; the value itself if there are none, so that unchanged replies keep their bytes."""
    if type(value) is str:
        clean = redact_text(value) if "://" in value or "=" in value or "/webhooks/" in value else value
        return value if clean == value else clean
    if type(value) is dict:
        named = value.get("changed")
        kind = value.get("kind")
        changed = {
            key: _walk_metadata(kind, item)
            if key == "metadata" and type(item) is dict
            else _cut(named.lower() if key == "to" and isinstance(named, str) else key.lower(), item)
            for key, item in value.items()
        }
        return changed if any(changed[key] is not value[key] for key in value) else value
    if type(value) is list:
        items = [_walk(item) for item in value]
        return items if any(new is not old for new, old in zip(items, value, strict=True)) else value
    return value


def _walk_metadata(kind: Any, metadata: dict[str, Any]) -> dict[str, Any]:
    """The metadata of an event of this kind, or of any other object that has some."""
    token, username = metadata.get("token"), metadata.get("username")
    keeps_token = kind in _TOKEN_NAMED_BY and type(token) is str and not looks_secret(token)
    clean: dict[str, Any] = _walk({key: item for key, item in metadata.items() if key != "token" or not keeps_token})
    if kind == "login_failure" and type(username) is str and looks_secret(username):
        clean = {**clean, "username": MARK}
    elif all(clean[key] is item for key, item in metadata.items() if key in clean):
        return metadata
    return {key: clean.get(key, item) for key, item in metadata.items()}


def looks_secret(name: str) -> bool:
    """Whether a text where a name should be has the form of a password or a token: symbols that names do not have; or upper
    case, lower case and digits together without a separator; or a long random string."""
    if len(name) < _SHORTEST_SECRET or name == MARK or _ACCOUNT.fullmatch(name):
        return False
    if _KNOWN_TOKEN.match(name) or _SYMBOL.search(name):
        return True
    digits = sum(character.isdigit() for character in name)
    if _SEPARATOR.search(name) or digits == 0:
        return False
    if len(name) >= _LONG_SECRET and len(name) / 10 <= digits < len(name):
        return True
    return any(map(str.islower, name)) and any(map(str.isupper, name))


def _cut(key: str, value: Any) -> Any:
    if key in _KEYS and value not in (None, "", MARK, _STARS) and not isinstance(value, bool):
        return _walk(value) if type(value) is dict and "token_code" in value else MARK
    if key in _PROXIES and type(value) is str and "@" in value:
        scheme, apart, rest = value.rpartition("://")
        clean = f"{scheme}{apart}{MARK}@{rest.rpartition('@')[2]}"
        return value if clean == value else clean
    return value if key == _CURSOR and type(value) is str else _walk(value)
