"""The page Investigate: one user, robot, token, address, repository, tag or digest, and the ways on from it."""

from __future__ import annotations

from functools import partial
from typing import Any

import streamlit as st

from quayledger.reports import formatting
from quayledger.reports.errors import ReportError
from quayledger.reports.model import Report, Table
from quayledger.reports.security.investigation import (
    KINDS,
    REPORT_ID,
    InvestigateKind,
    filter_fields,
    kind_of_value,
)
from quayledger.warehouse.log.known_names import NamedField
from quayledger.web import alert_links, charts, links, widgets
from quayledger.web.links import INVESTIGATE_PATH
from quayledger.web.page import Page, View
from quayledger.web.url_state import bound, bound_tabs

_COMPLETED: dict[str, NamedField] = {
    "user": "actor",
    "robot": "actor",
    "ip": "ip",
    "repository": "repository",
    "tag": "tag",
}
_EVENTS = "Events"
_TABS = {
    _EVENTS: ("events", "kind"),
    "From where": ("ip", "network", "shared"),
    "With what": ("credential", "client", "user_agent"),
    "Who and what": ("actor", "repository", "tag", "digest"),
    "Access": ("access",),
}
_MOST_VALUES = 200


def draw(view: View) -> None:
    """Draw the page."""
    kind, name = _controls(view)
    if not name:
        st.caption(
            f"Choose a name or type one, such as {KINDS[kind][1]}. The field on the Overview finds any part of a name."
        )
        return
    try:
        report = view.report(REPORT_ID, kind=kind, name=name, top=_MOST_VALUES)
    except ReportError as error:
        widgets.fault(str(error))
        return
    _seen(view, report.table("seen"), kind, name)
    widgets.metrics(report)
    chart = report.charts[0]
    widgets.title(chart.title)
    charts.draw_brush(chart, f"investigate-{kind}-{name}-{view.period.bounds}", 110, partial(_brushed, view))
    _alerts(report.table("alerts"))
    _new(report.table("new"))
    groups = {title: names for title, names in _TABS.items() if _held(report, names)}
    opened, place = bound_tabs(list(groups), "tab")
    with place:
        if opened == _EVENTS:
            _events(view, report, kind, name)
        _tables(report, groups[opened])
    widgets.report_files(report, partial(view.report, REPORT_ID, kind=kind, name=name, top=0))
    widgets.notes(report.notes)


def _controls(view: View) -> tuple[InvestigateKind, str]:
    first, second = st.columns([1, 3], vertical_alignment="bottom")
    titles = {str(kind): title for kind, (title, _) in KINDS.items()}
    kind: InvestigateKind = bound(
        first.selectbox,
        "What",
        list(titles),
        key="object",
        default="user",
        index=0,
        form=titles.__getitem__,
        format_func=titles.__getitem__,
        on_change=_kind_changed,
    )
    held = st.session_state.get("name") or formatting.hidden(st.query_params.get("name") or "")
    known = view.record.seen_names(_COMPLETED[kind]) if kind in _COMPLETED else []
    if kind in ("user", "robot"):
        known = [name for name in known if kind_of_value("actor", name) == kind]
    name = bound(
        second.selectbox,
        "Name",
        list(dict.fromkeys([*known, *([held] if held else [])])),
        key="name",
        default=None,
        index=None,
        accept_new_options=True,
        form=formatting.visible,
        format_func=formatting.visible,
        placeholder=f"Choose or type, such as {KINDS[kind][1]}",
    )
    return kind, (name or "").strip()


def _kind_changed() -> None:
    """Another kind has other names."""
    st.session_state["name"] = None


def _seen(view: View, table: Table, kind: InvestigateKind, name: str) -> None:
    """When it was first and last seen in the whole record, and the way to its events."""
    with st.container(horizontal=True, vertical_alignment="center"):
        if table.frame.height:
            first, last = (formatting.moment(moment) for moment in table.frame["occurred_at"])
            st.html(f'<div class="ql-line">First seen <b>{first}</b> · last seen <b>{last}</b></div>', width="content")
        else:
            st.caption("" if not isinstance(table.empty, str) else table.empty)
        if st.button("Its events", icon=":material/list_alt:", type="tertiary"):
            links.to_events(namespace=None, **filter_fields(kind, name))


def _brushed(view: View, first: dict[str, Any], last: dict[str, Any]) -> None:
    links.set_period(view, first["bucket"], last["bucket"])


def _alerts(table: Table) -> None:
    if table.frame.height:
        widgets.title("Alerts that concern it")
        alert_links.follow(widgets.table(alert_links.short(table), "investigate-alerts", opens="alert_id"))


def _new(table: Table) -> None:
    """What is unusual about it: what it did not do, use or come from before."""
    if table.frame.height:
        widgets.title(table.title)
        widgets.table(table, "investigate-new", order="the latest first")


def _held(report: Report, names: tuple[str, ...]) -> list[Table]:
    return [table for table in report.tables if table.name in names]


def _tables(report: Report, names: tuple[str, ...]) -> None:
    """What its events name; a click goes on to that."""
    for table in _held(report, names):
        if table.name == "events":
            continue
        widgets.title(table.title)
        opens = "value" if kind_of_value(table.drill, "") else ""
        row = widgets.table(table, f"investigate-{table.name}", opens=opens, order="the most frequent first")
        if table.frame.height:
            widgets.csv_file(report, table.name)
        if row is not None:
            _go(table, str(next(iter(row.values()))))


def _go(table: Table, value: str) -> None:
    kind = kind_of_value(table.drill, value)
    if kind is not None:
        links.to_investigation(kind, value)


def _events(view: View, report: Report, kind: InvestigateKind, name: str) -> None:
    table = report.table("events")
    shown = table.frame.height
    widgets.title(f"Newest events ({shown:,} of {table.total_rows:,})" if shown else "Events")
    if not shown:
        st.caption("" if not isinstance(table.empty, str) else table.empty)
        return
    columns = tuple(
        (column.name, column.label) for column in table.columns if column.name not in ("event_id", "source_id")
    )

    def opened(row: dict[str, Any]) -> None:
        st.session_state["investigate-opened"] = row["event_id"]

    widgets.event_list(table.frame, columns, view.period.time_zone, "investigate-events", opened, 400)
    if event_id := st.session_state.pop("investigate-opened", None):
        links.to_events(namespace=None, event=event_id, **filter_fields(kind, name))


PAGE = Page(
    title="Investigate",
    icon=":material/manage_search:",
    path=INVESTIGATE_PATH,
    draw=draw,
    controls=("period", "time_zone"),
)
