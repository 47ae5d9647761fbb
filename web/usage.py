"""The page Usage: pulls and pushes by whom and of what, compared with the period before."""

from __future__ import annotations

from functools import partial

from quayledger.reports.log.usage import REPORT_ID
from quayledger.web import charts, widgets
from quayledger.web.links import follow_chart, follow_row
from quayledger.web.page import View, page_of
from quayledger.web.record import MOST_ROWS
from quayledger.web.url_state import bound_tabs


def draw(view: View) -> None:
    """Draw the page."""
    report = view.report(REPORT_ID, top=MOST_ROWS)
    widgets.metrics(report)
    for chart in report.charts:
        widgets.title(chart.title)
        follow_chart(view, chart, charts.draw(chart, f"usage-{chart.name}"))
    opened, place = bound_tabs([table.title for table in report.tables], "table")
    table = next(table for table in report.tables if table.title == opened)
    whole = partial(view.report, REPORT_ID, top=0)
    with place:
        follow_row(table.drill, widgets.table(table, f"usage-{table.name}", opens=table.drill))
        widgets.csv_file(report, table.name, whole)
    widgets.report_files(report, whole)
    widgets.notes(report.notes)


PAGE = page_of(REPORT_ID, title="Usage", icon=":material/bar_chart:", path="usage", draw=draw)
