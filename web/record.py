"""What the pages read, cached for as long as the same published copy is the newest."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import streamlit as st

from quayledger.reports import registry
from quayledger.reports.desk.store import Desk
from quayledger.reports.detections import rulebook
from quayledger.reports.detections.model import Rule
from quayledger.reports.detections.registry import all_rules
from quayledger.reports.inventory import kinds, object_report
from quayledger.reports.log import emptiness, event_counts, events_page, find_table
from quayledger.reports.log.coverage import Coverage, measure
from quayledger.reports.log.events_page import EventsPage, ExportForm
from quayledger.reports.model import Chart, Report, Table
from quayledger.reports.period import Period
from quayledger.reports.spec import inputs, parse_params
from quayledger.settings import DEFAULT_HOME, SettingsError
from quayledger.warehouse import service_status
from quayledger.warehouse.log import events as reader
from quayledger.warehouse.log import former_names, known_names
from quayledger.warehouse.log.events import CountedField, EventFilter
from quayledger.warehouse.log.known_names import NamedField
from quayledger.warehouse.publish import Published, newest
from quayledger.warehouse.service_status import ServiceStatus
from quayledger.warehouse.snapshot import Snapshot

HOME_VARIABLE = "QUAYLEDGER_HOME"
# More rows of a table than a browser is given at once; files and the terminal give all.
MOST_ROWS = 5_000
# More names than a choice is searched through; others can be typed.
_MOST_NAMES = 20_000
# Values of a facet; the filter takes any other.
_MOST_FACETS = 50
# Names that a filter completes; any other can be typed. They are sent to the browser each time the page is drawn.
_MOST_COMPLETIONS = 300
Copy = tuple[str, int, str]


class EventQuery(msgspec.Struct, frozen=True):
    """Which events, and of them those of one hour of the week: `weekday` (Monday is 1) and `hour` are those of
    `time_zone`; None: every hour."""

    wanted: EventFilter
    time_zone: str = "UTC"
    weekday: int | None = None
    hour: int | None = None

    def parts(self) -> tuple[EventFilter, ...]:
        """The same as disjoint filters, oldest first."""
        return events_page.stretches(self.wanted, self.time_zone, self.weekday, self.hour)


def home(arguments: list[str]) -> Path:
    """The ledger's folder: `--home DIR` after the script's name, else QUAYLEDGER_HOME, else the default."""
    for flag, value in pairwise(arguments):
        if flag == "--home":
            return Path(value)
    return Path(os.environ.get(HOME_VARIABLE) or DEFAULT_HOME)


class Record:
    """The newest published copy in a folder. Answers are cached by that copy, so a new publication shows at the next
    run. Raises NotPublished, WarehouseError."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.published: Published = newest(folder)
        # Names the copy: folder, sequence, moment.
        self._copy: Copy = (str(folder), self.published.sequence, self.published.published_at.isoformat())

    def report(self, report_id: str, **given: Any) -> Report:
        """The report of that id, for those of `given` that it can be asked for. Raises ReportError."""
        spec = registry.find(report_id)
        known = {item.name for item in inputs(spec)}
        values = {name: value for name, value in given.items() if name in known}
        params = parse_params(spec, values, datetime.now(UTC))
        return _report(self._copy, report_id, repr(params), params)

    def coverage(self, period: Period, sources: tuple[str, ...]) -> Coverage:
        """How complete the period is."""
        return _coverage(self._copy, repr(period), period, sources)

    def damaged_files(self) -> list[str]:
        """Of each file of closed days that is missing or damaged: what it holds, and how to get it back."""
        return _damaged_files(self._copy)

    def source_ids(self) -> list[str]:
        """The registries that this ledger holds."""
        return _source_ids(self._copy)

    def namespaces(self, sources: tuple[str, ...]) -> list[str]:
        """The namespaces that events name."""
        return _namespaces(self._copy, sources)

    def account_labels(self) -> dict[str, str]:
        """What people read for the UUIDs of deleted accounts."""
        return _account_labels(self._copy)

    def names(self, kind: str, day: date | None, sources: tuple[str, ...]) -> list[str]:
        """The names of the objects of a kind at the end of a UTC day (None: now), as many as a choice can hold."""
        return _names(self._copy, kind, day, sources)

    def has_inventory(self) -> bool:
        """Whether the inventory was ever read. Raises NotPublished where the copy is older than the inventory."""
        return _has_inventory(self._copy)

    def service(self) -> ServiceStatus | None:
        """What the service on this ledger is about to do; None where none runs. Read anew each time."""
        return service_status.read(Path(self._copy[0]))

    def events(self, query: EventQuery, page: int) -> EventsPage:
        """One page of the events asked for."""
        return _events(self._copy, repr(query), query, page)

    def why_empty(self, query: EventQuery) -> tuple[str, ...]:
        """Why no event matches, in sentences."""
        with _snapshot(self._copy) as snapshot:
            return emptiness.explain(snapshot, query.wanted)

    def histogram(self, query: EventQuery, period: Period) -> Chart:
        """The events asked for, over time; an hour of the week does not narrow it."""
        return _histogram(self._copy, repr((query, period)), query.wanted, period)

    def facets(self, query: EventQuery, fields: tuple[CountedField, ...]) -> tuple[Table, ...]:
        """What the events asked for are, as counts by field; an hour of the week does not narrow them."""
        return _facets(self._copy, repr((query, fields)), query.wanted, fields)

    def event(self, event_id: str) -> pl.DataFrame:
        """The event of that id: EVENT_COLUMNS, no row where there is none."""
        return _events_by_id(self._copy, (event_id,))

    def events_by_id(self, event_ids: tuple[str, ...]) -> pl.DataFrame:
        """The events of these ids, newest first: EVENT_COLUMNS; those that the copy holds."""
        return _events_by_id(self._copy, event_ids)

    def seen_names(self, field: NamedField) -> list[str]:
        """The names that events have in a field, the most frequent first, as many as a choice can hold."""
        return _seen_names(self._copy, field)

    def known_kinds(self) -> list[str]:
        """Every kind of event that is known."""
        return _known_kinds(self._copy)

    def rules(self) -> tuple[Rule, ...]:
        """The detection rules of this installation, its own in Sigma among them; ours alone where its settings cannot be read."""
        try:
            return rulebook.of_home(self.folder).rules
        except SettingsError:
            return all_rules()

    def find(self, text: str) -> Table:
        """What events name that is or contains a text."""
        return _find(self._copy, text)

    def count(self, query: EventQuery) -> int:
        """How many events are asked for."""
        with _snapshot(self._copy) as snapshot:
            return sum(reader.count_events(snapshot, part) for part in query.parts())

    def newer(self) -> Record | None:
        """The ledger as it is published now; None where this is still it."""
        now = Record(self.folder)
        return None if now.published.sequence == self.published.sequence else now

    def desk(self) -> Desk:
        """What people decided; to be used with `with`. Raises DeskError."""
        return Desk.open(self.folder)

    def export(self, query: EventQuery, form: ExportForm) -> bytes:
        """The events asked for as one file, up to what a browser may ask for."""
        with _snapshot(self._copy) as snapshot:
            return b"".join(events_page.export(snapshot, query.parts(), form, limit=events_page.BROWSER_EXPORT_LIMIT))


