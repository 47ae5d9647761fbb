"""The browser front: Pipeline. How complete the record is, what it took and cost, how fresh it is, what runs next."""

from __future__ import annotations

from datetime import UTC, datetime

import streamlit as st

from pages import bar, charts, parts
from pages.bar import Asked
from pages.data import Record
from pages.links import follow_chart, follow_day
from reports.model import Report, Table
from reports.pipeline import REPORT_ID
from reports.render import csv
from reports.schedule import schedule

DEFAULT_RANGE = "last-90-days"
_NO_REPAIR = "No day had to be read again."
_NO_DEFICIT = "No deficit: of every day that is over and was counted, the record holds what the source counts."


def page() -> None:
    """Draw the page for the record that the app has opened."""
    record: Record = st.session_state["record"]
    asked = bar.show(record, compares=False, default=DEFAULT_RANGE)
    report = record.report(REPORT_ID, asked.period, asked.bar)
    parts.metrics(report)
    _calendar(report, asked)
    _deficits(report, asked)
    _repairs(report, asked)
    _spent(report)
    _fresh(report, record)
    parts.downloads(report, _name(report))
    parts.notes(report.notes)


def _calendar(report: Report, asked: Asked) -> None:
    chart = report.charts[0]
    parts.title(chart.title)
    follow_chart(asked, chart, charts.draw(chart, "pipeline-calendar"))


def _deficits(report: Report, asked: Asked) -> None:
    table = report.table("deficits")
    parts.title(table.title)
    follow_day(asked, parts.picked(table, "pipeline-deficits", none=_NO_DEFICIT))
    with st.container(horizontal=True):
        _csv(report, table, "Deficits")
        _csv(report, report.table("completeness"), "All days, scopes and kinds")


def _repairs(report: Report, asked: Asked) -> None:
    table = report.table("repairs")
    parts.title(table.title)
    follow_day(asked, parts.picked(table, "pipeline-repairs", none=_NO_REPAIR))
    if table.total_rows:
        _csv(report, table, "Repairs")


def _spent(report: Report) -> None:
    chart = report.charts[1]
    parts.title(chart.title)
    charts.draw(chart, "pipeline-requests")
    tables = [report.table(name) for name in ("runs", "spent", "purposes")]
    for place, table in zip(st.tabs([table.title for table in tables]), tables, strict=True):
        with place:
            parts.picked(table, f"pipeline-{table.name}", none="No run began in this period.")
            _csv(report, table, "CSV")


def _fresh(report: Report, record: Record) -> None:
    table = report.table("freshness")
    parts.title(table.title)
    parts.picked(table, "pipeline-freshness")
    parts.title("Next runs")
    jobs = schedule(record.board(), datetime.now(UTC))
    st.caption(jobs.said)
    if jobs.table is not None:
        parts.picked(jobs.table, "pipeline-next", none="No job is planned.")


def _csv(report: Report, table: Table, label: str) -> None:
    st.download_button(
        label,
        csv.render(report, table.name),
        f"{_name(report)}-{table.name}.csv",
        "text/csv",
        key=f"pipeline-csv-{table.name}",
        icon=":material/download:",
        on_click="ignore",
    )


def _name(report: Report) -> str:
    return f"{report.id}-{report.period.first_day}-{report.period.last_day}"


if __name__ == "__main__":
    # Streamlit runs this file by itself where its address is the first that a new server is asked for.
    import app

    app.main()
