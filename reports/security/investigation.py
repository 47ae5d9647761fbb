"""Report on one account, token, address, repository, tag or digest: first and last seen, what it did, with whom and what it was
seen, what it may do, what is new, and which alerts concern it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

import msgspec
import polars as pl
from msgspec import Meta

from quayledger.reports.desk import alerts
from quayledger.reports.desk.report import alerts_table
from quayledger.reports.desk.store import Desk, DeskError
from quayledger.reports.errors import BadParameter, UnknownObject
from quayledger.reports.formatting import visible
from quayledger.reports.inventory.access_table import access_table
from quayledger.reports.log import events_page, period_view
from quayledger.reports.log.period_view import PeriodView
from quayledger.reports.model import Column, Metric, Note, Report, Table
from quayledger.reports.period import Period
from quayledger.reports.security import event_report
from quayledger.reports.security.credential_rows import APP_TOKEN, ROBOT
from quayledger.reports.spec import PeriodParam, ReportSpec, SourcesParam, TopParam
from quayledger.warehouse.errors import NotPublished
from quayledger.warehouse.log import events
from quayledger.warehouse.log.addresses import addresses_of, network_of
from quayledger.warehouse.log.events import CountedField, EventFilter
from quayledger.warehouse.snapshot import Snapshot

REPORT_ID = "investigate"
TITLE = "Investigation"
InvestigateKind = Literal["user", "robot", "token", "ip", "repository", "tag", "digest"]
# What people call each kind, and how a name of it is written.
KINDS: dict[InvestigateKind, tuple[str, str]] = {
    "user": ("User", "alice"),
    "robot": ("Robot account", "acme+ci"),
    "token": ("Token", "app token laptop"),
    "ip": ("IP address or network", "198.51.100.7 or 198.51.100.0/24"),
    "repository": ("Repository", "acme/web"),
    "tag": ("Tag", "acme/web:latest, or latest in any repository"),
    "digest": ("Digest", "sha256:9f86d0…"),
}
_FIELD: dict[InvestigateKind, str] = {
    "user": "actor",
    "robot": "actor",
    "token": "credential",
    "ip": "ip",
    "repository": "repository",
    "digest": "digest",
}
# The order of the tables; each is left out of an investigation of what it lists.
_NEIGHBOURS: tuple[tuple[CountedField, str, str], ...] = (
    ("kind", "Kinds of events", "Kind"),
    ("ip", "IP addresses", "IP address"),
    ("actor", "Accounts", "Account"),
    ("credential", "Credentials", "Credential"),
    ("client", "Clients", "Client"),
    ("user_agent", "User agents", "User agent"),
    ("repository", "Repositories", "Repository"),
    ("tag", "Tags", "Tag"),
    ("digest", "Digests", "Digest"),
)
_BEFORE_DAYS = 30
_MOST = 5_000  # values of one field that are read, so that a busy registry's answer stays bounded
_NEWEST = 50
_PREVIEW = 10
# New every day where people work: that tells nothing.
_OFTEN_NEW = ("tag", "digest")
_SHARED: dict[InvestigateKind, tuple[CountedField, CountedField, str, str]] = {
    "user": ("ip", "actor", "Accounts from the same addresses", "Account"),
    "robot": ("ip", "actor", "Accounts from the same addresses", "Account"),
    "token": ("ip", "actor", "Accounts from the same addresses", "Account"),
    "ip": ("actor", "ip", "Other addresses of the same accounts", "IP address"),
}


class InvestigateParams(msgspec.Struct, frozen=True, kw_only=True):
    """What may be asked of an investigation."""

    kind: Annotated[InvestigateKind, Meta(description="What it is: user, robot, token, ip, repository, tag or digest.")]
    name: Annotated[
        str, Meta(description="Its name, such as alice, acme+ci, 198.51.100.7, acme/web or acme/web:latest.")
    ]
    period: PeriodParam
    sources: SourcesParam = ()
    top: TopParam = 50


def build(snapshot: Snapshot, params: InvestigateParams, *, now: datetime | None = None) -> Report:
    """What the record holds about one thing. `now`: when it is made (aware).

    Tables `seen` (first and last event of the whole record), `alerts`, `new` (all values that are new), one for each field that its events name (value, events,
    first and last in the period, new: not seen in the 30 days before), `networks`, `shared` (accounts of the same addresses),
    `access` (from the inventory), `events` (the newest); chart `series`. Raises BadParameter, DeskError, WarehouseError."""
    moment = now or datetime.now(UTC)
    name = params.name.strip()
    if not name:
        raise BadParameter(f"Say which {KINDS[params.kind][0].lower()}: {KINDS[params.kind][1]}.")
    view = event_report.read_period(snapshot, params.period, None, params.sources)
    wanted = _filter(params.kind, name, params.period, params.sources)
    found = _neighbours(view, params.kind, wanted, params.top)
    total = events.count_events(snapshot, wanted)
    newest = events.events(snapshot, wanted, limit=_NEWEST)
    empty = event_report.nothing(view, f"events of the {KINDS[params.kind][0].lower()} {visible(name[:100])}")
    access, notes = _access(view, params.kind, name, params.top, moment)
    concerned, more = _alerts(snapshot, name, moment)
    return event_report.report(
        REPORT_ID,
        f"{TITLE}: {KINDS[params.kind][0].lower()} {name}",
        view,
        metrics=_metrics(total, found, concerned),
        tables=(
            _seen(snapshot, wanted),
            concerned,
            _new(found, params.top),
            *found,
            *_shared(view, params.kind, name, wanted, params.top),
            *access,
            events_page.as_table(newest, total, empty),
        ),
        charts=(period_view.series(view, wanted),),
        notes=(*notes, *more),
        now=now,
    )


def filter_fields(kind: InvestigateKind, name: str) -> dict[str, str]:
    """The fields of the event filter that select the events of a thing."""
    if kind != "tag":
        return {_FIELD[kind]: name}
    repository, _, tag = name.rpartition(":")
    return {"tag": tag} | ({"repository": repository} if repository else {})


def kind_of_value(field: str, value: str) -> InvestigateKind | None:
    """What a value of a field of events can be investigated as; None: not at all."""
    if field == "actor":
        return "robot" if "+" in value else "user"
    kinds: dict[str, InvestigateKind] = {one: kind for kind, one in _FIELD.items() if one != "actor"}
    return "tag" if field == "tag" else kinds.get(field)


def kind_of_credential(kind: str, name: str) -> tuple[InvestigateKind, str]:
    """How a credential of the report on robots and tokens is investigated: tokens by what events call them."""
    if kind == ROBOT:
        return "robot", name
    # The list calls an OAuth token `token of APPLICATION`, events say `OAuth token of APPLICATION`.
    return "token", f"app token {name}" if kind == APP_TOKEN else f"OAuth token of {name.rpartition(' of ')[2]}"


def kind_of_text(text: str) -> InvestigateKind | None:
    """What a name that somebody wrote most likely is, by its form; None: nothing that events name."""
    if not text.strip():
        return None
    if network_of(text):
        return "ip"
    if re.match(r"sha\d{3}:", text):
        return "digest"
    if "/" in text:
        return "tag" if ":" in text.rpartition("/")[2] else "repository"
    return "robot" if "+" in text else "user"


def _filter(kind: InvestigateKind, name: str, period: Period, sources: tuple[str, ...]) -> EventFilter:
    fields = filter_fields(kind, name)
    return EventFilter(since=period.since, until=period.until, source_ids=sources, **fields)  # type: ignore[arg-type]


def _seen(snapshot: Snapshot, wanted: EventFilter) -> Table:
    """The first and the last event of the whole record."""
    whole = msgspec.structs.replace(wanted, since=None, until=None)
    ends = [events.events(snapshot, whole, limit=1, newest_first=newest) for newest in (False, True)]
    frame = pl.concat([end.with_columns(which=pl.lit(said)) for end, said in zip(ends, ("First", "Last"), strict=True)])
    columns = (
        Column("which", "Seen", "text"),
        Column("occurred_at", "Time", "time"),
        *(Column(name, label, "text") for name, label in _SEEN),
    )
    return Table(
        "seen",
        "First and last seen",
        columns,
        frame.select(column.name for column in columns),
        frame.height,
        empty="The record holds no event of it, in any period.",
    )


_SEEN = (
    ("kind", "Kind"),
    ("actor", "Account"),
    ("ip", "IP address"),
    ("repository", "Repository"),
    ("tag", "Tag"),
    ("client", "Client"),
    ("event_id", "Event"),
)


def _neighbours(view: PeriodView, kind: InvestigateKind, wanted: EventFilter, top: int) -> list[Table]:
    """What its events name, with what is new since the 30 days before the period."""
    fields = [one for one in _NEIGHBOURS if one[0] not in _own_fields(kind, wanted)]
    asked = [field for field, _, _ in fields]
    now = events.neighbours(view.snapshot, wanted, asked, limit=_MOST)
    since = view.period.since - timedelta(days=_BEFORE_DAYS)
    earlier = msgspec.structs.replace(wanted, since=since, until=view.period.since)
    before = events.neighbours(view.snapshot, earlier, asked, limit=_MOST)
    marked = now.with_columns(_is_new(view, now, before))
    tables = []
    for field, title, label in fields:
        rows = marked.filter(pl.col("field") == field)
        tables.append(_table(field, title, label, rows, top))
        if field == "ip":
            tables.append(_networks(rows, top))
    return tables


def _own_fields(kind: InvestigateKind, wanted: EventFilter) -> set[str]:
    """What an investigation need not list: it is what is investigated."""
    own = {one for one in ("actor", "credential", "tag", "digest", "repository") if getattr(wanted, one) is not None}
    is_network = kind == "ip" and "/" in str(wanted.ip)
    return own if is_network or kind != "ip" else own | {"ip"}


def _is_new(view: PeriodView, now: pl.DataFrame, before: pl.DataFrame) -> pl.Series:
    """Whether a value was not there in the days before; null where nothing at all is known of those days."""
    keys = ["field", "value"]
    if before.is_empty() or before.height >= _MOST:
        return pl.Series("is_new", [None] * now.height, dtype=pl.Boolean)
    return now.join(before.select(*keys, known=True), on=keys, how="left", maintain_order="left").select(
        pl.col("known").is_null().alias("is_new")
    )["is_new"]


def _table(field: str, title: str, label: str, rows: pl.DataFrame, top: int) -> Table:
    columns = (
        Column("value", label, "text"),
        Column("events", "Events"),
        Column("first_at", "First", "time"),
        Column("last_at", "Last", "time"),
        Column("is_new", "New", "flag", f"not seen in the {_BEFORE_DAYS} days before the period"),
    )
    frame = rows.select(column.name for column in columns)
    total = int(rows["distinct"][0]) if rows.height else 0
    shown = frame.head(top) if top else frame
    noun = label if label.startswith("IP") else label.lower()
    empty = f"No event names {'an' if label[0] in 'AI' else 'a'} {noun}."
    return Table(field, title, columns, shown, total, drill=field, empty=empty, preview_rows=_PREVIEW)


def _new(found: list[Table], top: int) -> Table:
    """What is new, whatever the field, the latest first."""
    columns = (
        Column("value", "Name", "text"),
        Column("what", "What", "text"),
        Column("events", "Events"),
        Column("first_at", "First", "time"),
        Column("last_at", "Last", "time"),
    )
    names = [column.name for column in columns]
    fresh = [
        table.frame.filter(pl.col("is_new")).with_columns(what=pl.lit(table.columns[0].label)).select(names)
        for table in found
        if "is_new" in table.frame.columns and table.name not in _OFTEN_NEW
    ]
    frame = pl.concat(fresh).sort("first_at", "what", "value", descending=[True, False, False])
    title = f"New: not seen in the {_BEFORE_DAYS} days before"
    empty = "Nothing is new, as far as the record reaches."
    return Table(
        "new", title, columns, frame.head(top) if top else frame, frame.height, empty=empty, preview_rows=_PREVIEW
    )


def _networks(rows: pl.DataFrame, top: int) -> Table:
    """The networks that the addresses are of: /24 of IPv4, /48 of IPv6."""
    named = rows.with_columns(pl.col("value").map_elements(_network, return_dtype=pl.String).alias("network"))
    frame = (
        named.drop_nulls("network")
        .group_by("network")
        .agg(
            pl.len().cast(pl.Int64).alias("addresses"),
            pl.col("events").sum(),
            pl.col("first_at").min(),
            pl.col("last_at").max(),
        )
        .sort("events", "network", descending=[True, False])
    )
    columns = (
        Column("network", "Network", "text"),
        Column("addresses", "Addresses"),
        Column("events", "Events"),
        Column("first_at", "First", "time"),
        Column("last_at", "Last", "time"),
    )
    shown = frame.head(top) if top else frame
    return Table(
        "network",
        "Networks",
        columns,
        shown,
        frame.height,
        drill="ip",
        empty="No event names an address.",
        preview_rows=_PREVIEW,
    )


def _network(stored: str) -> str | None:
    address = next(iter(addresses_of(stored)), None)
    if address is None:
        return None
    kept, whole = (24, 32) if address.version == 4 else (48, 128)
    first = int(address) >> (whole - kept) << (whole - kept)
    return f"{type(address)(first)}/{kept}"


def _shared(view: PeriodView, kind: InvestigateKind, name: str, wanted: EventFilter, top: int) -> list[Table]:
    if kind not in _SHARED:
        return []
    shared, of, title, label = _SHARED[kind]
    frame = events.seen_together(view.snapshot, wanted, shared=shared, of=of, limit=_MOST)
    if kind in ("user", "robot"):
        frame = frame.filter(pl.col("value") != name)
    columns = (
        Column("value", label, "text"),
        Column("shared", "In common", unit="addresses" if shared == "ip" else "accounts"),
        Column("events", "Events"),
        Column("first_at", "First", "time"),
        Column("last_at", "Last", "time"),
    )
    frame = frame.select(column.name for column in columns)
    shown = frame.head(top) if top else frame
    return [
        Table(
            "shared",
            title,
            columns,
            shown,
            frame.height,
            drill=of,
            empty="Nothing else was seen with it.",
            preview_rows=_PREVIEW,
        )
    ]


def _access(
    view: PeriodView, kind: InvestigateKind, name: str, top: int, now: datetime
) -> tuple[list[Table], list[Note]]:
    if kind not in ("user", "robot", "repository"):
        return [], []
    try:
        several = len(view.source_ids) != 1 and view.coverage.sources > 1
        found = access_table(view.snapshot, kind, name, source_ids=view.source_ids, several=several, top=top, now=now)
    except (UnknownObject, NotPublished) as error:
        return [], [Note("info", f"Access is not known: {error}")]
    return [found], []


def _alerts(snapshot: Snapshot, name: str, now: datetime) -> tuple[Table, list[Note]]:
    """The alerts that concern it, whatever their period."""
    try:
        with Desk.open(snapshot.published.path.parents[1]) as desk:
            found = [one for one in alerts.list_alerts(desk, now) if name in (one.subject, *one.related)]
    except DeskError as error:
        return alerts_table([]), [Note("warning", f"Alerts could not be read: {error}")]
    return alerts_table(found), []


def _metrics(total: int, found: list[Table], concerned: Table) -> tuple[Metric, ...]:
    counted = [
        Metric(table.name, table.title, table.total_rows)
        for table in found
        if table.name in ("ip", "actor", "client", "repository", "tag")
    ]
    return (Metric("events", "Events", total), *counted, Metric("alerts", "Alerts", concerned.total_rows))


SPEC = ReportSpec(
    id=REPORT_ID,
    title=TITLE,
    summary="Everything about one user, robot, token, address, repository, tag or digest: when, from where, with what, and what is new.",
    audience=("security",),
    params=InvestigateParams,
    build=build,
    page="investigate",
)
