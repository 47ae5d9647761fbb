"""Permission changes: who granted or revoked which role, for whom, on what: from the log, joined with what the
inventory saw change, so that what only one of the two knows is told as well."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from typing import Annotated

import msgspec
import polars as pl
from msgspec import Meta

from quayledger.reports.formatting import plural
from quayledger.reports.inventory import unlogged
from quayledger.reports.log.period_view import PeriodView
from quayledger.reports.model import Column, Metric, Note, Report
from quayledger.reports.security import event_report
from quayledger.reports.security.event_report import ACCOUNT, ORIGIN, TIME, text
from quayledger.reports.spec import NamespaceParam, PeriodParam, ReportSpec, SourcesParam, TopParam
from quayledger.warehouse.catalog import Type
from quayledger.warehouse.errors import NotPublished
from quayledger.warehouse.inventory import reader
from quayledger.warehouse.schema import UTC_MICROSECONDS
from quayledger.warehouse.snapshot import Snapshot

REPORT_ID = "permission-changes"
TITLE = "Permission changes"
KINDS = (
    "change_repo_permission",
    "add_repo_permission",
    "delete_repo_permission",
    "org_create_team",
    "org_delete_team",
    "org_set_team_role",
    "org_add_team_member",
    "org_remove_team_member",
    "org_team_member_invite_accepted",
    "create_prototype_permission",
    "modify_prototype_permission",
    "delete_prototype_permission",
    "change_repo_visibility",
)
FAMILIES = ("repository_permissions", "teams", "team_members", "default_permissions", "repositories")
_REMOVED = ("delete_repo_permission", "org_delete_team", "org_remove_team_member", "delete_prototype_permission")
_MEMBER = ("org_add_team_member", "org_remove_team_member", "org_team_member_invite_accepted")
_COLUMNS = (
    TIME,
    *ACCOUNT,
    Column("subject", "Subject", "text", "who gets or loses it"),
    Column("resource", "Resource", "text"),
    Column("old_role", "Old role", "text"),
    Column("new_role", "New role", "text"),
    Column("made_public", "Made public", "flag"),
    Column("evidence", "Known from", "text", "the audit log, the inventory, or both"),
    Column("kind", "Kind", "text"),
    *ORIGIN,
)
_ROW = {
    "source_id": pl.String,
    "resource": pl.String,
    "subject": pl.String,
    "old_role": pl.String,
    "new_role": pl.String,
    "made_public": pl.Boolean,
}
_SEEN: dict[str, Type] = {
    **_ROW,
    "seen_at": UTC_MICROSECONDS,
    "after_at": UTC_MICROSECONDS,
    "state": pl.String,
    "why": pl.String,
}
# How far an event may lie from the readings between which it changed something: some databases keep whole seconds.
_TOLERANCE = timedelta(seconds=2)
_UNEXPLAINED = (
    Column("seen_at", "Read", "time", "when the inventory found it"),
    Column("after_at", "Not before", "time", "the reading before"),
    Column("subject", "Subject", "text"),
    Column("resource", "Resource", "text"),
    Column("old_role", "Old role", "text"),
    Column("new_role", "New role", "text"),
    Column("made_public", "Made public", "flag"),
    Column("why", "Why", "text", "why Quay may have written no event, where that is known"),
    Column("source_id", "Source", "text"),
)


class PermissionParams(msgspec.Struct, frozen=True, kw_only=True):
    """What may be asked of the report on permission changes."""

    period: PeriodParam
    namespace: NamespaceParam = None
    subject: Annotated[str | None, Meta(description="Only what this user, robot or team got or lost.")] = None
    actor: Annotated[str | None, Meta(description="Only what this account changed.")] = None
    sources: SourcesParam = ()
    top: TopParam = 0


def build(snapshot: Snapshot, params: PermissionParams, *, now: datetime | None = None) -> Report:
    """The permission changes of a period, newest first. `now`: when it is made (aware).

    Tables `changes` (time, account, subject, resource, old and new role, made public, known from, origin) and `unexplained`
    (what the inventory saw change without an event: nobody is named). Errors: WarehouseError."""
    view = event_report.read_period(snapshot, params.period, params.namespace, params.sources)
    seen = _seen(view)
    changes = _joined(_told(event_report.events_of(view, KINDS)), seen)
    unexplained = seen.filter(pl.col("state") == unlogged.UNLOGGED)
    undecided = seen.filter(pl.col("state") == unlogged.LOG_INCOMPLETE).height
    if params.subject is not None:
        changes, unexplained = (one.filter(pl.col("subject") == params.subject) for one in (changes, unexplained))
    if params.actor is not None:
        changes, unexplained = changes.filter(pl.col("actor") == params.actor), unexplained.clear()
    empty = event_report.nothing(view, "permission change")
    return event_report.report(
        REPORT_ID,
        TITLE,
        view,
        metrics=_metrics(changes, unexplained),
        tables=(
            event_report.table("changes", "Permission changes", _COLUMNS, changes, params.top, empty=empty),
            event_report.table(
                "unexplained",
                "Changes without an event",
                _UNEXPLAINED,
                unexplained.sort("seen_at", descending=True),
                params.top,
                empty=_no_unexplained(undecided),
            ),
        ),
        notes=_notes(view, unexplained, undecided),
        now=now,
    )


def _told(events: pl.DataFrame) -> pl.DataFrame:
    """What each event says: subject, resource, old and new role. A role before is the one that the same subject was last
    given on the same resource, within the period."""
    kind = pl.col("kind")
    repository = pl.concat_str("namespace", pl.lit("/"), pl.coalesce("repository", text("repo")))
    team = pl.concat_str("namespace", pl.lit("/"), text("team"))
    prototype = kind.str.ends_with("prototype_permission")
    visibility = kind == "change_repo_visibility"
    # A default permission names in `username` who set it up.
    delegate = pl.coalesce(text("delegate_user", "delegate_team"), pl.lit("everyone"))
    subject = (
        pl.when(visibility)
        .then(pl.lit("everyone"))
        .when(prototype)
        .then(delegate)
        .when(kind.is_in(_MEMBER))
        .then(text("member"))
        .when(kind.str.starts_with("org_"))
        .then(team)
        .otherwise(pl.coalesce(text("username"), team))
    )
    resource = (
        pl.when(prototype)
        .then(pl.format("{} (new repositories)", "namespace"))
        .when(kind.is_in(_MEMBER))
        .then(pl.concat_str(pl.lit("team "), team))
        .when(kind.str.starts_with("org_"))
        .then(pl.col("namespace"))
        .otherwise(repository)
    )
    role = (
        pl.when(kind.is_in(_REMOVED))
        .then(pl.lit(None, pl.String))
        .when(kind.is_in(_MEMBER))
        .then(pl.lit("member"))
        .when(visibility)
        .then(text("visibility"))
        .otherwise(text("role"))
    )
    told = events.with_columns(
        subject.alias("subject"),
        resource.alias("resource"),
        role.alias("new_role"),
        pl.when(visibility).then(text("visibility") == "public").alias("made_public"),
        pl.when(kind == "org_remove_team_member").then(pl.lit("member")).alias("had"),
    )
    line = ["source_id", "resource", "subject"]
    told = told.sort("occurred_at").with_columns(
        pl.coalesce("had", pl.col("new_role").shift(1).over(line)).alias("old_role")
    )
    return told.sort("occurred_at", "event_id", descending=True).drop("had")


def _seen(view: PeriodView) -> pl.DataFrame:
    """What the inventory saw change in the period, and whether an event tells of it: _SEEN."""
    try:
        found = unlogged.changes(
            view.snapshot, view.period.since, view.period.until, source_ids=view.source_ids, families=FAMILIES
        )
    except NotPublished:
        return pl.DataFrame(schema=_SEEN)
    rows = [row for one in found.iter_rows(named=True) if (row := _seen_row(one)) is not None]
    frame = pl.DataFrame(rows, schema=_SEEN, orient="row")
    if view.namespace is not None:
        own = pl.col("resource").str.strip_prefix("team ")
        frame = frame.filter((own == view.namespace) | own.str.starts_with(f"{view.namespace}/"))
    return frame


def _seen_row(row: dict[str, object]) -> tuple[object, ...] | None:
    """One difference as a change of a permission; None where it is none."""
    family, change, key = row["family"], row["change"], json.loads(str(row["key"]))
    before, after = _role(row["before"]), _role(row["after"])
    made_public = None
    if family == "repository_permissions":
        team = f"{key['namespace']}/" if key["principal_kind"] == "team" else ""
        subject, resource = f"{team}{key['principal']}", f"{key['namespace']}/{key['repository']}"
    elif family == "teams":
        subject, resource = f"{key['organization']}/{key['team']}", key["organization"]
    elif family == "team_members":
        subject, resource = key["member"], f"team {key['organization']}/{key['team']}"
        before, after = (None if value is None else "member" for value in (row["before"], row["after"]))
    elif family == "default_permissions":
        delegate = re.search(r"delegate ([^;]+)", str(row["before"] or row["after"]))
        subject = delegate.group(1) if delegate else "everyone"
        resource = f"{key['organization']} (new repositories)"
    elif row["column"] == "is_public":
        subject, resource = "everyone", f"{key['namespace']}/{key['repository']}"
        before, after = (_visibility(value) for value in (row["before"], row["after"]))
        made_public = after == "public"
    else:
        return None
    if change == "changed" and family != "repositories" and row["column"] != "role":
        return None
    known = (row["first_seen_at"], row["after_at"], row["state"], row["why"])
    return row["source_id"], resource, subject, before, after, made_public, *known


def _role(value: object) -> str | None:
    """The role in a difference's value: `admin`, or `role admin; …` of an object that came or went."""
    if value is None:
        return None
    named = [part.removeprefix("role ") for part in str(value).split("; ") if part.startswith("role ")]
    return named[0] if named else str(value) if " " not in str(value) else None


