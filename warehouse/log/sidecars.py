"""The files of rollups beside each file of events: written durably, their digests on record. I/O, within a transaction."""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path

from quayledger.warehouse.durable_files import sync_folder
from quayledger.warehouse.event_files import SEEN_SUFFIX, USAGE_SUFFIX, EventFile
from quayledger.warehouse.ledger import Cursor
from quayledger.warehouse.log import seen, usage
from quayledger.warehouse.rollup_joins import RollupJoin

UNFINISHED_SUFFIX = ".tmp"
_MODULES = {USAGE_SUFFIX: usage, SEEN_SUFFIX: seen}


def write_from_events(cursor: Cursor, home: Path, file: EventFile, suffix: str) -> None:
    """Writes one file of rollups from the file's events, and records its digest."""
    _write(cursor, home, file, suffix, lambda path: _MODULES[suffix].write(cursor, home / file.file, path))


def write_joined(
    cursor: Cursor, home: Path, made: EventFile | RollupJoin, suffix: str, parts: Iterable[EventFile | RollupJoin]
) -> None:
    """Writes one file of rollups from those of several files, of different days of a month, and records its digest."""
    paths = [home / part.beside(suffix) for part in parts]
    _write(cursor, home, made, suffix, lambda path: _MODULES[suffix].write_joined(cursor, paths, path))


def write_counts(cursor: Cursor, file: EventFile, relation: str) -> None:
    """Keeps what is asked of every day without a file being opened: the counts of a relation with the file's events."""
    where = "source_id = ? AND day BETWEEN ? AND ?"
    for table in ("filed_counts", "filed_quarters"):
        cursor.execute(f"DELETE FROM {table} WHERE {where}", [file.source_id, file.first_day, file.last_day])  # noqa: S608
    cursor.execute(
        f"INSERT INTO filed_counts SELECT source_id, day, scope, kind, count(*) FROM {relation} GROUP BY ALL"  # noqa: S608
    )
    cursor.execute(
        f"INSERT INTO filed_quarters SELECT source_id, day, {usage.QUARTER} AS quarter, kind, count(*) FROM {relation} "  # noqa: S608
        "GROUP BY ALL"
    )
    cursor.execute(
        f"UPDATE event_files SET last_event_at = (SELECT max(occurred_at) FROM {relation}) WHERE file = ?",  # noqa: S608
        [str(file.file)],
    )


def _write(
    cursor: Cursor, home: Path, file: EventFile | RollupJoin, suffix: str, write: Callable[[Path], None]
) -> None:
    sidecar = file.beside(suffix)
    target = home / sidecar
    unfinished = target.with_name(f"{target.name}.{uuid.uuid4().hex}{UNFINISHED_SUFFIX}")
    try:
        write(unfinished)
        with unfinished.open("rb") as opened:
            sha256 = hashlib.file_digest(opened, "sha256").hexdigest()
            os.fsync(opened.fileno())
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)
    sync_folder(target.parent)
    cursor.execute("DELETE FROM event_file_sidecars WHERE sidecar = ?", [str(sidecar)])
    cursor.execute(
        "INSERT INTO event_file_sidecars VALUES (?, ?, ?, ?)",
        [str(file.file), str(sidecar), sha256, target.stat().st_size],
    )
