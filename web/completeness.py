"""The browser front: Pipeline. How complete the record is, what it took and cost, how fresh it is, what runs next."""

from __future__ import annotations

from datetime import UTC, datetime

import streamlit as st

from quayledger.reports.log.completeness_report import REPORT_ID
from quayledger.reports.log.next_runs import schedule
from quayledger.reports.model import Report, Table
from quayledger.reports.render import csv
from quayledger.web import charts, filter_bar, widgets
from quayledger.web.filter_bar import Asked
from quayledger.web.links import follow_chart, follow_day
from quayledger.web.record import Record

DEFAULT_RANGE = "last-90-days"
_NO_REPAIR = "No day had to be read again."
_NO_DEFICIT = "No deficit: of every day that is over and was counted, the record holds what the source counts."


def page() -> None:
    """Draw the page for the record that the app has opened."""
    record: Record = st.session_state["record"]
    asked = filter_bar.show(record, compares=False, default=DEFAULT_RANGE)
    report = record.report(REPORT_ID, asked.period, asked.bar)
    widgets.metrics(report)
    _calendar(report, asked)
    _deficits(report, asked)
    _repairs(report, asked)
    _spent(report)
    _fresh(report, record)
    widgets.downloads(report, _name(report))
    widgets.notes(report.notes)


def _calendar(report: Report, asked: Asked) -> None:
    chart = report.charts[0]
    widgets.title(chart.title)
    follow_chart(asked, chart, charts.draw(chart, "pipeline-calendar"))


def _deficits(report: Report, asked: Asked) -> None:
    table = report.table("deficits")
    widgets.title(table.title)
    follow_day(asked, widgets.picked(table, "pipeline-deficits", none=_NO_DEFICIT))
    with st.container(horizontal=True):
        _csv(report, table, "Deficits")
        _csv(report, report.table("completeness"), "All days, scopes and kinds")


def _repairs(report: Report, asked: Asked) -> None:
    table = report.table("repairs")
    widgets.title(table.title)
    follow_day(asked, widgets.picked(table, "pipeline-repairs", none=_NO_REPAIR))
    if table.total_rows:
        _csv(report, table, "Repairs")


def _spent(report: Report) -> None:
    chart = report.charts[1]
    widgets.title(chart.title)
    charts.draw(chart, "pipeline-requests")
    tables = [report.table(name) for name in ("runs", "spent", "purposes")]
    for place, table in zip(st.tabs([table.title for table in tables]), tables, strict=True):
        with place:
            widgets.picked(table, f"pipeline-{table.name}", none="No run began in this period.")
            _csv(report, table, "CSV")


def _fresh(report: Report, record: Record) -> None:
    table = report.table("freshness")
    widgets.title(table.title)
    widgets.picked(table, "pipeline-freshness")
    widgets.title("Next runs")
    jobs = schedule(record.board(), datetime.now(UTC))
    st.caption(jobs.said)
    if jobs.table is not None:
        widgets.picked(jobs.table, "pipeline-next", none="No job is planned.")


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
