"""Answers from rollups: closed days from their small files (`usage.py`, `seen.py`), everything else from the events. I/O.

What a reader gets are rows in which both are alike, so every figure is the same number as the events give.
"""

# ruff: noqa: S608 - SQL is put together from our own names; every value is bound

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path

import msgspec
import polars as pl

from quayledger.warehouse.event_files import EventFile, RollupPiece
from quayledger.warehouse.log.usage import COUNTED, DAILY, DAY_COLUMNS, SCHEMA
from quayledger.warehouse.snapshot import Snapshot

ALL_DAYS = (1 << 31) - 1
# Above, a question is answered from the events as a whole: rollups are being made.
_MOST_UNROLLED = 40


class Rollups(msgspec.Struct, frozen=True):
    """The rollups that answer for the whole UTC days `first` to `last`. `files`: those whose events have to be read all the
    same, for a part of a day at either end of the period, or since they are not rolled up yet (`unrolled`)."""

    first: date
    last: date
    pieces: tuple[RollupPiece, ...]
    unrolled: tuple[EventFile, ...]
    files: list[EventFile]


def find_rollups(snap: Snapshot, since: datetime | None, until: datetime | None) -> Rollups | None:
    """The rollups for a period (aware, half-open); None where there are none, or too many files are not rolled up."""
    first, last = whole_days(since, until)
    inside = [file for file in snap.files if file.last_day >= first and file.first_day <= last]
    unrolled = tuple(file for file in inside if file not in snap.rolled_files)
    if len(inside) == len(unrolled) or len(unrolled) > _MOST_UNROLLED:
        return None
    partial = {moment.date() for moment in _utc(since, until) if not _is_midnight(moment)}
    edges = [file for file in snap.files if any(file.first_day <= day <= file.last_day for day in partial)]
    files = list(dict.fromkeys((*edges, *unrolled)))
    return Rollups(first, last, snap.pieces([file for file in inside if file in snap.rolled_files]), unrolled, files)


def whole_days(since: datetime | None, until: datetime | None) -> tuple[date, date]:
    """The first and the last UTC day that lie wholly within a half-open period."""
    first, last = date.min, date.max
    if since is not None:
        (moment,) = _utc(since)
        first = moment.date() if _is_midnight(moment) else moment.date() + timedelta(days=1)
    if until is not None:
        (moment,) = _utc(until)
        last = moment.date() - timedelta(days=1)
    return first, last


def _utc(*moments: datetime | None) -> list[datetime]:
    return [moment - (moment.utcoffset() or timedelta()) for moment in moments if moment is not None]


def _is_midnight(moment: datetime) -> bool:
    return (moment.hour, moment.minute, moment.second, moment.microsecond) == (0, 0, 0, 0)


def days_within(piece_month: date, first: date, last: date) -> int:
    """The mask of the days of a month from the first to the last."""
    mask = ALL_DAYS
    month = piece_month.replace(day=1)
    if first > month:
        mask = 0 if first.replace(day=1) > month else mask & ~((1 << (first.day - 1)) - 1)
    if last.replace(day=1) < month:
        return 0
    if last.replace(day=1) == month:
        mask &= (1 << last.day) - 1
    return mask


def usage_rows(
    snap: Snapshot, rollups: Rollups, part: str, columns: Sequence[str], where: pl.Expr, by_day: pl.Expr | None = None
) -> pl.DataFrame:
    """Rows of a part of the usage rollups within the rollups' days: `columns`, and `events` of parts that count. Names are
    categories. `by_day`: which rows are wanted a day each; those have their `day`, all others null there."""
    counts = part in (*COUNTED, "quarter")
    if part in DAILY:
        where = where & pl.col("day").is_between(rollups.first, rollups.last)
    kept = [*columns, *(["events"] if counts else []), *(["day"] if by_day is not None else [])]
    frames = [pl.DataFrame(schema=SCHEMA).select(kept)]
    for paths, mask in _by_mask(rollups):
        frames += snap.read(partial(_read, paths, mask, part, kept, where, by_day))
    return pl.concat(frames)


