"""The steps of a diff: from a family's intervals around a period to what changed in it. Pure.

A line is all intervals of one object in their order. It begins with a baseline where the object was there already: at the
span's beginning, or when its place was read for the first time, which is no change.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import polars as pl

from quayledger.warehouse.catalog import INTERVAL_COLUMNS, Family, Series, Type
from quayledger.warehouse.inventory.labels import key_of, object_of, text_of, told_of
from quayledger.warehouse.schema import UTC_MICROSECONDS

DIFF_SCHEMA: dict[str, Type] = {
    "source_id": pl.String,
    "family": pl.String,
    "object": pl.String,
    "key": pl.String,
    "change": pl.String,
    "column": pl.String,
    "before": pl.String,
    "after": pl.String,
    "at": UTC_MICROSECONDS,
    "after_at": UTC_MICROSECONDS,
    "first_seen_at": UTC_MICROSECONDS,
    "certain": pl.Boolean,
    "run_id": pl.Int64,
}
# What whoever fetches the intervals adds: the row tells an account by a name that it had before; the interval's place is
# itself new, and since when at the earliest, and whether that is certain.
FETCHED: dict[str, Type] = {
    "source_id": pl.String,
    **INTERVAL_COLUMNS,
    "is_renamed": pl.Boolean,
    "is_of_new": pl.Boolean,
    "new_after_at": UTC_MICROSECONDS,
}
_BEGUN = ("from_at", "after_at", "first_seen_at", "from_run")
_ENDED = ("to_at", "to_after_at", "to_seen_at", "to_run")
_NOTHING = pl.lit(None, dtype=pl.String)


def lines(family: Family, frame: pl.DataFrame, since: datetime, until: datetime) -> pl.DataFrame:
    """The intervals (key, values, FETCHED) in line, with: place (0: the first of its line), is_last, is_baseline,
    is_appeared (it begins something that was not there before), is_gone (it ends so within the span), is_left (it
    holds still at `until`), and each value column of the interval before as `before_…`."""
    key = ["source_id", *family.key]
    frame = frame.sort(*key, "from_at")
    place = pl.int_range(pl.len()).over(key)
    is_first_look = pl.col("after_at").is_null() & (pl.col("from_at") == pl.col("first_seen_at"))
    frame = frame.with_columns(
        place.alias("place"),
        (place == pl.len().over(key) - 1).alias("is_last"),
        ((pl.col("from_at") <= since) | (is_first_look & ~pl.col("is_of_new"))).alias("is_known"),
        ((pl.col("ended") == "changed") | pl.col("is_renamed"))
        .fill_null(value=False)
        .shift(1)
        .over(key)
        .alias("goes_on"),
        *(pl.col(name).shift(1).over(key).alias(f"before_{name}") for name in family.values),
    )
    is_end = (pl.col("ended") == "gone") & (pl.col("to_at") <= until)
    return frame.with_columns(
        ((pl.col("place") == 0) & pl.col("is_known")).alias("is_baseline"),
        pl.when(pl.col("place") == 0).then(~pl.col("is_known")).otherwise(~pl.col("goes_on")).alias("is_appeared"),
        (is_end & ~(pl.col("is_renamed") & ~pl.col("is_last"))).fill_null(value=False).alias("is_gone"),
        (pl.col("to_at").is_null() | (pl.col("to_at") > until)).alias("is_left"),
    )


def steps_of(family: Family, line: pl.DataFrame) -> pl.DataFrame:
    """Each step of each line: DIFF_SCHEMA."""
    changed = line.filter(~pl.col("is_baseline") & ~pl.col("is_appeared"))
    parts = [_appeared(family, line.filter("is_appeared")), _vanished(family, line.filter("is_gone"))]
    for name, kind in family.values.items():
        parts.append(_changed(family, name, kind, changed.filter(_differs(name))))
    return pl.concat(parts)


def net_of(family: Family, line: pl.DataFrame) -> pl.DataFrame:
    """What is otherwise at the end of the span than at its beginning: DIFF_SCHEMA."""
    key = ["source_id", *family.key]
    was = pl.col("is_baseline").any().over(key)
    # Where a rename's old name outlives the span, the new one comes after it in line.
    is_there = pl.col("is_left").last().over(key)
    stayed = line.filter(was & is_there)
    came = line.filter(~was & is_there)
    begun = came.filter("is_appeared").unique(key, keep="last", maintain_order=True)
    newest = came.filter("is_last").select(*key, *family.values)
    parts = [
        _appeared(family, begun.drop(family.values).join(newest, on=key)),
        _vanished(family, line.filter(was & ~is_there & pl.col("is_last") & pl.col("is_gone"))),
    ]
    for name, kind in family.values.items():
        parts.append(_changed(family, name, kind, _turned(key, name, stayed)))
    return pl.concat(parts)


def _turned(key: list[str], name: str, stayed: pl.DataFrame) -> pl.DataFrame:
    """Where a column's last turn was in the lines whose ends differ in it."""
    first = pl.col(name).first().over(key)
    ends = stayed.with_columns(first.alias("_first"), pl.col(name).last().over(key).alias("_last"))
    turns = ends.filter(pl.col("_first").ne_missing(pl.col("_last")) & (pl.col("place") > 0) & _differs(name))
    turns = turns.unique(key, keep="last", maintain_order=True)
    return turns.with_columns(pl.col("_first").alias(f"before_{name}"), pl.col("_last").alias(name))


