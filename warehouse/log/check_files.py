"""Checks the files of closed days against the record, and makes their rollups anew where those are not what they should be.

DuckDB believes most flipped bits of a Parquet file: only a digest tells. A file of events is never mended here, since there is
nothing to mend it from; it is left out of every answer and named. Rollups follow from the events, so they are rebuilt. I/O.
"""

# ruff: noqa: S608 - SQL is put together from our own names and paths; every value is bound

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path

import duckdb
import msgspec

from quayledger.warehouse import migrate
from quayledger.warehouse.duckdb_errors import is_damage
from quayledger.warehouse.event_files import (
    INTERPRETED,
    SIDECAR_SUFFIXES,
    USAGE_SUFFIX,
    EventFile,
    FileFault,
    Sidecar,
    find_faults,
    is_whole,
    path_for_duckdb,
    recorded_files,
    recorded_sidecars,
    with_kinds,
)
from quayledger.warehouse.file_checks import Checks, compute_digests
from quayledger.warehouse.ledger import Cursor, Ledger
from quayledger.warehouse.log import sidecars
from quayledger.warehouse.log.seen import FIELDS, TEXTS_SECTION
from quayledger.warehouse.log.usage import QUARTER

# What a run reads at most of files that were checked before: about a second.
BYTES_PER_RUN = 1 << 30


class FileReport(msgspec.Struct, frozen=True):
    """What a check found: files of events that cannot be used, files of rollups that were made anew (by path, with the reason),
    and how many files wait for the next check."""

    faults: tuple[FileFault, ...]
    rebuilt: tuple[tuple[Path, str], ...]
    waiting: int


def check_files(ledger: Ledger, now: datetime, most_bytes: int = BYTES_PER_RUN) -> FileReport:
    """Computes the digests that are due, new and touched files first, up to `most_bytes` of the others; leaves damaged files out
    of the views and takes mended ones in; compares the rollups of what was read with their events. Raises DiskFull,
    WarehouseError."""
    home = ledger.home
    with ledger.quiescent() as cursor:
        files = recorded_files(cursor)
        before = {fault.file for fault in find_faults(home, files)}
        beside = [file.beside(suffix) for file in files for suffix in SIDECAR_SUFFIXES]
    checks, waiting = compute_digests(home, [*(file.file for file in files), *beside], now, most_bytes)
    faults = find_faults(home, files)
    faulty = {fault.file for fault in faults}
    if faulty != before or _views_differ(ledger, files, faulty):
        with ledger.transaction() as cursor:
            migrate.install_closed_files(cursor, home)
    read = {file for file in files if (found := checks.get(str(file.file))) and found.checked_at == now}
    rebuilt = [
        done for file in files if file not in faulty for done in _rollups(ledger, file, checks, compare=file in read)
    ]
    with ledger.quiescent() as cursor:
        return FileReport(tuple(with_kinds(cursor, faults)), tuple(rebuilt), waiting)


def _views_differ(ledger: Ledger, files: Iterable[EventFile], faulty: set[EventFile]) -> bool:
    """Whether the views over files name others than those that are whole: a file was put back, or lost, since they were made."""
    named = " ".join(
        sql for (sql,) in ledger.rows("SELECT sql FROM duckdb_views() WHERE view_name LIKE 'stg_%_files'") if sql
    )
    return any((path_for_duckdb(ledger.home, file).replace("'", "''") in named) == (file in faulty) for file in files)


