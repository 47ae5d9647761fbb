"""Rollups of days of one month that were joined before the month is final, so that few files are opened. I/O."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date
from pathlib import Path

import duckdb
import msgspec

from quayledger.warehouse.event_files import SEEN_SUFFIX, USAGE_SUFFIX, EventFile, RollupPiece


class RollupJoin(msgspec.Struct, frozen=True):
    """The joined rollups of some closed days of a month of one source. `file`: the path, relative to the ledger's folder, that a file
    of their events would have; `files`: the files of the days."""

    source_id: str
    first_day: date
    last_day: date
    file: Path
    files: tuple[str, ...]

    def beside(self, suffix: str) -> Path:
        """The file of rollups with that suffix."""
        return self.file.with_name(self.file.name.removesuffix(".parquet") + suffix)

    def is_there(self, home: Path) -> bool:
        """Whether both files are."""
        return all((home / self.beside(suffix)).exists() for suffix in (USAGE_SUFFIX, SEEN_SUFFIX))


def recorded_joins(cursor: duckdb.DuckDBPyConnection) -> list[RollupJoin]:
    """The joins on record, oldest first. A ledger of an older version has none."""
    if not cursor.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = 'rollup_joins'").fetchall():
        return []
    found = cursor.execute(
        "SELECT source_id, first_day, last_day, file, files FROM rollup_joins ORDER BY first_day, source_id"
    ).fetchall()
    return [
        RollupJoin(source_id, first, last, Path(file), tuple(files)) for source_id, first, last, file, files in found
    ]


def rollup_pieces(
    home: Path, wanted: Sequence[EventFile], rolled: Collection[EventFile], joins: Sequence[RollupJoin]
) -> tuple[RollupPiece, ...]:
    """The rollups that cover the files that are wanted, some of those that are `rolled`; joins stand for their files."""
    known, left = {str(file.file) for file in rolled}, {str(file.file): file for file in wanted}
    pieces: list[RollupPiece] = []
    for join in joins:
        if known.issuperset(join.files) and not left.keys().isdisjoint(join.files):
            pieces.append(_piece(home, join))
            left = {name: file for name, file in left.items() if name not in join.files}
    return (*pieces, *(_piece(home, file) for file in left.values()))


def _piece(home: Path, file: EventFile | RollupJoin) -> RollupPiece:
    root = home.resolve()
    return RollupPiece(file.first_day, file.last_day, root / file.beside(USAGE_SUFFIX), root / file.beside(SEEN_SUFFIX))
