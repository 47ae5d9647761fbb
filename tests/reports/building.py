"""Builds a report as every caller does: by its id, with its parameters, at the sample's time."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from quayledger.reports import registry
from quayledger.reports.model import Report
from quayledger.warehouse.snapshot import Snapshot
from tests.reports.sample import NOW


def build(report_id: str, snapshot: Snapshot, *, now: datetime = NOW, **given: Any) -> Report:
    """The report of that id from typed parameters."""
    spec = registry.find(report_id)
    report: Report = spec.make(snapshot, spec.params(**given), now=now)
    return report
