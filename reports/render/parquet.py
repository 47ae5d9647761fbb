"""One table of a report as Parquet, with the types that it has."""

from __future__ import annotations

import io

from quayledger.reports.model import Report


def render(report: Report, table: str = "") -> bytes:
    """One table of the report, the first where none is named: all rows, columns named as in CSV, times in UTC, zstd. Raises
    UnknownTable."""
    file = io.BytesIO()
    report.chosen(table).frame.write_parquet(file, compression="zstd")
    return file.getvalue()
