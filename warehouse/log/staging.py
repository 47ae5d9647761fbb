"""Staging: stores a reading of any size by day, and merges it in bounded memory. I/O on files of its own.

Rows wait in small Parquet files, sorted by time within each. A day is then merged stretch by stretch: events pair only with
events of the same second, so `warehouse.merge` gives on stretches what it gives on the whole day.
"""

from __future__ import annotations

import contextlib
import shutil
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self
from weakref import WeakKeyDictionary

import duckdb
import msgspec
import polars as pl

from quayledger.warehouse.errors import WarehouseError
from quayledger.warehouse.ledger import Cursor, Ledger
from quayledger.warehouse.log import load
from quayledger.warehouse.log.load import Merged, Reading
from quayledger.warehouse.log.merge import ALIAS_SCHEMA, merge
from quayledger.warehouse.schema import EVENT_SCHEMA

STRETCH_ROWS = 60_000
_GROUP_ROWS = 4_096
_MEMORY = "72MB"
_usual_memory: WeakKeyDictionary[Ledger, str] = WeakKeyDictionary()
_COLUMNS = ", ".join(EVENT_SCHEMA)


class TooMany(WarehouseError):
    """The reading holds more events than the source counts; nothing of it was stored. `new_by_kind`: what it would have
    added up to that point."""

    def __init__(self, message: str, new_by_kind: dict[str, int]) -> None:
        super().__init__(message)
        self.new_by_kind = new_by_kind


class LastReading(msgspec.Struct, frozen=True):
    """How the last reading of a source by a method ended: `state` merged | void, with the reason if it is void."""

    run_id: int
    state: str
    reason: str
    ended_at: datetime


class _StagedFile(msgspec.Struct, frozen=True):
    path: Path
    first: datetime
    last: datetime


class _Day:
    """What is staged of one UTC day."""

    def __init__(self) -> None:
        self.files: list[_StagedFile] = []
        self.minutes: Counter[datetime] = Counter()
        self.kinds: Counter[str] = Counter()


