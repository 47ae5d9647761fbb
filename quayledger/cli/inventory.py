"""The terminal front: the inventory: taking it, asking what is and was, and what changed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.markup import escape
from rich.table import Table

from quayledger import settings as settings_room
from quayledger.cli.console import AsJson, Home, Output, Sources, as_day, err, out, print_json
from quayledger.cli.syncing import end_of_inventory, inventory_here, inventory_there
from quayledger.cli.writing import CsvTable, Form, ReportForm, Top, write_report
from quayledger.collector.inventory import on_demand
from quayledger.collector.inventory.estimate import Inventoried, InventoryPlan, plan_inventory, read_inventoried
from quayledger.collector.inventory.inventory_sync import InventoryRequest
from quayledger.collector.log.days import utc_now
from quayledger.collector.sources import choose_sources
from quayledger.reports.inventory import changes as changes_report
from quayledger.reports.inventory import list_report as list_report
from quayledger.reports.inventory import object_report as show_report
from quayledger.warehouse.errors import LedgerBusy, NotPublished
from quayledger.warehouse.ledger import Ledger
from quayledger.warehouse.snapshot import Snapshot

Kind = Annotated[str, typer.Argument(help="user, robot, team, repository, organisation or tag.", metavar="KIND")]
AsOfDay = Annotated[
    date | None, typer.Option("--as-of", parser=as_day, metavar="DAY", help="As it was at the end of this UTC day.")
]
app = typer.Typer(help="What exists in the registry, who may do what, how big it is, over time.", no_args_is_help=True)


@app.command()
def sync(
    home: Home = settings_room.DEFAULT_HOME,
    source: Sources = None,
    everything: Annotated[bool, typer.Option("--all", help="A whole round now, however new what is held is.")] = False,
    requests: Annotated[int | None, typer.Option(min=1, help="At most so many requests a source.")] = None,
    as_json: AsJson = False,
) -> None:
    """Read what events changed, what was never read and what has grown old. Hands over where a service is running."""
    settings = settings_room.load(home)
    request = InventoryRequest(tuple(source or ()), everything, requests)
    choose_sources(settings, request.source_ids)
    try:
        with Ledger.open(home, command="inventory sync") as ledger:
            answers = inventory_here(ledger, settings, request)
    except LedgerBusy as busy:
        if busy.holder is None or busy.holder.command != "serve":
            raise
        answers = inventory_there(home, request, busy)
    end_of_inventory(answers, as_json)


@app.command()
def show(
    kind: Kind,
    name: Annotated[
        str, typer.Argument(help="alice, acme+ci, acme/developers, acme/web, acme or acme/web:latest.", metavar="NAME")
    ],
    as_of: AsOfDay = None,
    home: Home = settings_room.DEFAULT_HOME,
    source: Sources = None,
    top: Top = 50,
    form: Form = ReportForm.TERMINAL,
    table: CsvTable = "",
    output: Output = None,
    as_json: AsJson = False,
) -> None:
    """One object: what it is, who may do what with it, where it was used last, how it came to be so; and what is unknown."""
    with Snapshot.open(home) as snapshot, err.status("reading"):
        built = show_report.build(
            snapshot, kind, name, as_of=as_of, source_ids=tuple(source or ()), top=0 if as_json else top
        )
    write_report(built, ReportForm.JSON if as_json else form, table, output)


@app.command("list")
def list_(
    kind: Kind,
    within: Annotated[
        str | None,
        typer.Option("--in", metavar="NAME", help="Only what belongs to this namespace or, of tags, this repository."),
    ] = None,
    by: Annotated[
        str, typer.Option("--by", metavar="COLUMN", help="Sort by this column, such as idle_days; else by name.")
    ] = "",
    as_of: AsOfDay = None,
    home: Home = settings_room.DEFAULT_HOME,
    source: Sources = None,
    top: Top = 50,
    form: Form = ReportForm.TERMINAL,
    table: CsvTable = "",
    output: Output = None,
    as_json: AsJson = False,
) -> None:
    """All objects of a kind, a line each: size, use, members, roles, and what is unknown of them."""
    with Snapshot.open(home) as snapshot, err.status("reading"):
        built = list_report.build(
            snapshot,
            kind,
            within=within,
            by=by,
            as_of=as_of,
            source_ids=tuple(source or ()),
            top=0 if as_json else top,
        )
    write_report(built, ReportForm.JSON if as_json else form, table, output)


@app.command()
def diff(
    first: Annotated[
        date, typer.Option("--from", parser=as_day, metavar="DAY", help="What was when this UTC day began, against …")
    ],
    last: Annotated[
        date | None, typer.Option("--to", parser=as_day, metavar="DAY", help="… what was when this one ended; today.")
    ] = None,
    family: Annotated[list[str] | None, typer.Option(help="Only this family or area; may be repeated.")] = None,
    every_step: Annotated[
        bool, typer.Option("--every-step", help="Also what came and went in between, step by step.")
    ] = False,
    home: Home = settings_room.DEFAULT_HOME,
    source: Sources = None,
    top: Top = 50,
    form: Form = ReportForm.TERMINAL,
    table: CsvTable = "",
    output: Output = None,
    as_json: AsJson = False,
) -> None:
    """What changed between two days: access, accounts, robots, content, policies, sizes, scans."""
    until = last or utc_now().date()
    if first > until:
        raise typer.BadParameter(f"--from {first} lies after --to {until}")
    with Snapshot.open(home) as snapshot, err.status("comparing"):
        built = changes_report.build(
            snapshot,
            first,
            until,
            families=tuple(family or ()),
            source_ids=tuple(source or ()),
            every_step=every_step,
            top=0 if as_json else top,
        )
    write_report(built, ReportForm.JSON if as_json else form, table, output)


@app.command()
def ask(
    question: Annotated[str, typer.Argument(help="build, build-logs, access, search, repositories, entity, user, …")],
    words: Annotated[list[str] | None, typer.Argument(help="What the question is about.")] = None,
    home: Home = settings_room.DEFAULT_HOME,
    source: Annotated[str, typer.Option(help="The source to ask.")] = "main",
) -> None:
    """Ask a source what no round asks: a build's log, a search, Quay's own word on a role. Keeps nothing; answers in JSON."""
    ((source_id, one),) = choose_sources(settings_room.load(home), (source,))
    print_json(asyncio.run(on_demand.ask(source_id, one, question, words or ())))


def plan(home: Path, source_ids: tuple[str, ...], *, as_json: bool) -> None:
    """What taking the inventory costs, before it is asked."""
    settings = settings_room.load(home)
    with err.status("looking at what is held"):
        plans = asyncio.run(plan_inventory(settings, source_ids, _inventoried(home)))
    if as_json:
        print_json({"sources": [_plan_json(item) for item in plans]})
        return
    for item in plans:
        _show_plan(item)


def _inventoried(home: Path) -> Callable[[str], Inventoried | None]:
    """What the published copy holds of the registry; None where there is none yet."""

    def held(source_id: str) -> Inventoried | None:
        try:
            with Snapshot.open(home) as snapshot:
                return read_inventoried(snapshot, source_id, utc_now())
        except NotPublished:
            return None

    return held


def _plan_json(item: InventoryPlan) -> dict[str, Any]:
    return {**msgspec.to_builtins(item), "due": item.due, "usable": item.usable, "a_day": round(item.a_day, 1)}


def _show_plan(item: InventoryPlan) -> None:
    """What taking the inventory costs."""
    table = Table("look", "what it reads", "targets", "due now", "a round", title=escape(item.source_id))
    for look in item.looks:
        targets = f"about {look.targets:,}" if look.assumed else f"{look.targets:,}"
        table.add_row(look.look, look.says, targets, f"{look.due:,}", f"{look.a_period:,.0f}")
    out.print(table)
    pace = f"at {item.requests_per_second:g} a second"
    out.print(
        f"{item.due:,} requests due now, {pace} at least {_span(item.due, item)}; access, robots, quota and sizes are known "
        f"after {item.usable:,} ({_span(item.usable, item)})."
    )
    events = "not known yet" if item.events_a_day is None else f"about {item.events_a_day:,.0f} a day as of late"
    out.print(
        f"Then rounds of {item.period_days:g} days: about {item.a_day:,.0f} requests a day; what events ask for: {events}. "
        f"This plan spent {item.planning_requests}."
    )


def _span(requests: int, item: InventoryPlan) -> timedelta:
    return timedelta(seconds=round(requests / item.requests_per_second))
