"""Points of the inventory's series: adds the measurements that differ from the last one. I/O: the ledger."""

# ruff: noqa: S608 - SQL is put together from declared names; every value is bound or in a registered frame

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time

import polars as pl

from quayledger.warehouse.catalog import Series
from quayledger.warehouse.inventory.batch import FETCH, IS_KEPT, SOURCE, BatchPart, BatchRows, together
from quayledger.warehouse.inventory.tables import INCOMING, as_table, insert
from quayledger.warehouse.ledger import Cursor
from quayledger.warehouse.schema import UTC_MICROSECONDS

_AT, _IS_STORED = "measured_at", "is_stored"


def add_points(
    cursor: Cursor, run_id: int, series: Series, parts: Sequence[BatchPart], fetched_at: Mapping[int, datetime]
) -> tuple[int, BatchRows]:
    """Adds what differs from the newest point of its key, or is the first of its UTC day; how many points that is, and the
    rows as they came. A point that is not newer than the newest is left out. `fetched_at`: by the number of the fetch."""
    rows = together(series.key, series.schema, parts)
    if rows.frame.is_empty():
        return 0, rows
    key, columns = [SOURCE, *series.key], [SOURCE, *series.schema, _AT]
    measured = (
        rows.frame.filter(IS_KEPT)
        .with_columns(pl.col(FETCH).replace_strict(dict(fetched_at), return_dtype=UTC_MICROSECONDS).alias(_AT))
        .select(columns)
    )
    newest = _newest(cursor, series, measured)
    new = _new(series, key, measured, newest)
    insert(cursor, series.name, new.with_columns(pl.lit(run_id, pl.Int64).alias("run_id")))
    return new.height, rows


def _newest(cursor: Cursor, series: Series, measured: pl.DataFrame) -> pl.DataFrame:
    """The newest point of each key that what was measured must be compared with: columns of `measured`. The bound keeps
    the years before out: an older point is of another day, and then nothing is compared."""
    key = [SOURCE, *series.key]
    first: object = measured["day"].min() if series.has_day else _midnight(measured)
    bound = f"{'day' if series.has_day else _AT} >= ?"
    with as_table(cursor, measured.select(key).unique()):
        found = cursor.execute(
            f"SELECT {', '.join(measured.columns)} FROM {series.name} SEMI JOIN {INCOMING} USING ({', '.join(key)}) "
            f"WHERE {bound}",
            [first],
        ).pl()
    return found.cast(measured.schema).sort(_AT).unique(key, keep="last")


def _midnight(measured: pl.DataFrame) -> datetime:
    earliest = measured[_AT].min()
    day = earliest.astimezone(UTC).date() if isinstance(earliest, datetime) else date.min
    return datetime.combine(day, time.min, tzinfo=UTC)


def _new(series: Series, key: list[str], measured: pl.DataFrame, newest: pl.DataFrame) -> pl.DataFrame:
    held = newest.select(*key, pl.col(_AT).alias("held_at"))
    later = measured.join(held, on=key, how="left").filter(
        pl.col("held_at").is_null() | (pl.col(_AT) > pl.col("held_at"))
    )
    line = pl.concat([newest.with_columns(pl.lit(True).alias(_IS_STORED)), _unstored(later.drop("held_at"), key)])
    line = line.sort(*key, _AT)
    is_same = pl.all_horizontal(*(pl.col(name).eq_missing(pl.col(name).shift(1).over(key)) for name in series.values))
    is_first = pl.int_range(pl.len()).over(key) == 0
    is_same_day = pl.lit(True) if series.has_day else pl.col(_AT).dt.date() == pl.col(_AT).dt.date().shift(1).over(key)
    return line.filter(~pl.col(_IS_STORED) & (is_first | ~(is_same & is_same_day))).drop(_IS_STORED)


def _unstored(frame: pl.DataFrame, key: list[str]) -> pl.DataFrame:
    return frame.unique([*key, _AT], keep="last", maintain_order=True).with_columns(pl.lit(False).alias(_IS_STORED))
