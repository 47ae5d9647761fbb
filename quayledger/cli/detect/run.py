"""Run rules over a period and show what they find.

Nothing is stored. Each signal is one incident: a stretch of time in which one subject matched one rule."""

from __future__ import annotations

from typing import Annotated

import typer

from quayledger import settings as settings_room
from quayledger.cli._options import (
    AsJson,
    Format,
    Home,
    OutputFile,
    Period,
    Sources,
    TableName,
    TimeZone,
    Top,
)
from quayledger.cli._output import err, warn_of_broken_files
from quayledger.cli._reports import write_report
from quayledger.collector.log.days import utc_now
from quayledger.reports.detections.report import SPEC
from quayledger.reports.render.formats import Format as ReportFormat
from quayledger.reports.spec import parse_params
from quayledger.warehouse.snapshot import Snapshot


def command(
    rule: Annotated[list[str] | None, typer.Argument(metavar="RULE", help="Ids or names; none: all rules.")] = None,
    home: Home = settings_room.DEFAULT_HOME,
    period: Period = "last-30-days",
    time_zone: TimeZone = "UTC",
    source: Sources = None,
    top: Top = 50,
    form: Format = ReportFormat.TERMINAL,
    table: TableName = "",
    output: OutputFile = None,
    as_json: AsJson = False,
) -> None:
    """Raises UnknownRule, BadPeriod."""
    given = {"period": period, "time_zone": time_zone, "sources": source, "rules": rule, "top": 0 if as_json else top}
    params = parse_params(SPEC, given, utc_now())
    with Snapshot.open(home) as snapshot, err.status("running the rules"):
        warn_of_broken_files(snapshot)
        built = SPEC.build(snapshot, params)
    write_report(built, ReportFormat.JSON if as_json else form, table, output)
