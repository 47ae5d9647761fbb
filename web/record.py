"""The browser front: what pages ask for, kept for as long as the same copy of the record is the newest."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from itertools import pairwise
from pathlib import Path

import polars as pl
import streamlit as st

from quayledger.reports import registry
from quayledger.reports.inventory import changes, kinds, list_report, object_report
from quayledger.reports.inventory import coverage as inventory_coverage
from quayledger.reports.log import events_page
from quayledger.reports.log.coverage import Coverage, measure
from quayledger.reports.log.events_page import EventsPage, ExportForm
from quayledger.reports.model import Report
from quayledger.reports.period import Period, whole_days
from quayledger.reports.spec import inputs
from quayledger.settings import DEFAULT_HOME
from quayledger.warehouse import service_status
from quayledger.warehouse.log import events as reader
from quayledger.warehouse.publish import Published, newest
from quayledger.warehouse.service_status import ServiceStatus
from quayledger.warehouse.snapshot import Snapshot
from quayledger.web.inventory_url import Ask
from quayledger.web.url_state import Bar, Query

HOME_VARIABLE = "QUAYLEDGER_HOME"
# More names than a choice is searched through; others can be typed.
_MOST_NAMES = 20_000
# More rows than a browser is given at once; the terminal gives all.
_MOST_LISTED = 5_000


def home(arguments: list[str]) -> Path:
    """The ledger's folder: `--home DIR` after the script's name, else QUAYLEDGER_HOME, else the default."""
    for flag, value in pairwise(arguments):
        if flag == "--home":
            return Path(value)
    return Path(os.environ.get(HOME_VARIABLE) or DEFAULT_HOME)


class Record:
    """The newest published copy in a folder. Answers are cached by that copy, so a new publication shows at the next
    run."""

    def __init__(self, folder: Path) -> None:
        self.published: Published = newest(folder)
        self._at = (str(folder), self.published.sequence, self.published.published_at.isoformat())

    @property
    def key(self) -> tuple[str, int, str]:
        """Names the copy: folder, sequence, moment."""
        return self._at

    def sources(self) -> pl.DataFrame:
        """One row a source: source_id, name, url, backend, first_day, last_day."""
        return _sources(self._at)

    def namespaces(self, sources: tuple[str, ...]) -> list[str]:
        """The namespaces that events name."""
        return _namespaces(self._at, sources)

    def report(self, report_id: str, period: Period, bar: Bar) -> Report:
        """The report of that id for the bar."""
        asked = (period.since, period.until, period.time_zone)
        return _report(self._at, report_id, asked, bar.namespace, bar.sources, bar.compare)

    def names(self, kind: str, day: date | None, sources: tuple[str, ...]) -> list[str]:
        """The names of the objects of a kind at the end of a UTC day (None: now), as many as a choice can hold."""
        return _names(self._at, kind, day, sources)

    def has_inventory(self) -> bool:
        """Whether anything was ever looked at. Raises NotPublished where the copy is older than the inventory."""
        return not _nothing_read(self._at)

    def inventory_object(self, ask: Ask) -> Report:
        """The object that is asked for. Raises UnknownObject."""
        return _inventory_object(self._at, ask.kind, ask.name or "", ask.day, ask.sources)

    def inventory_list(self, ask: Ask) -> Report:
        """All objects of the kind that is asked for, as many as a browser is shown."""
        return _inventory_list(self._at, ask.kind, ask.day, ask.sources)

    def inventory_changes(self, ask: Ask) -> Report:
        """What changed in the days that are asked for."""
        span = ask.span(self.published.published_at.date())
        return _inventory_changes(self._at, span, ask.what, ask.sources, ask.steps)

    def inventory_coverage(self, sources: tuple[str, ...]) -> Report:
        """How complete the inventory is."""
        return _inventory_coverage(self._at, sources)

    def coverage(self, period: Period, sources: tuple[str, ...]) -> Coverage:
        """How complete the period is."""
        return _coverage(self._at, (period.since, period.until, period.time_zone), sources)

    def board(self) -> ServiceStatus | None:
        """What the service on this ledger is about to do; None where none runs. Asked anew each time."""
        return service_status.read(Path(self._at[0]))

    def page(self, period: Period, bar: Bar, query: Query) -> EventsPage:
        """One page of the events asked for."""
        filters = events_page.stretches(query.where(period, bar), period.time_zone, query.weekday, query.hour)
        with _snapshot(self._at) as snapshot:
            return events_page.page(snapshot, filters, query.page)

    def export(self, period: Period, bar: Bar, query: Query, form: ExportForm) -> bytes:
        """The events asked for as one file, up to what a browser may ask for."""
        filters = events_page.stretches(query.where(period, bar), period.time_zone, query.weekday, query.hour)
        with _snapshot(self._at) as snapshot:
            return b"".join(events_page.export(snapshot, filters, form, limit=events_page.BROWSER_EXPORT_LIMIT))


@contextmanager
def _snapshot(at: tuple[str, int, str]) -> Iterator[Snapshot]:
    with Snapshot.open(Path(at[0])) as snapshot:
        yield snapshot


@st.cache_data(max_entries=16, show_spinner=False)
def _sources(at: tuple[str, int, str]) -> pl.DataFrame:
    with _snapshot(at) as snapshot:
        return reader.list_sources(snapshot)


@st.cache_data(max_entries=64, show_spinner=False)
def _namespaces(at: tuple[str, int, str], sources: tuple[str, ...]) -> list[str]:
    with _snapshot(at) as snapshot:
        return reader.namespaces(snapshot, sources)


@st.cache_data(max_entries=128, show_spinner="Reading the record …")
def _report(
    at: tuple[str, int, str],
    report_id: str,
    asked: tuple[datetime, datetime, str],
    namespace: str | None,
    sources: tuple[str, ...],
    compare: bool,
) -> Report:
    spec = registry.find(report_id)
    given = {"namespace": namespace, "sources": sources, "compare": compare}
    known = {item.name for item in inputs(spec)}
    params = spec.params(period=Period(*asked), **{name: value for name, value in given.items() if name in known})
    with _snapshot(at) as snapshot:
        report: Report = spec.build(snapshot, params)
        return report


@st.cache_data(max_entries=128, show_spinner=False)
def _coverage(at: tuple[str, int, str], asked: tuple[datetime, datetime, str], sources: tuple[str, ...]) -> Coverage:
    with _snapshot(at) as snapshot:
        return measure(snapshot, Period(*asked), datetime.fromisoformat(at[2]), sources)


@st.cache_data(max_entries=32, show_spinner=False)
def _names(at: tuple[str, int, str], kind: str, day: date | None, sources: tuple[str, ...]) -> list[str]:
    with _snapshot(at) as snapshot:
        return object_report.names(snapshot, kind, as_of=day, source_ids=sources, limit=_MOST_NAMES)


@st.cache_data(max_entries=16, show_spinner=False)
def _nothing_read(at: tuple[str, int, str]) -> bool:
    with _snapshot(at) as snapshot:
        return kinds.nothing_read(snapshot)


@st.cache_data(max_entries=128, show_spinner="Reading the inventory …")
def _inventory_object(
    at: tuple[str, int, str], kind: str, name: str, day: date | None, sources: tuple[str, ...]
) -> Report:
    with _snapshot(at) as snapshot:
        return object_report.build(
            snapshot, object_report.ObjectParams(kind=kinds.kind_of(kind).name, name=name, as_of=day, sources=sources)
        )


@st.cache_data(max_entries=32, show_spinner="Reading the inventory …")
def _inventory_list(at: tuple[str, int, str], kind: str, day: date | None, sources: tuple[str, ...]) -> Report:
    with _snapshot(at) as snapshot:
        return list_report.build(
            snapshot,
            list_report.ListParams(kind=kinds.kind_of(kind).name, as_of=day, sources=sources, top=_MOST_LISTED),
        )


@st.cache_data(max_entries=32, show_spinner="Comparing …")
def _inventory_changes(
    at: tuple[str, int, str], span: tuple[date, date], what: tuple[str, ...], sources: tuple[str, ...], steps: bool
) -> Report:
    with _snapshot(at) as snapshot:
        return changes.build(
            snapshot,
            changes.ChangesParams(period=whole_days(*span, "UTC"), families=what, sources=sources, every_step=steps),
        )


@st.cache_data(max_entries=16, show_spinner="Reading the inventory …")
def _inventory_coverage(at: tuple[str, int, str], sources: tuple[str, ...]) -> Report:
    with _snapshot(at) as snapshot:
        return inventory_coverage.build(snapshot, inventory_coverage.InventoryCoverageParams(sources=sources))
