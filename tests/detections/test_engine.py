"""The engine on a real ledger: a burst across midnight is one incident, what cannot be judged says why, one failing rule
stops no other."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from quayledger.reports.detections import engine
from quayledger.reports.detections.model import Finding, Inputs, Rule
from quayledger.reports.detections.registry import find
from quayledger.reports.detections.report import SPEC, SignalParams
from quayledger.reports.period import whole_days
from quayledger.reports.render import terminal
from quayledger.warehouse.ledger import Ledger
from quayledger.warehouse.publish import publish
from quayledger.warehouse.runs import start_run
from quayledger.warehouse.schema import SliceState
from quayledger.warehouse.snapshot import Snapshot
from tests.warehouse.sample import NOW, begin, event, seal, store

FIRST, SECOND = date(2026, 10, 5), date(2026, 10, 6)
SINCE = datetime(2026, 10, 5, tzinfo=UTC)
UNTIL = SINCE + timedelta(days=2)
ATTACKER = "203.0.113.66"


def _failure(day: date, second: int) -> dict[str, Any]:
    metadata = json.dumps({"username": "[bold]alice", "message": "Invalid Username or Password"})
    return event(second, "login_failure", day=day, ip=ATTACKER, metadata=metadata)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """12 failed log-ins before midnight and 12 after it, a success, a deletion spree; the second day is short."""
    first = [_failure(FIRST, 86_400 - 12 * 60 + n * 60) for n in range(12)]
    second = [_failure(SECOND, n * 60) for n in range(12)]
    second.append(event(3_600, "login_success", day=SECOND, ip=ATTACKER, namespace="bob", namespace_kind="user"))
    second += [
        event(40_000 + n, "delete_tag", day=SECOND, performer="bob", namespace="acme", repository="web", tag=f"v{n}")
        for n in range(11)
    ]
    with Ledger.open(tmp_path, command="fill") as ledger:
        begin(ledger)
        start_run(ledger, "sync", "fill", NOW)
        store(ledger, first, day=FIRST)
        store(ledger, second, day=SECOND)
        seal(ledger, FIRST)
        seal(ledger, SECOND, state=SliceState.SHORT)
        publish(ledger, keep=1, now=NOW)
    return tmp_path


@pytest.fixture
def snapshot(home: Path) -> Iterator[Snapshot]:
    with Snapshot.open(home) as opened:
        yield opened


def test_a_burst_across_midnight_is_one_incident_however_the_period_is_cut(snapshot: Snapshot) -> None:
    whole = engine.run(snapshot, find("D1", "D5", "D14", "D22"), SINCE, UNTIL)
    found = {(one.rule_id, one.subject, one.count) for one in whole.signals}
    assert found == {
        ("D1", ATTACKER, 24),
        ("D5", "bob", 25),
        ("D14", "bob", 11),
        ("D22", SECOND.isoformat(), 0),
    }
    late = engine.run(snapshot, find("D1"), SINCE + timedelta(days=1), UNTIL)
    assert [(one.count, one.first_at) for one in late.signals] == [
        (one.count, one.first_at) for one in whole.signals if one.rule_id == "D1"
    ]


def test_what_cannot_be_judged_says_why(snapshot: Snapshot) -> None:
    outcomes = {one.rule.id: one for one in engine.run(snapshot, find(), SINCE, UNTIL).outcomes}
    assert "needs a record of 30 days" in outcomes["D12"].disabled
    assert outcomes["D1"].disabled == outcomes["D16"].disabled == ""
    only_deletes = engine.run(snapshot, find("D16"), SINCE, UNTIL, source_ids=("nosuch",)).outcomes[0]
    assert only_deletes.signals == ()
    no_logins = engine.run(snapshot, find("D1"), SINCE, UNTIL, source_ids=("nosuch",)).outcomes[0]
    assert "ACTION_LOG_AUDIT_LOGIN_FAILURES" in no_logins.disabled


def test_a_rule_that_fails_is_named_and_the_others_go_on(snapshot: Snapshot) -> None:
    def broken(inputs: Inputs, params: Any) -> Iterable[Finding]:
        raise ValueError("no such thing")

    (good,) = find("D1")
    bad: Rule = msgspec.structs.replace(good, id="X1", detect=broken)
    first, second = engine.run(snapshot, (bad, good), SINCE, UNTIL).outcomes
    assert first.failure == "ValueError: no such thing"
    assert first.signals == ()
    assert len(second.signals) == 1


def test_the_report_shows_registry_text_as_text(snapshot: Snapshot) -> None:
    built = SPEC.build(snapshot, SignalParams(period=whole_days(FIRST, SECOND, "UTC")))
    shown = terminal.render(built, width=200, colour=False)
    assert "[bold]alice" in shown
    assert built.table("signals").frame["severity"][0] == "critical"
    states = dict(built.table("rules").frame.select("rule", "state").rows())
    assert states["D12"] == "disabled"
    assert states["D1"] == "enabled"
