"""Run rules over a period: show what they find, and raise alerts for it.

With `--dry-run` nothing is stored: the table `days` says what the rules would have raised a day. A signal is one incident: a
stretch of time in which one subject matched one rule; those for information only raise no alert."""

from __future__ import annotations

from typing import Annotated

import typer

from quayledger import settings as settings_room
from quayledger.cli._options import (
    AsJson,
    Format,
    FromDay,
    Home,
    OutputFile,
    Period,
    Sources,
    TableName,
    TimeZone,
    ToDay,
    Top,
)
from quayledger.cli._output import err, warn_of_broken_files
from quayledger.cli._reports import period_of, write_report
from quayledger.collector.log.days import utc_now
from quayledger.reports.desk import watch
from quayledger.reports.detections import report
from quayledger.reports.render.formats import Format as ReportFormat
from quayledger.reports.spec import parse_params
from quayledger.warehouse.snapshot import Snapshot


def command(
    rule: Annotated[list[str] | None, typer.Argument(metavar="RULE", help="Ids or names; none: all rules.")] = None,
    home: Home = settings_room.DEFAULT_HOME,
    from_day: FromDay = None,
    to_day: ToDay = None,
    period: Period = None,
    time_zone: TimeZone = "UTC",
    source: Sources = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Raise no alerts; only show what is found.")] = False,
    top: Top = 50,
    form: Format = ReportFormat.TERMINAL,
    table: TableName = "",
    output: OutputFile = None,
    as_json: AsJson = False,
) -> None:
    """Raises UnknownRule, BadPeriod, DeskError."""
    asked = period_of(from_day, to_day, period) or "last-30-days"
    given = {"period": asked, "time_zone": time_zone, "sources": source, "rules": rule, "top": 0 if as_json else top}
    params = parse_params(report.SPEC, given, utc_now())
    with Snapshot.open(home) as snapshot, err.status("running the rules"):
        warn_of_broken_files(snapshot)
        done, book = report.judge(snapshot, params)
        built = report.shown(snapshot, params, done, book)
        recorded = None if dry_run else watch.record(home, done, book, utc_now())
    write_report(built, ReportFormat.JSON if as_json else form, table, output)
    if recorded is None:
        err.print("Nothing was stored (--dry-run).")
    else:
        raised, grown = len(recorded.raised), len(recorded.grown)
        err.print(f"{raised} new alert{'' if raised == 1 else 's'}, {grown} grew: see `quayledger alerts list`.")
