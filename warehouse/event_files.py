"""The Parquet files that hold closed days and final months: which there are, where they lie, and whether they are whole. I/O.

A file never changes. The record of it (rows, SHA-256, size) is in the live file and in every published copy, and its path
is relative to the ledger's folder, so that a folder which was moved works.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path

import duckdb
import msgspec
import polars as pl

from quayledger.warehouse.file_checks import Checks, known_sha256, read_checks
from quayledger.warehouse.schema import FILE_COLUMNS, STORED_COLUMNS

MONTHS_FOLDER, DAYS_FOLDER = "months", "days"
EVENT_FOLDERS = (MONTHS_FOLDER, DAYS_FOLDER)
# Beside each file of events: how often what happened by whom (see `log/usage.py`), and which values occurred (`log/seen.py`).
# The number is that of their form: those of another form are made anew.
USAGE_SUFFIX, SEEN_SUFFIX = ".usage.2.parquet", ".seen.2.parquet"
SIDECAR_SUFFIXES = (USAGE_SUFFIX, SEEN_SUFFIX)
PLAIN, INTERPRETED = 0, 1
_COLUMNS = {PLAIN: STORED_COLUMNS, INTERPRETED: FILE_COLUMNS}
_SELECT = (
    "SELECT source_id, first_day, last_day, file, rows, sha256, size_bytes, layout, rules, has_rollups, "
    "(SELECT any_value(ledger_id) FROM ledger_identity) FROM event_files ORDER BY first_day, source_id"
)
# In the metadata of each file of events: the ledger that it was written for.
LEDGER_KEY = "quayledger_ledger"
_MOST_KINDS = 6
_NOT_TEXT = {"day": "DATE", "event_no": "BIGINT", "reading_id": "BIGINT", "occurred_at": "TIMESTAMPTZ"}


class EventFile(msgspec.Struct, frozen=True):
    """The events of one closed day, or of one final month, of one source. `file` is relative to the ledger's folder."""

    source_id: str
    first_day: date
    last_day: date
    file: Path
    rows: int
    sha256: str
    size_bytes: int
    layout: int = INTERPRETED
    rules: str = ""
    has_rollups: bool = True
    ledger_id: str = ""

    @property
    def label(self) -> str:
        """The day (2026-10-05), or the month (2026-10)."""
        return f"{self.first_day}" if self.first_day == self.last_day else f"{self.first_day:%Y-%m}"

    def beside(self, suffix: str) -> Path:
        """The file of rollups with that suffix."""
        return self.file.with_name(self.file.name.removesuffix(".parquet") + suffix)


class Sidecar(msgspec.Struct, frozen=True):
    """What is on record of a file of rollups."""

    sha256: str
    size_bytes: int


class RollupPiece(msgspec.Struct, frozen=True):
    """The rollups of a closed day, of some days of a month, or of a final month, of one source, as paths."""

    first_day: date
    last_day: date
    usage: Path
    seen: Path


class FileFault(msgspec.Struct, frozen=True):
    """What is wrong with a file: missing | cut | altered | from another ledger. `kinds`: its events by kind, the most
    frequent first, where that was looked up (see `with_kinds`)."""

    file: EventFile
    fault: str
    kinds: tuple[tuple[str, int], ...] = ()

    def describe(self, home: Path) -> str:
        """What happened, what the file held, and how to get it back."""
        held = self.file
        named = ", ".join(f"{kind} {events:,}" for kind, events in self.kinds[:_MOST_KINDS])
        more = f" and {len(self.kinds) - _MOST_KINDS} more kinds" if len(self.kinds) > _MOST_KINDS else ""
        return (
            f"{home / held.file} is {self.fault}; on record it holds {held.rows:,} events of {held.source_id}, {held.label}"
            f"{f': {named}{more}' if named else ''} (SHA-256 {held.sha256}). Put it back from a backup; until then these events "
            "are missing from every answer"
        )


def recorded_files(cursor: duckdb.DuckDBPyConnection) -> list[EventFile]:
    """The files on record, oldest first. A ledger of an older version has none."""
    if not cursor.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = 'event_files'").fetchall():
        return []
    return [
        EventFile(source_id, first, last, Path(file), *rest)
        for source_id, first, last, file, *rest in cursor.execute(_SELECT).fetchall()
    ]


def recorded_sidecars(cursor: duckdb.DuckDBPyConnection) -> dict[str, Sidecar]:
    """The files of rollups whose digest is on record, by path. A ledger of an older version has none."""
    if not cursor.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = 'event_file_sidecars'").fetchall():
        return {}
    found = cursor.execute("SELECT sidecar, sha256, size_bytes FROM event_file_sidecars").fetchall()
    return {sidecar: Sidecar(sha256, size) for sidecar, sha256, size in found}


def find_faults(home: Path, files: Iterable[EventFile], checks: Checks | None = None) -> list[FileFault]:
    """The files that are missing, of another size than on record, or whose digest was found to be another. Costs a look at
    the folder; reads only what is wrong. `checks`: the digests that are known; None: those of the folder's record."""
    checks = read_checks(home) if checks is None else checks
    found = ((file, _fault(home, file, checks)) for file in files)
    return [FileFault(file, fault) for file, fault in found if fault]


def _fault(home: Path, file: EventFile, checks: Checks) -> str:
    try:
        size = (home / file.file).stat().st_size
    except OSError:
        return "missing"
    if size == file.size_bytes and known_sha256(checks, home, file.file) in (None, file.sha256):
        return ""
    if _is_of_another_ledger(home, file):
        return "from another ledger"
    return "cut" if size < file.size_bytes else "altered"


