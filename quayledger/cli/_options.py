"""Options and arguments that several commands share."""

from __future__ import annotations

from datetime import UTC, date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from quayledger.reports import period as period_words
from quayledger.reports.render.formats import Format as ReportFormat


class EventFormat(StrEnum):
    """How events are written."""

    TABLE = "table"
    CSV = "csv"
    JSONL = "jsonl"
    QUAY = "quay"


def as_day(text: str) -> date:
    """A day of the command line. Raises BadParameter."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a date. Use YYYY-MM-DD.") from None


Home = Annotated[Path, typer.Option("--home", envvar="QUAYLEDGER_HOME", help="Folder of the ledger.")]
FromDay = Annotated[
    date | None, typer.Option("--from", parser=as_day, metavar="DAY", help="First UTC day, such as 2026-11-01.")
]
ToDay = Annotated[date | None, typer.Option("--to", parser=as_day, metavar="DAY", help="Last UTC day, included.")]
Sources = Annotated[list[str] | None, typer.Option("--source", metavar="ID", help="Only this source; repeatable.")]
OneSource = Annotated[str, typer.Option("--source", metavar="ID", help="The source to use.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
OutputFile = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write to this file instead of standard output.")
]
Format = Annotated[ReportFormat, typer.Option("--format", help="Output format.")]
EventsFormat = Annotated[
    EventFormat, typer.Option("--format", help="Output format; quay: each event as Quay's own API shows it.")
]
TableName = Annotated[
    str, typer.Option("--table", metavar="NAME", help="Which table to write as CSV or Parquet (default: the first).")
]
Top = Annotated[int, typer.Option(min=0, max=10_000, metavar="N", help="Maximum rows per table (0 = all).")]
Namespace = Annotated[str | None, typer.Option(metavar="NAME", help="Only this organization or user.")]
Period = Annotated[
    str | None,
    typer.Option("--period", metavar="PERIOD", help=f"Instead of --from and --to: {', '.join(period_words.EXAMPLES)}."),
]
TimeZone = Annotated[str, typer.Option(metavar="ZONE", help="Time zone of the days, such as Europe/Berlin.")]


def days_of(first: date | None, last: date | None, period: str | None) -> tuple[date | None, date | None]:
    """First and last UTC day of what a command line says; None where it does not say. Raises BadParameter, BadPeriod."""
    if first is not None and last is not None and first > last:
        raise typer.BadParameter(f"--from {first} is after --to {last}")
    if period is None:
        return first, last
    if first is not None or last is not None:
        raise typer.BadParameter("give --period, or --from and --to")
    return period_words.parse(period, "UTC", datetime.now(UTC)).utc_days()
