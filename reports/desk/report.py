"""The alert register: every alert of a period, how it was dealt with, and how soon."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated

import msgspec
import polars as pl
from msgspec import Meta

from quayledger.reports.desk import alerts
from quayledger.reports.desk.store import Desk
from quayledger.reports.log import coverage
from quayledger.reports.model import Column, Metric, Note, Parameter, Report, Table
from quayledger.reports.spec import PeriodParam, ReportSpec, TopParam
from quayledger.warehouse.snapshot import Snapshot

REPORT_ID = "alerts"
TITLE = "Alert register"
_COLUMNS = (
    Column("alert_id", "Alert"),
    Column("rule_id", "Rule", "text"),
    Column("rule_version", "Version"),
    Column("severity", "Severity", "text"),
    Column("title", "What", "text"),
    Column("subject", "Subject", "text"),
    Column("first_at", "First", "time"),
    Column("last_at", "Last", "time"),
    Column("events", "Events"),
    Column("state", "State", "text"),
    Column("owner", "Owner", "text"),
    Column("note", "Last note", "text"),
    Column("closed_at", "Closed", "time"),
    Column("summary", "Summary", "text"),
)
_TIME = pl.Datetime("us", "UTC")
_SCHEMA = {
    column.name: _TIME if column.kind == "time" else pl.Int64() if column.kind == "count" else pl.String()
    for column in _COLUMNS
}


class AlertParams(msgspec.Struct, frozen=True, kw_only=True):
    """What may be asked of the alert register."""

    period: PeriodParam
    open_only: Annotated[bool, Meta(description="Only alerts that are not resolved.")] = False
    top: TopParam = 0


def build(snapshot: Snapshot, params: AlertParams, *, now: datetime | None = None) -> Report:
    """The alerts whose events reach into a period. `now`: when it is made (aware).

    Table `alerts`: one row per alert, most serious first. Errors: DeskError, WarehouseError."""
    moment, period = now or datetime.now(UTC), params.period
    with Desk.open(snapshot.published.path.parents[1]) as desk:
        found = [
            one
            for one in alerts.list_alerts(desk, moment)
            if one.last_at >= period.since and one.first_at < period.until
        ]
        found = [one for one in found if not params.open_only or one.state is not alerts.AlertState.RESOLVED]
        notes = {one.alert_id: _last_note(desk, one) for one in found}
    table = alerts_table(found, notes, empty="No alert has events in this period.")
    frame = table.frame
    table = msgspec.structs.replace(table, frame=frame.head(params.top) if params.top else frame)
    covered = coverage.measure(snapshot, period, snapshot.published.published_at)
    return Report(
        id=REPORT_ID,
        title=TITLE,
        generated_at=moment,
        as_of=snapshot.published.published_at,
        period=period,
        compared_with=None,
        parameters=(Parameter("Alerts", "open ones" if params.open_only else "all"),),
        trust=covered.trust,
        metrics=_metrics(frame),
        tables=(table,),
        charts=(),
        notes=(
            Note("info", "Alerts are raised for signals of severity low and above; `signals` shows the others too."),
        ),
    )


def alerts_table(
    found: Sequence[alerts.Alert], notes: Mapping[int, str] | None = None, *, empty: str = "No alerts."
) -> Table:
    """Alerts as a table. `notes`: the last one of an alert, by its number; without, there is no such column."""
    columns = tuple(column for column in _COLUMNS if column.name != "note" or notes is not None)
    rows = [_row(one, (notes or {}).get(one.alert_id)) for one in found]
    frame = pl.DataFrame(rows, schema=pl.Schema(_SCHEMA), orient="row").select(column.name for column in columns)
    return Table("alerts", "Alerts", columns, frame, frame.height, empty=empty)


def _last_note(desk: Desk, alert: alerts.Alert) -> str:
    return next((change.note for change in reversed(alerts.history(desk, alert.alert_id)) if change.note), "")


def _row(alert: alerts.Alert, note: str | None) -> tuple[object, ...]:
    values = msgspec.structs.asdict(alert) | {"note": note or None}
    values |= {"severity": alert.severity.value, "state": alert.state.value, "owner": alert.owner or None}
    return tuple(values[column.name] for column in _COLUMNS)


def _metrics(frame: pl.DataFrame) -> tuple[Metric, ...]:
    still = frame.filter(pl.col("state") != alerts.AlertState.RESOLVED.value)
    serious = still.filter(pl.col("severity").is_in(["high", "critical"]))
    return (
        Metric("alerts", "Alerts", frame.height),
        Metric("open", "Open", still.height),
        Metric("serious", "Open, high or critical", serious.height),
    )


SPEC = ReportSpec(
    id=REPORT_ID,
    title=TITLE,
    summary="Alerts of a period and how they were dealt with.",
    audience=("security", "compliance"),
    params=AlertParams,
    build=build,
)