def _visibility(value: object) -> str | None:
    return None if value is None else "public" if value == "true" else "private"


def _joined(told: pl.DataFrame, seen: pl.DataFrame) -> pl.DataFrame:
    """The events with the role before that the inventory knew: of what it saw change of the same subject and resource between two
    readings around the event."""
    numbered = seen.with_row_index("row").rename({"old_role": "seen_old", "new_role": "seen_new"}).drop("made_public")
    place = ["source_id", "resource", "subject"]
    pairs = told.select("event_id", "occurred_at", *place).join(numbered, on=place)
    near = pl.col("occurred_at").is_between(pl.col("after_at") - _TOLERANCE, pl.col("seen_at") + _TOLERANCE)
    # Only the last event before a reading can have brought what it found.
    last = pairs.filter(near).sort("occurred_at").unique("row", keep="last").select("event_id", "seen_old")
    return told.join(last.unique("event_id", keep="first"), on="event_id", how="left").with_columns(
        pl.coalesce("old_role", "seen_old").alias("old_role"),
        pl.when(pl.col("event_id").is_in(last["event_id"].to_list()))
        .then(pl.lit("audit log and inventory"))
        .otherwise(pl.lit("audit log"))
        .alias("evidence"),
    )


def _no_unexplained(undecided: int) -> str:
    if undecided:
        return f"No change is known to lack an event; of {plural(undecided, 'change')} the log is not complete yet."
    return "The inventory saw no change without an event."


