"""Collect missing events, check every closed day, seal it.

Counts first and fetches only what is missing. If `quayledger serve` is running, it does the work."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path

import typer
from rich.markup import escape

from quayledger import settings as settings_room
from quayledger.cli._options import AsJson, FromDay, Home, Period, Sources, ToDay, days_of
from quayledger.cli._output import err, print_json
from quayledger.cli._progress import Show, alert_printer, exit_with, follow, print_notes, progress, stoppable
from quayledger.collector.log.days import utc_now
from quayledger.collector.sources import choose_sources
from quayledger.collector.sync import SyncRequest
from quayledger.reports.states import held
from quayledger.service import answers as service_answers
from quayledger.service import inbox
from quayledger.service.jobs import sync_and_publish
from quayledger.settings import Settings
from quayledger.warehouse.errors import LedgerBusy
from quayledger.warehouse.ledger import Ledger


def command(
    home: Home = settings_room.DEFAULT_HOME,
    first: FromDay = None,
    last: ToDay = None,
    period: Period = None,
    source: Sources = None,
    as_json: AsJson = False,
) -> None:
    """Raises LedgerBusy where another command than `serve` holds the ledger."""
    request = request_of(*days_of(first, last, period), source)
    settings = settings_room.load(home)
    choose_sources(settings, request.source_ids)
    try:
        with Ledger.open(home, command="sync") as ledger:
            answers = sync_here(ledger, settings, request)
    except LedgerBusy as busy:
        if busy.holder is None or busy.holder.command != "serve":
            raise
        answers = _sync_there(home, request, busy)
    end_of_sync(answers, as_json)


def request_of(first: date | None, last: date | None, source: list[str] | None) -> SyncRequest:
    """The days and sources of the command line. Raises BadParameter for days that cannot be collected."""
    today = utc_now().date()
    if first is not None and first > today:
        raise typer.BadParameter(f"{first} is in the future; today is {today} UTC")
    return SyncRequest(first, last, tuple(source or ()))


def sync_here(
    ledger: Ledger, settings: Settings, request: SyncRequest, now: Callable[[], datetime] = utc_now
) -> tuple[inbox.SourceAnswer, ...]:
    """Syncs in this process, with bars."""
    alert = alert_printer()
    with progress() as show:
        outcome = asyncio.run(
            stoppable(
                lambda: sync_and_publish(
                    ledger,
                    settings,
                    request,
                    command="sync",
                    now=now,
                    report=lambda step: _show(show, alert, service_answers.progress_answer(step)),
                )
            )
        )
    return service_answers.sync_answers(outcome)


def _sync_there(home: Path, request: SyncRequest, busy: LedgerBusy) -> tuple[inbox.SourceAnswer, ...]:
    order = inbox.hand_over(home, request.first, request.last, request.source_ids)
    last: tuple[inbox.SourceAnswer, ...] = ()
    alert = alert_printer()
    with progress() as show:
        for said in follow(home, order, busy):
            last = said.sources
            for item in last:
                _show(show, alert, item)
    return last


# Groups of states that need no word; the others' meaning is said.
_EXPECTED = ("verified", "open")


def _show(show: Show, alert: Callable[[str, str], None], item: inbox.SourceAnswer) -> None:
    alert(item.source_id, item.alert)
    said = f"{item.events_new:,} of about {item.events_expected:,} events, {item.requests:,} requests"
    if item.stage == "export":
        said += "; waiting for an export"
    show(item.source_id, item.days_done, item.days_total, said)


def end_of_sync(answers: tuple[inbox.SourceAnswer, ...], as_json: bool) -> None:
    """Says how a sync went; exits with the code of what stopped it."""
    for item in answers:
        days = ", ".join(f"{number} {state}" for state, number in sorted(item.states.items())) or "none"
        err.print(
            f"[bold]{escape(item.source_id)}[/]: {item.events_new:,} new events, {item.requests:,} requests; days: {days}"
        )
        for state in held(set(item.states)):
            if state.group not in _EXPECTED:
                err.print(f"  {escape(state.name)}: {escape(state.meaning)}", soft_wrap=True)
        print_notes(item.notes, item.error)
    if as_json:
        print_json({"sources": answers})
    exit_with(item.exit_code for item in answers if item.error)
