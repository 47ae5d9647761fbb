"""The browser front: the Overview. What happened in a period at a glance."""

from __future__ import annotations

import streamlit as st

from quayledger.reports.log.overview import REPORT_ID
from quayledger.reports.model import Chart
from quayledger.web import charts, filter_bar, widgets
from quayledger.web.links import follow_chart, follow_row
from quayledger.web.record import Record


def page() -> None:
    """Draw the page for the record that the app has opened."""
    record: Record = st.session_state["record"]
    asked = filter_bar.show(record)
    report = record.report(REPORT_ID, asked.period, asked.bar)
    widgets.metrics(report)
    for chart in report.charts:
        _chart(chart, asked)
    places = st.columns(2)
    for number, table in enumerate(report.tables):
        with places[number % 2]:
            widgets.title(table.title)
            follow_row(asked, table.drill, widgets.table(table, f"overview-{table.name}"))
    widgets.notes(report.notes)


def _chart(chart: Chart, asked: filter_bar.Asked) -> None:
    widgets.title(chart.title)
    follow_chart(asked, chart, charts.draw(chart, f"overview-{chart.name}"))
