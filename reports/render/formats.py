"""The formats that a report can be written in, once: for commands, pages and schedules alike."""

from __future__ import annotations

import importlib
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from quayledger.reports.model import Report


class Format(StrEnum):
    """How a report is written."""

    TERMINAL = "terminal"
    HTML = "html"
    CSV = "csv"
    JSON = "json"
    XLSX = "xlsx"
    PARQUET = "parquet"


class FileType(msgspec.Struct, frozen=True):
    """What a format is as a file. `per_table`: it holds one table of the report, not all of it."""

    suffix: str
    media_type: str
    per_table: bool = False


FILE_TYPES: dict[Format, FileType] = {
    Format.TERMINAL: FileType("txt", "text/plain"),
    Format.HTML: FileType("html", "text/html"),
    Format.CSV: FileType("csv", "text/csv", per_table=True),
    Format.JSON: FileType("json", "application/json"),
    Format.XLSX: FileType("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    Format.PARQUET: FileType("parquet", "application/vnd.apache.parquet", per_table=True),
}


def write(report: Report, form: Format, table: str = "", **screen: Any) -> bytes:
    """The report in a format. `table`: which one, for formats of one table ('': the first); `screen`: width, colour and rows of
    `terminal.render`. Raises UnknownTable."""
    # Loaded where it is used: each brings a library of its own.
    render = importlib.import_module(f"quayledger.reports.render.{form.value}").render
    if form is Format.TERMINAL:
        written = render(report, **screen)
    elif FILE_TYPES[form].per_table:
        written = render(report, table)
    else:
        written = render(report)
    return written if isinstance(written, bytes) else str(written).encode()
