"""Loads one reading's rows into the ledger, in one transaction."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal

import msgspec
import polars as pl

from quayledger.warehouse.errors import DamagedFile
from quayledger.warehouse.event_files import FileFault, find_faults, recorded_files
from quayledger.warehouse.ledger import Cursor, Ledger
from quayledger.warehouse.log.merge import merge
from quayledger.warehouse.schema import EVENT_SCHEMA, REJECT_SCHEMA, SliceState

_COLUMNS = ", ".join(EVENT_SCHEMA)
_DAY = timedelta(days=1)


class Reading(msgspec.Struct, frozen=True):
    """What one chain of pages, one export or one file brought for a part of a (source, UTC day). `part`: '' for the whole
    scope. `rows`: events and rejects as received. Times are UTC."""

    source_id: str
    day: date
    scope: str
    part: str
    method: Literal["pages", "export", "file"]
    run_id: int
    started_at: datetime
    ended_at: datetime
    rows: int
    requests: int
    end_reason: str
    complete: bool


class Merged(msgspec.Struct, frozen=True):
    """The result of a merge. `aliases`: names that have changed; `stored_by_kind`, `rejected_by_kind` (None: no kind could be
    read): of this (day, scope), afterwards."""

    new_events: int
    known_events: int
    aliases: int
    stored_by_kind: dict[str, int]
    rejected_by_kind: dict[str | None, int] = {}


class _Place(msgspec.Struct, frozen=True):
    """Where a day's events are read from, and the table for new ones: a closed day's file is never changed."""

    held: Literal["event_rows", "stg_events"]
    target: Literal["event_rows", "corrections"]


def merge_reading(ledger: Ledger, reading: Reading, events: pl.DataFrame, rejects: pl.DataFrame) -> Merged:
    """Stores the events (EVENT_SCHEMA) and rejects (REJECT_SCHEMA) of a reading that are not held yet. Held events never
    change or go; merging is idempotent. Creates the day's slice if there is none.

    Raises ValueError for an event outside the reading's day, DamagedFile, LedgerBusy, DiskFull, LedgerCorrupt."""
    events = _checked(events, reading.day)
    with ledger.transaction() as cursor:
        place = place_of(ledger, cursor, reading)
        held = _held(cursor, place, reading)
        new, aliases = merge(held, events)
        reading_id = next_reading_id(cursor)
        insert_events(cursor, place, reading, reading_id, new)
        rejected = insert_rejects(cursor, reading, reading_id, rejects)
        note_aliases(cursor, reading, aliases)
        known = events.height - new.height
        record(cursor, reading, reading_id, "merged", "", (new.height, known, rejected))
        touch_slice(cursor, reading, new.height, rejected)
        stored, unreadable = _by_kind(held, new), rejected_by_kind(cursor, reading)
    return Merged(new.height, known, aliases.height, stored, unreadable)


def record_void(ledger: Ledger, reading: Reading, reason: str) -> None:
    """Records a reading that must not count, without its rows."""
    with ledger.transaction() as cursor:
        record(cursor, reading, next_reading_id(cursor), "void", reason, (0, 0, 0))
        cursor.execute(
            "UPDATE slices SET read_at = greatest(read_at, ?) WHERE source_id = ? AND day = ?",
            [reading.ended_at, reading.source_id, reading.day],
        )


def _checked(events: pl.DataFrame, day: date) -> pl.DataFrame:
    events = events.select(pl.col(name).cast(kind) for name, kind in EVENT_SCHEMA.items())
    start = datetime.combine(day, time.min, tzinfo=UTC)
    inside = pl.col("occurred_at").is_between(start, start + _DAY, closed="left").fill_null(value=False)
    outside = events.filter(~inside | pl.col("kind").is_null())
    if outside.height:
        first = outside.row(0, named=True)
        raise ValueError(
            f"{outside.height} event(s) of a reading of {day} are not of that UTC day, such as {first['kind']} "
            f"at {first['occurred_at']}: split a reading by day before merging it"
        )
    return events


def damaged_files(ledger: Ledger, source_id: str) -> list[FileFault]:
    """The source's files of closed days that are missing or damaged: nothing can be merged into their days."""
    with ledger.quiescent() as cursor:
        return find_faults(ledger.home, [file for file in recorded_files(cursor) if file.source_id == source_id])


