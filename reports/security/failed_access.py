"""Failed access: who failed to do what, from which address, and whether it worked afterwards."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

import msgspec
import polars as pl
from msgspec import Meta

from quayledger.reports.model import Column, Metric, Note, Report, Table
from quayledger.reports.security import event_report
from quayledger.reports.spec import NamespaceParam, PeriodParam, ReportSpec, SourcesParam, TopParam
from quayledger.warehouse.log import failed_attempts
from quayledger.warehouse.snapshot import Snapshot

REPORT_ID = "failed-access"
TITLE = "Failed access"
_ATTEMPTS = (
    Column("hour", "Hour", "time"),
    Column("name", "Attempted name", "text", "as it was typed; it may not exist"),
    Column("kind", "Kind", "text"),
    Column("ip", "IP address", "text"),
    Column("attempts", "Attempts"),
    Column("success_at", "Success after", "time", "by the same name or address"),
    Column("success_by", "Same", "text", "what the success has in common with the attempts"),
    Column("message", "Message", "text"),
    Column("success_actor", "Success by", "text"),
    Column("namespace", "Namespace", "text"),
    Column("repository", "Repository", "text"),
    Column("user_agent", "User agent", "text"),
    Column("source_id", "Source", "text"),
    Column("event_id", "Last event", "text"),
)


class FailedAccessParams(msgspec.Struct, frozen=True, kw_only=True):
    """What may be asked of the report of failed access."""

    period: PeriodParam
    namespace: NamespaceParam = None
    within_hours: Annotated[
        int, Meta(ge=1, le=168, description="How many hours after an attempt a success still counts.")
    ] = 6
    sources: SourcesParam = ()
    top: TopParam = 0


def build(snapshot: Snapshot, params: FailedAccessParams, *, now: datetime | None = None) -> Report:
    """Failed log-ins, pulls, pushes and deletions of a period. `now`: when it is made (aware). A namespace leaves out failed
    log-ins: they belong to none.

    Tables `attempts` (by hour, name, kind and address), `by_address` and `by_name` (attempts, distinct others, success).
    Errors: WarehouseError."""
    view = event_report.read_period(snapshot, params.period, params.namespace, params.sources)
    rows = failed_attempts.failed_attempts(
        snapshot,
        params.period.since,
        params.period.until,
        within=timedelta(hours=params.within_hours),
        source_ids=params.sources,
    )
    if params.namespace is not None:
        rows = rows.filter(pl.col("namespace") == params.namespace)
    empty = event_report.nothing(view, "failed access")
    tables = (
        event_report.table("attempts", "Attempts by hour", _ATTEMPTS, rows, params.top, empty=empty),
        _ranked("by_address", "By address", "ip", "IP address", "name", "Names", rows, params.top, empty),
        _ranked("by_name", "By attempted name", "name", "Attempted name", "ip", "Addresses", rows, params.top, empty),
    )
    return event_report.report(
        REPORT_ID, TITLE, view, metrics=_metrics(rows), tables=tables, notes=_notes(snapshot, params), now=now
    )


def _ranked(
    name: str, title: str, key: str, label: str, other: str, others: str, rows: pl.DataFrame, top: int, empty: str
) -> Table:
    frame = (
        rows.group_by(key)
        .agg(
            pl.col("attempts").sum(),
            pl.col(other).drop_nulls().n_unique().cast(pl.Int64).alias("others"),
            pl.col("kind").unique().sort().str.join(", ").alias("kinds"),
            pl.col("first_at").min(),
            pl.col("last_at").max(),
            pl.col("success_at").min(),
            pl.col("success_actor").drop_nulls().unique().sort().head(5).str.join(", ").alias("success_actors"),
        )
        .sort("attempts", key, descending=[True, False])
    )
    columns = (
        Column(key, label, "text"),
        Column("attempts", "Attempts"),
        Column("others", others),
        Column("kinds", "Kinds", "text"),
        Column("first_at", "First", "time"),
        Column("last_at", "Last", "time"),
        Column("success_at", "Success after", "time"),
        Column("success_actors", "Success by", "text"),
    )
    return event_report.table(name, title, columns, frame, top, empty=empty)


def _metrics(rows: pl.DataFrame) -> tuple[Metric, ...]:
    succeeded = rows.filter(pl.col("success_at").is_not_null())
    return (
        Metric("attempts", "Failed attempts", int(rows["attempts"].sum() or 0)),
        Metric("names", "Attempted names", rows["name"].drop_nulls().n_unique()),
        Metric("addresses", "IP addresses", rows["ip"].drop_nulls().n_unique()),
        Metric(
            "succeeded",
            "Addresses with a success after",
            succeeded["ip"].drop_nulls().n_unique(),
            explanation="the same name or address, see Same",
        ),
    )


def _notes(snapshot: Snapshot, params: FailedAccessParams) -> list[Note]:
    notes = []
    absent = event_report.unrecorded(snapshot, tuple(failed_attempts.SUCCESS_OF), params.sources)
    if absent:
        notes.append(
            Note(
                "warning",
                f"Not one event held here is of kind {event_report.named(absent)}. Quay writes these only where its settings "
                "ACTION_LOG_AUDIT_… are on (they are off by default), from release 2024-01 on: their absence says nothing.",
            )
        )
    if "login_success" in event_report.unrecorded(snapshot, ("login_success",), params.sources):
        notes.append(
            Note("warning", "No successful log-in is recorded: a success after failed log-ins would not be seen.")
        )
    if params.namespace is not None:
        notes.append(Note("info", "Failed log-ins belong to no namespace: they are left out."))
    notes.append(
        Note(
            "info",
            "An address can stand for many people, such as those behind a proxy: the same address is not the same person.",
        )
    )
    return notes


SPEC = ReportSpec(
    id=REPORT_ID,
    title=TITLE,
    summary="Failed log-ins, pulls, pushes and deletions by name and address, and whether one succeeded afterwards.",
    audience=("security", "compliance"),
    params=FailedAccessParams,
    build=build,
)