def _metrics(changes: pl.DataFrame, unexplained: pl.DataFrame) -> tuple[Metric, ...]:
    admin = changes.filter(pl.col("new_role") == "admin")
    return (
        Metric("changes", "Permission changes", changes.height),
        Metric("accounts", "Changed by accounts", changes["actor"].drop_nulls().n_unique()),
        Metric("admin", "Admin granted", admin.height),
        Metric("public", "Made public", int(changes["made_public"].sum() or 0)),
        Metric("unexplained", "Without an event", unexplained.height, explanation="seen by the inventory alone"),
    )


def _notes(view: PeriodView, unexplained: pl.DataFrame, undecided: int) -> list[Note]:
    notes = [
        Note(
            "info",
            "Old role: what the subject was last given in this period, or what the inventory knew; – is not known.",
        ),
        Note(
            "info",
            "A change without an event lies between the two readings that are named; Quay's log does not say who made it. What came or "
            "went with a new or deleted repository, team, account or organization has none of its own and is not listed.",
        ),
    ]
    if undecided:
        notes.append(
            Note(
                "info",
                f"{plural(undecided, 'change')} may still get an event: the log was not read that far, or a day of it is not complete.",
            )
        )
    try:
        first_read = reader.first_read_at(view.snapshot, view.source_ids)
    except NotPublished:
        first_read = None
    if first_read is None or first_read > view.period.since:
        notes.append(
            Note(
                "info",
                "The inventory was not read before this period began: until its first reading, the log alone is known.",
            )
        )
    if unexplained.height:
        notes.append(
            Note(
                "warning",
                f"{plural(unexplained.height, 'change')} of permissions without an event: see the second table.",
            )
        )
    return notes


SPEC = ReportSpec(
    id=REPORT_ID,
    title=TITLE,
    summary="Who gave or took which role, to whom, on what; from the audit log and from what the inventory saw change.",
    audience=("security", "compliance"),
    params=PermissionParams,
    build=build,
)
