"""What a Sigma rule finds in a period: the warehouse says which events meet it, here they become findings. No SQL, no YAML."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import polars as pl

from quayledger.reports.detections.model import Finding
from quayledger.reports.detections.windows import related
from quayledger.warehouse.log import matching
from quayledger.warehouse.log.conditions import Condition, Correlation
from quayledger.warehouse.snapshot import Snapshot

_NAMED = ("actor", "ip", "namespace", "repository")


def judge_rule(
    condition: Condition,
    title: str,
    subject: tuple[str, ...],
    snapshot: Snapshot,
    since: datetime,
    until: datetime,
    source_ids: Sequence[str],
) -> Iterator[Finding]:
    """One finding per account, or address where there is none."""
    del subject
    found = matching.matches(snapshot, condition, since, until, source_ids)
    who = pl.coalesce("actor", "ip", "namespace", pl.lit("the registry"))
    for (source_id, name), mine in found.with_columns(who=who).group_by("source_id", "who", maintain_order=True):
        events = "1 event" if mine.height == 1 else f"{mine.height:,} events"
        yield Finding(
            source_id=str(source_id),
            subject=str(name),
            events=mine,
            summary=f"{title}: {events} of {name}.",
            related=related(mine, *_NAMED),
        )


def judge_correlation(
    correlation: Correlation,
    title: str,
    subject: tuple[str, ...],
    snapshot: Snapshot,
    since: datetime,
    until: datetime,
    source_ids: Sequence[str],
) -> Iterator[Finding]:
    """One finding per group and run of windows: those closer than a window are one."""
    found = matching.correlated(snapshot, correlation, since, until, source_ids)
    window = timedelta(seconds=correlation.seconds)
    group = pl.col("group").list.join(", ")
    found = found.with_columns(
        who=pl.when(pl.col("group").list.len() > 0).then(group).otherwise(pl.lit("the registry"))
    )
    for (source_id, name), mine in found.group_by("source_id", "who", maintain_order=True):
        ends = mine.filter("is_end")["occurred_at"].unique().sort()
        runs = (ends.diff() > window).fill_null(value=True).cum_sum()
        for run in ends.to_frame("end").with_columns(runs.alias("run")).partition_by("run"):
            first, last = run["end"][0], run["end"][-1]
            events = mine.filter(pl.col("occurred_at").is_between(first - window, last))
            by = f" by {' and '.join(subject)}" if subject else ""
            yield Finding(
                source_id=str(source_id),
                subject=str(name),
                events=events,
                summary=f"{title}: {events.height:,} events of {name}{by}, within {_span(correlation.seconds)}.",
                related=related(events, *_NAMED),
            )


def _span(seconds: int) -> str:
    for name, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds % size == 0:
            return f"{seconds // size} {name}"
    return f"{seconds} s"
