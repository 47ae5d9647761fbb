"""The readers' room: every report there is, in one tuple."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from reports import overview, pipeline, usage
from reports.errors import UnknownReport
from reports.model import Report


class Entry(msgspec.Struct, frozen=True):
    """One report: its id as written in a command or an address, its title, and what builds it from (snapshot,
    period)."""

    id: str
    title: str
    build: Callable[..., Report]


REPORTS: tuple[Entry, ...] = (
    Entry(overview.REPORT_ID, overview.TITLE, overview.build),
    Entry(usage.REPORT_ID, usage.TITLE, usage.build),
    Entry(pipeline.REPORT_ID, pipeline.TITLE, pipeline.build),
)


def find(report_id: str) -> Entry:
    """The report of that id. Raises UnknownReport."""
    for entry in REPORTS:
        if entry.id == report_id:
            return entry
    known = ", ".join(entry.id for entry in REPORTS)
    raise UnknownReport(f"there is no report {report_id[:60]!r}: there are {known}")
