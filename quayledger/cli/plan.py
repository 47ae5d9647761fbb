"""Show what a sync would request, and what it costs.

Asks the source for counts only."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.markup import escape
from rich.table import Table

from quayledger import settings as settings_room
from quayledger.cli._options import AsJson, FromDay, Home, Period, Sources, ToDay, days_of
from quayledger.cli._output import err, out, print_json
from quayledger.cli.sync import request_of
from quayledger.collector.inventory.estimate import (
    IMAGES_EACH,
    ROBOTS_EACH,
    TEAMS_EACH,
    Inventoried,
    InventoryPlan,
    plan_inventory,
    read_inventoried,
)
from quayledger.collector.log.days import utc_now
from quayledger.collector.plan import Held, SourcePlan, plan
from quayledger.warehouse.errors import NotPublished
from quayledger.warehouse.log import events, repairs
from quayledger.warehouse.schema import FINAL_STATES, PROVEN_STATES
from quayledger.warehouse.snapshot import Snapshot


def command(
    home: Home = settings_room.DEFAULT_HOME,
    first: FromDay = None,
    last: ToDay = None,
    period: Period = None,
    source: Sources = None,
    inventory: Annotated[
        bool, typer.Option("--inventory", help="Plan `inventory sync` instead, and what its rounds cost.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Raises what the settings and the source raise."""
    if inventory:
        _plan_inventory(home, tuple(source or ()), as_json=as_json)
        return
    request = request_of(*days_of(first, last, period), source)
    with err.status("counting"):
        plans = asyncio.run(plan(settings_room.load(home), request, _held_by(home, named=request.named_days)))
    if as_json:
        print_json({"sources": [_plan_json(item) for item in plans]})
        return
    for item in plans:
        _show_plan(item)


def _plan_inventory(home: Path, source_ids: tuple[str, ...], *, as_json: bool) -> None:
    settings = settings_room.load(home)
    with err.status("estimating"):
        plans = asyncio.run(plan_inventory(settings, source_ids, _inventoried(home)))
    if as_json:
        print_json({"sources": [_inventory_json(item) for item in plans]})
        return
    for item in plans:
        _show_inventory_plan(item)


def _held_by(home: Path, *, named: bool) -> Callable[[str, date, date], Held]:
    """What the published copy holds; nothing where there is none yet. `named`: somebody names the days, so that what nothing
    could prove or bring is tried again."""
    settled = PROVEN_STATES if named else FINAL_STATES

    def held(source_id: str, first: date, last: date) -> Held:
        try:
            with Snapshot.open(home) as snapshot:
                kinds = events.kind_coverage(snapshot, first, last, (source_id,))
                days = events.coverage(snapshot, first, last, (source_id,))
                exhausted = {} if named else repairs.exhausted_repairs(snapshot, source_id)
        except NotPublished:
            return Held({}, frozenset())
        stored: dict[tuple[date, str], dict[str, int]] = {}
        unreadable: dict[tuple[date, str], dict[str, int]] = {}
        for row in kinds.iter_rows(named=True):
            if row["stored_count"]:
                stored.setdefault((row["day"], row["scope"]), {})[row["kind"]] = row["stored_count"]
            seen = (row["source_count"] or 0) - row["stored_count"] - (row["difference"] or 0)
            if row["source_count"] is not None and seen > 0 and not named:
                unreadable.setdefault((row["day"], row["scope"]), {})[row["kind"]] = seen
        sealed = days.filter(days["state"].is_in([state.value for state in settled]))["day"].to_list()
        return Held(stored, frozenset(sealed), exhausted, unreadable)

    return held


def _plan_json(item: SourcePlan) -> dict[str, Any]:
    least, most = item.seconds
    return {
        **msgspec.to_builtins(item),
        "least_requests": item.least_requests,
        "most_requests": item.most_requests,
        "least_seconds": round(least, 1),
        "most_seconds": round(most, 1),
        "least_cpu_seconds": round(item.cpu_seconds[0], 1),
        "most_cpu_seconds": round(item.cpu_seconds[1], 1),
    }


