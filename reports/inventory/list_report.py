"""The list report: all objects of one kind, one per row, with the figures that people compare them by."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import msgspec
import polars as pl
from msgspec import Meta

from quayledger.reports import formatting
from quayledger.reports.errors import UnknownColumn
from quayledger.reports.inventory.common import counted
from quayledger.reports.inventory.inventory_query import Asked, Drawn, fetch_states_by, moment_of
from quayledger.reports.inventory.kinds import Kind, KindParam, kind_of, with_name
from quayledger.reports.inventory.knowledge import explain, summed_up
from quayledger.reports.inventory.list_columns import LISTS, Listed
from quayledger.reports.model import PREVIEW_ROWS, Metric, Note, Parameter, Report
from quayledger.reports.spec import AsOfParam, ReportSpec, SourcesParam, TopParam
from quayledger.warehouse.catalog import FAMILY
from quayledger.warehouse.log import events as log
from quayledger.warehouse.snapshot import Snapshot

REPORT_ID = "inventory-list"
TITLE = "Inventory of a kind"


class ListParams(msgspec.Struct, frozen=True, kw_only=True):
    """What may be asked of the list of a kind."""

    kind: KindParam
    within: Annotated[
        str | None,
        Meta(
            description="Only what belongs to this namespace or, for repositories and tags, this repository.",
            extra={"option": "in"},
        ),
    ] = None
    by: Annotated[str, Meta(description="Sort by this column, such as idle_days (default: by name).")] = ""
    as_of: AsOfParam = None
    sources: SourcesParam = ()
    top: TopParam = 0


def build(snapshot: Snapshot, params: ListParams, *, now: datetime | None = None) -> Report:
    """All objects of a kind as they were at the end of a UTC day (None or today: now): `name` as `inventory show` takes it, and
    the kind's figures. `within`: only what belongs to this namespace, or, of repositories and tags, to this repository; of
    users the members of an organization. `by`: the column to sort by, the largest or newest first; '' by name. `top`: rows
    (0: all). Raises UnknownObject for another kind, UnknownColumn, BadPeriod, WarehouseError."""
    now = now or datetime.now(UTC)
    within, by, source_ids = params.within, params.by, params.sources
    chosen = kind_of(params.kind)
    period, at = moment_of(snapshot, params.as_of, now)
    known = tuple(log.list_sources(snapshot)["source_id"])
    sources = tuple(source_ids) or known
    asked = Asked(
        snapshot, period, at, sources, len(sources) > 1, fetch_states_by(snapshot, at, sources), params.top, by, within
    )
    listed = LISTS[chosen.name](asked)
    if "name" not in listed.frame.columns:
        listed = msgspec.structs.replace(listed, frame=with_name(listed.frame, chosen))
    listed = _within(listed, asked, chosen, within)
    drawn, whole = _drawn(asked, listed, chosen, by)
    return Report(
        id=REPORT_ID,
        title=f"Inventory: {FAMILY[chosen.family].title}",
        generated_at=now,
        as_of=snapshot.published.published_at,
        period=period,
        compared_with=None,
        parameters=(
            Parameter("State", period.label),
            Parameter("Within", within or "all"),
            Parameter("Sorted by", by or "name"),
            Parameter("Source", ", ".join(source_ids) or "all"),
        ),
        trust=summed_up(drawn.parts).trust,
        metrics=(counted(chosen.family, FAMILY[chosen.family].title, drawn), *_figures(listed, drawn, whole)),
        tables=(drawn.table,),
        charts=(),
        notes=tuple(_notes(asked, drawn, listed)),
    )


def _drawn(asked: Asked, listed: Listed, kind: Kind, by: str) -> tuple[Drawn, pl.DataFrame]:
    """The table, and all its rows. A number of things that were read is 0 where there are none of them."""
    frame = listed.frame
    for column, needs in listed.counts.items():
        if all(part.known for part in asked.fetches.parts(kind.family, needs)):
            frame = frame.with_columns(pl.col(column).fill_null(0))
    frame = frame.sort("source_id", "name")
    if by:
        if by not in listed.columns:
            raise UnknownColumn(
                f"Cannot sort by '{formatting.visible(by[:60])}'. Columns: {', '.join(listed.columns)}."
            )
        # Of whom no use is known at all comes first: nobody knows of anybody who has been idle for longer.
        frame = frame.sort(
            by, descending=frame.schema[by] != pl.String, nulls_last=by != "idle_days", maintain_order=True
        )
    every = [*listed.needs, *(need for needs in listed.counts.values() for need in needs)]
    title = FAMILY[kind.family].title
    drawn = asked.draw(kind.family, title, frame, listed.columns, every, labels={"name": kind.title, **listed.labels})
    if listed.total_rows is not None:
        table = msgspec.structs.replace(drawn.table, total_rows=listed.total_rows)
        drawn = msgspec.structs.replace(drawn, table=table)
    return drawn, frame


def _figures(listed: Listed, drawn: Drawn, rows: pl.DataFrame) -> list[Metric]:
    """The kind's figures; not known where there are no rows because they were not read."""
    found = listed.figures(rows)
    if rows.height or all(part.known for part in drawn.parts):
        return found
    return [msgspec.structs.replace(metric, value=None) for metric in found]


def _within(listed: Listed, asked: Asked, kind: Kind, within: str | None) -> Listed:
    """Only what belongs to a namespace or repository."""
    if within is None:
        return listed
    frame = listed.frame
    if kind.name == "user":
        members = asked.state("organization_members", organization=within).select("source_id", name="member")
        members = pl.concat(
            [members, asked.state("team_members", organization=within).select("source_id", name="member")]
        )
        frame = frame.join(members.unique(), on=["source_id", "name"], how="semi")
    else:
        frame = frame.filter(_belongs(pl.col("name"), within))
    return msgspec.structs.replace(
        listed,
        frame=frame,
        needs=[_needed(need, within) for need in listed.needs],
        counts={column: [_needed(need, within) for need in needs] for column, needs in listed.counts.items()},
    )


def _needed(need: pl.DataFrame, within: str) -> pl.DataFrame:
    """The part of a need that concerns a namespace or repository; what is told of the whole registry concerns all."""
    of_all = pl.all_horizontal(pl.col(query) == "" for query in need.columns[1:])
    return need.filter(of_all | pl.any_horizontal(_concerns(pl.col(query), within) for query in need.columns[1:]))


def _concerns(name: pl.Expr, within: str) -> pl.Expr:
    """Whether a name belongs to that namespace or repository, or is the namespace of the repository."""
    return (name == within.partition("/")[0]) | _belongs(name, within)


def _belongs(name: pl.Expr, within: str) -> pl.Expr:
    """Whether a name is that namespace or repository, or is in it."""
    return (name == within) | pl.any_horizontal(name.str.starts_with(within + sign) for sign in ("/", "+", ":"))


def _notes(asked: Asked, drawn: Drawn, listed: Listed) -> list[Note]:
    told = dict.fromkeys(explain(part, asked.several) for part in drawn.parts)
    notes = [Note("warning", sentence) for sentence in told if sentence]
    notes += [Note("info", sentence) for sentence in listed.notes]
    return notes


SPEC = ReportSpec(
    id=REPORT_ID,
    title=TITLE,
    summary="All objects of a kind, one per line: size, use, members, roles, and what is unknown.",
    audience=("security", "capacity", "compliance"),
    params=ListParams,
    build=build,
    page="inventory",
    screen_rows=PREVIEW_ROWS,
)
