"""Show one object.

What it is, who may do what with it, its last use, its history, and what is unknown."""

from __future__ import annotations

from typing import Annotated

import typer

from quayledger import settings as settings_room
from quayledger.cli._options import (
    AsJson,
    AsOfDay,
    Format,
    Home,
    ObjectKind,
    OutputFile,
    ReportFormat,
    Sources,
    TableName,
    Top,
)
from quayledger.cli._output import err
from quayledger.cli._reports import write_report
from quayledger.collector.log.days import utc_now
from quayledger.reports.inventory import object_report
from quayledger.reports.spec import parse_params
from quayledger.warehouse.snapshot import Snapshot


def command(
    kind: ObjectKind,
    name: Annotated[
        str, typer.Argument(help="alice, acme+ci, acme/developers, acme/web, acme or acme/web:latest.", metavar="NAME")
    ],
    as_of: AsOfDay = None,
    home: Home = settings_room.DEFAULT_HOME,
    source: Sources = None,
    top: Top = 50,
    form: Format = ReportFormat.TERMINAL,
    table: TableName = "",
    output: OutputFile = None,
    as_json: AsJson = False,
) -> None:
    """Raises what the report raises, such as a name that is unknown."""
    with Snapshot.open(home) as snapshot, err.status("reading"):
        given = {"kind": kind, "name": name, "as_of": as_of, "sources": source, "top": 0 if as_json else top}
        built = object_report.build(snapshot, parse_params(object_report.SPEC, given, utc_now()))
    write_report(built, ReportFormat.JSON if as_json else form, table, output)
