"""The usage report. Who pulls and pushes what, how much, with which programs, against the period
before."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

import msgspec
import polars as pl
from msgspec import Meta

from quayledger.reports.log import period_view
from quayledger.reports.log.period_view import PeriodView
from quayledger.reports.log.rankings import usage_table
from quayledger.reports.model import Chart, Column, Encodings, Metric, Note, Report, Table
from quayledger.reports.spec import CompareParam, NamespaceParam, PeriodParam, ReportSpec, SourcesParam, TopParam
from quayledger.warehouse.log import events
from quayledger.warehouse.snapshot import Snapshot

REPORT_ID = "usage"
TITLE = "Usage"
UsageDimension = Literal["namespace", "repository", "actor", "robot", "client"]
DIMENSIONS: tuple[UsageDimension, ...] = ("namespace", "repository", "actor", "robot", "client")
_FIGURES = ("pulls", "pushes", "actors", "repositories", "clients", "builds")


class UsageParams(msgspec.Struct, frozen=True, kw_only=True):
    """What may be asked of the usage report."""

    period: PeriodParam
    namespace: NamespaceParam = None
    sources: SourcesParam = ()
    by: Annotated[tuple[UsageDimension, ...], Meta(description="Only this table; may be repeated.")] = DIMENSIONS
    top: TopParam = 0
    compare: CompareParam = True


def build(snapshot: Snapshot, params: UsageParams, *, now: datetime | None = None) -> Report:
    """The usage report of a period. `now`: when it is made (aware).

    Tables `by_namespace`, `by_repository`, `by_actor` (users), `by_robot`, `by_client`: pulls, pushes, pulls per push,
    distinct accounts and clients, anonymous share, change; `builds`: by what started them. Charts `series`, `top`.
    Errors: WarehouseError."""
    period, namespace, top = params.period, params.namespace, params.top
    view = period_view.read(snapshot, period, namespace=namespace, source_ids=params.sources, compare=params.compare)
    current, before = period_view.totals(view)
    tables = [
        usage_table(view, dimension, top) for dimension in params.by if not (dimension == "namespace" and namespace)
    ]
    builds = _builds(view)
    return Report(
        id=REPORT_ID,
        title=TITLE,
        generated_at=now or datetime.now(UTC),
        as_of=view.as_of,
        period=period,
        compared_with=view.before,
        comparison=view.comparison,
        parameters=view.parameters,
        trust=view.coverage.trust,
        metrics=_metrics(view, current, before),
        tables=(*tables, builds),
        charts=(period_view.series(view), *_top_chart(tables)),
        notes=(*view.notes, *_notes(current, builds, before is not None)),
    )


def _metrics(view: PeriodView, now: dict[str, int], before: dict[str, int] | None) -> tuple[Metric, ...]:
    found = period_view.metrics(view, _FIGURES, now, before)
    found.insert(2, period_view.anonymous(view, now, before))
    return tuple(found)


def _builds(view: PeriodView) -> Table:
    frame = events.build_counts(view.snapshot, view.where())
    frame = frame.select(
        pl.col("trigger_kind").fill_null("unknown"),
        pl.col("builds").cast(pl.Int64),
        pl.col("cancelled").cast(pl.Int64),
    )
    columns = (
        Column("trigger_kind", "Started by", "text"),
        Column("builds", "Builds"),
        Column("cancelled", "Cancelled"),
    )
    return Table(
        "builds", "Builds", columns, frame.sort("builds", "trigger_kind", descending=[True, False]), frame.height
    )


def _top_chart(tables: list[Table]) -> tuple[Chart, ...]:
    """Bars for the ten busiest of the first table that ranks something."""
    for table in tables:
        if table.frame.height:
            frame = table.frame.head(10).select("key", "pulls", "pushes")
            encodings = Encodings("key", ("pulls", "pushes"), labels=("Pulls", "Pushes"))
            title = f"Busiest, {table.title[0].lower()}{table.title[1:]}"
            return (Chart("top", title, "bar", frame, encodings, f"The {frame.height} busiest.", table.drill),)
    return ()


def _notes(now: dict[str, int], builds: Table, compared: bool) -> list[Note]:
    notes = [
        Note(
            "info",
            "Pulls and pushes are those in the registry's log; a registry can be configured not to log some.",
        ),
    ]
    if compared:
        notes.append(Note("info", "Before and Change in the tables refer to pulls and pushes together."))
    if builds.total_rows:
        notes.append(
            Note(
                "info",
                "Whether builds succeeded and how long they took is not collected; the log holds their start and cancellation only.",
            )
        )
    return [*notes, *period_view.unknown_kinds(now)]


SPEC = ReportSpec(
    id=REPORT_ID,
    title=TITLE,
    summary="Pulls and pushes: by whom, of what, with which clients, against the period before.",
    audience=("capacity", "security"),
    params=UsageParams,
    build=build,
    page="usage",
)
