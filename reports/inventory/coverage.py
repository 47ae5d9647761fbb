"""Coverage of the inventory: what of a registry was read, how old that is, what is not known, and what
can be done about it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec
import polars as pl

from quayledger.reports.inventory import columns, unknown_table
from quayledger.reports.inventory.coverage_parts import standing
from quayledger.reports.inventory.kinds import NOTHING_READ
from quayledger.reports.inventory.knowledge import Part, summed_up
from quayledger.reports.model import Metric, Note, Parameter, Report, Table
from quayledger.reports.period import AsOf
from quayledger.reports.spec import ReportSpec, SourcesParam, TopParam
from quayledger.warehouse.catalog import Type
from quayledger.warehouse.catalog.queries import title_of
from quayledger.warehouse.log import events as log
from quayledger.warehouse.snapshot import Snapshot

REPORT_ID = "inventory-coverage"
TITLE = "Coverage of the inventory"
_STATES = ("ok", "partial", "refused", "not_offered", "failed", "not_asked", "never")
_DAY_S = 86_400
_COVERAGE: dict[str, Type] = {
    "source_id": pl.String,
    "query": pl.String,
    "reads": pl.String,
    "targets": pl.Int64,
    **dict.fromkeys(_STATES, pl.Int64),
    "share": pl.Float64,
    "oldest_age_days": pl.Float64,
    "newest_age_days": pl.Float64,
}
_LABELS = {
    "share": "Read",
    "oldest_age_days": "Oldest, days",
    "newest_age_days": "Newest, days",
    "reads": "What it reads",
    "never": "Not read yet",
}


class InventoryCoverageParams(msgspec.Struct, frozen=True, kw_only=True):
    """What may be asked of the inventory's coverage."""

    sources: SourcesParam = ()
    top: TopParam = 0


def build(snapshot: Snapshot, params: InventoryCoverageParams, *, now: datetime | None = None) -> Report:
    """How the inventory stands in the published copy. Tables `coverage` (per query: how many targets were read, and how
    old that is), `states` (how many were refused, …) and `reasons` (what is not known, grouped, and what to do). Errors: WarehouseError."""
    source_ids, top = params.sources, params.top
    published = snapshot.published.published_at
    period, parts = AsOf.at(published), standing(snapshot, None, source_ids)
    several = len(source_ids) != 1 and log.list_sources(snapshot).height > 1
    return Report(
        id=REPORT_ID,
        title=TITLE,
        generated_at=now or datetime.now(UTC),
        as_of=published,
        period=period,
        compared_with=None,
        parameters=(Parameter("State", period.label), Parameter("Source", ", ".join(source_ids) or "all")),
        trust=summed_up(parts).trust,
        metrics=_metrics(parts, published),
        tables=(
            *_coverage(parts, published, several, top),
            unknown_table.table("reasons", parts, several=several, top=top),
        ),
        charts=(),
        notes=_notes(parts),
    )


def _metrics(parts: Sequence[Part], now: datetime) -> tuple[Metric, ...]:
    whole = summed_up(parts)
    states = {state: sum(part.states.get(state, 0) for part in parts) for state in _STATES}
    oldest, newest = (_days(moment, now) for moment in (whole.oldest_ok_at, whole.newest_ok_at))
    share = whole.reads_known / whole.reads_total if whole.reads_total else None
    return (
        Metric("reads", "Reads", whole.reads_total, explanation="one query about one object each"),
        Metric("share", "Read", share, "share"),
        Metric(
            "refused",
            "Refused",
            states["refused"] + states["not_asked"],
            explanation="or not requested because of that",
        ),
        Metric("never", "Not read yet", states["never"]),
        Metric("oldest", "Oldest, days", oldest, "ratio", explanation="since the oldest read"),
        Metric("newest", "Newest, days", newest, "ratio", explanation="since the newest read"),
    )


def _days(moment: datetime | None, now: datetime) -> float | None:
    return None if moment is None else max(0.0, (now - moment).total_seconds() / _DAY_S)


def _coverage(parts: Sequence[Part], now: datetime, several: bool, top: int) -> tuple[Table, ...]:
    """How the reads of each query ended: for people, and as numbers of targets by outcome."""
    rows = [
        (
            part.source_id,
            part.query,
            title_of(part.query),
            part.targets,
            *(part.states.get(state, 0) for state in _STATES),
            (part.targets - part.unknown_targets) / part.targets,
            _days(part.oldest_ok_at, now),
            _days(part.newest_ok_at, now),
        )
        for part in parts
    ]
    frame = pl.DataFrame(rows, schema=_COVERAGE, orient="row")
    chosen = ["source_id"] if several else []
    return tuple(
        columns.table(name, title, frame, [*chosen, *names], top=top, empty=NOTHING_READ, labels=_LABELS)
        for name, title, names in (
            ("coverage", "What was read", ("reads", "targets", "ok", "share", "oldest_age_days", "newest_age_days")),
            ("states", "Reads by outcome", ("query", "targets", *_STATES)),
        )
    )


def _notes(parts: Sequence[Part]) -> tuple[Note, ...]:
    notes = [
        Note("info", "Read: the share of objects whose newest read succeeded; what was read before keeps its age."),
        Note("info", "Not read yet: known objects that this query has not covered so far; the next rounds will."),
        Note("info", "A registry can hold more than is listed: what a token may not see does not appear here."),
    ]
    return (Note("warning", f"{NOTHING_READ}."), *notes) if not parts else tuple(notes)


SPEC = ReportSpec(
    id=REPORT_ID,
    title=TITLE,
    summary="How complete the inventory is: what was read, how old it is, what is unknown, and what to do about it.",
    audience=("compliance", "operations"),
    params=InventoryCoverageParams,
    build=build,
    page="inventory",
)
