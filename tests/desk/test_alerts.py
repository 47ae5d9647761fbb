"""Alerts: one incident is one alert that grows, nothing is alerted twice, decisions last and are kept, bad desks are refused
with words."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from quayledger.reports.desk import alerts, watch
from quayledger.reports.desk.alerts import AlertState, BadDecision
from quayledger.reports.desk.store import FILE_NAME, Desk, DeskBusy, DeskTooNew, DeskUnreadable
from quayledger.reports.detections.model import Severity, Signal
from quayledger.reports.detections.registry import find
from quayledger.warehouse.ledger import Ledger
from quayledger.warehouse.publish import publish
from quayledger.warehouse.runs import start_run
from quayledger.warehouse.schema import SliceState
from tests.warehouse.sample import NOW, begin, event, seal, store

TITLES = {"D1": "Brute force from one address"}
WITHIN = {"D1": timedelta(hours=24)}
START = datetime(2026, 10, 5, 23, 50, tzinfo=UTC)


def _signal(first: int, last: int, **values: object) -> Signal:
    """A signal with one event a minute, from minute to minute."""
    made = Signal(
        rule_id="D1",
        rule_version=1,
        severity=Severity.MEDIUM,
        source_id="main",
        subject="203.0.113.66",
        first_at=START + timedelta(minutes=first),
        last_at=START + timedelta(minutes=last),
        count=last - first + 1,
        event_ids=tuple(f"main-20261005-{minute}" for minute in range(first, last + 1)),
        summary=f"{last - first + 1} failed log-ins.",
    )
    return msgspec.structs.replace(made, **values)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with Desk.open(tmp_path) as opened:
        yield opened


def _record(desk: Desk, *signals: Signal) -> alerts.AlertChanges:
    return alerts.record(desk, signals, NOW, titles=TITLES, merge_within=WITHIN)


def test_an_incident_is_one_alert_that_grows(desk: Desk) -> None:
    assert _record(desk, _signal(0, 20)).raised == (1,)
    assert _record(desk, _signal(0, 20)) == alerts.AlertChanges((), ())
    assert _record(desk, _signal(5, 40, severity=Severity.HIGH, count=36)).grown == (1,)
    (alert,) = alerts.list_alerts(desk, NOW)
    assert (alert.severity, alert.first_at, alert.events) == (Severity.HIGH, START, 36)
    assert len(alerts.evidence(desk, 1)) == 41
    assert _record(desk, _signal(2000, 2020)).raised == (2,)
    assert _record(desk, _signal(0, 3, severity=Severity.INFO, subject="quiet")).raised == ()


def test_a_decision_outlasts_what_is_found_again(desk: Desk) -> None:
    _record(desk, _signal(0, 20))
    alerts.set_state(desk, 1, AlertState.RESOLVED, "alice", NOW, note="our scanner")
    assert _record(desk, _signal(0, 20)) == alerts.AlertChanges((), ())
    assert _record(desk, _signal(30, 55)).raised == (2,), "what happens after a decision is new"
    told = [(one.by_whom, one.what, one.old, one.new, one.note) for one in alerts.history(desk, 1)]
    assert told == [
        ("quayledger", "raised", "", "medium", ""),
        ("alice", "state", "new", "resolved", "our scanner"),
    ]


def test_a_suppression_ends(desk: Desk) -> None:
    _record(desk, _signal(0, 20))
    until = NOW + timedelta(days=7)
    assert alerts.suppress(desk, 1, until, "alice", NOW, reason="pen test").state is AlertState.SUPPRESSED
    _record(desk, _signal(5, 40))
    assert alerts.find_alert(desk, 1, NOW).state is AlertState.SUPPRESSED
    assert alerts.find_alert(desk, 1, until).state is AlertState.NEW


@pytest.mark.parametrize("days", [0, -1, 3650])
def test_no_suppression_is_for_ever_or_in_the_past(desk: Desk, days: int) -> None:
    _record(desk, _signal(0, 20))
    with pytest.raises(BadDecision, match="366 days"):
        alerts.suppress(desk, 1, NOW + timedelta(days=days), "alice", NOW, reason="because")


def test_a_decision_needs_its_reason_and_its_alert(desk: Desk) -> None:
    _record(desk, _signal(0, 20))
    with pytest.raises(BadDecision, match="note"):
        alerts.set_state(desk, 1, AlertState.RESOLVED, "alice", NOW)
    with pytest.raises(BadDecision, match="alert 7"):
        alerts.assign(desk, 7, "bob", "alice", NOW)
    assert alerts.assign(desk, 1, "bob'; DROP TABLE alerts --", "alice", NOW).owner.startswith("bob'")


def test_bad_desks_are_refused_with_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quayledger.reports.desk.store._WAIT_S", 0.05)
    path = tmp_path / FILE_NAME
    with Desk.open(tmp_path) as desk:
        _record(desk, _signal(0, 20))
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(DeskBusy, match="another program"):
            alerts.assign(desk, 1, "bob", "alice", NOW)
        other.rollback()
        other.execute("PRAGMA user_version = 99")
        other.close()
    with pytest.raises(DeskTooNew, match="newer version"):
        Desk.open(tmp_path)
    for left in tmp_path.glob(f"{FILE_NAME}*"):
        left.unlink()
    path.write_bytes(b"no database" * 200)
    with pytest.raises(DeskUnreadable, match="Move it away"):
        Desk.open(tmp_path)


def test_watching_judges_new_and_repaired_days_and_alerts_once(tmp_path: Path) -> None:
    day, rules = date(2026, 11, 20), find("D1", "D22")
    failures = [event(40_000 + n * 30, "login_failure", day=day, ip="203.0.113.66") for n in range(19)]
    with Ledger.open(tmp_path, command="fill") as ledger:
        begin(ledger)
        start_run(ledger, "sync", "fill", NOW)
        store(ledger, failures, day=day)
        seal(ledger, day, state=SliceState.SHORT)
        publish(ledger, keep=1, now=NOW)
        first = watch.watch(tmp_path, NOW, rules)
        # The short day and two that were never collected; nineteen failures are no attack, and yesterday may still come.
        assert (first.days, len(first.recorded.raised)) == (3, 3)
        assert watch.watch(tmp_path, NOW, rules).days == 0
        late = [*failures, event(40_600, "login_failure", day=day, ip="203.0.113.66", user_agent="late")]
        store(ledger, late, day=day)
        seal(ledger, day, state=SliceState.REPAIRED)
        publish(ledger, keep=1, now=NOW + timedelta(hours=1))
    repaired = watch.watch(tmp_path, NOW + timedelta(hours=1), rules)
    assert (repaired.days, len(repaired.recorded.raised)) == (2, 1)  # the day after it too
    with Desk.open(tmp_path) as desk:
        found = {(one.rule_id, one.subject): one for one in alerts.list_alerts(desk, NOW)}
    assert found["D1", "203.0.113.66"].events == 20
    assert found["D1", "203.0.113.66"].caveat == ""
    assert "incomplete" in found["D22", day.isoformat()].caveat


def test_a_day_that_is_repaired_judges_the_next_one_again(tmp_path: Path) -> None:
    """The first half of a burst across midnight came late."""
    first, second, rules = date(2026, 11, 20), date(2026, 11, 21), find("D1")
    half = [event(86_400 - 600 + n * 50, "login_failure", day=first, ip="203.0.113.66") for n in range(12)]
    other = [event(n * 50, "login_failure", day=second, ip="203.0.113.66") for n in range(12)]
    with Ledger.open(tmp_path, command="fill") as ledger:
        begin(ledger)
        start_run(ledger, "sync", "fill", NOW)
        store(ledger, half[:1], day=first)
        seal(ledger, first, state=SliceState.SHORT)
        store(ledger, other, day=second)
        seal(ledger, second)
        publish(ledger, keep=1, now=NOW)
        assert watch.watch(tmp_path, NOW, rules).recorded.raised == ()
        store(ledger, half, day=first)
        seal(ledger, first, state=SliceState.REPAIRED)
        publish(ledger, keep=1, now=NOW + timedelta(hours=1))
    assert len(watch.watch(tmp_path, NOW + timedelta(hours=1), rules).recorded.raised) == 1
