"""The page Completeness: which days are complete, what is missing, what collecting cost, how fresh the data is,
what runs next."""

from __future__ import annotations

from datetime import UTC, datetime

import streamlit as st

from quayledger.reports.log.completeness_report import REPORT_ID
from quayledger.reports.log.next_runs import schedule
from quayledger.reports.model import Report
from quayledger.web import charts, widgets
from quayledger.web.links import follow_chart, follow_day
from quayledger.web.page import View, page_of
from quayledger.web.url_state import bound_tabs

_NO_GAPS = "No gaps: every closed day that was counted holds as many events as Quay reports."


def draw(view: View) -> None:
    """Draw the page."""
    report = view.report(REPORT_ID)
    widgets.metrics(report)
    calendar = report.charts[0]
    widgets.title(calendar.title)
    follow_chart(view, calendar, charts.draw(calendar, "completeness-calendar"))
    _table(report, "deficits", _NO_GAPS)
    widgets.csv_file(report, "completeness", label="All days, scopes and kinds as CSV")
    _table(report, "repairs", "No day had to be read again.")
    _spent(report)
    widgets.title(report.table("freshness").title)
    widgets.table(report.table("freshness"), "completeness-freshness")
    widgets.title(report.table("recorded").title)
    widgets.table(report.table("recorded"), "completeness-recorded")
    _next_runs(view)
    widgets.report_files(report)
    widgets.notes(report.notes)


def _table(report: Report, name: str, none: str) -> None:
    """A table whose rows are days: each leads to its events."""
    table = report.table(name)
    widgets.title(table.title)
    follow_day(widgets.table(table, f"completeness-{name}", none=none, opens="day"))
    if table.total_rows:
        widgets.csv_file(report, name)


def _spent(report: Report) -> None:
    chart = report.charts[1]
    widgets.title(chart.title)
    charts.draw(chart, "completeness-requests")
    tables = {report.table(name).title: report.table(name) for name in ("runs", "spent", "purposes")}
    opened, place = bound_tabs(list(tables), "table")
    with place:
        widgets.table(tables[opened], f"completeness-{tables[opened].name}", none="No run began in this period.")
        widgets.csv_file(report, tables[opened].name)


def _next_runs(view: View) -> None:
    widgets.title("Next runs")
    jobs = schedule(view.record.service(), datetime.now(UTC))
    st.caption(jobs.said)
    if jobs.table is not None:
        widgets.table(jobs.table, "completeness-next", none="No job is planned.")


PAGE = page_of(
    REPORT_ID,
    title="Completeness",
    icon=":material/account_tree:",
    path="completeness",
    draw=draw,
    aliases=("pipeline",),
)
