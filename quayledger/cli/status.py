"""Show what is collected, how complete it is, and what it cost."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec
from rich.table import Table
from rich.text import Text

from quayledger import settings as settings_room
from quayledger.cli._options import AsJson, Home
from quayledger.cli._output import err, out, print_json, warn_of_broken_files
from quayledger.reports.formatting import plural, visible
from quayledger.reports.inventory import coverage
from quayledger.warehouse.inventory import reader as inventory_reader
from quayledger.warehouse.ledger import holder
from quayledger.warehouse.log import events
from quayledger.warehouse.log.repairs import waiting_repairs
from quayledger.warehouse.snapshot import Snapshot


def command(home: Home = settings_room.DEFAULT_HOME, as_json: AsJson = False) -> None:
    """Raises NotPublished where nothing is collected yet."""
    with Snapshot.open(home) as snapshot:
        warn_of_broken_files(snapshot)
        rows = events.status(snapshot).to_dicts()
        states = events.days_by_state(snapshot).to_dicts()
        for row in rows:
            known = coverage.build(snapshot, coverage.InventoryCoverageParams(sources=(row["source_id"],)))
            row["inventory"] = known.trust.text
        parts = inventory_reader.coverage(snapshot).to_dicts()
        repairs = waiting_repairs(snapshot)
        published_at = snapshot.published.published_at
        unrolled = len(snapshot.whole_files - snapshot.rolled_files)
    for row in rows:
        row["waiting_repairs"] = [msgspec.to_builtins(one) for one in repairs if one.source_id == row["source_id"]]
        row["days_by_state"] = {item["state"]: item["days"] for item in states if item["source_id"] == row["source_id"]}
    held_by = holder(home)
    if as_json:
        rows = [{name: value for name, value in row.items() if name != "inventory"} for row in rows]
        print_json({"as_of": published_at, "held_by": held_by, "sources": rows, "inventory": parts})
        return
    for row in rows:
        out.print(Text(visible(f"{row['source_id']}  {row['url']}"), style="bold"))
        out.print(_described(row), soft_wrap=False)
    collecting = (
        f"`quayledger {held_by.command}` is running, process {held_by.pid}" if held_by else "no process is collecting"
    )
    err.print(f"Data as of {_moment(published_at)}; {collecting}.", soft_wrap=True)
    if unrolled:
        err.print(
            f"{plural(unrolled, 'file')} of closed days without rollups of this version: the next run makes them; until then figures "
            "are counted from the events.",
            soft_wrap=True,
        )
    err.print("More: quayledger report completeness, quayledger report inventory-coverage", soft_wrap=True)


def _described(row: dict[str, Any]) -> Table:
    grid = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for label, text in _lines(row):
        grid.add_row(Text(f"  {label}", style="dim"), Text(visible(text)))
    return grid


def _lines(row: dict[str, Any]) -> Iterator[tuple[str, str]]:
    expected = row["expected_events"]
    counted = "not counted by Quay" if expected is None else f"Quay counts {expected:,}"
    last = row["last_event_at"]
    yield "Events", f"{row['events']:,}; {counted}; the last at {_moment(last) if last else '–'}"
    by_state = ", ".join(f"{number:,} {state}" for state, number in sorted(row["days_by_state"].items()))
    yield "Days", f"{row['days']:,}: {by_state}" if by_state else "none"
    if waiting := row["waiting_repairs"]:
        yield "Repairs", _repairs(waiting)
    if row["rejected_rows"]:
        yield "Rejected", f"rows that could not be read: {row['rejected_rows']:,}"
    yield "Inventory", row["inventory"]
    yield "Requests", f"{row['requests']:,}; today {row['requests_today']:,}"
    run_at = row["last_run_at"]
    yield "Last run", f"{row['last_run_outcome']}, {_moment(run_at)}" if run_at else "none"


def _repairs(waiting: list[dict[str, Any]]) -> str:
    """What short days wait for, and what it will cost."""
    events, requests = (sum(one[name] for one in waiting) for name in ("lacking_events", "remaining_requests"))
    days = f"{waiting[0]['day']} to {waiting[-1]['day']}" if len(waiting) > 1 else f"{waiting[0]['day']}"
    return f"{events:,} events of {days} still missing; the next run goes on, about {requests:,} requests"


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
