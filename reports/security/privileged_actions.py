"""Privileged actions: what superusers and administrators of the installation did, to whom, from what to
what."""

from __future__ import annotations

from datetime import datetime

import msgspec
import polars as pl

from quayledger.reports.formatting import plural
from quayledger.reports.model import Column, Metric, Note, Report
from quayledger.reports.security import event_report
from quayledger.reports.security.event_report import ORIGIN, TIME, text
from quayledger.reports.spec import NamespaceParam, PeriodParam, ReportSpec, SourcesParam, TopParam
from quayledger.warehouse.catalog.recorded_kinds import QUOTA_KINDS
from quayledger.warehouse.snapshot import Snapshot

REPORT_ID = "privileged-actions"
TITLE = "Privileged actions"
# Whoever did it: these change an installation or take away what belongs to others.
ALWAYS = (
    "take_ownership",
    "org_delete",
    "org_change_name",
    "service_key_create",
    "service_key_approve",
    "service_key_modify",
    "service_key_extend",
    "service_key_delete",
    "service_key_rotate",
    *QUOTA_KINDS,
    "user_delete",
    "user_disable",
    "user_enable",
)
# Privileged where a superuser did it for somebody else; then the event names the superuser.
BY_SUPERUSER = (
    "user_create",
    "user_change_password",
    "user_change_email",
    "user_change_name",
    "user_change_metadata",
    "user_change_invoicing",
    "user_change_tag_expiration",
    "user_generate_client_key",
    "org_change_email",
    "org_change_invoicing",
    "org_change_tag_expiration",
    "create_robot",
    "delete_robot",
    "regenerate_robot_token",
)
_COLUMNS = (
    TIME,
    Column("by", "By", "text", "the superuser or administrator"),
    Column("kind", "Action", "text"),
    Column("target", "Target", "text"),
    Column("before", "Before", "text"),
    Column("after", "After", "text"),
    *ORIGIN,
)


class PrivilegedParams(msgspec.Struct, frozen=True, kw_only=True):
    """What may be asked of the report of privileged actions."""

    period: PeriodParam
    namespace: NamespaceParam = None
    sources: SourcesParam = ()
    top: TopParam = 0


def build(snapshot: Snapshot, params: PrivilegedParams, *, now: datetime | None = None) -> Report:
    """The privileged actions of a period, newest first. `now`: when it is made (aware).

    Tables `actions` (time, by, kind, target, before, after, origin, event_id) and `by_account` (by, actions, kinds, first and
    last). Errors: WarehouseError."""
    view = event_report.read_period(snapshot, params.period, params.namespace, params.sources)
    found = event_report.events_of(view, (*ALWAYS, *BY_SUPERUSER)).with_columns(superuser=text("superuser"))
    found = found.filter(pl.col("kind").is_in(ALWAYS) | pl.col("superuser").is_not_null())
    rows = _told(found)
    empty = event_report.nothing(view, "privileged action")
    accounts = (
        rows.group_by("by")
        .agg(
            pl.len().cast(pl.Int64).alias("actions"),
            pl.col("kind").unique().sort().str.join(", ").alias("kinds"),
            pl.col("occurred_at").min().alias("first_at"),
            pl.col("occurred_at").max().alias("last_at"),
        )
        .sort("actions", "by", descending=[True, False])
    )
    columns = (
        Column("by", "By", "text"),
        Column("actions", "Actions"),
        Column("kinds", "Kinds", "text"),
        Column("first_at", "First", "time"),
        Column("last_at", "Last", "time"),
    )
    return event_report.report(
        REPORT_ID,
        TITLE,
        view,
        metrics=(
            Metric("actions", "Actions", rows.height),
            Metric("accounts", "Accounts", rows["by"].drop_nulls().n_unique()),
            Metric("takeovers", "Take-overs", rows.filter(kind="take_ownership").height, explanation="of a namespace"),
        ),
        tables=(
            event_report.table("actions", "Privileged actions", _COLUMNS, rows, params.top, empty=empty),
            event_report.table("by_account", "By account", columns, accounts, params.top, empty=empty),
        ),
        notes=_notes(rows),
        now=now,
    )


def _told(found: pl.DataFrame) -> pl.DataFrame:
    changes = [event_report.change_of(event_report.parsed(one)) for one in found["metadata"]]
    return found.with_columns(
        pl.coalesce("superuser", "actor").alias("by"),
        pl.coalesce(text("new_name", "robot", "username", "namespace", "name", "kid"), "namespace").alias("target"),
        pl.Series("before", [before for before, _ in changes], pl.String),
        pl.Series("after", [after for _, after in changes], pl.String),
    )


def _notes(rows: pl.DataFrame) -> list[Note]:
    unnamed = rows["by"].null_count()
    notes = [
        Note("info", "Before and After are what the event itself names; Quay does not name them for every action."),
        Note("info", "Quay records the deletion of an organization by a superuser from its release 2026-08 on only."),
    ]
    if unnamed:
        notes.append(Note("warning", f"{plural(unnamed, 'action')} without an account: Quay does not name one."))
    return notes


SPEC = ReportSpec(
    id=REPORT_ID,
    title=TITLE,
    summary="What superusers and administrators did: take-overs, accounts, keys and quotas, with before and after.",
    audience=("security", "compliance"),
    params=PrivilegedParams,
    build=build,
)
