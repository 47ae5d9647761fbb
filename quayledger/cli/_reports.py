"""The command of a report, made from what the report declares, and the formats in which a report leaves it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer

from quayledger import settings as settings_room
from quayledger.cli._options import (
    AsJson,
    Format,
    FromDay,
    Home,
    OutputFile,
    TableName,
    ToDay,
    as_day,
    days_of,
)
from quayledger.cli._output import err, out, warn_of_broken_files, write_out
from quayledger.collector.log.days import utc_now
from quayledger.reports.model import Report
from quayledger.reports.render.formats import Format as ReportFormat
from quayledger.reports.render.formats import write
from quayledger.reports.spec import Input, ReportSpec, inputs, parse_params
from quayledger.warehouse.snapshot import Snapshot

_METAVARS = {"day": "DAY", "period": "PERIOD", "time_zone": "ZONE", "number": "N"}


def report_command(spec: ReportSpec[Any]) -> Callable[..., None]:
    """A function that typer reads as the command of a report: its parameters, then those of every report."""

    def run(*, home: Path, form: ReportFormat, table: str, output: Path | None, as_json: bool, **given: Any) -> None:
        chosen = ReportFormat.JSON if as_json else form
        if spec.has_period:
            given["period"] = period_of(given.pop("from_day"), given.pop("to_day"), given["period"])
        asked_top = given.get("top")
        if chosen is ReportFormat.TERMINAL and asked_top is None and spec.screen_rows:
            given["top"] = spec.screen_rows
        params = parse_params(spec, {name: value for name, value in given.items() if value != []}, utc_now())
        with Snapshot.open(home) as snapshot, err.status("reading"):
            warn_of_broken_files(snapshot)
            built = spec.make(snapshot, params)
        # Asked for a number of rows, a terminal shows them all.
        write_report(built, chosen, table, output, rows=None if asked_top is None else 0)

    days = [_option("from_day", FromDay, None), _option("to_day", ToDay, None)] if spec.has_period else []
    parameters = [*days, *(_parameter(item) for item in inputs(spec)), *_EVERY_REPORT]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {item.name: item.annotation for item in parameters}
    return run


def _option(name: str, kind: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)


_EVERY_REPORT = (
    _option("form", Format, ReportFormat.TERMINAL),
    _option("table", TableName, ""),
    _option("output", OutputFile, None),
    _option("as_json", AsJson, False),
    _option("home", Home, settings_room.DEFAULT_HOME),
)


def _parameter(item: Input) -> inspect.Parameter:
    """One parameter of a report: an argument where it must be given, else an option. What is out of range is refused by the
    report itself, in the same words everywhere."""
    kind: Any = {"number": int, "flag": bool, "day": date}.get(item.kind, str)
    more: dict[str, Any] = {"help": item.help, "metavar": _METAVARS.get(item.kind, item.option.upper())}
    if item.kind == "day":
        more["parser"] = as_day
    if item.choices:
        more["autocompletion"] = lambda: list(item.choices)
    if item.required:
        return _option(item.name, Annotated[kind, typer.Argument(**more)], inspect.Parameter.empty)
    if item.kind == "flag":
        return _flag(item)
    if item.choices:
        more["help"] = f"{item.help} Choices: {', '.join(item.choices)}."
    option = typer.Option(f"--{item.option}", show_default=_shown_default(item), **more)
    return _option(item.name, Annotated[list[kind] | None if item.many else (kind | None), option], None)


def _flag(item: Input) -> inspect.Parameter:
    default = item.default == "yes"
    words = f"--{item.option}/--no-{item.option}" if default else f"--{item.option}"
    return _option(item.name, Annotated[bool, typer.Option(words, help=item.help)], default)


def _shown_default(item: Input) -> str | bool:
    if item.name == "top":
        return "a screenful in the terminal, all in files"
    return item.default if item.kind in ("period", "time_zone", "number") and item.default else False


def period_of(first: date | None, last: date | None, period: str | None) -> str | None:
    """A period in words from the days of a command line. Raises BadParameter, BadPeriod."""
    if first is None and last is None:
        return period
    days_of(first, last, period)
    today = utc_now().date()
    return f"{first or last}..{last or max(first or today, today)}"


def write_report(built: Report, form: ReportFormat, table: str, output: Path | None, rows: int | None = None) -> None:
    """Writes a report in a format. `rows`: of a table in the terminal (0: all; None: as many as the report means for a screen).
    Raises UnknownTable where the report has no table of that name."""
    screen: dict[str, Any] = {}
    if form is ReportFormat.TERMINAL:
        screen = {"width": out.width, "colour": out.is_terminal and output is None, "rows": rows}
    write_out(iter([write(built, form, table, **screen)]), output)
