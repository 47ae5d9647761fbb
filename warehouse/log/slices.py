"""Slices: one (source, UTC day) each: what is held, what the source counts, and its state.

Writers take a `Ledger` and make one transaction a call. Days are UTC days of `occurred_at`; a scope is opaque text.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

import msgspec
import polars as pl

from quayledger.warehouse.ledger import Cursor, Ledger, utc
from quayledger.warehouse.log.close import CLOSE_AT_ONCE_EVENTS, close_day
from quayledger.warehouse.log.load import Merged, Reading, damaged_files, merge_reading, record_void
from quayledger.warehouse.schema import EVENT_SCHEMA, KEY_COLUMNS, SEALED_STATES, SliceState

__all__ = [
    "CountRow",
    "Merged",
    "Reading",
    "SliceRow",
    "damaged_files",
    "held_by_day",
    "held_counts",
    "held_keys",
    "latest_counts",
    "merge_reading",
    "record_counts",
    "record_void",
    "rejected_by_day",
    "set_state",
    "slices",
]

_COUNT_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "day": pl.Date,
    "kind": pl.String,
    "latest_events": pl.Int64,
    "peak_events": pl.Int64,
}


class SliceRow(msgspec.Struct, frozen=True):
    """What is known of one (source, UTC day). Times are UTC; `expected_events` None: the source vouches for no number."""

    source_id: str
    day: date
    cover_version: int
    state: SliceState
    expected_events: int | None
    stored_events: int
    rejected_rows: int
    counted_at: datetime | None
    read_at: datetime | None
    sealed_at: datetime | None
    note: str


class CountRow(msgspec.Struct, frozen=True):
    """What a source last said it holds of one (day, scope), by kind, and the most it ever said. No kind: nothing."""

    by_kind: dict[str, int]
    counted_at: datetime
    peak_by_kind: dict[str, int]


def slices(ledger: Ledger, source_id: str, first: date, last: date) -> dict[date, SliceRow]:
    """The slices from `first` to `last`, both included, by day; a day of which nothing was collected is absent."""
    found = ledger.rows(
        "SELECT source_id, day, cover_version, state, expected_events, stored_events, rejected_rows, counted_at, read_at, "
        "sealed_at, note FROM slices WHERE source_id = ? AND day BETWEEN ? AND ? ORDER BY day",
        [source_id, first, last],
    )
    return {row[1]: _slice_row(row) for row in found}


def _slice_row(row: tuple[Any, ...]) -> SliceRow:
    source_id, day, version, state, expected, stored, rejected, counted_at, read_at, sealed_at, note = row
    times = (utc(counted_at), utc(read_at), utc(sealed_at))
    return SliceRow(source_id, day, version, SliceState(state), expected, stored, rejected, *times, note)


def held_counts(ledger: Ledger, source_id: str, day: date, scope: str) -> dict[str, int]:
    """Stored events of one scope's part of a day, by kind."""
    return held_by_day(ledger, source_id, day, day).get((day, scope), {})


def held_by_day(ledger: Ledger, source_id: str, first: date, last: date) -> dict[tuple[date, str], dict[str, int]]:
    """Stored events from `first` to `last`, both included: (day, scope) -> kind -> events."""
    found = ledger.rows(
        "SELECT day, scope, kind, stored_events FROM stg_held WHERE source_id = ? AND day BETWEEN ? AND ?",
        [source_id, first, last],
    )
    held: dict[tuple[date, str], dict[str, int]] = {}
    for day, scope, kind, events in found:
        held.setdefault((day, scope), {})[kind] = events
    return held


def rejected_by_day(
    ledger: Ledger, source_id: str, first: date, last: date
) -> dict[tuple[date, str], dict[str | None, int]]:
    """Rows that the source listed for a day and that could not be read as events: (day, scope) -> kind (None: not even that)
    -> rows."""
    found = ledger.rows(
        "SELECT day, scope, kind, rejected_rows FROM stg_rejected WHERE source_id = ? AND day BETWEEN ? AND ?",
        [source_id, first, last],
    )
    rejected: dict[tuple[date, str], dict[str | None, int]] = {}
    for day, scope, kind, rows in found:
        rejected.setdefault((day, scope), {})[kind] = rows
    return rejected


def held_keys(ledger: Ledger, source_id: str, day: date, scope: str, since: datetime) -> pl.DataFrame:
    """KEY_COLUMNS of the stored events of one scope's part of a day with `occurred_at` >= `since` (aware), by time."""
    keys = ", ".join(KEY_COLUMNS)
    frame = ledger.frame(
        f"SELECT {keys} FROM stg_events WHERE source_id = ? AND day = ? AND scope = ? AND occurred_at >= ? "  # noqa: S608
        "ORDER BY occurred_at, event_no",
        [source_id, day, scope, since],
    )
    return frame.cast({name: EVENT_SCHEMA[name] for name in KEY_COLUMNS})


