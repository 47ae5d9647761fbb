"""The readers' room: every report there is, in one tuple."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from quayledger.reports.errors import UnknownReport
from quayledger.reports.inventory import changes, coverage, list_report, object_report
from quayledger.reports.log import completeness_report, overview, usage
from quayledger.reports.model import Report


class Entry(msgspec.Struct, frozen=True):
    """One report: its id as written in a command or an address, its title, and what builds it."""

    id: str
    title: str
    build: Callable[..., Report]


# Of what happened in a period: each is built from (snapshot, period).
REPORTS: tuple[Entry, ...] = (
    Entry(overview.REPORT_ID, overview.TITLE, overview.build),
    Entry(usage.REPORT_ID, usage.TITLE, usage.build),
    Entry(completeness_report.REPORT_ID, completeness_report.TITLE, completeness_report.build),
)

# Of what there is: each is built from a snapshot and a question of its own.
INVENTORY_REPORTS: tuple[Entry, ...] = (
    Entry(object_report.REPORT_ID, object_report.TITLE, object_report.build),
    Entry(list_report.REPORT_ID, list_report.TITLE, list_report.build),
    Entry(changes.REPORT_ID, changes.TITLE, changes.build),
    Entry(coverage.REPORT_ID, coverage.TITLE, coverage.build),
)


def find(report_id: str) -> Entry:
    """The report of that id, of those of a period. Raises UnknownReport."""
    for entry in REPORTS:
        if entry.id == report_id:
            return entry
    known = ", ".join(entry.id for entry in REPORTS)
    raise UnknownReport(f"there is no report {report_id[:60]!r}: there are {known}")
