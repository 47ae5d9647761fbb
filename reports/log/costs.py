"""The readers' room: what collecting cost. Requests spent against the fewest with which the same could have been brought.
Pure: frames in, frames out."""

from __future__ import annotations

from datetime import date, datetime

import polars as pl

FLOOR_SAID = (
    "The floor is a page for each 20 new events of each reading, one request for each export, and one count a run."
)
INVENTORY = "inventory"
_SUMS = ("requests", "floor", "new_events", "closed_days", "received_bytes")


def with_floor(costs: pl.DataFrame) -> pl.DataFrame:
    """`warehouse.pipeline.run_costs` with the column `floor`; null where it is not known what was asked, 0 where nothing
    was."""
    # What reading the registry costs has no floor: it depends on what is in it.
    needed = (
        pl.when(pl.col("kind") == INVENTORY)
        .then(None)
        .when(pl.col("requests") > 0)
        .then(pl.min_horizontal(pl.col("least_pages") + 1, "requests"))
        .otherwise(0)
    )
    known = pl.when(pl.col("requests").is_not_null()).then(needed)
    return costs.with_columns(known.cast(pl.Int64).alias("floor"))


def by_run(costs: pl.DataFrame) -> pl.DataFrame:
    """One row per run, newest first, its sources together: run_id, started_at, command, outcome, seconds (from beginning to
    end), requests, floor, ratio, new_events, closed_days, received_bytes, message."""
    runs = costs.group_by("run_id", maintain_order=True).agg(
        pl.col("started_at", "command", "outcome").first(),
        (pl.col("ended_at").first() - pl.col("started_at").first())
        .dt.total_seconds()
        .cast(pl.Float64)
        .alias("seconds"),
        *(_sum(name) for name in _SUMS),
        pl.col("message").first(),
    )
    return _with_ratio(runs).select(
        "run_id",
        "started_at",
        "command",
        "outcome",
        "seconds",
        "requests",
        "floor",
        "ratio",
        "new_events",
        "closed_days",
        "received_bytes",
        "message",
    )


def by_day(costs: pl.DataFrame) -> pl.DataFrame:
    """One row per UTC day on which a run began and source that it asked, newest first: day, source_id, requests, floor,
    ratio, new_events, closed_days, received_bytes of runs over the log, and inventory_requests of runs over the registry,
    which have no floor. Runs of which it is not known what they asked are left out."""
    asked = costs.drop_nulls(["source_id", "requests"]).with_columns(pl.col("started_at").dt.date().alias("day"))
    is_inventory = pl.col("kind") == INVENTORY
    days = asked.group_by("day", "source_id").agg(
        *(_sum(name, ~is_inventory) for name in _SUMS), _sum("requests", is_inventory).alias("inventory_requests")
    )
    names = ("day", "source_id", "requests", "floor", "ratio", "inventory_requests", *_SUMS[2:])
    return _with_ratio(days).select(names).sort("day", "source_id", descending=[True, False])


def by_purpose(requests: pl.DataFrame) -> pl.DataFrame:
    """`warehouse.pipeline.request_costs` with what one request waited for its answer on average, `mean_seconds`."""
    mean = pl.when(pl.col("requests") > 0).then(pl.col("seconds") / pl.col("requests"))
    return requests.select("operation", "purpose", "outcome", "requests", mean.alias("mean_seconds"), "received_bytes")


def series(days: pl.DataFrame, first: date, last: date) -> pl.DataFrame:
    """`by_day` without its sources, each UTC day from `first` to `last`: bucket (its midnight), floor and beyond; together
    the requests. Where fewer were enough than the floor, `floor` is what was asked."""
    spine = pl.select(pl.date_range(first, last, eager=False).alias("day"))
    summed = days.group_by("day").agg(pl.col("requests", "floor").sum())
    joined = spine.join(summed, on="day", how="left", maintain_order="left").with_columns(
        pl.col("requests", "floor").fill_null(0)
    )
    return joined.select(
        pl.col("day").cast(pl.Datetime("us")).alias("bucket"),
        pl.min_horizontal("requests", "floor").alias("floor"),
        (pl.col("requests") - pl.min_horizontal("requests", "floor")).alias("beyond"),
    )


def lag_minutes(fresh: pl.DataFrame, as_of: datetime) -> pl.DataFrame:
    """`warehouse.pipeline.freshness` with the whole minutes from the source's last answer to `as_of`; null: none yet."""
    since = (pl.lit(as_of, pl.Datetime("us", "UTC")) - pl.col("last_counted_at")).dt.total_minutes()
    return fresh.with_columns(pl.max_horizontal(since, pl.lit(0)).alias("lag")).with_columns(
        pl.when(pl.col("last_counted_at").is_not_null()).then("lag").alias("lag_minutes")
    )


def _sum(name: str, which: pl.Expr | None = None) -> pl.Expr:
    """The sum of what is known, of all rows or of these; null where nothing is."""
    values = pl.col(name) if which is None else pl.col(name).filter(which)
    return pl.when(values.count() > 0).then(values.sum()).alias(name)


def _with_ratio(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(pl.when(pl.col("floor") > 0).then(pl.col("requests") / pl.col("floor")).alias("ratio"))
