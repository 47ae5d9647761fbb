"""The warehouse's months: a month that is final leaves the live file for a Parquet file that never changes again. I/O.

The file is complete, checked and on disk before one transaction both names it and removes its rows from the live file: at
no moment is an event in neither, and none is ever read from both.
"""

from __future__ import annotations

import hashlib
import os
import re
from datetime import date, timedelta
from pathlib import Path

import msgspec

from quayledger.warehouse import migrate
from quayledger.warehouse.duckdb_errors import translated
from quayledger.warehouse.errors import WarehouseError
from quayledger.warehouse.ledger import MONTHS_FOLDER, Cursor, Ledger
from quayledger.warehouse.publish import sync_folder
from quayledger.warehouse.schema import SEALED_STATES, STORED_COLUMNS

_COLUMNS = ", ".join(STORED_COLUMNS)
_OF_MONTH = "source_id = $source_id AND day BETWEEN $first AND $last"
# The number of rows and a hash of all their values, whatever their order.
_PROOF = f"count(*), coalesce(bit_xor(hash({_COLUMNS})), 0), coalesce(sum(CAST(event_no AS HUGEINT)), 0)"
_UNFINISHED = ".tmp"


class MonthFile(msgspec.Struct, frozen=True):
    """The events of one final month of one source. `month`: `2026-10`."""

    source_id: str
    month: str
    file: Path
    rows: int
    sha256: str
    size_bytes: int


class _Month(msgspec.Struct, frozen=True):
    source_id: str
    first: date

    @property
    def last(self) -> date:
        return _next_month(self.first) - timedelta(days=1)

    @property
    def text(self) -> str:
        return f"{self.first:%Y-%m}"

    @property
    def file(self) -> Path:
        """Relative to the ledger's folder. A source's id is the settings' own safe text, yet no part of it may lead away."""
        return Path(MONTHS_FOLDER, re.sub(r"[^A-Za-z0-9_-]", "_", self.source_id), f"{self.text}.parquet")

    @property
    def values(self) -> dict[str, object]:
        return {"source_id": self.source_id, "first": self.first, "last": self.last}


def finalise(ledger: Ledger, today: date, final_after_days: int) -> list[MonthFile]:
    """Moves every month that ended at least `final_after_days` days before `today` (UTC), and whose every slice is sealed,
    into a file of its own; returns what was made. Raises DiskFull, WarehouseError; what failed stays in the live file."""
    with translated(ledger.home):
        _sweep(ledger.home)
        return [_finalise(ledger, month, today) for month in _ripe(ledger, today, final_after_days)]


def month_files(ledger: Ledger) -> list[MonthFile]:
    """All final months, by source and month."""
    found = ledger.rows("SELECT source_id, month, file, rows, sha256, size_bytes FROM months ORDER BY source_id, month")
    return [
        MonthFile(source_id, f"{month:%Y-%m}", ledger.home / file, rows, sha256, size)
        for source_id, month, file, rows, sha256, size in found
    ]


def _ripe(ledger: Ledger, today: date, final_after_days: int) -> list[_Month]:
    sealed = sorted(state.value for state in SEALED_STATES)
    found = ledger.rows(
        """WITH held AS (
            SELECT source_id, CAST(date_trunc('month', day) AS DATE) AS month, state, stored_events FROM slices
        )
        SELECT source_id, month FROM held ANTI JOIN months USING (source_id, month)
        GROUP BY source_id, month
        HAVING bool_and(list_contains(?, state)) AND sum(stored_events) > 0
        ORDER BY source_id, month""",
        [sealed],
    )
    months = [_Month(source_id, first) for source_id, first in found]
    return [month for month in months if (today - _next_month(month.first)).days >= final_after_days]


def _next_month(first: date) -> date:
    return (first + timedelta(days=31)).replace(day=1)


def _finalise(ledger: Ledger, month: _Month, today: date) -> MonthFile:
    path = ledger.home / month.file
    path.parent.mkdir(parents=True, exist_ok=True)
    with ledger.transaction() as cursor:
        unfinished = path.with_name(path.name + _UNFINISHED)
        _write(cursor, month, unfinished)
        rows = _check(cursor, month, unfinished)
        sha256 = _seal(unfinished)
        unfinished.replace(path)
        sync_folder(path.parent)
        sync_folder(path.parent.parent)
        made = MonthFile(month.source_id, month.text, path, rows, sha256, path.stat().st_size)
        _swap(cursor, ledger.home, month, made, today)
    return made


def _write(cursor: Cursor, month: _Month, target: Path) -> None:
    named = str(target).replace("'", "''")
    cursor.execute(
        f"COPY (SELECT {_COLUMNS} FROM event_rows WHERE {_OF_MONTH} ORDER BY occurred_at, event_no) "  # noqa: S608
        f"TO '{named}' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 122880)",
        month.values,
    )


def _check(cursor: Cursor, month: _Month, file: Path) -> int:
    """Reads the file back and compares every value. Returns its rows; raises WarehouseError where it differs."""
    live = cursor.execute(f"SELECT {_PROOF} FROM event_rows WHERE {_OF_MONTH}", month.values).fetchone()  # noqa: S608
    read = cursor.execute(f"SELECT {_PROOF} FROM read_parquet(?)", [str(file)]).fetchone()  # noqa: S608
    if live is None or live != read:
        file.unlink(missing_ok=True)
        raise WarehouseError(
            f"the file written for {month.text} of {month.source_id} does not read back as it was written: check the disk "
            f"that holds {file.parent}; the month stays in the live file"
        )
    return int(live[0])


def _seal(file: Path) -> str:
    with file.open("rb") as opened:
        told = hashlib.file_digest(opened, "sha256")
        os.fsync(opened.fileno())
    return told.hexdigest()


def _swap(cursor: Cursor, home: Path, month: _Month, made: MonthFile, today: date) -> None:
    cursor.execute(
        "INSERT INTO months (source_id, month, file, rows, sha256, size_bytes, final_on) VALUES (?, ?, ?, ?, ?, ?, ?)",
        [month.source_id, month.first, str(month.file), made.rows, made.sha256, made.size_bytes, today],
    )
    cursor.execute(f"DELETE FROM event_rows WHERE {_OF_MONTH}", month.values)  # noqa: S608
    migrate.install_months_view(cursor, home)


def _sweep(home: Path) -> None:
    """Removes what a crash left half written; a whole file that no row names is written over when its month's turn comes."""
    for path in (home / MONTHS_FOLDER).glob(f"*/*{_UNFINISHED}"):
        path.unlink(missing_ok=True)
