"""Merges readings: which rows of a reading are new, and which are known under another name. Pure.

Quay's events have no id, and two equal ones are both real. So rows are paired one to one, never dropped as duplicates:
after a merge each event is there as often as the reading that had it most often.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from quayledger.warehouse.schema import EVENT_SCHEMA, KEY_COLUMNS, TIE_COLUMNS

ALIAS_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "field": pl.String,
    "first_name": pl.String,
    "later_name": pl.String,
    "events": pl.Int64,
}
# Names that Quay may show differently later on.
_NAMES = ("namespace", "performer")
_ROW, _NUMBER = "__row", "__number"


def merge(held: pl.DataFrame, reading: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows of `reading` beyond those of `held`, by time; and the names that held rows now go by.

    Both frames: EVENT_SCHEMA. First result: EVENT_SCHEMA, for each key max(0, rows in reading - rows in held) rows.
    Second: ALIAS_SCHEMA, one row per (field, first_name, later_name); `later_name` null: the source names nobody any more.
    Rows are paired where all is equal, then where the key (KEY_COLUMNS) is; null equals null."""
    reading = reading.select(EVENT_SCHEMA.keys()).with_row_index(_ROW)
    if held.is_empty():
        return _by_time(reading), pl.DataFrame(schema=ALIAS_SCHEMA)
    held = held.select(EVENT_SCHEMA.keys()).with_row_index(_ROW)
    whole = [*KEY_COLUMNS, *TIE_COLUMNS]
    held_left, reading_left = _unpaired(held, reading, whole), _unpaired(reading, held, whole)
    if held_left.is_empty() or reading_left.is_empty():
        return _by_time(reading_left), pl.DataFrame(schema=ALIAS_SCHEMA)
    new = _unpaired(reading_left, held_left, KEY_COLUMNS)
    return _by_time(new), _aliases(held_left, reading_left)


def _numbered(frame: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """Each row with its running number among those that are equal in `columns`. Where the names are not among those, they
    settle the order, so that the same rows in another order are numbered alike."""
    if not set(TIE_COLUMNS) <= set(columns):
        frame = frame.sort(TIE_COLUMNS, nulls_last=True, maintain_order=True)
    return frame.with_columns(pl.int_range(pl.len(), dtype=pl.UInt32).over(columns).alias(_NUMBER))


def _unpaired(frame: pl.DataFrame, other: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """The rows of `frame` without a partner of their own in `other`."""
    on = [*columns, _NUMBER]
    left, right = _numbered(frame, columns), _numbered(other, columns).select(on)
    return left.join(right, on=on, how="anti", nulls_equal=True).drop(_NUMBER)


def _aliases(held: pl.DataFrame, reading: pl.DataFrame) -> pl.DataFrame:
    on = [*KEY_COLUMNS, _NUMBER]
    later = _numbered(reading, KEY_COLUMNS).select(*on, *(pl.col(name).alias(f"later_{name}") for name in _NAMES))
    pairs = _numbered(held, KEY_COLUMNS).join(later, on=on, how="inner", nulls_equal=True)
    found = [
        pairs.filter(pl.col(name).is_not_null() & pl.col(name).ne_missing(pl.col(f"later_{name}")))
        .select(
            pl.lit(name).alias("field"), pl.col(name).alias("first_name"), pl.col(f"later_{name}").alias("later_name")
        )
        .group_by("field", "first_name", "later_name")
        .agg(pl.len().cast(pl.Int64).alias("events"))
        for name in _NAMES
    ]
    return pl.concat(found).cast(pl.Schema(ALIAS_SCHEMA)).sort("field", "first_name", "later_name", nulls_last=True)


def _by_time(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.sort("occurred_at", _ROW).drop(_ROW)
