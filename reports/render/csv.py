"""Reports as CSV (RFC 4180). One table a file; no cell of a spreadsheet can become a formula."""

from __future__ import annotations

import csv
import io
from datetime import date, datetime
from typing import Any

from quayledger.reports.model import Report, Table

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def render(report: Report, table: str = "") -> str:
    """One table of the report, the first where none is named. Raises UnknownTable."""
    return render_table(report.chosen(table))


def render_table(chosen: Table) -> str:
    """A table: a header line with the columns' names, then its rows. Numbers are plain (shares and changes as fractions of
    one), times ISO 8601."""
    sheet = io.StringIO()
    writer = csv.writer(sheet, lineterminator="\r\n")
    writer.writerow(column.name for column in chosen.columns)
    writer.writerows([guarded(value) for value in row] for row in chosen.shown.iter_rows())
    return sheet.getvalue()


def guarded(value: Any) -> Any:
    """A cell as it is written: text that a spreadsheet would run as a formula gets a leading apostrophe, numbers never
    do."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value