def place_of(ledger: Ledger, cursor: Cursor, reading: Reading) -> _Place:
    """Raises DamagedFile if the file with the day's events cannot be read: without it, new events cannot be recognised."""
    files = [
        file
        for file in recorded_files(cursor)
        if file.source_id == reading.source_id and file.first_day <= reading.day <= file.last_day
    ]
    for fault in find_faults(ledger.home, files):
        raise DamagedFile(fault.describe(ledger.home))
    return _Place("stg_events", "corrections") if files else _Place("event_rows", "event_rows")


def _held(cursor: Cursor, place: _Place, reading: Reading) -> pl.DataFrame:
    # In the order of the running numbers, so that equal rows pair the same way each time.
    return (
        cursor.execute(
            f"SELECT {_COLUMNS} FROM {place.held} WHERE source_id = ? AND day = ? AND scope = ? ORDER BY event_no",  # noqa: S608
            [reading.source_id, reading.day, reading.scope],
        )
        .pl()
        .cast(pl.Schema(EVENT_SCHEMA))
    )


def next_reading_id(cursor: Cursor) -> int:
    row = cursor.execute("SELECT coalesce(max(reading_id), 0) + 1 FROM readings").fetchone()
    return int(row[0]) if row else 1


def last_event_no(cursor: Cursor, place: _Place, reading: Reading) -> int:
    """The highest running number of the reading's day so far."""
    row = cursor.execute(
        f"SELECT coalesce(max(event_no), 0) FROM {place.held} WHERE source_id = ? AND day = ?",  # noqa: S608
        [reading.source_id, reading.day],
    ).fetchone()
    return int(row[0]) if row else 0


def insert_events(cursor: Cursor, place: _Place, reading: Reading, reading_id: int, new: pl.DataFrame) -> None:
    if new.is_empty():
        return
    numbered = new.with_row_index("event_no", offset=last_event_no(cursor, place, reading) + 1)
    cursor.register("incoming", numbered.to_arrow(compat_level=pl.CompatLevel.newest()))
    cursor.execute(
        f"INSERT INTO {place.target} (source_id, day, event_no, scope, reading_id, {_COLUMNS}) "  # noqa: S608
        f"SELECT ?, ?, event_no, ?, ?, {_COLUMNS} FROM incoming",
        [reading.source_id, reading.day, reading.scope, reading_id],
    )
    cursor.unregister("incoming")


def insert_rejects(cursor: Cursor, reading: Reading, reading_id: int, rejects: pl.DataFrame) -> int:
    """Keeps the rejects beyond those held of this (day, scope): a row that stays unreadable counts once, however often it
    is read, and from whichever list. Pages say of which day a row is, which exports do not, so theirs replace those."""
    if rejects.is_empty():
        return 0
    names = list(REJECT_SCHEMA)
    key = [reading.source_id, reading.day, reading.scope]
    held = (
        cursor.execute(
            "SELECT rejects.kind, rejects.reason, raw, method = 'pages' AS of_pages FROM rejects JOIN readings USING (reading_id) "
            "WHERE rejects.source_id = ? AND rejects.day = ? AND rejects.scope = ?",
            key,
        )
        .pl()
        .cast(pl.Schema({**REJECT_SCHEMA, "of_pages": pl.Boolean}))
    )
    incoming = _numbered(rejects.select(names))
    on = ["kind", "row", "number"]
    known = held.filter("of_pages") if reading.method == "pages" else held
    new = incoming.join(_numbered(known), on=on, how="anti", nulls_equal=True, maintain_order="left")
    replaced = _numbered(held.filter(~pl.col("of_pages"))).join(new, on=on, how="semi", nulls_equal=True)
    if reading.method == "pages":
        for raw in replaced["raw"]:
            cursor.execute(
                "DELETE FROM rejects WHERE source_id = ? AND day = ? AND scope = ? AND raw = ? AND reading_id IN "
                "(SELECT reading_id FROM readings WHERE method <> 'pages')",
                [*key, raw],
            )
    if new.height:
        cursor.register("incoming", new.to_arrow())
        cursor.execute(
            "INSERT INTO rejects SELECT ?, ?, ?, ?, kind, reason, raw, ? FROM incoming",
            [reading.source_id, reading.day, reading.scope, reading_id, reading.ended_at],
        )
        cursor.unregister("incoming")
    return new.height


