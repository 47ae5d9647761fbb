"""The browser front: the Overview. What happened in a period at a glance."""

from __future__ import annotations

import streamlit as st

from pages import bar, charts, parts
from pages.data import Record
from pages.links import follow_chart, follow_row
from reports.model import Chart
from reports.overview import REPORT_ID


def page() -> None:
    """Draw the page for the record that the app has opened."""
    record: Record = st.session_state["record"]
    asked = bar.show(record)
    report = record.report(REPORT_ID, asked.period, asked.bar)
    parts.metrics(report)
    for chart in report.charts:
        _chart(chart, asked)
    places = st.columns(2)
    for number, table in enumerate(report.tables):
        with places[number % 2]:
            parts.title(table.title)
            follow_row(asked, table.drill, parts.table(table, f"overview-{table.name}"))
    parts.notes(report.notes)


def _chart(chart: Chart, asked: bar.Asked) -> None:
    parts.title(chart.title)
    follow_chart(asked, chart, charts.draw(chart, f"overview-{chart.name}"))


if __name__ == "__main__":
    # Streamlit runs this file by itself where its address is the first that a new server is asked for.
    import app

    app.main()
