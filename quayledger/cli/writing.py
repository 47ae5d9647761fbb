"""The terminal front: how reports are written: for the terminal, as HTML, CSV or JSON, to standard output or a file."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from quayledger.cli.console import out, write_out
from quayledger.reports.model import Report
from quayledger.reports.render import csv as csv_form
from quayledger.reports.render import html as html_form
from quayledger.reports.render import json as json_form
from quayledger.reports.render import terminal as terminal_form


class ReportForm(StrEnum):
    """How a report is written."""

    TERMINAL = "terminal"
    HTML = "html"
    CSV = "csv"
    JSON = "json"


Form = Annotated[ReportForm, typer.Option("--format", help="How it is written.")]
CsvTable = Annotated[str, typer.Option("--table", help="csv: which table; the first where it is not given.")]
Top = Annotated[int, typer.Option(min=0, max=10_000, help="Rows a table shows at most; 0: all.")]


def write_report(built: Report, form: ReportForm, table: str, output: Path | None) -> None:
    """A report in the asked form. Raises UnknownTable for a CSV of a table that it has not."""
    match form:
        case ReportForm.TERMINAL:
            text = terminal_form.render(built, width=out.width, colour=out.is_terminal and output is None)
        case ReportForm.HTML:
            text = html_form.render(built)
        case ReportForm.CSV:
            text = csv_form.render(built, table)
        case ReportForm.JSON:
            text = json_form.render(built)
    write_out(iter([text.encode()]), output)
