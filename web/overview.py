"""The page Overview: what happened in a period at a glance."""

from __future__ import annotations

import streamlit as st

from quayledger.reports.log.overview import REPORT_ID
from quayledger.web import charts, widgets
from quayledger.web.links import follow_chart, follow_row
from quayledger.web.page import View, page_of


def draw(view: View) -> None:
    """Draw the page."""
    report = view.report(REPORT_ID)
    widgets.metrics(report)
    for chart in report.charts:
        widgets.title(chart.title)
        follow_chart(view, chart, charts.draw(chart, f"overview-{chart.name}"))
    places = st.container(key="ql-pair").columns(2)
    for number, table in enumerate(report.tables):
        with places[number % 2]:
            widgets.title(table.title)
            follow_row(table.drill, widgets.table(table, f"overview-{table.name}", opens=table.drill))
    widgets.notes(report.notes)


PAGE = page_of(REPORT_ID, title="Overview", icon=":material/space_dashboard:", path="", draw=draw)