@contextmanager
def _snapshot(copy: Copy) -> Iterator[Snapshot]:
    with Snapshot.open(Path(copy[0])) as snapshot:
        yield snapshot


# A file may be lost, or put back, while the copy stays the same.
@st.cache_data(max_entries=4, ttl=30, show_spinner=False)
def _damaged_files(copy: Copy) -> list[str]:
    with _snapshot(copy) as snapshot:
        return [fault.describe(snapshot.home) for fault in snapshot.faults]


# `asked` says all that `_params` holds; Streamlit can compare texts, not structs.
@st.cache_data(max_entries=128, show_spinner="Reading …")
def _report(copy: Copy, report_id: str, asked: str, _params: msgspec.Struct) -> Report:
    with _snapshot(copy) as snapshot:
        report: Report = registry.find(report_id).make(snapshot, _params)
        return report


@st.cache_data(max_entries=128, show_spinner=False)
def _coverage(copy: Copy, asked: str, _period: Period, sources: tuple[str, ...]) -> Coverage:
    with _snapshot(copy) as snapshot:
        return measure(snapshot, _period, datetime.fromisoformat(copy[2]), sources)


@st.cache_data(max_entries=32, show_spinner=False)
def _histogram(copy: Copy, asked: str, _wanted: EventFilter, _period: Period) -> Chart:
    with _snapshot(copy) as snapshot:
        return event_counts.histogram(snapshot, _wanted, _period)


@st.cache_data(max_entries=32, show_spinner=False)
def _facets(copy: Copy, asked: str, _wanted: EventFilter, _fields: tuple[CountedField, ...]) -> tuple[Table, ...]:
    with _snapshot(copy) as snapshot:
        return event_counts.facets(snapshot, _wanted, _fields, _MOST_FACETS)


@st.cache_data(max_entries=32, show_spinner="Reading …")
def _events(copy: Copy, asked: str, _query: EventQuery, page: int) -> EventsPage:
    with _snapshot(copy) as snapshot:
        return events_page.page(snapshot, _query.parts(), page)


@st.cache_data(max_entries=32, show_spinner=False)
def _events_by_id(copy: Copy, event_ids: tuple[str, ...]) -> pl.DataFrame:
    with _snapshot(copy) as snapshot:
        return reader.by_ids(snapshot, event_ids)


@st.cache_data(max_entries=16, show_spinner=False)
def _seen_names(copy: Copy, field: NamedField) -> list[str]:
    with _snapshot(copy) as snapshot:
        return known_names.names(snapshot, field, _MOST_COMPLETIONS)


@st.cache_data(max_entries=4, show_spinner=False)
def _known_kinds(copy: Copy) -> list[str]:
    with _snapshot(copy) as snapshot:
        return list(known_names.known_kinds(snapshot))


@st.cache_data(max_entries=32, show_spinner="Searching …")
def _find(copy: Copy, text: str) -> Table:
    with _snapshot(copy) as snapshot:
        return find_table.find_table(snapshot, text)


@st.cache_data(max_entries=16, show_spinner=False)
def _source_ids(copy: Copy) -> list[str]:
    with _snapshot(copy) as snapshot:
        return pl.Series(reader.list_sources(snapshot)["source_id"]).to_list()


@st.cache_data(max_entries=64, show_spinner=False)
def _namespaces(copy: Copy, sources: tuple[str, ...]) -> list[str]:
    with _snapshot(copy) as snapshot:
        return reader.namespaces(snapshot, sources)


@st.cache_data(max_entries=16, show_spinner=False)
def _account_labels(copy: Copy) -> dict[str, str]:
    with _snapshot(copy) as snapshot:
        return former_names.account_labels(snapshot)


@st.cache_data(max_entries=32, show_spinner=False)
def _names(copy: Copy, kind: str, day: date | None, sources: tuple[str, ...]) -> list[str]:
    with _snapshot(copy) as snapshot:
        return object_report.names(snapshot, kind, as_of=day, source_ids=sources, limit=_MOST_NAMES)


@st.cache_data(max_entries=16, show_spinner=False)
def _has_inventory(copy: Copy) -> bool:
    with _snapshot(copy) as snapshot:
        return not kinds.nothing_read(snapshot)
