"""The canonical form of an event, version 1: the bytes that are hashed when a day is sealed. Frozen: it never changes. Pure.

An event is a JSON array, canonical as in RFC 8785: FORMAT_V1, then its stored columns in the order of COLUMNS_V1. Every
value is a string or null: a number is in decimal, `day` is YYYY-MM-DD, `occurred_at` is whole microseconds since 1970-01-01
UTC. What Quay said is hashed, not how it is interpreted, so a new version of the interpretation changes no seal.

The data of a leaf is a salt of 32 bytes and the canonical form. The salt of an event is the SHA-256 of the secret of its
seal (32 bytes) and its number in the day (8 bytes, big-endian): a leaf tells nothing to those who do not have the secret,
and the proof of one event gives its salt away but not the salts of others.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping

from quayledger.warehouse.seals import merkle

FORMAT_V1 = "quayledger-event/1"
COLUMNS_V1 = (
    "source_id",
    "day",
    "event_no",
    "scope",
    "reading_id",
    "occurred_at",
    "kind",
    "namespace",
    "namespace_kind",
    "performer",
    "performer_kind",
    "ip",
    "repository",
    "repository_namespace",
    "tag",
    "digest",
    "user_agent",
    "metadata",
    "extra",
)
_AS_TEXT = {
    "day": "strftime(day, '%Y-%m-%d')",
    "event_no": "CAST(event_no AS VARCHAR)",
    "reading_id": "CAST(reading_id AS VARCHAR)",
    "occurred_at": "CAST(epoch_us(occurred_at) AS VARCHAR)",
}

# The canonical form over the stored columns, but for the case of escaped control characters: see `canonical`.
ALMOST_CANONICAL_SQL = (
    f"CAST(json_array('{FORMAT_V1}', {', '.join(_AS_TEXT.get(name, name) for name in COLUMNS_V1)}) AS VARCHAR)"
)


def canonical(almost: str) -> bytes:
    """The canonical form of what ALMOST_CANONICAL_SQL gave: DuckDB writes the digits of `\\u001F` in capitals."""
    if "\\u00" in almost:
        almost = json.dumps(json.loads(almost), ensure_ascii=False, separators=(",", ":"))
    return almost.encode()


def salt(secret: bytes, event_no: int) -> bytes:
    """The salt of an event: 32 bytes."""
    return hashlib.sha256(secret + event_no.to_bytes(8, "big")).digest()


def event_leaf(secret: bytes, event_no: int, almost: str) -> bytes:
    """The leaf hash of an event, by what ALMOST_CANONICAL_SQL gave."""
    return merkle.leaf_hash(salt(secret, event_no) + canonical(almost))


def kind_entry(kind: str, events: int, root: bytes) -> bytes:
    """What a kind adds to the root of its day."""
    return json.dumps([kind, str(events), root.hex()], ensure_ascii=False, separators=(",", ":")).encode()


def day_root(kinds: Mapping[str, tuple[int, bytes]]) -> bytes:
    """The root of a day by its kinds: kind -> (events, root of the kind's leaves in the order of their numbers)."""
    entries: Iterable[bytes] = (kind_entry(kind, *kinds[kind]) for kind in sorted(kinds, key=str.encode))
    return merkle.root([merkle.leaf_hash(entry) for entry in entries])
