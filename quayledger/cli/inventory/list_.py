"""List objects, one per line.

Size, use, members, roles, and what is unknown."""

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
from quayledger.reports.inventory import list_report
from quayledger.reports.spec import parse_params
from quayledger.warehouse.snapshot import Snapshot


def command(
    kind: ObjectKind,
    within: Annotated[
        str | None, typer.Option("--in", metavar="NAME", help="Only in this namespace or, for tags, this repository.")
    ] = None,
    by: Annotated[
        str, typer.Option("--by", metavar="COLUMN", help="Sort by this column, such as idle_days (default: by name).")
    ] = "",
    as_of: AsOfDay = None,
    home: Home = settings_room.DEFAULT_HOME,
    source: Sources = None,
    top: Top = 50,
    form: Format = ReportFormat.TERMINAL,
    table: TableName = "",
    output: OutputFile = None,
    as_json: AsJson = False,
) -> None:
    """Raises what the report raises, such as a column that is unknown."""
    with Snapshot.open(home) as snapshot, err.status("reading"):
        given = {"kind": kind, "within": within, "by": by, "as_of": as_of, "sources": source}
        params = parse_params(list_report.SPEC, given | {"top": 0 if as_json else top}, utc_now())
        built = list_report.build(snapshot, params)
    write_report(built, ReportFormat.JSON if as_json else form, table, output)
