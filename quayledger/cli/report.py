"""Print or write a report."""

from __future__ import annotations

import typer

from quayledger import settings as settings_room
from quayledger.cli._options import (
    Format,
    Home,
    Namespace,
    OutputFile,
    Period,
    ReportFormat,
    Sources,
    TableName,
    TimeZone,
    Top,
)
from quayledger.cli._output import err
from quayledger.cli._reports import write_report
from quayledger.collector.log.days import utc_now
from quayledger.reports import registry
from quayledger.reports.period import DEFAULT_PRESET
from quayledger.reports.spec import parse_params
from quayledger.warehouse.snapshot import Snapshot

app = typer.Typer(help=__doc__, no_args_is_help=True, rich_markup_mode=None, add_completion=False)


@app.command()
def usage(
    home: Home = settings_room.DEFAULT_HOME,
    period: Period = DEFAULT_PRESET,
    time_zone: TimeZone = "UTC",
    namespace: Namespace = None,
    source: Sources = None,
    top: Top = 50,
    form: Format = ReportFormat.TERMINAL,
    table: TableName = "",
    output: OutputFile = None,
) -> None:
    """Pulls and pushes by namespace, repository and account."""
    spec = registry.find("usage")
    given = {"period": period, "time_zone": time_zone, "namespace": namespace, "sources": source, "top": top}
    params = parse_params(spec, given, utc_now())
    with Snapshot.open(home) as snapshot, err.status("reading"):
        built = spec.build(snapshot, params)
    write_report(built, form, table, output)


@app.command()
def completeness(
    home: Home = settings_room.DEFAULT_HOME,
    period: Period = "last-90-days",
    source: Sources = None,
    top: Top = 50,
    form: Format = ReportFormat.TERMINAL,
    table: TableName = "",
    output: OutputFile = None,
) -> None:
    """State of each day, missing events, repairs, requests."""
    spec = registry.find("completeness")
    params = parse_params(spec, {"period": period, "sources": source, "top": top}, utc_now())
    with Snapshot.open(home) as snapshot, err.status("reading"):
        built = spec.build(snapshot, params)
    write_report(built, form, table, output)


command = typer.main.get_command(app)
