"""Repairs: how far the repair of each short day came, what it waits for, and which days an error broke off.

Writers take a `Ledger` and make one transaction a call. Days are UTC days; a scope and a part are opaque text.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Literal

import msgspec

from quayledger.warehouse.ledger import Ledger
from quayledger.warehouse.snapshot import Snapshot

RepairState = Literal["waiting", "exhausted"]
PartOutcome = Literal["whole", "lossy", "gone"]

_COLUMNS = (
    "source_id, day, scope, state, counted_events, lacking_events, requests, brought_events, remaining_requests, reason, "
    "updated_at"
)
_decode_counts = msgspec.json.Decoder(dict[str, int]).decode


class RepairRow(msgspec.Struct, frozen=True):
    """The repair of one (source, day, scope) as it stands. `waiting`: it goes on at the next run and takes about
    `remaining_requests`; `exhausted`: every way was tried under this count. Numbers of requests and events are of all runs."""

    source_id: str
    day: date
    scope: str
    state: RepairState
    counted_events: int
    lacking_events: int
    requests: int
    brought_events: int
    remaining_requests: int
    reason: str
    updated_at: datetime


class PartRow(msgspec.Struct, frozen=True):
    """What came of one part of a day: `counted` is what the source counted of it, by kind."""

    part: str
    outcome: PartOutcome
    counted: dict[str, int]


def repair_of(ledger: Ledger, source_id: str, day: date, scope: str) -> RepairRow | None:
    """How far the repair of one (day, scope) came; None: there was none."""
    found = ledger.rows(
        f"SELECT {_COLUMNS} FROM repairs WHERE source_id = ? AND day = ? AND scope = ?",  # noqa: S608
        [source_id, day, scope],
    )
    return RepairRow(*found[0]) if found else None


def repair_parts(ledger: Ledger, source_id: str, day: date, scope: str) -> dict[str, PartRow]:
    """The parts that the repair of one (day, scope) dealt with, by their text."""
    found = ledger.rows(
        "SELECT part, outcome, counted FROM repair_parts WHERE source_id = ? AND day = ? AND scope = ?",
        [source_id, day, scope],
    )
    return {part: PartRow(part, outcome, _decode_counts(counted)) for part, outcome, counted in found}


def record_repair(ledger: Ledger, row: RepairRow, parts: Iterable[PartRow]) -> None:
    """Replaces what is recorded of the repair of one (day, scope)."""
    forget_repair(ledger, row.source_id, row.day, row.scope)
    key = [row.source_id, row.day, row.scope]
    with ledger.transaction() as cursor:
        cursor.execute(
            f"INSERT INTO repairs ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
            list(msgspec.structs.astuple(row)),
        )
        rows = [[*key, part.part, part.outcome, msgspec.json.encode(part.counted).decode()] for part in parts]
        if rows:
            cursor.executemany("INSERT INTO repair_parts VALUES (?, ?, ?, ?, ?, ?)", rows)


def forget_repair(ledger: Ledger, source_id: str, day: date, scope: str) -> None:
    """Drops what is recorded of the repair of one (day, scope): nothing is missing any more, or it begins anew."""
    key = [source_id, day, scope]
    with ledger.transaction() as cursor:
        cursor.execute("DELETE FROM repairs WHERE source_id = ? AND day = ? AND scope = ?", key)
        cursor.execute("DELETE FROM repair_parts WHERE source_id = ? AND day = ? AND scope = ?", key)


def reason(ledger: Ledger, source_id: str, day: date) -> str:
    """What a short day waits for, or what stands in its way, in words; '' where it is neither."""
    found = ledger.rows(
        "SELECT scope, state, remaining_requests, reason FROM repairs WHERE source_id = ? AND day = ? ORDER BY scope",
        [source_id, day],
    )
    if not found and day in unfinished_days(ledger, source_id, day, day):
        return "an error broke its reading off; the next run goes on from there"
    return "; ".join(_in_words(state, remaining, text) for _, state, remaining, text in found)


def _in_words(state: str, remaining: int, text: str) -> str:
    goes_on = f"the repair goes on at the next run, about {remaining:,} requests" if state == "waiting" else ""
    return "; ".join(part for part in (text, goes_on or "every way of reading was tried") if part)


def unfinished_days(ledger: Ledger, source_id: str, first: date, last: date) -> frozenset[date]:
    """Days from `first` to `last` that are not to wait: an error broke their last reading off, or their repair goes on."""
    found = ledger.rows(
        """SELECT day FROM repairs WHERE source_id = $source_id AND day BETWEEN $first AND $last AND state = 'waiting'
        UNION ALL
        SELECT day FROM (
            SELECT day, end_reason FROM readings WHERE source_id = $source_id AND day BETWEEN $first AND $last
            QUALIFY row_number() OVER (PARTITION BY day, scope ORDER BY reading_id DESC) = 1
        ) WHERE end_reason = 'failed'""",
        {"source_id": source_id, "first": first, "last": last},
    )
    return frozenset(row[0] for row in found)


def waiting_repairs(snapshot: Snapshot) -> list[RepairRow]:
    """Repairs that go on at the next run, oldest day first, from the published copy."""
    return _repairs(snapshot, "waiting")


def exhausted_repairs(snapshot: Snapshot, source_id: str) -> dict[tuple[date, str], int]:
    """By (day, scope) of a source, the count under which every way of reading was tried, from the published copy."""
    rows = _repairs(snapshot, "exhausted")
    return {(row.day, row.scope): row.counted_events for row in rows if row.source_id == source_id}


def _repairs(snapshot: Snapshot, state: RepairState) -> list[RepairRow]:
    if snapshot.frame("SELECT 1 FROM information_schema.tables WHERE table_name = 'repairs'", {}).is_empty():
        return []  # a copy that an earlier version published
    frame = snapshot.frame(
        f"SELECT {_COLUMNS} FROM repairs WHERE state = $state ORDER BY source_id, day, scope",  # noqa: S608
        {"state": state},
    )
    return [RepairRow(*row) for row in frame.iter_rows()]