def _is_of_another_ledger(home: Path, file: EventFile) -> bool:
    try:
        told = pl.read_parquet_metadata(home / file.file).get(LEDGER_KEY)
    except (OSError, pl.exceptions.PolarsError):
        return False
    return bool(told and file.ledger_id) and told != file.ledger_id


def with_kinds(cursor: duckdb.DuckDBPyConnection, faults: Iterable[FileFault]) -> list[FileFault]:
    """The faults with what their files hold by kind, as the record has it."""
    query = (
        "SELECT kind, CAST(sum(events) AS BIGINT) AS events FROM filed_counts "
        "WHERE source_id = ? AND day BETWEEN ? AND ? GROUP BY kind ORDER BY events DESC, kind"
    )
    found = []
    for fault in faults:
        held = cursor.execute(query, [fault.file.source_id, fault.file.first_day, fault.file.last_day]).fetchall()
        found.append(msgspec.structs.replace(fault, kinds=tuple(held)))
    return found


def has_rollups(
    home: Path, file: EventFile, rules: str, sidecars: Mapping[str, Sidecar], checks: Checks | None = None
) -> bool:
    """Whether the rollups of a file are there, are those of an interpretation, and are not known to be damaged."""
    return (
        file.layout == INTERPRETED
        and file.rules == rules
        and file.has_rollups
        and all(is_whole(home, file.beside(suffix), sidecars, checks or {}) for suffix in SIDECAR_SUFFIXES)
    )


def is_whole(home: Path, sidecar: Path, sidecars: Mapping[str, Sidecar], checks: Checks) -> bool:
    """Whether a file of rollups is there and is not known to be another than on record."""
    try:
        size = (home / sidecar).stat().st_size
    except OSError:
        return False
    recorded = sidecars.get(str(sidecar))
    return recorded is None or (
        size == recorded.size_bytes and known_sha256(checks, home, sidecar) in (None, recorded.sha256)
    )


def current_rules(cursor: duckdb.DuckDBPyConnection) -> str:
    """The interpretation that was valid when the views were made."""
    return str(cursor.execute("SELECT rules FROM stg_rules").fetchall()[0][0])


def by_view(files: Iterable[EventFile], rules: str) -> dict[str, list[EventFile]]:
    """The files by the view that reads them; each view is there, with files or without."""
    found: dict[str, list[EventFile]] = {"stg_plain_files": [], "stg_current_files": [], "stg_stale_files": []}
    for file in files:
        name = (
            "stg_plain_files"
            if file.layout == PLAIN
            else "stg_current_files"
            if file.rules == rules
            else "stg_stale_files"
        )
        found[name].append(file)
    return found


def set_views(
    cursor: duckdb.DuckDBPyConnection, home: Path, files: Sequence[EventFile], rules: str, needed: Sequence[EventFile]
) -> None:
    """Makes the views over files of this connection read `needed`, of all `files` that were there when the copy was made:
    those of another folder, or only those that a query can concern."""
    wanted = by_view(needed, rules)
    for name, held in by_view(files, rules).items():
        if not held:
            continue
        paths = [path_for_duckdb(home, file) for file in wanted[name]]
        layout = PLAIN if name == "stg_plain_files" else INTERPRETED
        cursor.execute(f"SET VARIABLE {name} = ?", [paths or [str(_empty_file(home, layout))]])


def install_file_views(cursor: duckdb.DuckDBPyConnection, home: Path, rules: str) -> None:
    """Makes the views over the files, one row per event. Paths are absolute, so that any DuckDB client can use them in a
    published copy; a reader of ours, which may see the folder elsewhere, sets the variable of the view's name instead."""
    files = recorded_files(cursor)
    faulty = {fault.file for fault in find_faults(home, files)}
    for name, held in by_view((file for file in files if file not in faulty), rules).items():
        layout = PLAIN if name == "stg_plain_files" else INTERPRETED
        if held:
            listed = ", ".join(_quoted(path_for_duckdb(home, file)) for file in held)
            body = f"SELECT * FROM read_parquet(coalesce(getvariable('{name}'), [{listed}]))"  # noqa: S608 - our own paths
        else:
            body = no_rows(layout)
        cursor.execute(f"CREATE OR REPLACE VIEW {name} AS {body}")
    cursor.execute(f"CREATE OR REPLACE VIEW stg_rules AS SELECT '{rules}' AS rules")


def no_rows(layout: int) -> str:
    """A query without rows that has the columns of a layout."""
    columns = ", ".join(f"CAST(NULL AS {_NOT_TEXT.get(name, 'VARCHAR')}) AS {name}" for name in _COLUMNS[layout])
    return f"SELECT {columns} WHERE false"


def write_empty_files(cursor: duckdb.DuckDBPyConnection, home: Path) -> None:
    """Files without rows: DuckDB cannot read a list of none."""
    for layout in _COLUMNS:
        path = _empty_file(home, layout)
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            with contextlib.suppress(duckdb.IOException):
                cursor.execute(f"COPY ({no_rows(layout)}) TO {_quoted(str(path))} (FORMAT parquet)")


def path_for_duckdb(home: Path, file: EventFile, suffix: str = "") -> str:
    """The file's absolute path, or that of its rollups; DuckDB takes some characters for patterns."""
    path = str(home.resolve() / (file.beside(suffix) if suffix else file.file))
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in path)


def _empty_file(home: Path, layout: int) -> Path:
    return home.resolve() / DAYS_FOLDER / f".empty-{layout}.parquet"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
