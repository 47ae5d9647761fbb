"""The browser front: Usage. Pulls and pushes by whom and of what, period against period."""

from __future__ import annotations

import streamlit as st

from quayledger.reports.log.usage import REPORT_ID
from quayledger.reports.model import Report, Table
from quayledger.reports.render import csv
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
        widgets.title(chart.title)
        follow_chart(asked, chart, charts.draw(chart, f"usage-{chart.name}"))
    _tables(report, asked)
    widgets.downloads(report, f"usage-{report.period.first_day}-{report.period.last_day}")
    widgets.notes(report.notes)


def _tables(report: Report, asked: filter_bar.Asked) -> None:
    for place, table in zip(st.tabs([table.title for table in report.tables]), report.tables, strict=True):
        with place:
            follow_row(asked, table.drill, widgets.table(table, f"usage-{table.name}"))
            _csv(report, table)


def _csv(report: Report, table: Table) -> None:
    name = f"usage-{table.name}-{report.period.first_day}-{report.period.last_day}.csv"
    body = csv.render(report, table.name)
    st.download_button(
        "CSV", body, name, "text/csv", key=f"csv-{table.name}", icon=":material/download:", on_click="ignore"
    )
