"""The events of a day in the order in which they became known, for readers that go on from where they were.

An event's number of its day is given once and only grows, late and repaired rows included: what has a higher number than the last
one that was read is new. Errors: WarehouseError."""

# ruff: noqa: S608 - SQL is put together from names of columns that are checked; every value is bound

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

import polars as pl

from quayledger.warehouse.schema import EVENT_COLUMNS
from quayledger.warehouse.snapshot import Snapshot


def events_after(
    snap: Snapshot, source_id: str, day: date, event_no: int, columns: Sequence[str], *, batch_rows: int = 20_000
) -> Iterator[pl.DataFrame]:
    """The events of one source and UTC day above a number, by number: `event_no` and these columns of EVENT_COLUMNS. Raises
    ValueError for another column."""
    if unknown := set(columns) - set(EVENT_COLUMNS):
        raise ValueError(f"there is no column {min(unknown)!r}: the columns are {', '.join(EVENT_COLUMNS)}")
    names = ", ".join(dict.fromkeys(("event_no", *columns)))
    files = [file for file in snap.files_between(day, day) if file.source_id == source_id]
    yield from snap.batches(
        f"SELECT {names} FROM events WHERE source_id = $source_id AND day = $day AND event_no > $event_no ORDER BY event_no",
        {"source_id": source_id, "day": day, "event_no": event_no},
        batch_rows,
        files,
    )


def is_whole(snap: Snapshot, source_id: str, day: date) -> bool:
    """Whether no file with events of this source and day is missing or changed: else what is read is not all that is known."""
    return not any(
        fault.file.source_id == source_id and fault.file.first_day <= day <= fault.file.last_day
        for fault in snap.faults
    )


def ledger_id(snap: Snapshot) -> str:
    """The permanent id of the ledger that a copy is of."""
    return str(snap.rows("SELECT any_value(ledger_id) FROM ledger_identity")[0][0])
