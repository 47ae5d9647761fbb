"""The report of changes: how a registry differs between the beginning and the end of a period."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import msgspec
import polars as pl
from msgspec import Meta

from quayledger.reports import formatting
from quayledger.reports.errors import UnknownFamily
from quayledger.reports.inventory import columns, unknown_table
from quayledger.reports.inventory.cascades import ASKED, with_along
from quayledger.reports.inventory.coverage_parts import standing
from quayledger.reports.inventory.history_table import COLUMNS, LABELS, told
from quayledger.reports.inventory.inventory_query import TICK
from quayledger.reports.inventory.kinds import NOTHING_READ, nothing_read
from quayledger.reports.inventory.knowledge import Part, summed_up
from quayledger.reports.model import Metric, Note, Parameter, Report, Table
from quayledger.reports.period import Period
from quayledger.reports.spec import ReportSpec, SourcesParam, TopParam, UtcPeriodParam
from quayledger.warehouse.catalog import FAMILY
from quayledger.warehouse.inventory import reader
from quayledger.warehouse.log import events as log
from quayledger.warehouse.snapshot import Snapshot

REPORT_ID = "inventory-changes"
TITLE = "Changes of the inventory"
# Every family, and the measured ones, in the area under which people look for it.
AREAS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    (
        "access",
        "Access",
        (
            "organization_members",
            "team_members",
            "direct_access",
            "repository_permissions",
            "default_permissions",
        ),
    ),
    ("accounts", "Accounts, organizations and teams", ("users", "organizations", "organization_settings", "teams")),
    (
        "credentials",
        "Robots and tokens",
        ("robots", "robot_federations", "applications", "oauth_tokens", "app_tokens", "service_keys"),
    ),
    (
        "content",
        "Content",
        (
            "repositories",
            "repository_settings",
            "tags",
            "manifests",
            "manifest_labels",
            "referrers",
            "builds",
            "stars",
        ),
    ),
    (
        "policies",
        "Policies and wiring",
        (
            "quotas",
            "quota_limits",
            "autoprune_policies",
            "immutability_policies",
            "proxy_caches",
            "mirrors",
            "organization_mirrors",
            "mirrored_repositories",
            "notifications",
            "namespace_notifications",
            "mirror_health",
            "registry_settings",
            "triggers",
            "messages",
            "offered_operations",
        ),
    ),
    ("sizes", "Sizes", ("sizes",)),
    ("scans", "Scans", ("vulnerabilities", "scans")),
)
_WITH = "removed together with the object that held them"
# In the order in which they are told.
CHANGES = {
    "appeared": "Added",
    "changed": "Changed",
    "vanished": "Removed",
    "along": "Removed with their parent",
    "renamed": "Renamed",
    "measured": "Measured",
}


class ChangesParams(msgspec.Struct, frozen=True, kw_only=True):
    """What may be asked of the changes."""

    period: UtcPeriodParam
    families: Annotated[
        tuple[str, ...],
        Meta(description="Only this family or area; may be repeated.", extra={"option": "family"}),
    ] = ()
    sources: SourcesParam = ()
    every_step: Annotated[bool, Meta(description="Also what was added and removed within the period.")] = False
    top: TopParam = 0


def build(snapshot: Snapshot, params: ChangesParams, *, now: datetime | None = None) -> Report:
    """The difference between the beginning of `first` and the end of `last`, UTC days. `families`: names of families, or of
    AREAS (none: all); `every_step`: what came and went in between too; `top`: rows a table (0: all).

    A table per area: time, what, object, change, field, before, after, and how surely the time is known; newest first, and
    what vanished along with what held it (then `after` says with what) below all else. Raises BadPeriod, UnknownFamily for
    another family, WarehouseError."""
    period, families, source_ids, every_step = params.period, params.families, params.sources, params.every_step
    chosen = chosen_families(families)
    since, until = period.since - TICK, period.until - TICK
    asked = tuple(dict.fromkeys((*chosen, *ASKED)))
    found = reader.diff(snapshot, since, until, source_ids=source_ids, families=asked, every_step=every_step)
    found = with_along(found).filter(pl.col("family").is_in(list(chosen)))
    parts = _known(snapshot, period, until, source_ids)
    several = len(source_ids) != 1 and log.list_sources(snapshot).height > 1
    return Report(
        id=REPORT_ID,
        title=TITLE,
        generated_at=now or datetime.now(UTC),
        as_of=snapshot.published.published_at,
        period=period,
        compared_with=None,
        parameters=(
            Parameter("Period", period.label),
            Parameter("What", ", ".join(families) or "all"),
            Parameter("Steps", "every step" if every_step else "start and end of the period"),
            Parameter("Source", ", ".join(source_ids) or "all"),
        ),
        trust=summed_up(parts).trust,
        metrics=_metrics(found),
        tables=(
            *(_table(found, area, several, params.top) for area in AREAS if set(area[2]) & set(chosen)),
            unknown_table.table("unknown", parts, several=several),
        ),
        charts=(),
        notes=(*_unknown(snapshot, period, parts, source_ids), *_notes(found, every_step)),
    )


def chosen_families(names: Sequence[str]) -> tuple[str, ...]:
    """The families that names of families or areas stand for; none are all. Raises UnknownFamily."""
    areas = {name: members for name, _, members in AREAS}
    every = tuple(family for members in areas.values() for family in members)
    if unknown := [name for name in names if name not in areas and name not in every]:
        raise UnknownFamily(
            f"'{formatting.visible(unknown[0][:60])}' is not a valid family. Use {', '.join(areas)}, or "
            f"one of {', '.join(sorted(every))}."
        )
    return tuple(dict.fromkeys(family for name in names for family in areas.get(name, (name,)))) or every


def _known(snapshot: Snapshot, period: Period, until: datetime, source_ids: Sequence[str]) -> tuple[Part, ...]:
    """How everything stood at the end of the span, or stands now where it is not over."""
    return standing(snapshot, until if until < snapshot.published.published_at else None, source_ids)


def _metrics(found: pl.DataFrame) -> tuple[Metric, ...]:
    """How many objects appeared, changed, …; an object counts once for each, and among those that vanished along too."""
    along = found.filter(pl.col("along").is_not_null()).with_columns(pl.lit("along").alias("change"))
    objects = pl.concat([found, along]).select("change", "source_id", "family", "key").unique()
    numbers = dict(objects.group_by("change").len().iter_rows())
    return tuple(
        Metric(name, label, numbers.get(name, 0), explanation=_WITH if name == "along" else "objects")
        for name, label in CHANGES.items()
    )


def _table(found: pl.DataFrame, area: tuple[str, str, tuple[str, ...]], several: bool, top: int) -> Table:
    name, title, families = area
    here = found.filter(pl.col("family").is_in(list(families)))
    after = pl.coalesce(pl.format("removed with {}", "along"), "after")
    frame = pl.concat(
        [
            told(here.filter(pl.col("along").is_null())),
            told(here.filter(pl.col("along").is_not_null()).with_columns(after.alias("after"))),
        ]
    )
    names = [*(["source_id"] if several else []), *COLUMNS]
    return columns.table(name, title, frame, names, top=top, labels=LABELS, empty="no known changes")


def _unknown(snapshot: Snapshot, period: Period, parts: Sequence[Part], source_ids: Sequence[str]) -> list[Note]:
    """What could not be told of the span."""
    if not parts:
        return [Note("warning", f"{_nothing_by(snapshot, period)}: nothing is known about these days.")]
    notes = []
    began = min((part.oldest_ok_at for part in parts if part.oldest_ok_at), default=None)
    if reader.knowledge(snapshot, period.since).is_empty():
        notes.append(Note("warning", _unread_before(snapshot, period, began, source_ids)))
    if unknown := sum(part.unknown_targets for part in parts):
        said = f"{formatting.plural(unknown, 'object')} had not been read by the end of the period; changes to them may be missing."
        notes.append(Note("warning", said))
    return notes


def _unread_before(snapshot: Snapshot, period: Period, began: datetime | None, source_ids: Sequence[str]) -> str:
    """What is not known of the days before the inventory was first read, and what the log holds of them."""
    first = reader.first_read_at(snapshot, source_ids) or began
    until = min(first, period.until) if first else period.until
    logged = reader.logged_changes(snapshot, period.since, until, source_ids)
    when = f" {formatting.moment(first)}" if first else " later"
    said = f"The inventory was first read{when}: changes before that are not known here."
    if not logged:
        return said
    events = formatting.plural(logged, "event")
    return f"{said} The log holds {events} of that time that changed something: see `quayledger events`."


def _nothing_by(snapshot: Snapshot, period: Period) -> str:
    if nothing_read(snapshot):
        return NOTHING_READ
    return f"Nothing had been read by the end of {formatting.cell(period.last_day, 'day')}"


def _notes(found: pl.DataFrame, every_step: bool) -> list[Note]:
    notes = []
    unsure = found.filter(~pl.col("certain")).height
    if unsure:
        notes.append(
            Note(
                "warning",
                f"{formatting.plural(unsure, 'row')} may be older than the period, or come from a rename: see Confidence.",
            )
        )
    if found["along"].count():
        said = "“removed with”: the object that held it was removed at the same time; such rows stand below the others."
        notes.append(Note("info", said))
    if not every_step:
        notes.append(
            Note("info", "What was both added and removed within the period is left out; every step can be asked for.")
        )
    notes.append(Note("info", "What the first reading of a place found does not count as a change."))
    notes.append(
        Note(
            "info",
            "A change without an event is dated to the reading that found it; “after” is the reading before.",
        )
    )
    return notes


def family_titles() -> dict[str, str]:
    """Names of areas and families with what people call them, for a choice."""
    areas = {name: title for name, title, _ in AREAS}
    return areas | {name: family.title for name, family in FAMILY.items() if name not in areas}


SPEC = ReportSpec(
    id=REPORT_ID,
    title=TITLE,
    summary="What changed in a period: access, accounts, robots, content, policies, sizes, scans.",
    audience=("security", "compliance"),
    params=ChangesParams,
    build=build,
    page="inventory",
)
