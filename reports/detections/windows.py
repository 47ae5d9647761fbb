"""Windows: bursts of events within a sliding window of time, and texts out of metadata. Pure.

A burst is found by every window that ends at an event, not by fixed buckets: twenty attempts across midnight are as many
as twenty within an hour of the clock."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import polars as pl


def text(key: str) -> pl.Expr:
    """A text of the metadata; null where there is none."""
    return pl.col("metadata").str.json_path_match(f"$['{key}']")


def attempted() -> pl.Expr:
    """The account that a failed login named: Quay keeps it in the metadata, the event's own namespace may be another's."""
    return pl.coalesce(text("username"), text("robot"), "actor", "namespace")


def bursts(
    events: pl.DataFrame,
    by: Sequence[str],
    window: timedelta,
    *,
    at_least: int,
    distinct: dict[str, int] | None = None,
) -> Iterator[pl.DataFrame]:
    """The events of each burst: `at_least` events with equal `by` within `window`, and of the columns in `distinct` at
    least so many values. Overlapping windows are one burst. Rows with a null in `by` belong to none."""
    wanted = events.drop_nulls(by).sort("occurred_at", "event_id")
    if wanted.height < at_least:
        return
    counts = wanted.rolling("occurred_at", period=window, closed="both", group_by=list(by)).agg(
        pl.len().alias("in_window"), *(pl.col(name).n_unique().alias(f"distinct_{name}") for name in distinct or {})
    )
    full = pl.col("in_window") >= at_least
    for name, number in (distinct or {}).items():
        full &= pl.col(f"distinct_{name}") >= number
    hits = counts.filter(full).sort(*by, "occurred_at")
    if not hits.height:
        return
    # Hits closer than a window are one burst; it begins a window before its first hit.
    gap = pl.col("occurred_at").diff().over(list(by)) > window
    stretches = (
        hits.with_columns(gap.fill_null(value=True).cum_sum().over(list(by)).alias("burst"))
        .group_by(*by, "burst", maintain_order=True)
        .agg(pl.col("occurred_at").min().alias("begin"), pl.col("occurred_at").max().alias("end"))
        .sort("begin", *by)
    )
    for row in stretches.iter_rows(named=True):
        mine = pl.all_horizontal(pl.col(name) == row[name] for name in by)
        yield wanted.filter(mine, pl.col("occurred_at").is_between(row["begin"] - window, row["end"]))


def full_name() -> pl.Expr:
    """`namespace/repository`."""
    return pl.concat_str(["namespace", "repository"], separator="/")


def listed(values: pl.Series | Sequence[str], most: int = 5) -> str:
    """The first few of some names, and how many more there are."""
    names = sorted({str(value) for value in values if value is not None})
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def related(events: pl.DataFrame, *columns: str, most: int = 20) -> tuple[str, ...]:
    """The distinct values of some columns, for `Finding.related`."""
    found: list[str] = []
    for column in columns:
        # Most evidence is a few rows: for these a set is much faster than a frame.
        found += sorted({value for value in events[column].to_list() if value is not None})[:most]
    return tuple(dict.fromkeys(found))


def begin(events: pl.DataFrame) -> datetime:
    """When the first of some events happened; there must be one."""
    first: datetime = events["occurred_at"].sort()[0]
    return first


def end(events: pl.DataFrame) -> datetime:
    """When the last of some events happened; there must be one."""
    last: datetime = events["occurred_at"].sort()[-1]
    return last
