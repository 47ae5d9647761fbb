"""An object's history as a table: each change, and how exactly its time is known."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl

from quayledger.warehouse.catalog import FAMILY, SERIES_BY_NAME
from quayledger.warehouse.inventory.diff_steps import DIFF_SCHEMA, lines, steps_of
from quayledger.warehouse.schema import UTC_MICROSECONDS

COLUMNS = ("at", "what", "object", "change", "column", "before", "after", "certainty")
# How people say what the warehouse calls by the end of an interval.
CHANGES = {"appeared": "added", "vanished": "removed"}
LABELS = {"at": "Time", "what": "What", "column": "Field"}
_EVER = datetime(1, 1, 1, tzinfo=UTC)
_SCHEMA = {name: UTC_MICROSECONDS if name == "at" else pl.String for name in ("source_id", *COLUMNS)}


def steps(family: str, intervals: pl.DataFrame, until: datetime, *, first_sight: bool) -> pl.DataFrame:
    """Every step of these intervals (of `warehouse.inventory.reader.history`) by a moment. `first_sight`: also what was there
    already when its place was read for the first time, which is no change."""
    fetched = intervals.with_columns(
        pl.lit(False).alias("is_renamed"),
        pl.lit(first_sight).alias("is_of_new"),
        pl.lit(None, UTC_MICROSECONDS).alias("new_after_at"),
    )
    chosen = FAMILY[family]
    return steps_of(chosen, lines(chosen, fetched, _EVER, until)).filter(pl.col("at") <= until)


def told(changes: pl.DataFrame) -> pl.DataFrame:
    """Changes (DIFF_SCHEMA) as people read them: source_id and COLUMNS, newest first."""
    frame = changes.select(DIFF_SCHEMA.keys()).sort(
        "at", "family", "object", "column", descending=[True, False, False, False], nulls_last=True
    )
    certainty = pl.struct("at", "after_at", "first_seen_at", "certain", "change").map_elements(
        _certainty, return_dtype=pl.String
    )
    titles = {name: one.title for name, one in FAMILY.items()} | {
        name: one.title for name, one in SERIES_BY_NAME.items()
    }
    what = pl.col("family").replace_strict(titles, default=pl.col("family"), return_dtype=pl.String)
    return frame.with_columns(
        what.alias("what"), certainty.alias("certainty"), pl.col("change").replace(CHANGES)
    ).select(pl.col(name).cast(kind) for name, kind in _SCHEMA.items())


def _certainty(row: dict[str, datetime | bool | str | None]) -> str:
    """How well the time of a change is known."""
    at, after, seen = row["at"], row["after_at"], row["first_seen_at"]
    if row["change"] == "measured":
        return f"measured; previous measurement {_moment(after)}"
    if row["change"] == "vanished" and not row["certain"]:
        return "not read since the rename"
    if at != seen:
        return "from the audit log"
    if not row["certain"]:
        return "first read: may be older"
    return f"inferred: after {_moment(after)}" if after else "inferred: by then"


def _moment(value: object) -> str:
    return f"{value.astimezone(UTC):%Y-%m-%d %H:%M}" if isinstance(value, datetime) else "an unknown time"
