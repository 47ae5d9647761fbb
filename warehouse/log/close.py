"""Closes days: events of a day that is judged leave the live file for a Parquet file that never changes again. I/O.

A file is complete, checked and on disk before one transaction both records it and removes its rows from the live file: at
no moment is an event in neither, and none is ever read from both. What a crash leaves behind is removed at the next close,
once it is known to hold nothing that is not stored. The days of a final month become one file in the same way.
"""

# ruff: noqa: S608 - SQL is put together from our own names and paths; every value is bound

from __future__ import annotations

import hashlib
import os
import re
import uuid
from collections.abc import Callable, Container, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

import duckdb
import msgspec

from quayledger.warehouse import event_files, migrate
from quayledger.warehouse.duckdb_errors import translated
from quayledger.warehouse.durable_files import sync_folder
from quayledger.warehouse.errors import DiskFull, LedgerCorrupt, WarehouseError
from quayledger.warehouse.event_files import (
    DAYS_FOLDER,
    EVENT_FOLDERS,
    INTERPRETED,
    LEDGER_KEY,
    MONTHS_FOLDER,
    PLAIN,
    SIDECAR_SUFFIXES,
    EventFile,
    path_for_duckdb,
    recorded_files,
)
from quayledger.warehouse.ledger import PUBLISHED_FOLDER, Cursor, Ledger
from quayledger.warehouse.log import sidecars
from quayledger.warehouse.log.rollup_files import drop_joins, join_days
from quayledger.warehouse.log.sidecars import UNFINISHED_SUFFIX
from quayledger.warehouse.rollup_joins import RollupJoin, recorded_joins
from quayledger.warehouse.schema import (
    EVENT_COLUMNS,
    FILE_COLUMNS,
    FINAL_STATES,
    INTERPRETED_COLUMNS,
    REINTERPRETED_COLUMNS,
    STORED_COLUMNS,
    SliceState,
)

# Of this form and older ones.
_ROLLUPS = re.compile(r"\.(usage|seen)(\.\d+)?\.parquet$")
_TAKEN = "closing"
# A day of this many events leaves the live file when it is judged; smaller ones at the end of the run, months at a time.
CLOSE_AT_ONCE_EVENTS = 5_000
_GRACE = timedelta(days=1)  # a reader that opened an older copy may still need what a newer one does not name
_OF_STRETCH = "source_id = $source_id AND day BETWEEN $first AND $last"
_UNSETTLED = (SliceState.OPEN, SliceState.PROVISIONAL)
_SAID = ", ".join(
    f"CASE WHEN said_{name} IS NULL THEN {name} WHEN said_{name} <> '-' THEN substr(said_{name}, 2) END AS {name}"
    if name in REINTERPRETED_COLUMNS
    else name
    for name in STORED_COLUMNS
)
# Dictionaries as large as a row group: DuckDB writes bloom filters for columns that have one.
_OPTIONS = "FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 122880"


class _Stretch(msgspec.Struct, frozen=True):
    """The days of one source that a file holds."""

    source_id: str
    first: date
    last: date

    @property
    def values(self) -> dict[str, object]:
        return {"source_id": self.source_id, "first": self.first, "last": self.last}

    @property
    def label(self) -> str:
        return f"{self.first}" if self.first == self.last else f"{self.first:%Y-%m}"

    @property
    def folder(self) -> Path:
        """Relative to the ledger's folder. A source's id is the settings' own safe text, yet no part of it may lead away."""
        source = re.sub(r"[^A-Za-z0-9_-]", "_", self.source_id)
        if self.first == self.last:
            return Path(DAYS_FOLDER, source, f"{self.first.year:04}")
        return Path(MONTHS_FOLDER, source)


def close_day(ledger: Ledger, source_id: str, day: date, today: date) -> EventFile | None:
    """Moves one day (UTC) into a file of its own; None where it holds no event, has a file already or is not settled.
    Raises DiskFull, WarehouseError; what failed stays in the live file."""
    stretch = _Stretch(source_id, day, day)
    with translated(ledger.home):
        return _close(ledger, stretch, today) if stretch in _settled(ledger, today, 0, source_id, day) else None


