"""The terminal front: work that takes long: here or in a running service, with bars, stoppable, and what is said at its end."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from quayledger.cli.console import err, print_json
from quayledger.collector.inventory.inventory_sync import InventoryRequest
from quayledger.collector.log.days import utc_now
from quayledger.collector.sync import SyncRequest
from quayledger.reports.formatting import visible
from quayledger.service import answers, inbox
from quayledger.service.jobs import inventory_and_publish, sync_and_publish
from quayledger.settings import Settings
from quayledger.warehouse.errors import LedgerBusy
from quayledger.warehouse.ledger import Ledger, holder


def sync_here(ledger: Ledger, settings: Settings, request: SyncRequest) -> tuple[inbox.SourceAnswer, ...]:
    """Syncs in this process, with bars."""
    with bars() as show:
        outcome = asyncio.run(
            stoppable(
                lambda: sync_and_publish(
                    ledger,
                    settings,
                    request,
                    command="sync",
                    report=lambda step: _show_sync(show, answers.progress_answer(step)),
                )
            )
        )
    return answers.sync_answers(outcome)


def inventory_here(
    ledger: Ledger, settings: Settings, request: InventoryRequest, now: Callable[[], datetime] = utc_now
) -> tuple[inbox.InventoryAnswer, ...]:
    """Takes the inventory in this process, with bars."""
    with bars() as show:
        outcomes = asyncio.run(
            stoppable(
                lambda: inventory_and_publish(
                    ledger,
                    settings,
                    request,
                    command="inventory sync",
                    now=now,
                    report=lambda step: _show_inventory(show, answers.inventory_progress_answer(step)),
                )
            )
        )
    return answers.inventory_answers(outcomes)


async def stoppable(work: Callable[[], Any]) -> Any:
    """Ctrl-C and SIGTERM end a run at its next step: what has come is kept, the run is recorded as interrupted."""
    task = asyncio.ensure_future(work())
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    return await task


def sync_there(home: Path, request: SyncRequest, busy: LedgerBusy) -> tuple[inbox.SourceAnswer, ...]:
    """Lets the running service sync, with bars. Raises `busy` where none takes the work."""
    order = inbox.hand_over(home, request.first, request.last, request.source_ids)
    with bars() as show:
        return _followed(home, order, busy, partial(_show_answer, show)).sources


def inventory_there(home: Path, request: InventoryRequest, busy: LedgerBusy) -> tuple[inbox.InventoryAnswer, ...]:
    """Lets the running service take the inventory, with bars. Raises `busy` where none takes the work."""
    order = inbox.hand_over_inventory(
        home, request.source_ids, everything=request.everything, requests=request.requests
    )
    with bars() as show:
        return _followed(home, order, busy, partial(_show_answer, show)).inventories


def _followed(home: Path, order: inbox.Order, busy: LedgerBusy, show: Callable[[inbox.Answer], None]) -> inbox.Answer:
    err.print("a service holds the ledger: the work is handed over to it")
    last: inbox.Answer | None = None
    for last in inbox.follow(home, order, lambda: holder(home) is not None):
        show(last)
    if last is None:
        raise busy
    if last.state == "failed":
        err.print(f"[red]{escape(last.message)}[/]")
        raise typer.Exit(last.exit_code)
    return last


Show = Callable[[str, int, int, str], None]


@contextlib.contextmanager
def bars() -> Iterator[Show]:
    """A bar for each source; shown by (source, done, total, what is said beside it)."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[said]}"))
    tasks: dict[str, TaskID] = {}
    with Bars(*columns, TimeElapsedColumn(), console=err, transient=True, disable=not err.is_terminal) as shown:

        def show(source_id: str, done: int, total: int, said: str) -> None:
            if source_id not in tasks:
                tasks[source_id] = shown.add_task(escape(source_id), said="")
            shown.update(tasks[source_id], total=total or None, completed=done, said=said)

        yield show


def _show_answer(show: Show, said: inbox.Answer) -> None:
    for source in said.sources:
        _show_sync(show, source)
    for item in said.inventories:
        _show_inventory(show, item)


def _show_sync(show: Show, item: inbox.SourceAnswer) -> None:
    said = f"{item.events_new:,} of about {item.events_expected:,} events, {item.requests:,} requests"
    show(item.source_id, item.days_done, item.days_total, said)


def _show_inventory(show: Show, item: inbox.InventoryAnswer) -> None:
    said = f"{item.changes:,} changes, {item.requests:,} requests"
    show(item.source_id, item.looks_done, item.looks_total, said)


def end_of_sync(answers: tuple[inbox.SourceAnswer, ...], as_json: bool) -> None:
    """Says how a sync went; ends with the code of what stopped it."""
    for item in answers:
        days = ", ".join(f"{number} {state}" for state, number in sorted(item.states.items())) or "none"
        err.print(
            f"[bold]{escape(item.source_id)}[/]: {item.events_new:,} new events, {item.requests:,} requests; days: {days}"
        )
        _end(item.notes, item.error)
    if as_json:
        print_json({"sources": answers})
    _exit(item.exit_code for item in answers if item.error)


def end_of_inventory(answers: tuple[inbox.InventoryAnswer, ...], as_json: bool) -> None:
    """Says how taking the inventory went; ends with the code of what stopped it."""
    for item in answers:
        looks = ", ".join(f"{number:,} {state}" for state, number in sorted(item.states.items())) or "none was due"
        why = ", ".join(f"{number:,} {_WHY.get(why, why)}" for why, number in sorted(item.by_why.items()))
        err.print(
            f"[bold]{escape(item.source_id)}[/]: {item.opened:,} new, {item.changed:,} changed, {item.closed:,} gone, "
            f"{item.points:,} measured; {item.requests:,} requests; looks: {looks}" + (f" ({why})" if why else "")
        )
        if item.left:
            err.print(f"  {item.left:,} look(s) were due and are left for the next run")
        if item.rejected_rows:
            err.print(f"  [yellow]{item.rejected_rows:,} row(s) could not be read; what is held of them stays[/]")
        _end(item.notes, item.error)
    if as_json:
        print_json({"sources": answers})
    _exit(item.exit_code for item in answers if item.error)


_WHY = {"event": "asked for by events", "first": "never read before", "round": "of the round"}


def _end(notes: tuple[str, ...], error: str) -> None:
    for note in notes:
        err.print(f"  [yellow]{escape(visible(note))}[/]")
    if error:
        err.print(f"  [red]stopped:[/] {escape(visible(error))}")


def _exit(codes: Iterator[int]) -> None:
    if code := next(codes, 0):
        raise typer.Exit(code)
