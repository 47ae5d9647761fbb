"""The overview. What happened in a period at a glance: figures, when, where, by whom, and how
complete."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from quayledger.reports.log import period_view
from quayledger.reports.log.rankings import activity_table
from quayledger.reports.model import Report
from quayledger.reports.spec import CompareParam, NamespaceParam, PeriodParam, ReportSpec, SourcesParam, TopParam
from quayledger.warehouse.snapshot import Snapshot

REPORT_ID = "overview"
TITLE = "Overview"
_FIGURES = ("events", "pulls", "pushes", "deletes", "actors", "namespaces", "repositories")


class OverviewParams(msgspec.Struct, frozen=True, kw_only=True):
    """What may be asked of the overview."""

    period: PeriodParam
    namespace: NamespaceParam = None
    sources: SourcesParam = ()
    top: TopParam = 0
    compare: CompareParam = True


def build(snapshot: Snapshot, params: OverviewParams, *, now: datetime | None = None) -> Report:
    """The overview of a period. `now`: when it is made (aware).

    Tables `busiest_namespace`, `busiest_actor`, `busiest_kind`; charts `series`, `heat` (week day × hour of the
    period's time zone) and `coverage` (state of each UTC day). Errors: WarehouseError."""
    period, namespace, top = params.period, params.namespace, params.top
    view = period_view.read(snapshot, period, namespace=namespace, source_ids=params.sources, compare=params.compare)
    current, before = period_view.totals(view)
    found = period_view.metrics(view, _FIGURES, current, before)
    tables = [
        activity_table(view, "actor", "Busiest users", top),
        activity_table(view, "robot", "Busiest robot accounts", top),
        activity_table(view, "kind", "Kinds of events", top),
    ]
    if not namespace:
        tables.insert(0, activity_table(view, "namespace", "Busiest namespaces", top))
    if view.coverage.sources > 1:
        tables.append(activity_table(view, "source", "Sources", top))
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
        metrics=(*found, period_view.anonymous(view, current, before)),
        tables=tuple(tables),
        charts=(period_view.series(view), period_view.heat(view), period_view.strip(view)),
        notes=(*view.notes, *period_view.unknown_kinds(current)),
    )


SPEC = ReportSpec(
    id=REPORT_ID,
    title=TITLE,
    summary="What happened in a period at a glance: figures, when, where, by whom, and how complete that is.",
    audience=("security", "capacity", "compliance"),
    params=OverviewParams,
    build=build,
    page="overview",
)