class Staging:
    """A folder of rows that wait to be merged, removed when the context ends."""

    def __init__(self, folder: Path) -> None:
        """`folder` must not be in use by another staging; what an interrupted one left behind is removed."""
        # DuckDB caches what it read of a file and mistakes a new file of the same name for it, so no name is used twice.
        self._root, self._folder = folder, folder / uuid.uuid4().hex
        self._days: dict[date, _Day] = {}
        self._asides = 0

    def __enter__(self) -> Self:
        shutil.rmtree(self._root, ignore_errors=True)
        self._folder.mkdir(parents=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        shutil.rmtree(self._root, ignore_errors=True)

    def add(self, events: pl.DataFrame) -> None:
        """Adds rows (EVENT_SCHEMA) of any days, in any order. 10,000 to 50,000 at a time work best."""
        if events.is_empty():
            return
        ordered = events.with_columns(pl.col("occurred_at").dt.date().alias("day")).sort("occurred_at")
        for (day,), part in ordered.partition_by("day", as_dict=True, include_key=False, maintain_order=True).items():
            self._add_day(day, part)

    def _add_day(self, day: date, part: pl.DataFrame) -> None:
        held = self._days.setdefault(day, _Day())
        path = self._folder / f"{day.isoformat()}-{len(held.files):06}.parquet"
        part.write_parquet(path, compression="lz4", row_group_size=_GROUP_ROWS)
        held.files.append(_StagedFile(path, part["occurred_at"][0], part["occurred_at"][-1]))
        minutes = part["occurred_at"].dt.truncate("1m").value_counts()
        held.minutes.update(dict(minutes.iter_rows()))
        held.kinds.update(dict(part["kind"].value_counts().iter_rows()))

    def kinds(self, day: date) -> dict[str, int]:
        """Number of staged rows of a day, by kind."""
        return dict(self._days[day].kinds) if day in self._days else {}

    def rows(self, day: date) -> int:
        """Number of staged rows of a day."""
        return sum(self.kinds(day).values())

    @property
    def days(self) -> tuple[date, ...]:
        """The days with staged rows, oldest first."""
        return tuple(sorted(self._days))

    def stretches(self, day: date, most_rows: int = STRETCH_ROWS) -> Iterator[tuple[datetime, datetime]]:
        """Half-open stretches of time that together make the day, of at most `most_rows` rows unless one minute has more."""
        begin = datetime.combine(day, time.min, tzinfo=UTC)
        end = begin + timedelta(days=1)
        rows = 0
        minutes = self._days[day].minutes if day in self._days else {}
        for minute, number in sorted(minutes.items()):
            if rows and rows + number > most_rows:
                yield begin, minute
                begin, rows = minute, 0
            rows += number
        yield begin, end

    def stretch(self, day: date, begin: datetime, end: datetime) -> pl.DataFrame:
        """The rows of a stretch (EVENT_SCHEMA), by time."""
        inside = pl.col("occurred_at").is_between(begin, end, closed="left")
        frames = [pl.scan_parquet(path).filter(inside).collect() for path in self.files(day, begin, end)]
        return pl.concat(frames) if frames else pl.DataFrame(schema=EVENT_SCHEMA)

    def files(self, day: date, begin: datetime, end: datetime) -> list[str]:
        """The files that may hold rows of a stretch."""
        files = self._days[day].files if day in self._days else []
        return [str(file.path) for file in files if file.last >= begin and file.first < end]

    def put_aside(self, rows: pl.DataFrame) -> str:
        """Writes rows to a file of their own that is not staged; returns its path."""
        self._asides += 1
        path = self._folder / f"aside-{self._asides:06}.parquet"
        rows.write_parquet(path, compression="lz4")
        return str(path)


def merge_staged(
    ledger: Ledger,
    reading: Reading,
    staging: Staging,
    rejects: pl.DataFrame,
    *,
    namespace: str | None = None,
    room: Mapping[str, int] | None = None,
    most_rows: int = STRETCH_ROWS,
) -> Merged:
    """Like `merge_reading`, for the staged rows of the reading's day: one stretch after the other, in one transaction.

    `namespace`: the reading is of that namespace's events only, and is merged with the events held of it, under its earlier
    names too. `room`: how many events of each kind may be new, none of a kind that is not named; None: any number. Raises
    TooMany beyond that; LedgerBusy, DiskFull, LedgerCorrupt."""
    work = _StagedReading(ledger, reading, staging, rejects, namespace, room, most_rows)
    try:
        return _merge(work, low_memory=True)
    except duckdb.OutOfMemoryException:
        # Other readers' memory left too little of the small limit. The transaction was rolled back: only time is lost.
        return _merge(work, low_memory=False)


class _StagedReading(msgspec.Struct, frozen=True):
    ledger: Ledger
    reading: Reading
    staging: Staging
    rejects: pl.DataFrame
    namespace: str | None
    room: Mapping[str, int] | None
    most_rows: int


def _merge(work: _StagedReading, *, low_memory: bool) -> Merged:
    reading, staging, ledger = work.reading, work.staging, work.ledger
    with _low_memory(ledger) if low_memory else contextlib.nullcontext(), ledger.transaction() as cursor:
        into = _StagedMerge(ledger, cursor, reading, staging, _names(cursor, reading.source_id, work.namespace))
        for begin, end in staging.stretches(reading.day, work.most_rows):
            into.take(begin, end)
            _check_room(reading, into.new_by_kind, work.room)
        return into.finish(work.rejects)


class _StagedMerge:
    """One merge in progress: what is held, what was added, and the names that have changed."""

    def __init__(
        self, ledger: Ledger, cursor: Cursor, reading: Reading, staging: Staging, names: tuple[str, ...]
    ) -> None:
        self._cursor, self._reading, self._staging, self._names = cursor, reading, staging, names
        self._place = load.place_of(ledger, cursor, reading)
        self._id = load.next_reading_id(cursor)
        self._is_empty = not self._count()
        self._aliases: list[pl.DataFrame] = []
        self._last_no = load.last_event_no(cursor, self._place, reading)
        self.new_by_kind: Counter[str] = Counter()

    def take(self, begin: datetime, end: datetime) -> None:
        files = self._staging.files(self._reading.day, begin, end)
        if not files:
            return
        held = None if self._is_empty else self._held(begin, end)
        if held is None or held.is_empty():
            self._insert(files, begin, end)
            return
        rows = self._staging.stretch(self._reading.day, begin, end)
        new, aliases = merge(held, rows)
        self._aliases.append(aliases)
        if new.height:
            self._insert([self._staging.put_aside(new)], begin, end)

    def _insert(self, files: list[str], begin: datetime, end: datetime) -> None:
        """Inserts straight from the files, by time: a frame that DuckDB is given stays in memory until the transaction ends."""
        reading = self._reading
        self._cursor.execute(
            f"INSERT INTO {self._place.target} (source_id, day, event_no, scope, reading_id, {_COLUMNS}) "  # noqa: S608
            f"SELECT ?, ?, ? + row_number() OVER (), ?, ?, {_COLUMNS} FROM (SELECT {_COLUMNS} FROM read_parquet(?) "
            "WHERE occurred_at >= ? AND occurred_at < ? ORDER BY occurred_at)",
            [reading.source_id, reading.day, self._last_no, reading.scope, self._id, files, begin, end],
        )
        added = self._added()
        self._last_no += added.total()
        self.new_by_kind += added

    def _added(self) -> Counter[str]:
        """Number of rows that the last insert stored, by kind."""
        reading = self._reading
        sql = (
            f"SELECT kind, count(*) FROM {self._place.target} "  # noqa: S608
            "WHERE source_id = ? AND day = ? AND reading_id = ? AND event_no > ? GROUP BY kind"
        )
        found = self._cursor.execute(sql, [reading.source_id, reading.day, self._id, self._last_no]).fetchall()
        return Counter(dict(found))

    def finish(self, rejects: pl.DataFrame) -> Merged:
        cursor, reading = self._cursor, self._reading
        aliases = _summed(self._aliases)
        rejected = load.insert_rejects(cursor, reading, self._id, rejects)
        load.note_aliases(cursor, reading, aliases)
        new = self.new_by_kind.total()
        known = self._staging.rows(reading.day) - new
        load.record(cursor, reading, self._id, "merged", "", (new, known, rejected))
        load.touch_slice(cursor, reading, new, rejected)
        return Merged(new, known, aliases.height, self._stored(), load.rejected_by_kind(cursor, reading))

    def _where(self) -> tuple[str, list[object]]:
        where = "source_id = ? AND day = ? AND scope = ?"
        values: list[object] = [self._reading.source_id, self._reading.day, self._reading.scope]
        if self._names:
            where += " AND list_contains(?, namespace)"
            values.append(list(self._names))
        return where, values

    def _count(self) -> int:
        where, values = self._where()
        found = self._cursor.execute(f"SELECT count(*) FROM {self._place.held} WHERE {where}", values).fetchone()  # noqa: S608
        return int(found[0]) if found else 0

    def _held(self, begin: datetime, end: datetime) -> pl.DataFrame:
        where, values = self._where()
        sql = (
            f"SELECT {_COLUMNS} FROM {self._place.held} "  # noqa: S608
            f"WHERE {where} AND occurred_at >= ? AND occurred_at < ? ORDER BY event_no"
        )
        return self._cursor.execute(sql, [*values, begin, end]).pl().cast(pl.Schema(EVENT_SCHEMA))

    def _stored(self) -> dict[str, int]:
        key = [self._reading.source_id, self._reading.day, self._reading.scope]
        sql = (
            f"SELECT kind, count(*) FROM {self._place.held} "  # noqa: S608
            "WHERE source_id = ? AND day = ? AND scope = ? GROUP BY kind"
        )
        return dict(self._cursor.execute(sql, key).fetchall())


def last_reading(ledger: Ledger, source_id: str, method: str) -> LastReading | None:
    """How the newest run that read a source by a method (pages | export | file) ended: its merged reading if there is one,
    else its last void one; None if there is none at all."""
    found = ledger.rows(
        "SELECT run_id, state, reason, ended_at FROM readings WHERE source_id = ? AND method = ? "
        "ORDER BY run_id DESC, state = 'merged' DESC, reading_id DESC LIMIT 1",
        [source_id, method],
    )
    if not found:
        return None
    run_id, state, reason, ended_at = found[0]
    return LastReading(run_id, state, reason, ended_at.astimezone(UTC))


def last_readings(ledger: Ledger, source_id: str, method: str) -> dict[date, LastReading]:
    """By UTC day, how the newest reading of a source by a method ended."""
    found = ledger.rows(
        "SELECT day, run_id, state, reason, ended_at FROM readings WHERE source_id = ? AND method = ? "
        "QUALIFY row_number() OVER (PARTITION BY day ORDER BY run_id DESC, state = 'merged' DESC, reading_id DESC) = 1",
        [source_id, method],
    )
    return {
        day: LastReading(run_id, state, reason, ended_at.astimezone(UTC))
        for day, run_id, state, reason, ended_at in found
    }


@contextlib.contextmanager
def _low_memory(ledger: Ledger) -> Iterator[None]:
    """Limits DuckDB's memory for a while: it would otherwise keep everything that passes through."""
    with ledger.quiescent() as cursor:
        # DuckDB reports its limit rounded down, and RESET does not restore it: the first value it reported is restored.
        if ledger not in _usual_memory:
            row = cursor.execute("SELECT current_setting('memory_limit')").fetchone()
            _usual_memory[ledger] = str(row[0]) if row else _MEMORY
        # A reader may hold more than the limit at this moment: then the merge runs without it.
        with contextlib.suppress(duckdb.OutOfMemoryException):
            cursor.execute(f"SET GLOBAL memory_limit = '{_MEMORY}'")
        try:
            yield
        finally:
            cursor.execute(f"SET GLOBAL memory_limit = '{_usual_memory[ledger]}'")


def _names(cursor: Cursor, source_id: str, namespace: str | None) -> tuple[str, ...]:
    """The namespace and the names under which its events were first seen. Empty for every namespace."""
    if namespace is None:
        return ()
    found = cursor.execute(
        "SELECT DISTINCT first_name FROM aliases WHERE source_id = ? AND field = 'namespace' AND later_name = ?",
        [source_id, namespace],
    ).fetchall()
    return (namespace, *(name for (name,) in found if name != namespace))


def _check_room(reading: Reading, new_by_kind: Counter[str], room: Mapping[str, int] | None) -> None:
    over = (
        {}
        if room is None
        else {kind: n - room.get(kind, 0) for kind, n in new_by_kind.items() if n > room.get(kind, 0)}
    )
    if over:
        named = ", ".join(f"{kind} {number}" for kind, number in sorted(over.items())[:6])
        raise TooMany(
            f"{reading.source_id}, {reading.day}, {reading.scope}: the reading brings more events than the source counts "
            f"({named} too many); nothing of it was stored",
            dict(new_by_kind),
        )


def _summed(aliases: list[pl.DataFrame]) -> pl.DataFrame:
    if not aliases:
        return pl.DataFrame(schema=ALIAS_SCHEMA)
    names = ["field", "first_name", "later_name"]
    return pl.concat(aliases).group_by(names).agg(pl.col("events").sum()).sort(names, nulls_last=True)
