"""The registry of reports. A module that declares `SPEC` in one of these packages is a report."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from typing import Any

from quayledger.reports.errors import UnknownReport
from quayledger.reports.formatting import visible
from quayledger.reports.spec import ReportSpec

PACKAGES = (
    "quayledger.reports.log",
    "quayledger.reports.security",
    "quayledger.reports.inventory",
    "quayledger.reports.detections",
    "quayledger.reports.desk",
)


@cache
def reports() -> tuple[ReportSpec[Any], ...]:
    """Every report, by package and then by id."""
    found: list[ReportSpec[Any]] = []
    for package in PACKAGES:
        names = [module.name for module in pkgutil.iter_modules(importlib.import_module(package).__path__)]
        specs = [getattr(importlib.import_module(f"{package}.{name}"), "SPEC", None) for name in names]
        found += sorted((spec for spec in specs if isinstance(spec, ReportSpec)), key=lambda spec: spec.id)
    return tuple(found)


def find(report_id: str) -> ReportSpec[Any]:
    """The report of that id. Raises UnknownReport."""
    for spec in reports():
        if spec.id == report_id:
            return spec
    known = ", ".join(spec.id for spec in reports())
    raise UnknownReport(f"there is no report '{visible(report_id[:60])}'. Reports: {known}.")
