"""Long-running work: progress, stopping, handing over to a running service, and the summary at its end."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from quayledger.cli._output import err
from quayledger.reports.formatting import visible
from quayledger.service import inbox
from quayledger.warehouse.errors import LedgerBusy

Show = Callable[[str, int, int, str], None]
_LINE_EVERY_S = 10.0


async def stoppable(work: Callable[[], Any]) -> Any:
    """Ctrl-C and SIGTERM end a run at its next step: what has come is kept, the run is recorded as interrupted."""
    task = asyncio.ensure_future(work())
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    return await task


@contextlib.contextmanager
def progress() -> Iterator[Show]:
    """Shows (source, done, total, what is said beside it): a bar for each source, or a line every ten seconds where standard
    error is no terminal."""
    with _bars() if err.is_terminal else _lines() as show:
        yield show


@contextlib.contextmanager
def _bars() -> Iterator[Show]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[said]}"))
    tasks: dict[str, TaskID] = {}
    with Bars(*columns, TimeElapsedColumn(), console=err, transient=True) as shown:

        def show(source_id: str, done: int, total: int, said: str) -> None:
            if source_id not in tasks:
                tasks[source_id] = shown.add_task(escape(source_id), total=None, said="")
            shown.update(tasks[source_id], total=total or None, completed=done, said=said)

        yield show


@contextlib.contextmanager
def _lines() -> Iterator[Show]:
    """A line comes from a clock of its own: one request may take a minute, and the work says nothing meanwhile."""
    latest: dict[str, str] = {}
    ended, since_s = threading.Event(), time.monotonic()

    def show(source_id: str, done: int, total: int, said: str) -> None:
        of = f"{done:,} of {total:,}; " if total else ""
        latest[source_id] = f"{escape(source_id)}: {of}{said}"

    def print_lines() -> None:
        while not ended.wait(_LINE_EVERY_S):
            for line in [*latest.values()] or ["waiting for the source"]:
                err.print(f"{line} ({time.monotonic() - since_s:.0f} s)", soft_wrap=True)

    printer = threading.Thread(target=print_lines, name="progress lines", daemon=True)
    printer.start()
    try:
        yield show
    finally:
        ended.set()
        printer.join()


def alert_printer() -> Callable[[str, str], None]:
    """Prints what somebody who waits should read at once (source, text), each text once; '' is nothing."""
    printed: dict[str, str] = {}

    def print_alert(source_id: str, text: str) -> None:
        if text and printed.get(source_id) != text:
            printed[source_id] = text
            err.print(f"[yellow]{escape(source_id)}: {escape(visible(text))}[/]", soft_wrap=True)

    return print_alert


def follow(home: Path, order: inbox.Order, busy: LedgerBusy) -> Iterator[inbox.Answer]:
    """What the service says of an order while it works, until it is done. Raises NoAnswer where it does not answer, and Exit
    where it failed."""
    if busy.holder is None:
        raise busy
    err.print("`quayledger serve` is running: it does the work")
    for answer in inbox.follow(home, order, busy.holder):
        yield answer
        if answer.state == "failed":
            err.print(f"[red]{escape(visible(answer.message))}[/]")
            raise typer.Exit(answer.exit_code)


def print_notes(notes: Iterable[str], error: str) -> None:
    """What is to be known of a source after a run, and what stopped it ('': nothing)."""
    for note in notes:
        err.print(f"  [yellow]{escape(visible(note))}[/]", soft_wrap=True)
    if error:
        err.print(f"  [red]stopped:[/] {escape(visible(error))}", soft_wrap=True)


def exit_with(codes: Iterable[int]) -> None:
    """Ends the command with the first code, if there is one."""
    for code in codes:
        raise typer.Exit(code)