def close_days(ledger: Ledger, today: date, final_after_days: int) -> list[EventFile]:
    """Moves all that may leave the live file: days found complete once they are over, other judged days after
    `final_after_days` days; writes files of an older interpretation anew; and joins the files of each month that ended at
    least `final_after_days` days before `today` (UTC) and whose every day was found complete. Returns the files made.
    Raises DiskFull, WarehouseError; what failed stays where it was."""
    made, failed = list[EventFile](), list[WarehouseError]()

    def attempt(steps: Iterable[Callable[[], EventFile]]) -> None:
        """One that fails, as where a file cannot be read, must not keep the others from it; a full disk keeps all."""
        for step in steps:
            try:
                made.append(step())
            except DiskFull:
                raise
            except WarehouseError as error:
                failed.append(error)

    with translated(ledger.home):
        _sweep(ledger)
        attempt(partial(_close, ledger, _stretch_of(file), today, file) for file in _outdated(ledger))
        # A month whose days are all in the live file yet needs no files of its days first.
        live = _final_months(ledger, today, final_after_days, filed=False)
        attempt(partial(_close, ledger, month, today) for month in live)
        attempt(partial(_close, ledger, day, today) for day in _settled(ledger, today, final_after_days))
        filed = [
            month for month in _final_months(ledger, today, final_after_days, filed=True) if _is_whole(ledger, month)
        ]
        _roll_up_missing(ledger)
        attempt(partial(_join, ledger, month, today) for month in filed)
        join_days(ledger, migrate.rules_version(), today)
    if failed:
        raise failed[0]
    return made


def _roll_up_missing(ledger: Ledger) -> None:
    """Writes the rollups of files that have none, or have those of an older form."""
    rules = migrate.rules_version()
    for file in event_file_list(ledger):
        if file.layout == PLAIN or file.rules != rules or not (ledger.home / file.file).exists():
            continue
        for suffix in SIDECAR_SUFFIXES:
            if not (ledger.home / file.beside(suffix)).exists():
                with ledger.transaction() as cursor:
                    sidecars.write_from_events(cursor, ledger.home, file, suffix)


def event_file_list(ledger: Ledger) -> list[EventFile]:
    """All files of events on record, oldest first."""
    with ledger.quiescent() as cursor:
        return recorded_files(cursor)


def _stretch_of(file: EventFile) -> _Stretch:
    return _Stretch(file.source_id, file.first_day, file.last_day)


def _settled(
    ledger: Ledger, today: date, final_after_days: int, source_id: str | None = None, day: date | None = None
) -> list[_Stretch]:
    """Judged days of the live file. A day that cannot be found complete is settled too, after some time: late rows of it
    are corrections then, like those of any other."""
    found = ledger.rows(
        """SELECT slices.source_id, slices.day FROM slices
        SEMI JOIN event_rows ON event_rows.source_id = slices.source_id AND event_rows.day = slices.day
        WHERE slices.day < $today AND ($source_id IS NULL OR slices.source_id = $source_id)
            AND ($day IS NULL OR slices.day = $day)
            AND (list_contains($sealed, state)
                OR ($day IS NULL AND slices.day < $old AND NOT list_contains($unsettled, state)))
            AND NOT EXISTS (
                SELECT 1 FROM event_files AS files WHERE files.source_id = slices.source_id
                    AND slices.day BETWEEN files.first_day AND files.last_day)
        ORDER BY slices.day, slices.source_id""",
        {
            "today": today,
            "old": today - timedelta(days=final_after_days),
            "source_id": source_id,
            "day": day,
            "sealed": sorted(state.value for state in FINAL_STATES),
            "unsettled": [state.value for state in _UNSETTLED],
        },
    )
    return [_Stretch(source, day, day) for source, day in found]


def _outdated(ledger: Ledger) -> list[EventFile]:
    """Files without what readers see, or with what an older interpretation gave."""
    rules = migrate.rules_version()
    faulty = {fault.file for fault in event_files.find_faults(ledger.home, event_file_list(ledger))}
    return [
        file
        for file in event_file_list(ledger)
        if file not in faulty and (file.layout == PLAIN or file.rules != rules or not file.has_rollups)
    ]