def latest_counts(ledger: Ledger, source_id: str, first: date, last: date) -> dict[tuple[date, str], CountRow]:
    """What the source last counted from `first` to `last`, both included, by (day, scope). Absent: never counted."""
    found = ledger.rows(
        "SELECT day, scope, kind, latest_events, peak_events, counted_at FROM counts "
        "WHERE source_id = ? AND day BETWEEN ? AND ? ORDER BY day, scope, kind",
        [source_id, first, last],
    )
    rows: dict[tuple[date, str], CountRow] = {}
    for day, scope, kind, latest, peak, counted_at in found:
        row = rows.setdefault((day, scope), CountRow({}, counted_at.astimezone(UTC), {}))
        if latest:
            row.by_kind[kind] = latest
        if peak:
            row.peak_by_kind[kind] = peak
    return rows


def record_counts(
    ledger: Ledger,
    run_id: int,
    source_id: str,
    scope: str,
    counts: Mapping[date, Mapping[str, int]],
    counted_at: datetime,
) -> None:
    """Keeps what the source says it holds of each day of one scope; an empty mapping: "nothing". The most that was ever
    said of a kind is kept beside it."""
    if not counts:
        return
    days = sorted(counts)
    with ledger.transaction() as cursor:
        peaks = _peaks(cursor, source_id, scope, days)
        rows = [row for day in days for row in _count_rows(day, counts[day], peaks.get(day, {}))]
        frame = pl.DataFrame(rows, schema=_COUNT_SCHEMA, orient="row")
        cursor.register("counted", frame.to_arrow())
        cursor.execute(
            "DELETE FROM counts WHERE source_id = ? AND scope = ? AND day IN (SELECT day FROM counted)",
            [source_id, scope],
        )
        cursor.execute(
            "INSERT INTO counts SELECT ?, ?, day, kind, latest_events, peak_events, ?, ? FROM counted",
            [source_id, scope, counted_at, run_id],
        )
        cursor.unregister("counted")


def _peaks(cursor: Cursor, source_id: str, scope: str, days: list[date]) -> dict[date, dict[str, int]]:
    found = cursor.execute(
        "SELECT day, kind, peak_events FROM counts WHERE source_id = ? AND scope = ? AND day BETWEEN ? AND ? AND kind <> ''",
        [source_id, scope, days[0], days[-1]],
    ).fetchall()
    peaks: dict[date, dict[str, int]] = {}
    for day, kind, peak in found:
        peaks.setdefault(day, {})[kind] = peak
    return peaks


def _count_rows(day: date, latest: Mapping[str, int], peak: Mapping[str, int]) -> list[tuple[date, str, int, int]]:
    rows = [(day, "", 0, 0)]
    for kind in sorted(latest.keys() | peak.keys()):
        number = latest.get(kind, 0)
        rows.append((day, kind, number, max(number, peak.get(kind, 0))))
    return rows


def set_state(
    ledger: Ledger,
    source_id: str,
    day: date,
    cover_version: int,
    state: SliceState,
    *,
    expected_events: int | None,
    note: str,
    now: datetime,
    counted_at: datetime | None,
) -> None:
    """Records what may be said of a day, making its slice where there is none. What is stored, rejected and when it was
    last read is taken from what is held; `sealed_at` is when it was first found complete, without a break since. A large
    day that is complete leaves the live file at once, so that a first load of years keeps it small."""
    key = [source_id, day]
    with ledger.transaction() as cursor:
        stored = _number(
            cursor, "SELECT coalesce(sum(stored_events), 0) FROM stg_held WHERE source_id = ? AND day = ?", key
        )
        rejected = _number(cursor, "SELECT count(*) FROM rejects WHERE source_id = ? AND day = ?", key)
        row = cursor.execute("SELECT max(ended_at) FROM readings WHERE source_id = ? AND day = ?", key).fetchone()
        read_at = row[0] if row else None
        row = cursor.execute("SELECT sealed_at FROM slices WHERE source_id = ? AND day = ?", key).fetchone()
        sealed_at = ((row[0] if row else None) or now) if state in SEALED_STATES else None
        cursor.execute("DELETE FROM slices WHERE source_id = ? AND day = ?", key)
        cursor.execute(
            "INSERT INTO slices VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [*key, cover_version, state.value, expected_events, stored, rejected, counted_at, read_at, sealed_at, note],
        )
    if sealed_at is not None and stored >= CLOSE_AT_ONCE_EVENTS:
        close_day(ledger, source_id, day, now.date())


def _number(cursor: Cursor, sql: str, values: list[object]) -> int:
    row = cursor.execute(sql, values).fetchone()
    return int(row[0]) if row else 0
