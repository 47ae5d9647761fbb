"""Normalises one row of a log reply into one event of the ledger, or a counted reject; nothing of it is lost.

Pure. `warehouse.log.quay_json` puts together again what is taken apart here; tests hold the two to each other.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple, TypeGuard

import msgspec
import polars as pl

from quayledger.collector.quay import lenient_json
from quayledger.collector.quay.lenient_json import MOST_NESTED, UNREADABLE, is_deep
from quayledger.collector.quay.scopes import Scope
from quayledger.warehouse.schema import EVENT_SCHEMA, REJECT_SCHEMA

_EPOCH = date(1970, 1, 1)
_EPOCH_UTC = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_S = 86_400
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
MOST_ROW_BYTES = 4 << 20
_RAW_LIMIT = 20_000
_LONGEST_KIND = 200
_EMPTY: Any = object()

Parts = tuple[str | None, str | None, str | None, str | None, str | None, str | None]
NO_PARTS: Parts = (None, None, None, None, None, None)

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder(order="sorted").encode


class Event(NamedTuple):
    """One event in the order of `EVENT_SCHEMA`; `occurred_at` in microseconds since 1970, UTC."""

    occurred_at: int
    kind: str
    namespace: str | None
    namespace_kind: str | None
    performer: str | None
    performer_kind: str | None
    ip: str | None
    repository: str | None
    repository_namespace: str | None
    tag: str | None
    digest: str | None
    user_agent: str | None
    metadata: str | None
    extra: str | None

    @property
    def key(
        self,
    ) -> tuple[int, str, str | None, str | None, str | None, str | None, str | None, str | None, str | None]:
        """What Quay stores for good, in the order of `KEY_COLUMNS`."""
        return (
            self.occurred_at,
            self.kind,
            self.ip,
            self.repository,
            self.repository_namespace,
            self.tag,
            self.digest,
            self.user_agent,
            self.metadata,
        )


class Reject(NamedTuple):
    """A row that is not a readable event, with the reason. `kind`: None if not even that could be read."""

    kind: str | None
    reason: str
    raw: str


class DefaultNamespace(NamedTuple):
    """The namespace of events whose rows do not name one: only superuser answers do, any other list has one namespace."""

    namespace: str | None
    namespace_kind: str | None

    @classmethod
    def of(cls, scope: Scope, *, user_namespaces: frozenset[str] = frozenset()) -> DefaultNamespace:
        """The namespace of all events of a scope. `user_namespaces`: namespaces known to be users, not organizations."""
        if scope.namespace is None:
            return cls(None, None)
        is_user = scope.kind == "user" or scope.namespace in user_namespaces
        return cls(scope.namespace, "user" if is_user else "org")


def normalise(raw: msgspec.Raw | bytes, default: DefaultNamespace) -> Event | Reject:
    """One row of `logs`. Source: `/superuser/logs`, `/organization/{}/logs`, `/user/logs`, `/repository/{}/logs`, exports."""
    if len(memoryview(raw)) > MOST_ROW_BYTES:
        return Reject(None, f"larger than {MOST_ROW_BYTES // 1024 // 1024} MiB", _text(raw))
    try:
        if is_deep(bytes(raw)):
            return _unreadable(raw, f"nested more than {MOST_NESTED} levels deep")
        row = _decode(raw)
    except UNREADABLE as error:
        return _unreadable(raw, f"not valid JSON: {error}")
    if not isinstance(row, dict):
        return Reject(None, "not a JSON object", _text(raw))
    kind = row.pop("kind", None)
    if not _is_name(kind):
        return Reject(None, "no kind" if not kind else "the kind is too long or not text", _text(raw))
    stamp = row.pop("datetime", None)
    if not isinstance(stamp, str):
        return Reject(kind, "no datetime", _text(raw))
    seconds = stamp_seconds(stamp)
    if seconds is None:
        return Reject(kind, "the datetime is not in Quay's format (RFC 2822 with -0000)", _text(raw))
    extra: dict[str, Any] = {} if "metadata" in row else {"_absent": ["metadata"]}
    metadata = row.pop("metadata", _EMPTY)
    parts = NO_PARTS
    if type(metadata) is dict:
        parts = take_apart(metadata)
    elif metadata is not _EMPTY:
        extra["metadata"] = metadata
    ip = _ip(row, extra)
    performer, performer_kind = _performer(row, extra)
    namespace, namespace_kind = _namespace(row, extra, default)
    extra.update(row)
    return Event(
        seconds * 1_000_000,
        kind,
        namespace,
        namespace_kind,
        performer,
        performer_kind,
        ip,
        *parts,
        _encode(extra).decode() if extra else None,
    )


def _unreadable(raw: msgspec.Raw | bytes, reason: str) -> Reject:
    """A row that is not valid JSON, or beyond our bounds; its kind is looked for all the same, so that it can be counted."""
    try:
        members = lenient_json.members(bytes(raw))
        kind = lenient_json.decode(members.get("kind", b"null"))
    except UNREADABLE:
        kind = None
    return Reject(kind if _is_name(kind) else None, reason, _text(raw))


def _is_name(kind: object) -> TypeGuard[str]:
    return isinstance(kind, str) and 0 < len(kind) <= _LONGEST_KIND


def event_frame(events: Iterable[Event]) -> pl.DataFrame:
    """Events as a frame of EVENT_SCHEMA, in the order given."""
    return pl.DataFrame(list(events), schema=EVENT_SCHEMA, orient="row")


def reject_frame(rejects: Iterable[Reject]) -> pl.DataFrame:
    """Rejects as a frame of REJECT_SCHEMA."""
    return pl.DataFrame(list(rejects), schema=REJECT_SCHEMA, orient="row")


def take_apart(metadata: dict[str, Any]) -> Parts:
    """Metadata in the order of an event's columns: the keys with a column of their own, and the rest as JSON. Removes the
    former from the dict."""
    repository = _take(metadata, "repo")
    repository_namespace = _take(metadata, "namespace")
    tag = _take(metadata, "tag")
    digest = _take(metadata, "manifest_digest")
    user_agent = _take(metadata, "user-agent")
    residual = _encode(metadata).decode() if metadata else None
    return repository, repository_namespace, tag, digest, user_agent, residual


def _take(metadata: dict[str, Any], key: str) -> str | None:
    """Removes and returns the value if it is text; anything else stays in the rest, so that its type is kept."""
    value = metadata.get(key)
    if type(value) is str:
        del metadata[key]
        return value
    return None


def _ip(row: dict[str, Any], extra: dict[str, Any]) -> str | None:
    if "ip" not in row:
        extra.setdefault("_absent", []).append("ip")
        return None
    ip = row.pop("ip")
    if ip is None or type(ip) is str:
        return ip
    extra["ip"] = ip
    return None


def _performer(row: dict[str, Any], extra: dict[str, Any]) -> tuple[str | None, str | None]:
    if "performer" not in row:
        return None, None
    performer = row.pop("performer")
    if type(performer) is not dict or type(performer.get("name")) is not str:
        extra["performer"] = _without_avatar(performer)
        return None, None
    is_robot = performer.get("is_robot")
    usual = performer.get("kind") == "user" and type(is_robot) is bool
    odd = {key: value for key, value in performer.items() if key not in ("kind", "name", "is_robot", "avatar")}
    if not usual or odd:
        extra["performer"] = _without_avatar(performer)
    # Splunk gives null for a deleted robot; only robots have a + in their name.
    is_robot = is_robot if type(is_robot) is bool else "+" in performer["name"]
    return performer["name"], "robot" if is_robot else "user"


def _namespace(row: dict[str, Any], extra: dict[str, Any], default: DefaultNamespace) -> tuple[str | None, str | None]:
    if "namespace" not in row:
        return default
    namespace = row.pop("namespace")
    if type(namespace) is not dict or type(namespace.get("name")) is not str:
        extra["namespace"] = _without_avatar(namespace)
        return default
    if not namespace.keys() <= {"kind", "name", "avatar"} or namespace.get("kind") not in ("org", "user"):
        extra["namespace"] = _without_avatar(namespace)
    kind = namespace.get("kind")
    return namespace["name"], kind if type(kind) is str else None


def _without_avatar(value: Any) -> Any:
    return {key: item for key, item in value.items() if key != "avatar"} if type(value) is dict else value


def stamp_seconds(stamp: str) -> int | None:
    """Whole seconds since 1970 of `Sun, 22 Nov 2026 23:59:54 -0000`; None for anything else."""
    if len(stamp) != 31 or not stamp.endswith(" -0000"):
        return None
    midnight = _midnight(stamp[:17])
    clock = stamp[17:25]
    if midnight is None or clock[2] != ":" or clock[5] != ":":
        return None
    digits = clock[:2] + clock[3:5] + clock[6:]
    if not (digits.isascii() and digits.isdigit()):
        return None
    hour, minute, second = int(clock[:2]), int(clock[3:5]), int(clock[6:])
    if hour > 23 or minute > 59 or second > 59:
        return None
    return midnight + hour * 3600 + minute * 60 + second


@lru_cache(maxsize=1024)
def _midnight(head: str) -> int | None:
    """Seconds since 1970 of the day in `Sun, 22 Nov 2026 `; None if it is not a valid day."""
    try:
        day = date(int(head[12:16]), _MONTHS.index(head[8:11]) + 1, int(head[5:7]))
    except ValueError:
        return None
    # Formatted again and compared: only then does the stored time give back the text that was received.
    if f"{_WEEKDAYS[day.weekday()]}, {day.day:02d} {_MONTHS[day.month - 1]} {day.year:04d} " != head:
        return None
    return (day - _EPOCH).days * _DAY_S


def day_bounds_us(day: date) -> tuple[int, int]:
    """The half-open bounds of a UTC day in microseconds since 1970."""
    start = (day - _EPOCH).days * _DAY_S * 1_000_000
    return start, start + _DAY_S * 1_000_000


def stamp_us(moment: datetime) -> int:
    """Microseconds since 1970 of an aware time."""
    return (moment - _EPOCH_UTC) // timedelta(microseconds=1)


def from_stamp_us(stamp: int) -> datetime:
    """The aware UTC time of microseconds since 1970."""
    return _EPOCH_UTC + timedelta(microseconds=stamp)


def _text(raw: msgspec.Raw | bytes) -> str:
    return bytes(memoryview(raw)[:_RAW_LIMIT]).decode("utf-8", "replace")
