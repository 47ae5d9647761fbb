"""The page Alerts: what is open, who works on it, what it is made of, and what to do about it; and what a rule would have raised."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import msgspec
import polars as pl
import streamlit as st

from quayledger.reports import formatting
from quayledger.reports.desk import alerts as desk_alerts
from quayledger.reports.desk import watch
from quayledger.reports.desk.alerts import LONGEST_SUPPRESSION, Alert, AlertState, BadDecision, Change
from quayledger.reports.desk.report import alerts_table
from quayledger.reports.desk.store import Desk, DeskError
from quayledger.reports.detections import backtest
from quayledger.reports.detections.model import Severity
from quayledger.reports.log.events_page import SHOWN
from quayledger.reports.log.find_table import FIELD_OF
from quayledger.reports.model import Column, Table
from quayledger.reports.security.investigation import InvestigateKind, kind_of_text
from quayledger.web import account, alert_links, charts, links, widgets
from quayledger.web.alert_links import ALERTS_PATH
from quayledger.web.page import Page, View
from quayledger.web.url_state import bound, bound_tabs

_OPEN = "open"
STATES = {_OPEN: "Open", "all": "All", **{state.value: state.value.capitalize() for state in AlertState}}
_NOTE, _OWNER, _UNTIL, _FAULT = "alert-note", "alert-owner", "alert-until", "alert-fault"
_LIST_COLUMNS = ("occurred_at", "kind", "actor", "repository", "tag", "ip", "outcome")
_MOST_EVIDENCE = 500
Decide = Callable[[Desk, datetime], object]
# What comes next in the work on an alert, by where it stands.
_STEPS: dict[str, tuple[AlertState, str]] = {
    "acknowledge": (AlertState.ACKNOWLEDGED, "Acknowledge"),
    "start": (AlertState.IN_PROGRESS, "Start work"),
    "reopen": (AlertState.NEW, "Reopen"),
}
_OFFERED = {
    AlertState.NEW: ("acknowledge", "start"),
    AlertState.ACKNOWLEDGED: ("start",),
    AlertState.IN_PROGRESS: ("acknowledge",),
    AlertState.SUPPRESSED: ("reopen",),
    AlertState.RESOLVED: ("reopen",),
}


def draw(view: View) -> None:
    """Draw the page."""
    opened, place = bound_tabs(["Alerts", "Back-test of a rule"], "view")
    with place:
        if opened == "Alerts":
            _alerts(view)
        else:
            _backtest(view)


def _alerts(view: View) -> None:
    state, severity, number = _controls()
    try:
        with view.record.desk() as desk:
            found = desk_alerts.list_alerts(desk, datetime.now(UTC), states=_states(state))
            judged = watch.judged_days(desk)
    except DeskError as error:
        widgets.fault(f"Alerts could not be read: {error}")
        return
    found = [one for one in found if not severity or one.severity.value in severity]
    if not judged:
        st.text(
            "No day was judged yet. `quayledger serve` judges each new copy; `quayledger alerts refresh` does it now."
        )
    with st.container(key="ql-beside"):
        listed, beside = st.columns([3, 2.6]) if number else (st.container(), None)
    with listed:
        _list(found, judged)
    if beside is not None:
        with beside:
            _alert(view, number)


def _controls() -> tuple[str, list[str], str]:
    first, second, third = st.columns([1, 2, 1], vertical_alignment="bottom")
    state: str = bound(
        first.selectbox,
        "State",
        list(STATES),
        key="state",
        default=_OPEN,
        index=0,
        form=STATES.__getitem__,
        format_func=STATES.__getitem__,
    )
    names = [severity.value for severity in reversed(Severity) if severity is not Severity.INFO]
    severity: list[str] = bound(second.multiselect, "Severity", names, key="severity", default=[], placeholder="Any")
    number: str = bound(
        third.text_input, "Alert", key="alert", default="", placeholder="Click a number in the list", max_chars=12
    )
    return state, severity, number.strip()


def _states(chosen: str) -> tuple[AlertState, ...]:
    if chosen == _OPEN:
        return alert_links.OPEN_STATES
    return () if chosen == "all" else (AlertState(chosen),)


def _list(found: list[Alert], judged: int) -> None:
    table = alert_links.short(alerts_table(found))
    quiet = f"No such alert. {formatting.plural(judged, 'day')} judged so far."

    def opened(row: dict[str, Any], _: str) -> None:
        st.session_state["alert"] = str(row["alert_id"])
        st.session_state.pop(_NOTE, None)

    widgets.table(table, "alerts-list", none=quiet, opens="alert_id", on_open=opened, order="the most serious first")
    if found:
        widgets.table_file(alerts_table(found), "alerts")


def _alert(view: View, number: str) -> None:
    """One alert: what it is, what can be decided, its events and its history."""
    try:
        with view.record.desk() as desk:
            alert = desk_alerts.find_alert(
                desk, int(number) if number.isascii() and number.isdigit() else 0, datetime.now(UTC)
            )
            event_ids, changes = desk_alerts.evidence(desk, alert.alert_id), desk_alerts.history(desk, alert.alert_id)
    except (BadDecision, DeskError) as error:
        widgets.fault(str(error))
        st.button("Close", key="close-alert", on_click=_close)
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        widgets.title(f"{alert.severity.value.capitalize()}: {alert.title}")
        st.button("Close", key="close-alert", on_click=_close, type="tertiary", icon=":material/close:")
    st.text(alert.summary)
    widgets.facts(_facts(alert))
    if alert.caveat:
        st.html(f'<div class="ql-note">{widgets.shown(alert.caveat)}</div>')
    _pivots(view, alert)
    _decide(view, alert)
    _evidence(view, event_ids)
    _history(changes)
    _rule(view, alert.rule_id)


def _close() -> None:
    st.session_state["alert"] = ""


def _facts(alert: Alert) -> list[tuple[str, str]]:
    facts = [
        ("Alert", f"{alert.alert_id}, rule {alert.rule_id} version {alert.rule_version}"),
        ("State", alert.state.value),
        ("Owner", alert.owner or "nobody"),
        ("Subject", alert.subject),
        ("Events", f"{alert.events:,}, {formatting.moment(alert.first_at)} to {formatting.moment(alert.last_at)}"),
        ("Raised", formatting.moment(alert.raised_at)),
    ]
    if alert.state is AlertState.SUPPRESSED:
        facts.append(("Suppressed until", formatting.moment(alert.suppressed_until)))
    return facts


def _pivots(view: View, alert: Alert) -> None:
    """The ways on: the subject and what else the alert is about."""
    with st.container(horizontal=True, key="ql-pivots"):
        for number, name in enumerate((alert.subject, *alert.related[:5])):
            kind = kind_of_text(name)
            label = widgets.plain(widgets.shortened(name))
            if kind and st.button(label, key=f"pivot-{number}", icon=":material/manage_search:"):
                _follow(view, kind, name)


def _follow(view: View, kind: InvestigateKind, name: str) -> None:
    """A word alone may be a user's, or a namespace's of which no events name a user: the record tells."""
    if kind == "user":
        found = view.record.find(name).frame.filter(pl.col("value") == name)
        fields = [FIELD_OF[what] for what in found["what"]]
        if fields and "actor" not in fields:
            links.to_value(fields[0], name)
    links.to_investigation(kind, name)


class _Desk(msgspec.Struct, frozen=True):
    """Where a decision on an alert is made: whose it is, and of what."""

    view: View
    number: int
    person: str

    def button(self, label: str, key: str, decide: Decide, **options: Any) -> None:
        """A button that decides something; who is not known can decide nothing."""
        args = (decide, key != "assign")
        st.button(label, key=f"alert-{key}", on_click=self.act, args=args, disabled=not self.person, **options)

    def act(self, decide: Decide, takes_note: bool) -> None:
        """Decide; what went wrong is said when the page is drawn again."""
        try:
            with self.view.record.desk() as desk:
                decide(desk, datetime.now(UTC))
        except (BadDecision, DeskError) as error:
            st.session_state[_FAULT] = str(error)
        else:
            if takes_note:
                st.session_state[_NOTE] = ""

    def step(self, state: AlertState) -> Decide:
        """The decision that an alert is in that state from now on."""
        return lambda desk, now: desk_alerts.set_state(desk, self.number, state, self.person, now, note=_said())

    def add_note(self, desk: Desk, now: datetime) -> object:
        """Keep what was typed."""
        return desk_alerts.add_note(desk, self.number, _said(), self.person, now)

    def assign(self, desk: Desk, now: datetime) -> object:
        """Give it to who was typed; nobody typed: to oneself."""
        owner = " ".join(str(st.session_state.get(_OWNER) or self.person).split())
        return desk_alerts.assign(desk, self.number, owner, self.person, now)

    def suppress(self, desk: Desk, now: datetime) -> object:
        """Hide it until the day that was chosen."""
        chosen: date = st.session_state[_UNTIL]
        until = datetime.combine(chosen, time(), UTC)
        return desk_alerts.suppress(desk, self.number, until, self.person, now, reason=_said())


def _said() -> str:
    return str(st.session_state.get(_NOTE, ""))


def _decide(view: View, alert: Alert) -> None:
    """What can be decided, under the name of who decides."""
    desk = _Desk(view, alert.alert_id, account.person(view.record))
    if fault := st.session_state.pop(_FAULT, ""):
        widgets.fault(fault)
    if not desk.person:
        st.caption("Say who you are first, at the top of the page: decisions are kept with a name.")
    with st.container(border=True):
        with st.container(horizontal=True):
            for step in _OFFERED[alert.state]:
                state, label = _STEPS[step]
                desk.button(label, step, desk.step(state))
        st.text_area("Note, or reason", key=_NOTE, height=68, max_chars=2_000)
        with st.container(horizontal=True, vertical_alignment="bottom"):
            desk.button("Add note", "add-note", desk.add_note)
            if alert.state is not AlertState.RESOLVED:
                desk.button("Resolve", "resolve", desk.step(AlertState.RESOLVED))
        first, second = st.columns(2, vertical_alignment="bottom")
        with first, st.container(horizontal=True, vertical_alignment="bottom"):
            me = formatting.visible(desk.person) or "name"
            st.text_input("Assign to", key=_OWNER, placeholder=me, max_chars=80, width=150)
            desk.button("Assign", "assign", desk.assign)
        with second, st.container(horizontal=True, vertical_alignment="bottom"):
            _until_field()
            desk.button("Suppress", "suppress", desk.suppress)


def _until_field() -> None:
    today = datetime.now(UTC).date()
    st.date_input(
        "Suppress until (UTC)",
        value=today + timedelta(days=7),
        key=_UNTIL,
        format="YYYY-MM-DD",
        min_value=today + timedelta(days=1),
        max_value=today + LONGEST_SUPPRESSION,
        width=150,
    )


def _evidence(view: View, event_ids: tuple[str, ...]) -> None:
    widgets.title(f"Evidence: {formatting.plural(len(event_ids), 'event')}")
    if not event_ids:
        st.caption("This alert is not about single events.")
        return
    found = view.record.events_by_id(event_ids[:_MOST_EVIDENCE])
    if found.height < len(event_ids):
        st.caption(f"{found.height:,} of {len(event_ids):,} are held in the copy that is shown.")
    labels = dict(SHOWN)
    columns = [(name, labels[name]) for name in _LIST_COLUMNS]

    def opened(row: dict[str, Any]) -> None:
        st.session_state["alert-event"] = row

    widgets.event_list(found, columns, view.period.time_zone, "alert-evidence", opened, 300)
    if row := st.session_state.pop("alert-event", None):
        links.to_event(row)


def _history(changes: list[Change]) -> None:
    columns = (
        Column("changed_at", "Time", "time"),
        Column("by_whom", "Who", "text"),
        Column("what", "What", "text"),
        Column("old", "From", "text"),
        Column("new", "To", "text"),
        Column("note", "Note", "text"),
    )
    rows = [(one.changed_at, one.by_whom, one.what, one.old, one.new, one.note or None) for one in reversed(changes)]
    schema = pl.Schema([(column.name, pl.String()) for column in columns]) | {"changed_at": pl.Datetime("us", "UTC")}
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    widgets.title("History")
    widgets.table(Table("history", "History", columns, frame, frame.height), "alert-history")


def _rule(view: View, rule_id: str) -> None:
    """What the rule looks for and what to do; nothing of a rule that is no more."""
    rule = next((one for one in view.record.rules() if one.id == rule_id), None)
    if rule is None:
        return
    with st.expander("About this rule", icon=":material/info:"):
        widgets.facts(
            [
                ("Looks for", rule.description),
                ("What to do", rule.runbook),
                ("False positives", rule.false_positives),
                ("ATT&CK", ", ".join(rule.techniques) or "–"),
            ]
        )


def _backtest(view: View) -> None:
    rules = {rule.id: f"{rule.id} {rule.title}" for rule in view.record.rules()}
    chosen: str = bound(
        st.selectbox,
        "Rule",
        list(rules),
        key="rule",
        default=next(iter(rules)),
        index=0,
        form=rules.__getitem__,
        format_func=rules.__getitem__,
    )
    report = view.report(backtest.REPORT_ID, rule=chosen)
    widgets.metrics(report)
    widgets.title(report.charts[0].title)
    charts.draw(report.charts[0], "backtest-series")
    widgets.title(report.tables[0].title)
    widgets.table(report.tables[0], "backtest-signals", order="the latest first")
    widgets.csv_file(report, "signals")
    widgets.notes(report.notes)


PAGE = Page(
    title="Alerts",
    icon=":material/notifications:",
    path=ALERTS_PATH,
    draw=draw,
    controls=("period", "time_zone"),
)
