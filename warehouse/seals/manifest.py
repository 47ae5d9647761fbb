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


class DayFacts(msgspec.Struct, frozen=True):
    """What the ledger says of a (source, UTC day), and which manifest of the day this is to be. `expected_events` None: the
    source vouches for no number."""

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
    cover_version: int


class DayManifest(msgspec.Struct, frozen=True):
    """What one manifest states. Times are aware. `first_event_no` to `last_event_no` are the events sealed by it; none where
    `kinds` is empty."""

    ledger_id: str
    facts: DayFacts
    counts: Mapping[str, int]
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
        facts = self.facts
        fields: dict[str, Any] = {
            "format": FORMAT,
            "canonical": canonical.FORMAT_V1,
            "ledger": self.ledger_id,
            "source": facts.source_id,
            "source_url": facts.source_url,
            "day": facts.day.isoformat(),
            "sequence": facts.sequence,
            "previous": facts.previous_index,
            "state": facts.state,
            "expected_events": facts.expected_events,
            "stored_events": facts.stored_events,
            "rejected_rows": facts.rejected_rows,
            "counted_at": _moment(facts.counted_at),
            "cover_version": facts.cover_version,
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
