"""Objects removed together with their parent, told apart from those that somebody removed. Pure."""

from __future__ import annotations

import polars as pl

from quayledger.reports.inventory.marks import PARENTS, Parent, marks

# Of which families the differences must be at hand; `scans` says which images were merely scanned again.
ASKED = (*dict.fromkeys(name for holder in PARENTS for name in holder.families), "scans")


def with_along(found: pl.DataFrame) -> pl.DataFrame:
    """Differences (DIFF_SCHEMA) with `along` (text): what an object went with, such as `organization acme`, where that
    vanished too and not later; null where it vanished by itself, or did not vanish.

    A vulnerability goes with its image where the image vanished and was not scanned anew."""
    found = found.with_row_index("row")
    gone = _marked(found.filter(pl.col("change") == "vanished"))
    scanned = _marked(found.filter(pl.col("family") == "scans")).select("source_id", "digest")
    parts = [_held(gone, holder, scanned) for holder in PARENTS]
    along = pl.concat(parts).unique("row", keep="first", maintain_order=True)
    return found.join(along, on="row", how="left", maintain_order="left").drop("row")


def _held(gone: pl.DataFrame, holder: Parent, scanned: pl.DataFrame) -> pl.DataFrame:
    """row and `along` of what went with holders of one kind."""
    ends = gone.filter(pl.col("family").is_in(list(holder.families)))
    if "digest" in holder.marks:
        ends = ends.join(scanned, on=["source_id", "digest"], how="anti")
    ends = (
        ends.group_by("source_id", *holder.marks)
        .agg(pl.col("at").min().alias("ended_at"))
        .with_columns(holder.name().alias("along"))
    )
    both = gone.filter(holder.holds()).join(ends, on=["source_id", *holder.marks])
    return both.filter(pl.col("at") >= pl.col("ended_at")).select("row", "along")


def _marked(found: pl.DataFrame) -> pl.DataFrame:
    return found.select("row", "source_id", "family", "at", **marks())
