"""The page Credentials: robots, app tokens and OAuth tokens by age and idleness; which are unused, which can do too much."""

from __future__ import annotations

from functools import partial

import streamlit as st

from quayledger.reports import formatting
from quayledger.reports.security.investigation import kind_of_credential
from quayledger.reports.security.robots_and_tokens import IDLE_DAYS, REPORT_ID
from quayledger.warehouse.errors import NotPublished
from quayledger.web import charts, links, widgets
from quayledger.web.filter_bar import choose
from quayledger.web.page import Page, View
from quayledger.web.url_state import bound

PATH = "credentials"
KINDS = {
    "robot": "Robot accounts",
    "app-token": "App tokens",
    "oauth-application": "OAuth applications",
    "oauth-token": "OAuth tokens",
}
_MOST_ROWS = 2_000


def draw(view: View) -> None:
    """Draw the page."""
    kind, namespace, idle, powerful = _controls(view)
    asked = {
        "kind": kind or None,
        "namespace": namespace or None,
        "idle_days": IDLE_DAYS if idle else 0,
        "powerful": powerful,
    }
    try:
        report = view.report(REPORT_ID, **asked, top=_MOST_ROWS)
    except NotPublished as error:
        st.subheader("No inventory yet", anchor=False)
        st.text(formatting.visible(str(error)))
        return
    widgets.badge(
        report.trust, f"{report.period.label} · data as of {formatting.moment(view.record.published.published_at)}"
    )
    widgets.metrics(report)
    chart = report.charts[0]
    widgets.title(chart.title)
    _open(charts.draw(chart, "credentials-age-idle"))
    table = report.table("credentials")
    widgets.title(table.title)
    _open(widgets.table(table, "credentials-list", opens="name", order="the longest idle first"))
    widgets.csv_file(report, "credentials", partial(view.report, REPORT_ID, **asked, top=0))
    in_log = report.table("oauth_tokens_in_log")
    if in_log.frame.height:
        widgets.title(in_log.title)
        widgets.table(in_log, "credentials-in-log")
    widgets.report_files(report, partial(view.report, REPORT_ID, **asked, top=0))
    widgets.notes(report.notes)


def _controls(view: View) -> tuple[str, str, bool, bool]:
    first, second, third, fourth = st.columns([1.2, 1.4, 1, 1], vertical_alignment="bottom")

    def form(name: str) -> str:
        return KINDS.get(name, "All kinds")

    kind: str = bound(
        first.selectbox, "Kind", ["", *KINDS], key="credential_kind", default="", form=form, format_func=form
    )
    known = view.record.namespaces(view.sources)
    namespace = choose(
        second, "Owner", "namespace", known, "All owners", typed=True, labels=view.record.account_labels()
    )
    idle: bool = bound(third.toggle, f"Idle {IDLE_DAYS} days", key="idle", default=False)
    powerful: bool = bound(fourth.toggle, "Administering", key="powerful", default=False)
    return kind, namespace, idle, powerful


def _open(row: dict[str, object] | None) -> None:
    """A credential was clicked (None: not): everything about it."""
    if row is not None:
        links.to_investigation(*kind_of_credential(str(row["kind"]), str(row["name"])))


PAGE = Page(title="Credentials", icon=":material/key:", path=PATH, draw=draw, controls=())
