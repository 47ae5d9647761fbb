"""Quay JSON: stored events in the form in which Quay's superuser log answers with them. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import polars as pl

from quayledger.warehouse.schema import EVENT_SCHEMA

_COLUMNS = tuple(EVENT_SCHEMA)
_METADATA = {
    "repository": "repo",
    "repository_namespace": "namespace",
    "tag": "tag",
    "digest": "manifest_digest",
    "user_agent": "user-agent",
}
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_ABSENT = "_absent"

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


def to_quay(frame: pl.DataFrame) -> Iterator[bytes]:
    """Each event as one JSON object: kind, metadata, ip, datetime (RFC 2822, -0000), performer and namespace where there
    are any. What was received is restored, except for avatars, secrets that were removed, and the order of keys; the namespace
    is added to events of answers that leave it to their scope.

    `frame`: at least the columns of EVENT_SCHEMA, as stored or as the view `events` shows them; `occurred_at` UTC."""
    stored = {f"stored_{name}": name for name in ("ip", "user_agent", "digest") if f"stored_{name}" in frame.columns}
    # The view `events` normalises these three; the received values are in columns beside them.
    frame = frame.drop(stored.values()).rename(stored)
    for row in frame.select(_COLUMNS).iter_rows(named=True):
        yield _encode(_event(row))


def _event(row: dict[str, Any]) -> dict[str, Any]:
    extra: dict[str, Any] = _decode(row["extra"]) if row["extra"] else {}
    event: dict[str, Any] = {
        "kind": row["kind"],
        "metadata": _metadata(row),
        "ip": row["ip"],
        "datetime": _stamp(row["occurred_at"]),
    }
    if row["performer"] is not None:
        event["performer"] = {
            "kind": "user",
            "name": row["performer"],
            "is_robot": row["performer_kind"] == "robot",
        }
    # For a purged namespace the view shows the repository's; only a stored one has its kind.
    if row["namespace"] is not None and row["namespace_kind"] is not None:
        event["namespace"] = {"kind": row["namespace_kind"], "name": row["namespace"]}
    for key in extra.pop(_ABSENT, ()):
        event.pop(key, None)
    # An unusual part was kept whole: it replaces the usual one, nothing is mixed.
    event.update(extra)
    return event


def _metadata(row: dict[str, Any]) -> dict[str, Any]:
    metadata: dict[str, Any] = _decode(row["metadata"]) if row["metadata"] else {}
    for column, key in _METADATA.items():
        if row[column] is not None:
            metadata[key] = row[column]
    return metadata


def _stamp(moment: datetime) -> str:
    """`Sun, 22 Nov 2026 23:59:54 -0000`, in English whatever the locale."""
    at = moment.astimezone(UTC)
    return (
        f"{_WEEKDAYS[at.weekday()]}, {at.day:02d} {_MONTHS[at.month - 1]} {at.year:04d} "
        f"{at.hour:02d}:{at.minute:02d}:{at.second:02d} -0000"
    )
