"""Reports as JSON. The whole report with stable keys; times ISO 8601 in UTC, shares as fractions of
one."""

from __future__ import annotations

from typing import Any

import msgspec
import polars as pl

from quayledger.reports.model import Report

FORMAT = "quayledger-report/2"


class _File(msgspec.Struct, frozen=True):
    format: str
    report: Report


def render(report: Report) -> str:
    """The report as one indented JSON object, `{"format": …, "report": …}`, that ends in a line break. A frame is the
    list of its rows; local times of a series are without an offset."""
    return msgspec.json.format(msgspec.json.encode(_File(FORMAT, report), enc_hook=_rows), indent=2).decode() + "\n"


def _rows(value: Any) -> Any:
    if isinstance(value, pl.DataFrame):
        return value.to_dicts()
    raise TypeError(f"a report holds no {type(value).__name__}")
