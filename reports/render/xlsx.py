"""Reports as an Excel workbook: a sheet that says what it is, then one sheet a table.

No cell is a formula, a link or a number in disguise; what Excel cannot hold is cut, and both the sheet and the first one
say so."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

import xlsxwriter
from xlsxwriter.workbook import Workbook
from xlsxwriter.worksheet import Worksheet

from quayledger.reports import formatting
from quayledger.reports.model import Report, Table
from quayledger.reports.render.csv import guarded

MAX_ROWS = 1_048_576 - 2  # of Excel's, less the header and the line that says what was cut
MAX_CHARACTERS = 32_767
_MAX_NAME = 31
_NOT_IN_A_NAME = re.compile(r"[\[\]:*?/\\']")
_OPTIONS = {
    "in_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
    "nan_inf_to_errors": True,
}
_NUMBER_FORMATS = {
    "count": "#,##0",
    "ratio": "#,##0.0",
    "share": "0.0%",
    "change": "+0.0%;-0.0%",
    "bytes": "#,##0",
    "time": "yyyy-mm-dd hh:mm:ss",
    "day": "yyyy-mm-dd",
}


def render(report: Report, max_rows: int = MAX_ROWS) -> bytes:
    """The whole report as an .xlsx file: sheet `About`, then each table. Times are UTC; shares are fractions that Excel shows as
    per cent. `max_rows`: rows a sheet holds at most."""
    file = io.BytesIO()
    book = xlsxwriter.Workbook(file, _OPTIONS)
    book.set_properties(
        {"title": formatting.visible(report.title), "created": report.generated_at.replace(tzinfo=None)}
    )
    about = book.add_worksheet("About")
    cut = [sentence for table in report.tables if (sentence := _sheet(book, table, max_rows))]
    _about(book, about, report, cut)
    book.close()
    return file.getvalue()


def _about(book: Workbook, sheet: Worksheet, report: Report, cut: Sequence[str]) -> None:
    bold = book.add_format({"bold": True})
    sheet.set_column(0, 0, 24)
    sheet.set_column(1, 1, 100)
    rows = [
        ("Report", report.title),
        *((parameter.label, parameter.value) for parameter in report.parameters),
        ("Coverage", report.trust.text),
        ("Data as of", formatting.moment(report.as_of)),
        ("Made", formatting.moment(report.generated_at)),
        ("Bounds", report.period.bounds),
        *((metric.label, formatting.cell(metric.value, metric.unit)) for metric in report.metrics),
        *(("Cut", sentence) for sentence in cut),
        *(("Warning" if note.level == "warning" else "Note", note.text) for note in report.notes),
    ]
    for place, (label, value) in enumerate(rows):
        sheet.write_string(place, 0, _safe(label), bold)
        sheet.write_string(place, 1, _safe(value))


def _sheet(book: Workbook, table: Table, max_rows: int) -> str:
    """Writes one table; a sentence about what was cut, '' where nothing was."""
    sheet = book.add_worksheet(_NOT_IN_A_NAME.sub("_", table.name)[:_MAX_NAME])
    bold = book.add_format({"bold": True, "bottom": 1})
    formats = {kind: book.add_format({"num_format": text}) for kind, text in _NUMBER_FORMATS.items()}
    for place, column in enumerate(table.columns):
        label = f"{column.label} (UTC)" if column.kind == "time" else column.label
        sheet.write_string(0, place, _safe(label), bold)
        sheet.set_column(place, place, 40 if column.kind == "text" and not place else 20)
    shown, long = table.shown.head(max_rows), 0
    for row, values in enumerate(shown.iter_rows(), 1):
        for place, (column, value) in enumerate(zip(table.columns, values, strict=True)):
            long += isinstance(value, str) and len(_safe(value, 0)) > MAX_CHARACTERS
            _write(sheet, row, place, value, formats.get(column.kind))
    sheet.freeze_panes(1, 0)
    if shown.height:
        sheet.autofilter(0, 0, shown.height, max(len(table.columns) - 1, 0))
    said = _cut(table, shown.height, long)
    if said:
        sheet.write_string(shown.height + 1, 0, said)
    return said


def _cut(table: Table, shown: int, long: int) -> str:
    said = []
    if shown < table.total_rows:
        said.append(f"{shown:,} of {formatting.plural(table.total_rows, 'row')}; CSV and JSON hold all")
    if long:
        said.append(f"{formatting.plural(long, 'text')} cut to {MAX_CHARACTERS:,} characters")
    return f"{table.title}: {'; '.join(said)}." if said else ""


def _write(sheet: Worksheet, row: int, place: int, value: Any, form: Any) -> None:
    if value is None:
        return
    if isinstance(value, bool):
        sheet.write_boolean(row, place, value)
    elif isinstance(value, datetime):
        sheet.write_datetime(row, place, value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value, form)
    elif isinstance(value, date):
        sheet.write_datetime(row, place, datetime(value.year, value.month, value.day), form)  # noqa: DTZ001 - a day
    elif isinstance(value, int | float) and abs(value) < 2**53:
        sheet.write_number(row, place, value, form)
    else:
        sheet.write_string(row, place, _safe(str(value)))


def _safe(text: str, limit: int = MAX_CHARACTERS) -> str:
    """Text that is shown as it is and run by nothing, no longer than a cell holds (0: as long as it is)."""
    safe = str(guarded(formatting.visible(text)))
    return safe[:limit] if limit else safe