def _show_plan(item: SourcePlan) -> None:
    table = Table("day", "scope", "counted", "held", "missing", "requests", title=escape(item.source_id))
    lacking = [part for part in item.parts if part.missing_events]
    for part in lacking:
        numbers = f"{part.counted_events:,}", f"{part.held_events:,}", f"{part.missing_events:,}"
        table.add_row(str(part.day), escape(part.scope), *numbers, _range(part.pages, part.most_requests))
    if lacking:
        out.print(table)
    if whole := len({part.day for part in item.parts} - {part.day for part in lacking}):
        days = "1 day lacks" if whole == 1 else f"{whole} days lack"
        out.print(f"{escape(item.source_id)}: {days} nothing that Quay counts.")
    least, most = (timedelta(seconds=round(seconds)) for seconds in item.seconds)
    least_cpu, most_cpu = (timedelta(seconds=math.ceil(seconds)) for seconds in item.cpu_seconds)
    out.print(
        f"About {_range(item.least_requests, item.most_requests)} requests, {item.count_requests} of them counts. At "
        f"{item.requests_per_second:.2g} per second that takes {least} to {most}, and {least_cpu} to {most_cpu} of the "
        f"source's CPU ({item.request_cpu_seconds * 1000:.0f} ms each). The lower number holds where pages lose "
        f"nothing; a registry that stamps whole seconds needs repairs, up to about the higher one."
    )
    sealed = "1 sealed day needs" if item.sealed_days == 1 else f"{item.sealed_days} sealed days need"
    out.print(f"{sealed} no requests. This plan used {item.planning_requests} requests.")
    out.print(f"Closed days are read by {item.choice.method}: {escape(item.choice.why)}.")


def _range(least: int, most: int) -> str:
    return f"{least:,}" if least == most else f"{least:,} to {most:,}"


def _inventoried(home: Path) -> Callable[[str], Inventoried | None]:
    """What the published copy holds of the registry; None where there is none yet."""

    def held(source_id: str) -> Inventoried | None:
        try:
            with Snapshot.open(home) as snapshot:
                return read_inventoried(snapshot, source_id, utc_now())
        except NotPublished:
            return None

    return held


def _inventory_json(item: InventoryPlan) -> dict[str, Any]:
    return {
        **msgspec.to_builtins(item),
        "due": item.due,
        "due_at_least": item.due_at_least,
        "usable": item.usable,
        "a_day": round(item.a_day, 1),
    }


def _show_inventory_plan(item: InventoryPlan) -> None:
    """What taking the inventory costs."""
    table = Table("query", "what it reads", "targets", "due now", "a round", title=escape(item.source_id))
    for query in item.queries:
        targets = f"about {query.targets:,}" if query.assumed else f"{query.targets:,}"
        table.add_row(query.query, query.title, targets, f"{query.due:,}", f"{query.a_period:,.0f}")
    out.print(table)
    about = "about " if item.is_assumed else ""
    out.print(
        f"{about[:1].upper()}{about[1:]}{item.due:,} requests due now, at {item.requests_per_second:.2g} per second "
        f"{_span(item.due, item)} or longer; access, robots, quota and sizes are known after {about}{item.usable:,} "
        f"({_span(item.usable, item)})."
    )
    if item.is_assumed:
        out.print(
            f"How many there are of some is not known before they are read: {item.due_at_least:,} requests are certain, the "
            f"others stand for {TEAMS_EACH} teams and {ROBOTS_EACH} robots an organization and {IMAGES_EACH} images a "
            "repository."
        )
    events = "not known yet" if item.events_a_day is None else f"about {item.events_a_day:,.0f} a day as of late"
    out.print(
        f"Then rounds of {item.period_days:g} days: about {item.a_day:,.0f} requests a day; what events ask for: {events}. "
        f"This plan spent {item.planning_requests}."
    )


def _span(requests: int, item: InventoryPlan) -> timedelta:
    return timedelta(seconds=round(requests / item.requests_per_second))