def _read(
    paths: list[Path], mask: int, part: str, kept: list[str], where: pl.Expr, by_day: pl.Expr | None
) -> list[pl.DataFrame]:
    scan = pl.scan_parquet(paths, missing_columns="insert", schema=SCHEMA).filter((pl.col("part") == part) & where)
    if mask != ALL_DAYS and part not in DAILY:
        scan = scan.filter((pl.col("days") & mask) != 0)
        if part in COUNTED:
            scan = scan.with_columns(events=pl.sum_horizontal(pl.col(_columns_of(mask)).cast(pl.Int64)))
    if by_day is None:
        return [scan.select(kept).collect()]
    whole = scan.filter(~by_day).with_columns(day=pl.lit(None, pl.Date))
    return [whole.select(kept).collect(), *_split(scan.filter(by_day), mask, kept)]


def _split(scan: pl.LazyFrame, mask: int, kept: list[str]) -> list[pl.DataFrame]:
    """Rows of joined days as rows of each day."""
    rows = scan.select(*dict.fromkeys([*kept, "month", "days", "events", *DAY_COLUMNS])).collect()
    found = []
    for number, column in enumerate(DAY_COLUMNS):
        if mask >> number & 1:
            day = rows.filter((pl.col("days") & (1 << number)) != 0)
            # Only joined days have columns; of a single day all events are of that day.
            events = pl.coalesce(pl.col(column).cast(pl.Int64), pl.col("events"))
            found.append(day.with_columns(day=pl.col("month").dt.offset_by(f"{number}d"), events=events).select(kept))
    return found


def _columns_of(mask: int) -> list[str]:
    return [column for number, column in enumerate(DAY_COLUMNS) if mask >> number & 1]


def _by_mask(rollups: Rollups) -> list[tuple[list[Path], int]]:
    """Files by the days of their month that are wanted: all, and those of a month that is cut."""
    found: dict[tuple[date | None, int], list[Path]] = {}
    for piece in rollups.pieces:
        if rollups.first <= piece.first_day and piece.last_day <= rollups.last:
            found.setdefault((None, ALL_DAYS), []).append(piece.usage)
        elif mask := days_within(piece.first_day, rollups.first, rollups.last):
            found.setdefault((piece.first_day.replace(day=1), mask), []).append(piece.usage)
    return [(paths, mask) for (_, mask), paths in found.items()]


def raw_relation(snap: Snapshot, rollups: Rollups, columns: str, where: str) -> tuple[str, dict[str, object]]:
    """The events of a filter that no rollup counts, and what is bound: of the live file, late ones, of parts of days, and of files
    that are not rolled up yet."""
    live = f"SELECT {columns} FROM stg_interpreted_events WHERE {where}"
    if not rollups.files:
        return f"({live})", {}
    outside, values = ["day NOT BETWEEN $rolled_first AND $rolled_last"], dict[str, object]()
    for number, file in enumerate(rollups.unrolled):
        outside.append(
            f"(source_id = $unrolled_source_{number} AND day BETWEEN $unrolled_first_{number} AND $unrolled_last_{number})"
        )
        values |= {
            f"unrolled_source_{number}": file.source_id,
            f"unrolled_first_{number}": file.first_day,
            f"unrolled_last_{number}": file.last_day,
        }
    filed = f"SELECT {columns} FROM stg_current_files WHERE {where} AND ({' OR '.join(outside)})"
    bounds: dict[str, object] = {"rolled_first": rollups.first, "rolled_last": rollups.last}
    # Planning the view of what is not in files costs more than reading a small file does.
    union = f"{live} UNION ALL BY NAME {filed}" if snap.has_unfiled_events else filed
    return f"({union})", values | bounds


def quarters_sql(moment: str) -> str:
    """CTEs `quarters` (day, quarter, what `moment` makes of its local beginning `local`) of all closed days."""
    return (
        "days AS (SELECT DISTINCT day FROM filed_quarters WHERE day BETWEEN $rolled_first AND $rolled_last), "
        f"quarters AS (SELECT day, quarter, {moment} FROM (SELECT day, quarter, timezone($time_zone, "
        "timezone('UTC', CAST(day AS TIMESTAMP)) + to_minutes(15 * quarter)) AS local "
        "FROM days CROSS JOIN (SELECT unnest(generate_series(0, 95)) AS quarter)))"
    )