def _differs(name: str) -> pl.Expr:
    return pl.col(name).ne_missing(pl.col(f"before_{name}"))


def _appeared(family: Family, rows: pl.DataFrame) -> pl.DataFrame:
    after_at = pl.coalesce("after_at", "new_after_at")
    return _told(
        family,
        rows.with_columns(after_at.alias("after_at"), after_at.is_not_null().alias("certain")),
        ("appeared", _NOTHING, _NOTHING, told_of(family.values)),
        _BEGUN,
    )


def _vanished(family: Family, rows: pl.DataFrame) -> pl.DataFrame:
    # Under the new name it may merely not have been read yet.
    rows = rows.with_columns((~pl.col("is_renamed")).alias("certain"))
    return _told(family, rows, ("vanished", _NOTHING, told_of(family.values), _NOTHING), _ENDED)


def _changed(family: Family, name: str, kind: Type, rows: pl.DataFrame) -> pl.DataFrame:
    told = ("changed", pl.lit(name), text_of(f"before_{name}", kind), text_of(name, kind))
    return _told(family, rows.with_columns(pl.lit(True).alias("certain")), told, _BEGUN)


def _told(
    of: Family | Series,
    rows: pl.DataFrame,
    told: tuple[str, pl.Expr, pl.Expr, pl.Expr],
    times: tuple[str, str, str, str],
) -> pl.DataFrame:
    change, column, before, after = told
    at, after_at, first_seen_at, run_id = times
    return rows.select(
        pl.col("source_id"),
        pl.lit(of.name).alias("family"),
        object_of(of.key).alias("object"),
        key_of(of.key).alias("key"),
        pl.lit(change).alias("change"),
        column.alias("column"),
        before.alias("before"),
        after.alias("after"),
        pl.col(at).alias("at"),
        pl.col(after_at).alias("after_at"),
        pl.col(first_seen_at).alias("first_seen_at"),
        pl.col("certain"),
        pl.col(run_id).alias("run_id"),
    ).cast(pl.Schema(DIFF_SCHEMA))


def measured(series: Series, columns: Sequence[str], both: pl.DataFrame) -> pl.DataFrame:
    """What the newest points say otherwise in these columns: DIFF_SCHEMA. `both`: source_id, key, values, measured_at,
    run_id of the newest points, and of the points before them values and measured_at as `before_…`."""
    rows = both.with_columns(pl.lit(True).alias("certain"), pl.col("measured_at").alias("seen_at"))
    parts = [
        _told(
            series,
            rows.filter(_differs(name)),
            ("measured", pl.lit(name), text_of(f"before_{name}", kind), text_of(name, kind)),
            ("measured_at", "before_measured_at", "seen_at", "run_id"),
        )
        for name, kind in series.values.items()
        if name in columns
    ]
    return pl.concat(parts)
