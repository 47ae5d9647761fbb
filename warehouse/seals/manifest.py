"""Manifests: what is sealed of one day, an entry of the ledger's log. Pure.

A day has one manifest when it is first sealed, and another (`sequence` 1, 2 …) each time that more becomes known of it:
later rows, another state. A later manifest speaks of the later events alone, so nothing that was sealed is sealed anew.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import msgspec

from quayledger.warehouse.seals import canonical

FORMAT = "quayledger-day/1"
# An entry of a log of tiles has at most 65,535 bytes.
MAX_ENTRY_BYTES = 65_535
_MAX_KINDS_BYTES = 50_000


class KindSeal(msgspec.Struct, frozen=True):
    """Events of one kind that a manifest seals, and the root over their leaves."""

    events: int
    root: bytes


class DayManifest(msgspec.Struct, frozen=True):
    """What one manifest states of a (source, UTC day). Times are aware; `expected_events` None: the source vouches for no
    number. `first_event_no` to `last_event_no` are the events sealed by it; none where `kinds` is empty."""

    ledger_id: str
    source_id: str
    source_url: str
    day: date
    sequence: int
    previous_index: int | None
    state: str
    expected_events: int | None
    stored_events: int
    rejected_rows: int
    counted_at: datetime | None
    counts: Mapping[str, int]
    cover_version: int
    requests: int
    first_event_no: int
    last_event_no: int
    kinds: Mapping[str, KindSeal]
    sealed_at: datetime
    version: str

    @property
    def root(self) -> bytes:
        """The root over all events that it seals."""
        return canonical.day_root({kind: (seal.events, seal.root) for kind, seal in self.kinds.items()})

    def encode(self) -> bytes:
        """The log's entry: JSON, canonical as in RFC 8785. Where a registry's kinds are too many or too long for an entry,
        only their common root and number are in it."""
        fields: dict[str, Any] = {
            "format": FORMAT,
            "canonical": canonical.FORMAT_V1,
            "ledger": self.ledger_id,
            "source": self.source_id,
            "source_url": self.source_url,
            "day": self.day.isoformat(),
            "sequence": self.sequence,
            "previous": self.previous_index,
            "state": self.state,
            "expected_events": self.expected_events,
            "stored_events": self.stored_events,
            "rejected_rows": self.rejected_rows,
            "counted_at": _moment(self.counted_at),
            "cover_version": self.cover_version,
            "requests": self.requests,
            "first_event_no": self.first_event_no,
            "last_event_no": self.last_event_no,
            "events": sum(seal.events for seal in self.kinds.values()),
            "root": self.root.hex(),
            "sealed_at": _moment(self.sealed_at),
            "version": self.version,
        }
        of_kinds: dict[str, Any] = {
            "source_counts": dict(self.counts),
            "kinds": {kind: {"events": seal.events, "root": seal.root.hex()} for kind, seal in self.kinds.items()},
        }
        if len(_json(of_kinds)) > _MAX_KINDS_BYTES:
            of_kinds = {"kinds": None, "source_counts": None}
        return _json(fields | of_kinds)


def _json(value: object) -> bytes:
    # Keys in the order of their UTF-16 units, as RFC 8785 has it; our own names are ASCII, kinds need not be.
    return json.dumps(_sorted(value), ensure_ascii=False, separators=(",", ":")).encode()


def _sorted(value: object) -> object:
    if not isinstance(value, dict):
        return value
    return {key: _sorted(value[key]) for key in sorted(value, key=lambda key: str(key).encode("utf-16-be"))}


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%SZ")
