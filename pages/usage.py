"""The browser front: Usage. Pulls and pushes by whom and of what, period against period."""

from __future__ import annotations

import streamlit as st

from pages import bar, charts, parts
from pages.data import Record
from pages.links import follow_chart, follow_row
from reports.model import Report, Table
from reports.render import csv
from reports.usage import REPORT_ID


def page() -> None:
    """Draw the page for the record that the app has opened."""
    record: Record = st.session_state["record"]
    asked = bar.show(record)
    report = record.report(REPORT_ID, asked.period, asked.bar)
    parts.metrics(report)
    for chart in report.charts:
        parts.title(chart.title)
        follow_chart(asked, chart, charts.draw(chart, f"usage-{chart.name}"))
    _tables(report, asked)
    parts.downloads(report, f"usage-{report.period.first_day}-{report.period.last_day}")
    parts.notes(report.notes)


def _tables(report: Report, asked: bar.Asked) -> None:
    for place, table in zip(st.tabs([table.title for table in report.tables]), report.tables, strict=True):
        with place:
            follow_row(asked, table.drill, parts.table(table, f"usage-{table.name}"))
            _csv(report, table)


def _csv(report: Report, table: Table) -> None:
    name = f"usage-{table.name}-{report.period.first_day}-{report.period.last_day}.csv"
    body = csv.render(report, table.name)
    st.download_button(
        "CSV", body, name, "text/csv", key=f"csv-{table.name}", icon=":material/download:", on_click="ignore"
    )


if __name__ == "__main__":
    # Streamlit runs this file by itself where its address is the first that a new server is asked for.
    import app

    app.main()