def _numbered(frame: pl.DataFrame) -> pl.DataFrame:
    """Each reject with the text that is the same in every list (`row`) and its running number among those alike."""
    rows = pl.col("raw").map_elements(row_in_any_list, return_dtype=pl.String).alias("row")
    return frame.with_columns(rows).with_columns(
        pl.int_range(pl.len(), dtype=pl.UInt32).over("kind", "row").alias("number")
    )


def row_in_any_list(raw: str) -> str:
    """The text of a row without what depends on the list that it came in: the namespace, which only the superuser's list
    names, and white space. Pure."""
    return "".join(_NAMESPACE.sub("", raw)[:_COMPARED].split()).replace(",}", "}").replace("{,", "{")


# An object with at most one more inside, as the avatar is; a row that cannot be parsed is compared as text.
_NAMESPACE = re.compile(r',?\s*"namespace"\s*:\s*\{(?:[^{}]|\{[^{}]*\})*\}')
_COMPARED = 10_000


def rejected_by_kind(cursor: Cursor, reading: Reading) -> dict[str | None, int]:
    """Rejects of the reading's (day, scope) that the source listed for that day."""
    found = cursor.execute(
        "SELECT kind, rejected_rows FROM stg_rejected WHERE source_id = ? AND day = ? AND scope = ?",
        [reading.source_id, reading.day, reading.scope],
    ).fetchall()
    return dict(found)


def note_aliases(cursor: Cursor, reading: Reading, aliases: pl.DataFrame) -> None:
    """Upserts one row for each changed name of a (day, scope): the same change found again is not one more."""
    for field, first_name, later_name, events in aliases.iter_rows():
        key = [reading.source_id, reading.day, reading.scope, field, first_name, later_name]
        where = (
            "source_id = ? AND day = ? AND scope = ? AND field = ? AND first_name = ? "
            "AND later_name IS NOT DISTINCT FROM ?"
        )
        row = cursor.execute(f"SELECT first_seen_at, events FROM aliases WHERE {where}", key).fetchone()  # noqa: S608
        first_seen_at, before = row or (reading.ended_at, 0)
        cursor.execute(f"DELETE FROM aliases WHERE {where}", key)  # noqa: S608
        cursor.execute(
            "INSERT INTO aliases VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [*key, max(events, before), first_seen_at, reading.ended_at],
        )


def record(
    cursor: Cursor, reading: Reading, reading_id: int, state: str, reason: str, numbers: tuple[int, int, int]
) -> None:
    fields = msgspec.structs.astuple(reading)
    cursor.execute(
        "INSERT INTO readings (reading_id, source_id, day, scope, part, method, run_id, started_at, ended_at, rows, "
        "requests, end_reason, complete, state, reason, new_events, known_events, rejected_rows) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [reading_id, *fields, state, reason, *numbers],
    )


def touch_slice(cursor: Cursor, reading: Reading, new_events: int, rejected_rows: int) -> None:
    """Keeps the slice's counts true until the day is judged; the first reading creates the slice."""
    key = [reading.source_id, reading.day]
    there = cursor.execute("SELECT count(*) FROM slices WHERE source_id = ? AND day = ?", key).fetchone()
    if there and there[0]:
        cursor.execute(
            "UPDATE slices SET stored_events = stored_events + ?, rejected_rows = rejected_rows + ?, "
            "read_at = greatest(read_at, ?) WHERE source_id = ? AND day = ?",
            [new_events, rejected_rows, reading.ended_at, *key],
        )
        return
    cover = cursor.execute(
        "SELECT coalesce(max(version), 0) FROM covers WHERE source_id = ? AND from_day <= ?", key
    ).fetchone()
    over = reading.ended_at >= datetime.combine(reading.day, time.min, tzinfo=UTC) + _DAY
    state = SliceState.PROVISIONAL if over else SliceState.OPEN
    cursor.execute(
        "INSERT INTO slices (source_id, day, cover_version, state, stored_events, rejected_rows, read_at, note) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, 'read, not yet judged')",
        [*key, cover[0] if cover else 0, state.value, new_events, rejected_rows, reading.ended_at],
    )


def _by_kind(held: pl.DataFrame, new: pl.DataFrame) -> dict[str, int]:
    kinds = pl.concat([held.select("kind"), new.select("kind")]).group_by("kind").len()
    return dict(zip(kinds["kind"].to_list(), kinds["len"].to_list(), strict=True))
