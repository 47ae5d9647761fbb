"""What a page is, and the context it is drawn in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from quayledger.reports import registry
from quayledger.reports.log.coverage import Coverage
from quayledger.reports.model import Report
from quayledger.reports.period import Period
from quayledger.reports.spec import inputs
from quayledger.web.record import Record

# What the bar at the top of a page may ask for, in this order; "source" is asked for on every page.
EVERY_CONTROL = ("period", "namespace", "time_zone", "compare")


class View(msgspec.Struct, frozen=True):
    """What a page is drawn from: the published copy, and what the bar at its top says. `sources` empty: all of them."""

    record: Record
    period: Period
    namespace: str | None = None
    sources: tuple[str, ...] = ()
    compare: bool = True

    def coverage(self) -> Coverage:
        """How complete the period is."""
        return self.record.coverage(self.period, self.sources)

    def report(self, report_id: str, **more: Any) -> Report:
        """The report for the bar; `more`: what else is asked of it."""
        bar = {name: getattr(self, name) for name in ("period", "namespace", "sources", "compare")}
        return self.record.report(report_id, **{**bar, **more})


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """One page of the menu. `path`: in the address ("": the first page); `controls`: those of EVERY_CONTROL that its bar
    has; `aliases`: paths that it had before."""

    title: str
    icon: str
    path: str
    draw: Callable[[View], None]
    controls: tuple[str, ...] = EVERY_CONTROL
    aliases: tuple[str, ...] = ()


def page_of(report_id: str, **page: Any) -> Page:
    """The page of a report: its bar asks for what the report takes."""
    known = {item.name for item in inputs(registry.find(report_id))}
    return Page(controls=tuple(name for name in EVERY_CONTROL if name in known), **page)