def _final_months(ledger: Ledger, today: date, final_after_days: int, *, filed: bool) -> list[_Stretch]:
    """Months whose every day was found complete: those whose events are all in files of days, or all in the live file."""
    found = ledger.rows(
        """WITH judged AS (
            SELECT source_id, CAST(date_trunc('month', day) AS DATE) AS month FROM slices
            GROUP BY ALL HAVING bool_and(list_contains($sealed, state))
        ),
        live AS (
            SELECT DISTINCT source_id, CAST(date_trunc('month', day) AS DATE) AS month FROM event_rows
        ),
        filed AS (
            SELECT source_id, CAST(date_trunc('month', first_day) AS DATE) AS month,
                bool_or(first_day <> last_day) AS is_joined
            FROM event_files GROUP BY ALL
        )
        SELECT source_id, month FROM judged
        LEFT JOIN live USING (source_id, month) LEFT JOIN filed USING (source_id, month)
        WHERE CASE WHEN $filed THEN live.month IS NULL AND filed.is_joined = false
            ELSE live.month IS NOT NULL AND filed.month IS NULL END
        ORDER BY month, source_id""",
        {"sealed": sorted(state.value for state in FINAL_STATES), "filed": filed},
    )
    months = [_Stretch(source_id, first, _next_month(first) - timedelta(days=1)) for source_id, first in found]
    return [month for month in months if (today - _next_month(month.first)).days >= final_after_days]


def _is_whole(ledger: Ledger, month: _Stretch) -> bool:
    """Whether no file of the month's days is missing or damaged: such a month waits."""
    faults = event_files.find_faults(ledger.home, event_file_list(ledger))
    return not any(
        fault.file.source_id == month.source_id and month.first <= fault.file.first_day <= month.last
        for fault in faults
    )


def _next_month(first: date) -> date:
    return (first + timedelta(days=31)).replace(day=1)


def _close(ledger: Ledger, stretch: _Stretch, today: date, before: EventFile | None = None) -> EventFile:
    """Writes the file of a day in the live file, or anew the file `before` that an older version made."""
    with ledger.transaction() as cursor:
        home, unfinished = ledger.home, _unfinished(ledger.home, stretch)
        _take(cursor, stretch)
        _write(cursor, unfinished, ledger.ledger_id)
        rows = _check(cursor, stretch, unfinished)
        made = _seal(home, stretch, unfinished, rows)
        _roll_up(cursor, home, made)
        _swap(cursor, ledger, made, [before] if before else [], today)
        sidecars.write_counts(cursor, made, _TAKEN)
        cursor.execute(f"DROP TABLE {_TAKEN}")
    return made


def _join(ledger: Ledger, month: _Stretch, today: date) -> EventFile:
    """Joins the files of a month's days: they are sorted and follow each other, so nothing is sorted or held in memory."""
    with ledger.transaction() as cursor:
        home, unfinished = ledger.home, _unfinished(ledger.home, month)
        days = [
            file
            for file in recorded_files(cursor)
            if file.source_id == month.source_id and month.first <= file.first_day <= file.last_day <= month.last
        ]
        cursor.execute(
            f"COPY (SELECT * FROM read_parquet({_list(home, days)})) TO {_quoted(unfinished)} ({_options(ledger.ledger_id)})"
        )
        rows = _same(
            cursor, f"read_parquet({_list(home, days)})", f"read_parquet([{_quoted(unfinished)}])", FILE_COLUMNS
        )
        if rows is None:
            raise _not_as_written(month, unfinished)
        made = _seal(home, month, unfinished, rows)
        # Other rollups than those that are known by now are taken from the days.
        joins = [join for join in recorded_joins(cursor) if set(join.files) <= {str(file.file) for file in days}]
        usable = [join for join in joins if join.is_there(home)]
        joined = {name for join in usable for name in join.files}
        parts: list[EventFile | RollupJoin] = [*usable, *(file for file in days if str(file.file) not in joined)]
        for suffix in SIDECAR_SUFFIXES:
            sidecars.write_joined(cursor, home, made, suffix, parts)
        drop_joins(cursor, joins)
        _swap(cursor, ledger, made, days, today)
        cursor.execute(
            "UPDATE event_files SET last_event_at = (SELECT max(occurred_at) FROM read_parquet(?)) WHERE file = ?",
            [path_for_duckdb(home, made), str(made.file)],
        )
    return made


def _unfinished(home: Path, stretch: _Stretch) -> Path:
    """A name that never came before: DuckDB keeps what it read of a file, and takes a new one of the same name for it."""
    folder = home / stretch.folder
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{stretch.label}.{uuid.uuid4().hex}{UNFINISHED_SUFFIX}"


