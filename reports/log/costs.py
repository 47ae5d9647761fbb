"""What collecting cost: requests sent, against the minimum that could have brought the same.
Pure: frames in, frames out."""

from __future__ import annotations

from datetime import date, datetime

import polars as pl

MINIMUM = "One page for every 20 new events of each reading, one request per export, and one count per run."
INVENTORY = "inventory"
_SUMS = ("requests", "minimum_requests", "new_events", "closed_days", "received_bytes")


def with_minimum(costs: pl.DataFrame) -> pl.DataFrame:
    """`warehouse.log.completeness.run_costs` with the column `minimum_requests`: what could not have been saved, never more than
    was asked. Null where it is not known what was asked, and for the inventory: what it needs depends on what is in it."""
    # A count tells of many days at once, and pages may have been fetched by a run that was broken off: hence the bound.
    needed = pl.min_horizontal("requests", pl.col("least_pages") + 1)
    known = pl.col("requests").is_not_null() & (pl.col("kind") != INVENTORY)
    return costs.with_columns(pl.when(known).then(needed).cast(pl.Int64).alias("minimum_requests"))


def by_run(costs: pl.DataFrame) -> pl.DataFrame:
    """One row per run, newest first, its sources together: run_id, started_at, command, outcome, seconds (from beginning to
    end), requests, minimum_requests, overhead, new_events, closed_days, received_bytes, message."""
    runs = costs.group_by("run_id", maintain_order=True).agg(
        pl.col("started_at", "command", "outcome").first(),
        (pl.col("ended_at").first() - pl.col("started_at").first())
        .dt.total_seconds()
        .cast(pl.Float64)
        .alias("seconds"),
        *(_sum(name) for name in _SUMS),
        pl.col("message").first(),
    )
    return _with_overhead(runs).select(
        "run_id",
        "started_at",
        "command",
        "outcome",
        "seconds",
        "requests",
        "minimum_requests",
        "overhead",
        "new_events",
        "closed_days",
        "received_bytes",
        "message",
    )


def by_day(costs: pl.DataFrame) -> pl.DataFrame:
    """One row per UTC day on which a run began and source that it asked, newest first: day, source_id, requests (of the log),
    minimum_requests, overhead, inventory_requests, new_events, closed_days, received_bytes. Runs of which it is not known
    what they asked are left out."""
    asked = costs.drop_nulls(["source_id", "requests"]).with_columns(pl.col("started_at").dt.date().alias("day"))
    is_inventory = pl.col("kind") == INVENTORY
    of_log = [pl.col(name).filter(~is_inventory).sum() for name in ("requests", "minimum_requests")]
    others = [pl.col(name).sum() for name in _SUMS[2:]]
    inventory = pl.col("requests").filter(is_inventory).sum().alias("inventory_requests")
    days = asked.group_by("day", "source_id").agg(*of_log, inventory, *others)
    names = ("day", "source_id", "requests", "minimum_requests", "overhead", "inventory_requests", *_SUMS[2:])
    return _with_overhead(days).select(names).sort("day", "source_id", descending=[True, False])


def by_purpose(requests: pl.DataFrame) -> pl.DataFrame:
    """`warehouse.log.completeness.request_costs` with how long one request waited for its reply on average, `mean_ms`."""
    mean = pl.when(pl.col("requests") > 0).then(pl.col("seconds") * 1000 / pl.col("requests"))
    return requests.select("operation", "purpose", "outcome", "requests", mean.alias("mean_ms"), "received_bytes")


def series(days: pl.DataFrame, first: date, last: date) -> pl.DataFrame:
    """`by_day` without its sources, each UTC day from `first` to `last`: bucket (its midnight), minimum, beyond and inventory;
    together the requests."""
    spine = pl.select(pl.date_range(first, last, eager=False).alias("day"))
    names = ("requests", "minimum_requests", "inventory_requests")
    summed = days.group_by("day").agg(pl.col(names).sum())
    joined = spine.join(summed, on="day", how="left", maintain_order="left").with_columns(pl.col(names).fill_null(0))
    return joined.select(
        pl.col("day").cast(pl.Datetime("us")).alias("bucket"),
        pl.col("minimum_requests").alias("minimum"),
        (pl.col("requests") - pl.col("minimum_requests")).alias("beyond"),
        pl.col("inventory_requests").alias("inventory"),
    )


def lag_minutes(fresh: pl.DataFrame, as_of: datetime) -> pl.DataFrame:
    """`warehouse.log.completeness.freshness` with the whole minutes from the source's last answer to `as_of`; null: none yet."""
    since = (pl.lit(as_of, pl.Datetime("us", "UTC")) - pl.col("last_counted_at")).dt.total_minutes()
    return fresh.with_columns(pl.max_horizontal(since, pl.lit(0)).alias("lag")).with_columns(
        pl.when(pl.col("last_counted_at").is_not_null()).then("lag").alias("lag_minutes")
    )


def _sum(name: str, which: pl.Expr | None = None) -> pl.Expr:
    """The sum of what is known, of all rows or of these; null where nothing is."""
    values = pl.col(name) if which is None else pl.col(name).filter(which)
    return pl.when(values.count() > 0).then(values.sum()).alias(name)


def _with_overhead(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(
        pl.when(pl.col("minimum_requests") > 0).then(pl.col("requests") / pl.col("minimum_requests")).alias("overhead")
    )
