"""Joins the rollups of closed days of a month that is not final yet, so that few files are opened and read. I/O, in the ledger's
transactions."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from quayledger.warehouse.event_files import (
    MONTHS_FOLDER,
    SIDECAR_SUFFIXES,
    EventFile,
    has_rollups,
    recorded_files,
    recorded_sidecars,
)
from quayledger.warehouse.ledger import Cursor, Ledger
from quayledger.warehouse.log import sidecars
from quayledger.warehouse.rollup_joins import RollupJoin, recorded_joins

# So many days' rollups become one. Each day's names come again in it, so it takes much less space and time than they do.
_DAYS_JOINED = 10
_FEWEST_JOINED = 2


def join_days(ledger: Ledger, rules: str, today: date) -> int:
    """Joins the rollups of closed days of each month that is not final: those of ten days, and of what is left of a month that is
    over. Returns how many joins were made."""
    with ledger.quiescent() as cursor:
        files, joins, digests = recorded_files(cursor), recorded_joins(cursor), recorded_sidecars(cursor)
    by_month: dict[tuple[str, date], list[EventFile]] = {}
    for file in files:
        if file.first_day == file.last_day and has_rollups(ledger.home, file, rules, digests):
            by_month.setdefault((file.source_id, file.first_day.replace(day=1)), []).append(file)
    made = 0
    for (source_id, month), days in by_month.items():
        before = [join for join in joins if (join.source_id, join.first_day.replace(day=1)) == (source_id, month)]
        made += _join_month(ledger, days, before, is_over=today >= (month + timedelta(days=31)).replace(day=1))
    return made


def _join_month(ledger: Ledger, days: list[EventFile], before: list[RollupJoin], *, is_over: bool) -> int:
    home, names = ledger.home, {str(file.file) for file in days}
    valid = [join for join in before if names.issuperset(join.files) and join.is_there(home)]
    covered = {name for join in valid for name in join.files}
    left = [file for file in days if str(file.file) not in covered]
    if len(left) < (_FEWEST_JOINED if is_over and not valid else 1 if is_over else _DAYS_JOINED):
        return 0
    with ledger.transaction() as cursor:
        label = f"{days[0].first_day:%Y-%m}.{uuid.uuid4().hex[:8]}.parquet"
        path = Path(MONTHS_FOLDER, days[0].file.parts[1], label)
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        parts: tuple[EventFile | RollupJoin, ...] = (*valid, *left)
        files = (*sorted(covered), *(str(file.file) for file in left))
        join = RollupJoin(
            days[0].source_id, min(part.first_day for part in parts), max(part.last_day for part in parts), path, files
        )
        for suffix in SIDECAR_SUFFIXES:
            sidecars.write_joined(cursor, home, join, suffix, parts)
        drop_joins(cursor, before)
        cursor.execute(
            "INSERT INTO rollup_joins VALUES (?, ?, ?, ?, ?)",
            [join.source_id, join.first_day, join.last_day, str(path), list(files)],
        )
    return 1


def drop_joins(cursor: Cursor, joins: Iterable[RollupJoin]) -> None:
    """Takes joins off the record; their files stay as long as a published copy names them."""
    for join in joins:
        for table in ("rollup_joins", "event_file_sidecars"):
            cursor.execute(f"DELETE FROM {table} WHERE file = ?", [str(join.file)])  # noqa: S608 - one of ours
        cursor.execute("INSERT INTO superseded_files VALUES (?, ?)", [str(join.file), datetime.now(UTC)])