def _take(cursor: Cursor, stretch: _Stretch) -> None:
    """Puts the stretch's events, interpreted, into the table that the file and its rollups are written from. What the interpretation
    leaves as it is comes from it too: only names that it may change are joined from what is stored, as wide joins cost most."""
    # Under such a name readers see what is stored beside what is shown.
    told = {name: f"shown.stored_{name}" for name in REINTERPRETED_COLUMNS if f"stored_{name}" in EVENT_COLUMNS}
    joined = [name for name in REINTERPRETED_COLUMNS if name not in told]
    stored = told | {name: f"stored.{name}" for name in joined}
    columns = [
        *(f"shown.{name}" for name in (*STORED_COLUMNS, *INTERPRETED_COLUMNS)),
        *(
            f"CASE WHEN {held} IS NOT DISTINCT FROM shown.{name} THEN NULL WHEN {held} IS NULL THEN '-' "
            f"ELSE '=' || {held} END AS said_{name}"
            for name, held in stored.items()
        ),
    ]
    names = ", ".join(("source_id", "day", "event_no", *joined))
    cursor.execute(
        f"CREATE OR REPLACE TEMP TABLE {_TAKEN} AS SELECT {', '.join(columns)} "
        f"FROM {_of('stg_interpreted_events')} AS shown "
        f"JOIN (SELECT {names} FROM {_of('stg_uninterpreted_events')}) AS stored USING (source_id, day, event_no)",
        stretch.values,
    )


def _write(cursor: Cursor, target: Path, ledger_id: str) -> None:
    cursor.execute(
        f"COPY (SELECT * FROM {_TAKEN} ORDER BY occurred_at, event_no) TO {_quoted(target)} ({_options(ledger_id)})"
    )


def _options(ledger_id: str) -> str:
    return f"{_OPTIONS}, KV_METADATA {{{LEDGER_KEY}: {_quoted(ledger_id)}}}"


def _of(view: str) -> str:
    """The view's rows of the stretch, late ones aside: those are corrections, and stay so."""
    return f"(SELECT * FROM {view} ANTI JOIN corrections USING (source_id, day, event_no) WHERE {_OF_STRETCH})"


def _check(cursor: Cursor, stretch: _Stretch, file: Path) -> int:
    """Reads the file back and compares every value, as stored and as shown. Returns its rows; raises WarehouseError."""
    read = f"read_parquet([{_quoted(file)}])"
    rows = _same(cursor, _of("stg_uninterpreted_events"), f"(SELECT {_SAID} FROM {read})", STORED_COLUMNS, stretch)
    shown = ("event_no", *REINTERPRETED_COLUMNS, *INTERPRETED_COLUMNS)
    if rows is None or _same(cursor, _TAKEN, read, shown) != rows:
        raise _not_as_written(stretch, file)
    return rows


def _same(cursor: Cursor, one: str, other: str, columns: Sequence[str], stretch: _Stretch | None = None) -> int | None:
    """How many rows both relations have; None where they differ. Compares a hash of all values, whatever their order."""
    proof = f"SELECT count(*), coalesce(bit_xor(hash({', '.join(columns)})), 0), coalesce(sum(CAST(event_no AS HUGEINT)), 0)"
    first = cursor.execute(f"{proof} FROM {one}", stretch.values if stretch else {}).fetchall()
    second = cursor.execute(f"{proof} FROM {other}").fetchall()
    return int(first[0][0]) if first == second else None


def _not_as_written(stretch: _Stretch, file: Path) -> WarehouseError:
    file.unlink(missing_ok=True)
    return WarehouseError(
        f"the file written for {stretch.label} of {stretch.source_id} does not read back as it was written. Check the disk "
        f"that holds {file.parent}; the events stay where they were"
    )


def _seal(home: Path, stretch: _Stretch, unfinished: Path, rows: int) -> EventFile:
    """Makes the file durable under its name, which ends in the first digits of its SHA-256."""
    with unfinished.open("rb") as opened:
        sha256 = hashlib.file_digest(opened, "sha256").hexdigest()
        os.fsync(opened.fileno())
    file = stretch.folder / f"{stretch.label}.{sha256[:8]}.parquet"
    unfinished.replace(home / file)
    for folder in (home / file).parents[: len(file.parts)]:
        sync_folder(folder)
    size = (home / file).stat().st_size
    rules = migrate.rules_version()
    return EventFile(stretch.source_id, stretch.first, stretch.last, file, rows, sha256, size, INTERPRETED, rules)