def _rollups(ledger: Ledger, file: EventFile, checks: Checks, *, compare: bool) -> Iterator[tuple[Path, str]]:
    """Rebuilds what of a file's rollups is missing, damaged, not on record, or (`compare`) disagrees with its events."""
    if file.layout != INTERPRETED or file.rules != migrate.rules_version() or not file.has_rollups:
        return  # written anew, with its rollups, by the next close
    home = ledger.home
    with ledger.quiescent() as cursor:
        recorded = recorded_sidecars(cursor)
        wrong = {suffix: _wrong(home, file.beside(suffix), recorded, checks) for suffix in SIDECAR_SUFFIXES}
        counts_differ = False
        if compare:
            counts_differ = _counts_differ(cursor, home, file)
            wrong |= {
                suffix: "disagrees with its events"
                for suffix, reason in wrong.items()
                if not reason and _disagrees(cursor, home, file, suffix)
            }
    for suffix, reason in wrong.items():
        if reason:
            with ledger.transaction() as cursor:
                sidecars.write_from_events(cursor, home, file, suffix)
            yield file.beside(suffix), reason
    if counts_differ:
        with ledger.transaction() as cursor:
            sidecars.write_counts(cursor, file, _events(home, file))
        yield file.file, "its counts on record disagree with its events"


def _wrong(home: Path, sidecar: Path, recorded: Mapping[str, Sidecar], checks: Checks) -> str:
    if not (home / sidecar).exists():
        return "is missing"
    if str(sidecar) not in recorded:
        return "has no digest on record"
    return "" if is_whole(home, sidecar, recorded, checks) else "is damaged"


def _events(home: Path, file: EventFile) -> str:
    return f"read_parquet([{_quoted(path_for_duckdb(home, file))}])"


def _disagrees(cursor: Cursor, home: Path, file: EventFile, suffix: str) -> bool:
    """Whether a file of rollups sums up to something else than the events, or cannot be read at all."""
    rolled = f"read_parquet([{_quoted(path_for_duckdb(home, file, suffix))}])"
    events = _events(home, file)
    if suffix == USAGE_SUFFIX:
        # The counting parts count every event; the others follow from the same rows.
        one = f"SELECT part, kind, CAST(sum(events) AS BIGINT) FROM {rolled} WHERE part IN ('where', 'who', 'quarter') GROUP BY ALL"
        other = (
            f"SELECT part, kind, count(*) FROM {events} CROSS JOIN (VALUES ('where'), ('who'), ('quarter')) AS parts (part) "
            "GROUP BY ALL"
        )
    else:
        counted = " UNION ALL ".join(
            f"SELECT '{field}', count({value}) FROM {events} HAVING count({value}) > 0"
            for field, value in FIELDS.items()
        )
        one = f"SELECT field, CAST(sum(events) AS BIGINT) FROM {rolled} WHERE section < {TEXTS_SECTION} GROUP BY ALL"
        other = f"SELECT * FROM ({counted})"
    try:
        return _differ(cursor, one, other)
    except duckdb.Error as error:
        if is_damage(error):
            return True
        raise


def _counts_differ(cursor: Cursor, home: Path, file: EventFile) -> bool:
    """Whether what is on record of a file by kind, or by quarter of an hour, is not what it holds."""
    values = {"source_id": file.source_id, "first": file.first_day, "last": file.last_day}
    held = "source_id = $source_id AND day BETWEEN $first AND $last"
    events = _events(home, file)
    return _differ(
        cursor,
        f"SELECT day, scope, kind, events FROM filed_counts WHERE {held}",
        f"SELECT day, scope, kind, count(*) FROM {events} GROUP BY ALL",
        values,
    ) or _differ(
        cursor,
        f"SELECT day, quarter, kind, events FROM filed_quarters WHERE {held}",
        f"SELECT day, {QUARTER} AS quarter, kind, count(*) FROM {events} GROUP BY ALL",
        values,
    )


def _differ(cursor: Cursor, one: str, other: str, values: dict[str, object] | None = None) -> bool:
    sql = f"WITH one AS ({one}), other AS ({other}) (FROM one EXCEPT ALL FROM other) UNION ALL (FROM other EXCEPT ALL FROM one)"
    return bool(cursor.execute(f"SELECT 1 FROM ({sql}) AS differing LIMIT 1", values or {}).fetchall())


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
