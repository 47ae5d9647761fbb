"""The page Overview: open alerts and what is new, a field that finds anything, then what happened in a period at a glance."""

from __future__ import annotations

from datetime import UTC, datetime

import streamlit as st

from quayledger.reports.desk import alerts as desk_alerts
from quayledger.reports.desk import visits, watch
from quayledger.reports.desk.report import alerts_table
from quayledger.reports.desk.store import DeskError
from quayledger.reports.log.find_table import FIELD_OF
from quayledger.reports.log.overview import REPORT_ID
from quayledger.web import account, alert_links, charts, links, widgets
from quayledger.web.links import follow_chart, follow_row
from quayledger.web.page import View, page_of
from quayledger.web.url_state import bound, go

_VISIT = "visit-before"
_ALERTS_SHOWN = 8
# The order in which the charts are drawn.
_CHARTS = ("heat", "coverage", "series")


def draw(view: View) -> None:
    """Draw the page."""
    _find(view)
    _alerts(view)
    report = view.report(REPORT_ID)
    widgets.metrics(report)
    for chart in sorted(report.charts, key=lambda one: _CHARTS.index(one.name)):
        widgets.title(chart.title)
        follow_chart(view, chart, charts.draw(chart, f"overview-{chart.name}"))
    places = st.container(key="ql-pair").columns(2)
    for number, table in enumerate(report.tables):
        with places[number % 2]:
            widgets.title(table.title)
            follow_row(table.drill, widgets.table(table, f"overview-{table.name}", opens=table.drill))
    widgets.notes(report.notes)


def _find(view: View) -> None:
    """One field that finds anything that events name."""
    text: str = bound(
        st.text_input,
        "Find",
        key="find",
        default="",
        max_chars=300,
        icon=":material/search:",
        label_visibility="collapsed",
        placeholder="Find an account, repository, tag, digest, IP address, client or kind: any part of its name",
    )
    if text := text.strip():
        row = widgets.table(view.record.find(text), "found", opens="value", order="exact ones first, then the latest")
        if row is not None:
            links.to_value(FIELD_OF[row["what"]], str(row["value"]))


def _alerts(view: View) -> None:
    """Open alerts, and what is new since this person was here."""
    now = datetime.now(UTC)
    try:
        with view.record.desk() as desk:
            found, judged = desk_alerts.list_alerts(desk, now), watch.judged_days(desk)
            if (person := account.person(view.record)) and _VISIT not in st.session_state:
                st.session_state[_VISIT] = visits.begin_visit(desk, person, now)
    except DeskError as error:
        widgets.fault(f"Alerts could not be read: {error}")
        return
    still = [one for one in found if one.state in alert_links.OPEN_STATES]
    widgets.title(f"Open alerts: {len(still):,}" if still else "No open alert" if judged else "Alerts")
    if not judged:
        st.caption(alert_links.NOT_JUDGED)
    if since := st.session_state.get(_VISIT):
        st.caption(visits.news_since(found, since).text)
    if still:
        table = alert_links.short(alerts_table(still[:_ALERTS_SHOWN]))
        alert_links.follow(widgets.table(table, "overview-alerts", opens="alert_id"))
        if st.button("All alerts", key="all-alerts", icon=":material/notifications:", type="tertiary"):
            go(alert_links.ALERTS_PATH, {})


PAGE = page_of(REPORT_ID, title="Overview", icon=":material/space_dashboard:", path="", draw=draw)
