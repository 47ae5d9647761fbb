"""The terminal front: what is held: status, events and reports."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated

import msgspec
import typer
from rich.markup import escape
from rich.table import Table

from quayledger import settings as settings_room
from quayledger.cli.console import (
    AsJson,
    DayFrom,
    DayTo,
    Home,
    Output,
    Sources,
    err,
    midnight,
    out,
    print_json,
    write_out,
)
from quayledger.cli.writing import CsvTable, Form, ReportForm, Top, write_report
from quayledger.collector.log.days import utc_now
from quayledger.reports import registry
from quayledger.reports.formatting import visible
from quayledger.reports.inventory import coverage
from quayledger.reports.log import events_page as event_files
from quayledger.reports.model import Report
from quayledger.reports.period import DEFAULT_PRESET, parse
from quayledger.reports.render import terminal as terminal_form
from quayledger.warehouse.inventory import reader as inventory_reader
from quayledger.warehouse.ledger import holder
from quayledger.warehouse.log import events as reader
from quayledger.warehouse.snapshot import Snapshot

app = typer.Typer()
report_app = typer.Typer(help="Reports from what is collected.", no_args_is_help=True)
app.add_typer(report_app, name="report")


class EventForm(StrEnum):
    """How events are written."""

    TABLE = "table"
    CSV = "csv"
    JSONL = "jsonl"
    QUAY = "quay"


_FILES: dict[EventForm, event_files.ExportForm] = {
    EventForm.CSV: "csv",
    EventForm.JSONL: "jsonl",
    EventForm.QUAY: "quay",
}


@app.command()
def status(home: Home = settings_room.DEFAULT_HOME, as_json: AsJson = False) -> None:
    """What is held, how complete it is, and what was spent."""
    with Snapshot.open(home) as snapshot:
        rows = reader.status(snapshot).to_dicts()
        states = reader.days_by_state(snapshot).to_dicts()
        registry_known = coverage.build(snapshot)
        parts = inventory_reader.coverage(snapshot).to_dicts()
        published_at = snapshot.published.published_at
    for row in rows:
        row["days_by_state"] = {item["state"]: item["days"] for item in states if item["source_id"] == row["source_id"]}
    held_by = holder(home)
    if as_json:
        print_json({"as_of": published_at, "held_by": held_by, "sources": rows, "inventory": parts})
        return
    table = Table("source", "days", "by state", "events", "last event (UTC)", "requests", "last run")
    for row in rows:
        by_state = "\n".join(f"{number} {state}" for state, number in sorted(row["days_by_state"].items()))
        last = row["last_event_at"]
        table.add_row(
            escape(row["source_id"]),
            f"{row['days']:,}",
            by_state,
            f"{row['events']:,}\nof {row['expected_events'] or 0:,}",
            f"{last:%Y-%m-%d}\n{last:%H:%M:%S}" if last else "–",
            f"{row['requests']:,}",
            row["last_run_outcome"] or "–",
        )
    out.print(table)
    if parts:
        _show_table(registry_known, "coverage")
        _show_table(registry_known, "reasons")
    else:
        err.print("nothing has been read of the registry itself yet: run `quayledger inventory sync`")
    err.print(
        f"as of {published_at:%Y-%m-%d %H:%M:%S} UTC; "
        + (f"held by {held_by.command}, process {held_by.pid}" if held_by else "nobody is collecting now")
    )


def _show_table(report: Report, name: str) -> None:
    chosen = msgspec.structs.replace(report, metrics=(), charts=(), notes=(), tables=(report.table(name),))
    out.print(terminal_form.render(chosen, width=out.width, colour=out.is_terminal), markup=False)


@app.command()
def events(
    home: Home = settings_room.DEFAULT_HOME,
    first: DayFrom = None,
    last: DayTo = None,
    source: Sources = None,
    kind: Annotated[list[str] | None, typer.Option(help="Only this kind; may be repeated.")] = None,
    namespace: Annotated[str | None, typer.Option(help="Only this organisation or user.")] = None,
    repository: Annotated[str | None, typer.Option(help="Only this repository, without its namespace.")] = None,
    actor: Annotated[str | None, typer.Option(help="Only what this user or robot did.")] = None,
    ip: Annotated[str | None, typer.Option(help="Only from this address.")] = None,
    tag: Annotated[str | None, typer.Option(help="Only this tag.")] = None,
    digest: Annotated[str | None, typer.Option(help="Only this manifest digest.")] = None,
    text: Annotated[str | None, typer.Option(help="Only where a name or the metadata holds this text.")] = None,
    limit: Annotated[int, typer.Option(min=0, help="How many at most; 0: all.")] = 100,
    form: Annotated[
        EventForm, typer.Option("--format", help="quay: the form of Quay's own log answer.")
    ] = EventForm.TABLE,
    output: Output = None,
) -> None:
    """The events that match. The newest as a table; oldest first in the other formats."""
    chosen = reader.EventFilter(
        since=midnight(first) if first else None,
        until=midnight(last) + timedelta(days=1) if last else None,
        source_ids=tuple(source or ()),
        kinds=tuple(kind or ()),
        namespace=namespace,
        repository=repository,
        actor=actor,
        ip=ip,
        tag=tag,
        digest=digest,
        text=text,
    )
    with Snapshot.open(home) as snapshot:
        if form is EventForm.TABLE:
            _show_events(snapshot, chosen, limit)
        else:
            write_out(event_files.export(snapshot, (chosen,), _FILES[form], limit=limit), output)


def _show_events(snapshot: Snapshot, chosen: reader.EventFilter, limit: int) -> None:
    frame = reader.events(snapshot, chosen, limit=limit)
    names = [name for name, _ in event_files.SHOWN]
    table = Table(*(label for _, label in event_files.SHOWN))
    for row in frame.select(names).iter_rows():
        table.add_row(*(escape(visible(_cell(value))) for value in row))
    out.print(table)
    err.print(f"{frame.height:,} of {reader.count_events(snapshot, chosen):,} events")


def _cell(value: object) -> str:
    if value is None:
        return "–"
    return f"{value:%Y-%m-%d %H:%M:%S}" if isinstance(value, datetime) else str(value)


Period = Annotated[
    str, typer.Option(help="last-30-days, this-month, previous-month, … or days such as 2026-11-01..2026-11-21.")
]
Zone = Annotated[str, typer.Option(help="IANA name of the zone whose days count.")]
Namespace = Annotated[str | None, typer.Option(help="Only this organisation or user.")]


@report_app.command()
def usage(
    home: Home = settings_room.DEFAULT_HOME,
    period: Period = DEFAULT_PRESET,
    time_zone: Zone = "UTC",
    namespace: Namespace = None,
    source: Sources = None,
    top: Top = 50,
    form: Form = ReportForm.TERMINAL,
    table: CsvTable = "",
    output: Output = None,
) -> None:
    """Usage: pulls, pushes, by whom, of what, against the period before, and how complete that is."""
    asked = parse(period, time_zone, utc_now())
    with Snapshot.open(home) as snapshot, err.status("reading"):
        built = registry.find("usage").build(
            snapshot, asked, namespace=namespace, source_ids=tuple(source or ()), top=top
        )
    write_report(built, form, table, output)


@report_app.command()
def completeness(
    home: Home = settings_room.DEFAULT_HOME,
    period: Period = "last-90-days",
    source: Sources = None,
    top: Top = 50,
    form: Form = ReportForm.TERMINAL,
    table: CsvTable = "",
    output: Output = None,
) -> None:
    """Completeness: each day's state, every deficit by kind, repairs, and requests spent against the least there can be."""
    asked = parse(period, "UTC", utc_now())
    with Snapshot.open(home) as snapshot, err.status("reading"):
        built = registry.find("completeness").build(snapshot, asked, source_ids=tuple(source or ()), top=top)
    write_report(built, form, table, output)
