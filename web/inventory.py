"""The page Inventory: what exists and who may do what, on any day; what changed; what of it is known."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from functools import partial
from typing import Any

import streamlit as st

from quayledger.reports import formatting
from quayledger.reports.errors import ReportError, UnknownObject
from quayledger.reports.inventory import changes, coverage, list_report, object_report
from quayledger.reports.inventory.changes import AREAS, family_titles
from quayledger.reports.inventory.kinds import KINDS, NOTHING_READ
from quayledger.reports.model import Report
from quayledger.warehouse.errors import NotPublished
from quayledger.web import links, widgets
from quayledger.web.page import Page, View
from quayledger.web.record import MOST_ROWS
from quayledger.web.url_state import address, bound, bound_tabs, go

PATH = "inventory"
_KINDS = {str(kind.name): kind for kind in KINDS}
_SPAN_DAYS = 7
# Tables of few columns are not drawn across the whole page.
_WIDE = 5


def draw(view: View) -> None:
    """Draw the page."""
    if not _is_there(view):
        return
    views = {"Objects": _objects, "Changes": _changes, "Coverage": _coverage}
    opened, place = bound_tabs(list(views), "view")
    with place:
        views[opened](view)


def _is_there(view: View) -> bool:
    """Whether there is an inventory; else it is said what to do."""
    try:
        if view.record.has_inventory():
            return True
        told = f"{NOTHING_READ}. What it finds shows here as soon as it is published."
    except NotPublished as error:
        told = _sentence(formatting.visible(str(error)))
    st.subheader("No inventory yet", anchor=False)
    st.text(told)
    return False


def _objects(view: View) -> None:
    kind, name, day = _object_controls(view)
    if name is None:
        _list(view, kind, day)
        return
    try:
        report = view.report(object_report.REPORT_ID, kind=kind, name=name, as_of=day)
    except UnknownObject as error:
        st.text(_sentence(str(error)))
        return
    _events_of(kind, name)
    _report(view, report)


def _object_controls(view: View) -> tuple[str, str | None, date | None]:
    """Kind, name and day."""
    first, second, third = st.columns([1.1, 3, 1.3], vertical_alignment="bottom")
    titles = {name: kind.title for name, kind in _KINDS.items()}
    kind = bound(
        first.selectbox,
        "Kind",
        list(titles),
        key="object",
        default="user",
        index=list(titles).index("user"),
        form=titles.__getitem__,
        format_func=titles.__getitem__,
        on_change=_kind_changed,
    )
    day = bound(
        third.date_input,
        "As of the end of (UTC)",
        key="day",
        default=None,
        value=None,
        format="YYYY-MM-DD",
        max_value=view.record.published.published_at.date(),
        help="Empty: as it is now",
    )
    name = bound(
        second.selectbox,
        "Name",
        view.record.names(kind, day, view.sources),
        key="name",
        default=None,
        index=None,
        accept_new_options=True,
        form=formatting.visible,
        format_func=formatting.visible,
        placeholder=f"Choose or type, such as {_KINDS[kind].form}",
    )
    return kind, (name or "").strip() or None, day


def _kind_changed() -> None:
    """Another kind has other names."""
    st.session_state["name"] = None


def _list(view: View, kind: str, day: date | None) -> None:
    """All objects of the kind; a click on one opens it."""
    asked = {"kind": kind, "as_of": day}
    report = view.report(list_report.REPORT_ID, **asked, top=MOST_ROWS)
    clicked = "Click a row or choose a name." if report.tables[0].total_rows else "None is known on that day."
    st.caption(f"{clicked} For a deleted object, type its name.")
    row = _report(view, report, opens=list_report.REPORT_ID, whole=partial(view.report, list_report.REPORT_ID, **asked))
    if row is not None:
        source = {"source": row["source_id"]} if "source_id" in row else {}
        go(PATH, {**address("source", "object", "day"), **source, "name": row["name"]})


def _events_of(kind: str, name: str) -> None:
    """A way to the log entries that name it."""
    if kind == "team" or not st.button("Its events", icon=":material/list_alt:", type="tertiary"):
        return
    repository, _, tag = name.rpartition(":")
    narrowed = {
        "organization": {"namespace": name},
        "organisation": {"namespace": name},
        "tag": {"repository": repository, "tag": tag},
        "repository": {"repository": name},
    }
    links.to_events(**narrowed.get(kind, {"actor": name}))


def _changes(view: View) -> None:
    today = view.record.published.published_at.date()
    usual = (today - timedelta(days=_SPAN_DAYS - 1), today)
    first, second, third = st.columns([1.6, 2.6, 1], vertical_alignment="bottom")
    days = bound(first.date_input, "From – to (UTC)", key="days", default=usual, value=usual, format="YYYY-MM-DD")
    titles = family_titles()
    what = bound(
        second.multiselect,
        "What",
        list(titles),
        key="what",
        default=[],
        form=titles.__getitem__,
        format_func=titles.__getitem__,
        placeholder="Everything",
    )
    steps = bound(
        third.toggle, "Every step", key="steps", default=False, help="Also what was added and removed within the period"
    )
    # After one click into a range of days there is its first alone, or none.
    first_day, last_day = (days[0], days[-1]) if days else usual
    span = f"{first_day}..{last_day}"
    try:
        report = view.report(changes.REPORT_ID, period=span, families=tuple(what), every_step=steps)
    except ReportError as error:
        st.text(_sentence(str(error)))
        return
    _report(view, report, collapsed=frozenset(name for name, _, _ in AREAS))


def _coverage(view: View) -> None:
    _report(view, view.report(coverage.REPORT_ID))


def _report(
    view: View,
    report: Report,
    *,
    collapsed: frozenset[str] = frozenset(),
    opens: str = "",
    whole: Callable[[], Report] | None = None,
) -> dict[str, Any] | None:
    """The report: how much of it is known, its figures, its tables. Gives the row that was opened, if any."""
    row: dict[str, Any] | None = None
    aside = f"{report.period.label} · data as of {formatting.moment(view.record.published.published_at)}"
    widgets.badge(report.trust, aside)
    widgets.metrics(report)
    for table in report.tables:
        if table.name in collapsed and not table.total_rows:
            continue
        widgets.title(table.title)
        wide = len(table.columns) > _WIDE
        key = f"inventory-{report.id}-{table.name}"
        row = widgets.table(table, key, opens=opens, stretch=wide, order="by name") or row
        if table.total_rows:
            widgets.csv_file(report, table.name, whole)
    if quiet := [table.title for table in report.tables if table.name in collapsed and not table.total_rows]:
        st.caption(f"No known changes: {', '.join(quiet)}.")
    widgets.report_files(report, whole)
    widgets.notes(report.notes)
    return row


def _sentence(said: str) -> str:
    return f"{said[0].upper()}{said[1:]}."


PAGE = Page(title="Inventory", icon=":material/inventory_2:", path=PATH, draw=draw, controls=())
