"""Read what is new, changed by events, or due again.

If `quayledger serve` is running, it does the work."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from quayledger import settings as settings_room
from quayledger.cli._options import AsJson, Home, Sources
from quayledger.cli._output import err, print_json
from quayledger.cli._progress import Show, exit_with, follow, print_notes, progress, stoppable
from quayledger.collector.inventory.inventory_sync import InventoryRequest
from quayledger.collector.log.days import utc_now
from quayledger.collector.sources import choose_sources
from quayledger.service import answers as service_answers
from quayledger.service import inbox
from quayledger.service.jobs import inventory_and_publish
from quayledger.settings import Settings
from quayledger.warehouse.errors import LedgerBusy
from quayledger.warehouse.ledger import Ledger

_WHY = {"event": "because of events", "first": "for the first time", "round": "due again"}


def command(
    home: Home = settings_room.DEFAULT_HOME,
    source: Sources = None,
    everything: Annotated[bool, typer.Option("--all", help="Read everything now, however recent it is.")] = False,
    requests: Annotated[int | None, typer.Option(min=1, metavar="N", help="Maximum requests per source.")] = None,
    as_json: AsJson = False,
) -> None:
    """Raises LedgerBusy where another command than `serve` holds the ledger."""
    settings = settings_room.load(home)
    request = InventoryRequest(tuple(source or ()), everything, requests)
    choose_sources(settings, request.source_ids)
    try:
        with Ledger.open(home, command="inventory sync") as ledger:
            answers = inventory_here(ledger, settings, request)
    except LedgerBusy as busy:
        if busy.holder is None or busy.holder.command != "serve":
            raise
        answers = _inventory_there(home, request, busy)
    end_of_inventory(answers, as_json)


def inventory_here(
    ledger: Ledger, settings: Settings, request: InventoryRequest, now: Callable[[], datetime] = utc_now
) -> tuple[inbox.InventoryAnswer, ...]:
    """Reads the inventory in this process, with bars."""
    with progress() as show:
        outcomes = asyncio.run(
            stoppable(
                lambda: inventory_and_publish(
                    ledger,
                    settings,
                    request,
                    command="inventory sync",
                    now=now,
                    report=lambda step: _show(show, service_answers.inventory_progress_answer(step)),
                )
            )
        )
    return service_answers.inventory_answers(outcomes)


def _inventory_there(home: Path, request: InventoryRequest, busy: LedgerBusy) -> tuple[inbox.InventoryAnswer, ...]:
    order = inbox.hand_over_inventory(
        home, request.source_ids, everything=request.everything, requests=request.requests
    )
    last: tuple[inbox.InventoryAnswer, ...] = ()
    with progress() as show:
        for said in follow(home, order, busy):
            last = said.inventories
            for item in last:
                _show(show, item)
    return last


def _show(show: Show, item: inbox.InventoryAnswer) -> None:
    show(item.source_id, item.looks_done, item.looks_total, f"{item.changes:,} changes, {item.requests:,} requests")


def end_of_inventory(answers: tuple[inbox.InventoryAnswer, ...], as_json: bool) -> None:
    """Says how reading the inventory went; exits with the code of what stopped it."""
    for item in answers:
        reads = ", ".join(f"{number:,} {state}" for state, number in sorted(item.states.items())) or "none was due"
        why = ", ".join(f"{number:,} {_WHY.get(why, why)}" for why, number in sorted(item.by_why.items()))
        err.print(
            f"[bold]{escape(item.source_id)}[/]: {item.opened:,} added, {item.changed:,} changed, {item.closed:,} removed, "
            f"{item.points:,} measured; {item.requests:,} requests; reads: {reads}" + (f" ({why})" if why else "")
        )
        if item.left:
            err.print(f"  reads left for the next run: {item.left:,}")
        if item.rejected_rows:
            err.print(f"  [yellow]rows that could not be read: {item.rejected_rows:,}; earlier values are kept[/]")
        print_notes(item.notes, item.error)
    if as_json:
        print_json({"sources": answers})
    exit_with(item.exit_code for item in answers if item.error)
