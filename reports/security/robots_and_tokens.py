"""The readers' room: robots and tokens. Who owns which credential, how old and how idle it is, and what it may do."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Literal

import msgspec
import polars as pl
from msgspec import Meta

from quayledger.reports import formatting
from quayledger.reports.inventory.accounts import OWN_LIST
from quayledger.reports.inventory.common import lists_needed, repositories_needed, teams_needed
from quayledger.reports.inventory.inventory_query import Asked, Drawn, fetch_states_by, moment_of
from quayledger.reports.inventory.knowledge import each, explain, one, summed_up
from quayledger.reports.model import Chart, Column, Encodings, Metric, Note, Parameter, Report, Table
from quayledger.reports.security.credential_rows import (
    APP_TOKEN,
    APPLICATION,
    KINDS,
    NEVER_USED,
    NO_RECORD,
    OAUTH_TOKEN,
    ROBOT,
    credential_rows,
    tokens_in_log,
)
from quayledger.reports.spec import NamespaceParam, ReportSpec, SourcesParam, TopParam
from quayledger.warehouse.log import events as log
from quayledger.warehouse.snapshot import Snapshot

REPORT_ID = "credentials"
TITLE = "Robots and tokens"
IDLE_DAYS = 60
KindChoice = Literal["robot", "app-token", "oauth-application", "oauth-token"]
_KIND_OF = dict(zip(("robot", "app-token", "oauth-application", "oauth-token"), KINDS, strict=True))
_COLUMNS = (
    Column("name", "Name", "text"),
    Column("kind", "Kind", "text"),
    Column("owner", "Owner", "text", "of a token the user whose rights it has"),
    Column("age_days", "Age, days"),
    Column("last_use_at", "Last use", "time", "the later of Quay's own record and the audit log"),
    Column("use", "Use", "text", "no record does not mean it was never used"),
    Column("idle_days", "Idle days", "count", "without a record of use: since its creation or since the records begin"),
    Column("highest_role", "Highest role", "text", "by any way: direct, team, organization"),
    Column("repositories", "Repositories", "count", "that it can reach"),
    Column("teams", "Teams"),
    Column("powerful", "Administers", "flag", "has an admin role, or a scope that administers"),
    Column("unused_write", "Write unused", "flag", "may write, and no push by it is held"),
    Column("federated", "Federated", "flag"),
    Column("distinct_ips_30d", "IPs in 30 days", "count", "distinct addresses in the log"),
    Column("scope", "Scope", "text"),
    Column("expires_at", "Expires", "time", "– does not expire, or is not known"),
    Column("expired", "Expired", "flag"),
    Column("created_at", "Created", "time"),
    Column("created_by", "Created by", "text"),
    Column("rotated_at", "Last rotated", "time", "as far as events are held"),
    Column("last_push_at", "Last push", "time"),
    Column("evidence", "Known from", "text", "what tells the last use: events, quay, both"),
    Column("evidence_from", "Records begin", "day", "use before this day would not be known"),
    Column("listed", "Listed", "flag", "no: named by events only, its owner's list could not be read"),
    Column("credential_id", "Id", "text"),
    Column("source_id", "Source", "text"),
)
_IN_LOG = (
    Column("number", "Token", "text", "Quay's number of it, which no list shows"),
    Column("application", "Application", "text"),
    Column("last_event_at", "Last event", "time"),
    Column("last_event_kind", "Kind of last event", "text"),
    Column("distinct_ips_30d", "IPs in 30 days"),
    Column("evidence_from", "Records begin", "day"),
    Column("source_id", "Source", "text"),
)


class CredentialsParams(msgspec.Struct, frozen=True, kw_only=True):
    """What may be asked of the report on robots and tokens."""

    kind: Annotated[KindChoice | None, Meta(description="Only credentials of this kind.")] = None
    namespace: NamespaceParam = None
    idle_days: Annotated[
        int, Meta(ge=0, le=36_500, description="Only those without a recorded use for at least so many days (0 = all).")
    ] = 0
    powerful: Annotated[bool, Meta(description="Only those that administer.")] = False
    sources: SourcesParam = ()
    top: TopParam = 0


def build(snapshot: Snapshot, params: CredentialsParams, *, now: datetime | None = None) -> Report:
    """Robots, app tokens, OAuth applications and their tokens as they are now, the longest idle first. `now`: when it is made
    (aware). `namespace`: what belongs to this organization or user.

    Chart `age_idle`; tables `credentials` (the columns of `credential_rows`) and `oauth_tokens_in_log` (OAuth tokens by the number that events
    name). Errors: NotPublished for a copy without an inventory, WarehouseError."""
    now = now or datetime.now(UTC)
    period, at = moment_of(snapshot, None, now)
    sources = params.sources or tuple(log.list_sources(snapshot)["source_id"])
    asked = Asked(snapshot, period, at, sources, len(sources) > 1, fetch_states_by(snapshot, at, sources), params.top)
    uses = asked.uses()
    rows = _chosen(credential_rows(asked, uses), params)
    drawn = asked.draw("credentials", TITLE, rows, rows.columns, _needs(asked), empty="")
    return Report(
        id=REPORT_ID,
        title=TITLE,
        generated_at=now,
        as_of=snapshot.published.published_at,
        period=period,
        compared_with=None,
        parameters=tuple(_parameters(params, period.label)),
        trust=summed_up(drawn.parts).trust,
        metrics=tuple(_metrics(rows, drawn)),
        tables=(_credentials(rows, drawn, params), _numbered(uses, params)),
        charts=(_chart(rows),),
        notes=tuple(_notes(asked, drawn, rows)),
    )


def _chosen(rows: pl.DataFrame, params: CredentialsParams) -> pl.DataFrame:
    if params.kind is not None:
        rows = rows.filter(kind=_KIND_OF[params.kind])
    if params.namespace is not None:
        rows = rows.filter(owner=params.namespace)
    if params.powerful:
        rows = rows.filter("powerful")
    # Of whom it is not known at all since when they are idle belongs to the idle ones.
    return rows.filter(pl.col("idle_days").fill_null(params.idle_days) >= params.idle_days)


def _needs(asked: Asked) -> list[pl.DataFrame]:
    """What the rows are told by."""
    organizations, applications = asked.state("organizations"), asked.state("applications")
    place = pl.concat_str("organization", pl.lit("/"), "client_id")
    robots = asked.state("robots")
    return [
        *lists_needed(asked)[:1],
        each("robots", organizations, pl.col("organization")),
        each("federation", robots, pl.col("robot")),
        one(asked.source_ids, app_tokens=""),
        each("applications", organizations, pl.col("organization")),
        each("oauth_tokens", applications, place),
        teams_needed(asked, "team_members"),
        teams_needed(asked, "team_permissions"),
        repositories_needed(asked, "user_permissions"),
    ]


def _credentials(rows: pl.DataFrame, drawn: Drawn, params: CredentialsParams) -> Table:
    """The table in its own columns, with what is not known of it."""
    asked_for_all = params == CredentialsParams(sources=params.sources, top=params.top)
    empty = "No robot and no token." if asked_for_all else "No robot and no token is such."
    frame = rows.select(column.name for column in _COLUMNS)
    return Table(
        "credentials",
        TITLE,
        _COLUMNS,
        frame.head(params.top) if params.top else frame,
        frame.height,
        drill="text",
        note=drawn.table.note,
        empty=empty if all(part.known for part in drawn.parts) else "",
    )


def _chart(rows: pl.DataFrame) -> Chart:
    """Each credential by its age and its idle days; those of which either is not known are counted in the summary."""
    what = (
        pl.when(pl.col("expired").fill_null(value=False))
        .then(pl.lit("Expired"))
        .when(pl.col("powerful").fill_null(value=False))
        .then(pl.lit("Administers"))
        .when(pl.col("unused_write").fill_null(value=False))
        .then(pl.lit("Write unused"))
        .otherwise(pl.lit("Other"))
    )
    frame = rows.drop_nulls(["age_days", "idle_days"]).select(
        "name", "kind", "owner", "age_days", "idle_days", what.alias("what")
    )
    missing = rows.height - frame.height
    said = f"Not drawn, as age or use is not known: {missing:,} of {rows.height:,}." if missing else ""
    codes = Encodings("age_days", ("idle_days",), "what", ("Age, days", "Idle days"))
    return Chart("age_idle", "Age and idle days", "scatter", frame, codes, said)


def _numbered(uses: pl.DataFrame, params: CredentialsParams) -> Table:
    frame = tokens_in_log(uses).select(column.name for column in _IN_LOG)
    return Table(
        "oauth_tokens_in_log",
        "OAuth tokens in the audit log",
        _IN_LOG,
        frame.head(params.top) if params.top else frame,
        frame.height,
        note="Events name an OAuth token by a number that no list of Quay shows, so a row here cannot be matched with one above.",
        empty="No event held here was made with an OAuth token.",
    )


def _parameters(params: CredentialsParams, moment: str) -> Iterator[Parameter]:
    yield Parameter("State", moment)
    yield Parameter("Kind", params.kind or "all")
    yield Parameter("Namespace", params.namespace or "all")
    yield Parameter("Idle", f"at least {formatting.plural(params.idle_days, 'day')}" if params.idle_days else "all")
    if params.powerful:
        yield Parameter("Only", "those that administer")
    yield Parameter("Source", ", ".join(params.sources) or "all")


def _metrics(rows: pl.DataFrame, drawn: Drawn) -> Iterator[Metric]:
    """How many of each sort; not known where there are none and something was not read."""
    known = all(part.known for part in drawn.parts)
    alive = rows.filter(~pl.col("expired").fill_null(value=False))

    def number(name: str, label: str, found: pl.DataFrame, explanation: str = "") -> Metric:
        return Metric(name, label, found.height if found.height or known else None, explanation=explanation)

    for name, label, kind in (
        ("robots", "Robot accounts", ROBOT),
        ("app_tokens", "App tokens", APP_TOKEN),
        ("oauth_applications", "OAuth applications", APPLICATION),
        ("oauth_tokens", "OAuth tokens", OAUTH_TOKEN),
    ):
        yield number(name, label, rows.filter(kind=kind))
    idle = pl.col("idle_days").fill_null(IDLE_DAYS) >= IDLE_DAYS
    yield number("idle", f"Idle {IDLE_DAYS} days", alive.filter(idle), "without a recorded use; expired ones left out")
    yield number("never_used", "Never used", rows.filter(use=NEVER_USED), "as Quay says, and no event says otherwise")
    yield number("no_record", "No record of use", rows.filter(use=NO_RECORD), "which does not mean never")
    yield number("powerful", "Administering", alive.filter("powerful"), "an admin role, or a scope that administers")
    yield number("unused_write", "Write unused", rows.filter("unused_write"), "robots that may write; no push is held")
    unlimited = rows.filter(pl.col("kind").is_in([APP_TOKEN, OAUTH_TOKEN]) & pl.col("expires_at").is_null())
    yield number("unlimited", "Tokens that do not expire", unlimited)


def _notes(asked: Asked, drawn: Drawn, rows: pl.DataFrame) -> list[Note]:
    told = dict.fromkeys(explain(part, asked.several) for part in drawn.parts)
    notes = [Note("warning", sentence) for sentence in told if sentence]
    begun = rows["evidence_from"].drop_nulls().to_list()
    if begun:
        notes.append(
            Note("info", f"Records begin on {max(begun)}. No record before that day does not mean never used.")
        )
    notes.append(
        Note(
            "info",
            "Created and last rotated: from Quay's lists, else from events. Quay replaces no secret of an app token or an OAuth "
            "token: those are revoked and made anew.",
        )
    )
    notes.append(Note("info", OWN_LIST))
    if rows.filter(kind=APP_TOKEN).height:
        notes.append(
            Note("info", "An app token can do what its owner can. Quay's list does not name the owner; the event does.")
        )
    return notes


SPEC = ReportSpec(
    id=REPORT_ID,
    title=TITLE,
    summary="Robots, app tokens, OAuth applications and their tokens: owner, age, last use, idle days, roles, scope, expiry.",
    audience=("security", "compliance"),
    params=CredentialsParams,
    build=build,
    page="credentials",
)