def _roll_up(cursor: Cursor, home: Path, made: EventFile) -> None:
    for suffix in SIDECAR_SUFFIXES:
        sidecars.write_from_events(cursor, home, made, suffix)


def _swap(cursor: Cursor, ledger: Ledger, made: EventFile, before: Sequence[EventFile], today: date) -> None:
    """Records the file, and takes its rows out of where they were."""
    row = {name: getattr(made, name) for name in made.__struct_fields__ if name != "ledger_id"}
    row |= {"file": str(made.file), "closed_on": today}
    cursor.execute(
        f"INSERT INTO event_files ({', '.join(row)}) VALUES ({', '.join('?' for _ in row)})", list(row.values())
    )
    for file in before:
        for table in ("event_files", "event_file_sidecars"):
            cursor.execute(f"DELETE FROM {table} WHERE file = ?", [str(file.file)])
        cursor.execute("INSERT INTO superseded_files VALUES (?, ?)", [str(file.file), datetime.now(UTC)])
    cursor.execute(f"DELETE FROM event_rows WHERE {_OF_STRETCH}", _stretch_of(made).values)
    event_files.write_empty_files(cursor, ledger.home)
    migrate.install_closed_files(cursor, ledger.home)


def _sweep(ledger: Ledger) -> None:
    """Removes what is not needed any more: files half written when a process died, files that no published copy names,
    and files that were never recorded, once it is known that they hold nothing that is not stored."""
    for folder in EVENT_FOLDERS:
        for path in (ledger.home / folder).rglob(f"*{UNFINISHED_SUFFIX}"):
            path.unlink(missing_ok=True)
    _remove_superseded(ledger)
    _remove_unrecorded(ledger)


def _remove_superseded(ledger: Ledger) -> None:
    copies = [path.stat().st_mtime for path in (ledger.home / PUBLISHED_FOLDER).glob("*.duckdb")]
    until = datetime.now(UTC) - _GRACE
    if copies:
        until = min(until, datetime.fromtimestamp(min(copies), UTC))
    for (file,) in ledger.rows("SELECT file FROM superseded_files WHERE superseded_at < ?", [until]):
        for path in _with_rollups(ledger.home / file):
            path.unlink(missing_ok=True)
        with ledger.transaction() as cursor:
            cursor.execute("DELETE FROM superseded_files WHERE file = ?", [file])


def _remove_unrecorded(ledger: Ledger) -> None:
    """A file is only removed where each of its events is stored elsewhere: a ledger that was restored from an older copy
    may not know a file that holds the only events of a day."""
    known = {str(file.file) for file in event_file_list(ledger)}
    known |= {file for (file,) in ledger.rows("SELECT file FROM superseded_files")}
    for path in unrecorded_files(ledger.home, known):
        if _is_stored(ledger, path):
            for part in _with_rollups(path):
                part.unlink(missing_ok=True)


def _is_stored(ledger: Ledger, path: Path) -> bool:
    """Whether every event of a file is held elsewhere; False where that cannot be told, as it may be no file of ours."""
    read = f"read_parquet([{_quoted(path)}])"
    try:
        with ledger.quiescent() as cursor:
            missing = cursor.execute(
                f"SELECT count(*) FROM (SELECT {_SAID} FROM {read}) AS file ANTI JOIN stg_events AS held ON "
                + " AND ".join(f"held.{name} IS NOT DISTINCT FROM file.{name}" for name in STORED_COLUMNS)
            ).fetchall()
    except (LedgerCorrupt, duckdb.BinderException):
        return False
    return bool(missing == [(0,)])


def unrecorded_files(home: Path, known: Container[str]) -> list[Path]:
    """Files of events that the ledger does not know."""
    found = [path for folder in EVENT_FOLDERS for path in sorted((home / folder).rglob("*.parquet"))]
    return [
        path
        for path in found
        if not path.name.startswith(".") and not _ROLLUPS.search(path.name) and str(path.relative_to(home)) not in known
    ]


def _with_rollups(path: Path) -> tuple[Path, ...]:
    return (path, *path.parent.glob(f"{path.name.removesuffix('.parquet')}.*.parquet"))


def _list(home: Path, files: Sequence[EventFile]) -> str:
    return "[" + ", ".join(_quoted(path_for_duckdb(home, file)) for file in files) + "]"


def _quoted(path: Path | str) -> str:
    return "'" + str(path).replace("'", "''") + "'"
