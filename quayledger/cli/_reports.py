"""Ways in which a report leaves a command."""

from __future__ import annotations

from pathlib import Path

from quayledger.cli._options import ReportFormat
from quayledger.cli._output import out, write_out
from quayledger.reports.model import Report
from quayledger.reports.render import csv as csv_form
from quayledger.reports.render import html as html_form
from quayledger.reports.render import json as json_form
from quayledger.reports.render import terminal as terminal_form


def write_report(built: Report, form: ReportFormat, table: str, output: Path | None) -> None:
    """Writes a report in a format. Raises UnknownTable where the report has no table of that name."""
    match form:
        case ReportFormat.TERMINAL:
            text = terminal_form.render(built, width=out.width, colour=out.is_terminal and output is None)
        case ReportFormat.HTML:
            text = html_form.render(built)
        case ReportFormat.CSV:
            text = csv_form.render(built, table)
        case ReportFormat.JSON:
            text = json_form.render(built)
    write_out(iter([text.encode()]), output)
