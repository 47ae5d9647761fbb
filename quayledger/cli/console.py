"""The terminal front: the two consoles, the options that commands share, and the ways in which data leaves."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.markup import escape

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False)
COLOURS = {"ok": "green", "note": "cyan", "warning": "yellow", "error": "red"}


def as_day(text: str) -> date:
    """A day of the command line. Raises BadParameter."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no day of the calendar; write it as 2026-11-21") from None


Home = Annotated[Path, typer.Option("--home", envvar="QUAYLEDGER_HOME", help="The ledger's folder.", show_default=True)]
DayFrom = Annotated[
    date | None, typer.Option("--from", parser=as_day, metavar="DAY", help="First UTC day, such as 2026-11-01.")
]
DayTo = Annotated[date | None, typer.Option("--to", parser=as_day, metavar="DAY", help="Last UTC day, included.")]
Sources = Annotated[list[str] | None, typer.Option("--source", help="Only this source; may be repeated.")]
AsJson = Annotated[bool, typer.Option("--json", help="Data for machines, on stdout.")]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file instead of stdout.")]


def midnight(day: date) -> datetime:
    """The moment at which a UTC day begins."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def print_json(value: object) -> None:
    """A value for machines, on standard output."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")


def write_out(pieces: Iterator[bytes], output: Path | None) -> None:
    """To the file, complete or not at all, or to stdout."""
    if output is None:
        for piece in pieces:
            sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
        return
    unfinished = output.with_name(f".{output.name}.{os.getpid()}")
    try:
        with unfinished.open("wb") as file:
            file.writelines(pieces)
        unfinished.replace(output)
    finally:
        unfinished.unlink(missing_ok=True)
    err.print(f"[green]written[/] {escape(str(output))}")
