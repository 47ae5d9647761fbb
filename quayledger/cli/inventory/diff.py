"""Show what changed between two days.

Access, accounts, robots, content, policies, sizes, scans."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import typer

from quayledger import settings as settings_room
from quayledger.cli._options import (
    AsJson,
    Family,
    Format,
    Home,
    OutputFile,
    ReportFormat,
    Sources,
    TableName,
    Top,
    as_day,
)
from quayledger.cli._output import err
from quayledger.cli._reports import write_report
from quayledger.collector.log.days import utc_now
from quayledger.reports.inventory import changes
from quayledger.reports.period import whole_days
from quayledger.reports.spec import parse_params
from quayledger.warehouse.snapshot import Snapshot


def command(
    first: Annotated[
        date, typer.Option("--from", parser=as_day, metavar="DAY", help="Compare the beginning of this UTC day …")
    ],
    last: Annotated[
        date | None, typer.Option("--to", parser=as_day, metavar="DAY", help="… with the end of this one (today).")
    ] = None,
    family: Family = None,
    every_step: Annotated[
        bool, typer.Option("--every-step", help="Also show what came and went in between, step by step.")
    ] = False,
    home: Home = settings_room.DEFAULT_HOME,
    source: Sources = None,
    top: Top = 50,
    form: Format = ReportFormat.TERMINAL,
    table: TableName = "",
    output: OutputFile = None,
    as_json: AsJson = False,
) -> None:
    """Raises BadParameter for a range that ends before it begins."""
    until = last or utc_now().date()
    if first > until:
        raise typer.BadParameter(f"--from {first} is after --to {until}")
    with Snapshot.open(home) as snapshot, err.status("comparing"):
        given = {"period": whole_days(first, until, "UTC"), "families": family, "sources": source}
        params = parse_params(changes.SPEC, given | {"every_step": every_step, "top": 0 if as_json else top}, utc_now())
        built = changes.build(snapshot, params)
    write_report(built, ReportFormat.JSON if as_json else form, table, output)
