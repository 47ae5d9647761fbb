"""What a day's state may claim: rotated logs, counts that cannot be true, clocks that differ; the stand-in's truth as judge."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest

from quayledger.collector.sync import SourceOutcome, SyncRequest
from quayledger.service.jobs import sync_and_publish
from quayledger.settings import Settings
from quayledger.warehouse.ledger import Ledger
from quayledger.warehouse.log.slices import SliceRow, slices
from tests.hardship.hard import END, check, collect, held, settings, truth

ENDS = ("--precision", "microsecond", "--end", END.isoformat())


def states(home: Path) -> dict[date, SliceRow]:
    with Ledger.open(home, command="test") as ledger:
        return slices(ledger, "main", END - timedelta(days=60), END + timedelta(days=60))


def at(home: Path, chosen: Settings, now: datetime) -> SourceOutcome:
    """The scheduled run by a host whose clock shows `now`."""
    with Ledger.open(home, command="test") as ledger:
        work = sync_and_publish(ledger, chosen, SyncRequest(), command="test", now=lambda: now)
        return asyncio.run(work).sources[0]


def test_days_before_the_sources_first_event_are_never_verified(start_simulator: Any, tmp_path: Path) -> None:
    quay = start_simulator("--scenario", "rotation", "--events", "300", "--days", "10", *ENDS)
    first = min(parsedate_to_datetime(event["datetime"]) for event in quay.truth()).date()
    collect(tmp_path, settings(quay), 31)
    found = states(tmp_path)
    assert {row.state.value for day, row in found.items() if day <= first} == {"rotated"}
    assert {row.state.value for day, row in found.items() if day > first} == {"verified"}
    assert "no event at the source on this day or before it back to 20" in found[first - timedelta(days=1)].note
    assert "no older event" in found[first].note
    assert check(tmp_path, quay) == 0


def test_an_older_event_outside_the_range_proves_its_first_day(start_simulator: Any, tmp_path: Path) -> None:
    quay = start_simulator("--events", "300", "--days", "6", *ENDS)
    assert collect(tmp_path, settings(quay), 3).states == {"verified": 3}


def test_a_quiet_fortnight_before_the_range_is_no_rotation(start_simulator: Any, tmp_path: Path) -> None:
    quay = start_simulator("--events", "100", "--days", "2", *ENDS)
    quay.control("insert", rows=[{"namespace": "platform", "datetime": f"{END - timedelta(days=20)}T09:00:00+00:00"}])
    assert collect(tmp_path, settings(quay), 6).states == {"verified": 6}


@pytest.mark.parametrize(("silent_days", "state"), [(150, "verified"), (300, "rotated")])
def test_a_long_silence_before_the_range_is_no_rotation(
    start_simulator: Any, tmp_path: Path, silent_days: int, state: str
) -> None:
    quay = start_simulator("--events", "100", "--days", "1", *ENDS)
    old = END - timedelta(days=silent_days)
    quay.control("insert", rows=[{"namespace": "platform", "datetime": f"{old}T09:00:00+00:00"}])
    assert collect(tmp_path, settings(quay), 1).states == {state: 1}
    # Half a year is looked through, four weeks at a time, and what was not looked at is not said.
    assert (f"no older event back to {END - timedelta(days=169)}" in states(tmp_path)[END].note) == (state == "rotated")


def test_what_was_proven_stays_proven_when_the_source_rotates(start_simulator: Any, tmp_path: Path) -> None:
    quay = start_simulator("--events", "300", "--days", "6", *ENDS)
    collect(tmp_path, settings(quay), 3)
    quay.control("rotate", before=f"{END - timedelta(days=1)}T12:00:00+00:00")
    assert collect(tmp_path, settings(quay), 3).states == {"verified": 3}


@pytest.mark.parametrize("how", ["negative", "largest", "beyond", "text", "null", "list"])
def test_a_count_that_cannot_be_true_proves_nothing(start_simulator: Any, tmp_path: Path, how: str) -> None:
    quay = start_simulator("--events", "100", "--days", "2", *ENDS)
    quay.control("faults", fields=[{"operation": "listAllAggregateLogs", "field": "aggregated.count", "how": how}])
    outcome = collect(tmp_path, settings(quay), 2)
    assert outcome.failure is None
    assert outcome.states == {"uncountable": 2}
    assert "no usable count" in states(tmp_path)[END].note
    assert held(tmp_path) == truth(quay), "what can be collected is"
    again = collect(tmp_path, settings(quay), 2)
    quay.control("faults")
    assert collect(tmp_path, settings(quay), 2).states.get("verified", 0) >= 1
    assert again.events_new == 0


def test_a_clock_that_runs_ahead_closes_no_day(start_simulator: Any, tmp_path: Path) -> None:
    evening = datetime(2026, 11, 20, 23, 30, tzinfo=UTC)
    quay = start_simulator("--events", "200", "--days", "3", "--now", evening.isoformat(), *ENDS)
    outcome = at(tmp_path, settings(quay), evening + timedelta(minutes=75))
    assert states(tmp_path)[END].state == "open"
    assert any("clock is 1:1" in note and "ahead" in note for note in outcome.notes)
    late = {"namespace": "platform", "datetime": f"{END}T23:50:00+00:00"}
    quay.control("insert", rows=[late])
    quay.control("clock", now=(evening + timedelta(hours=2)).isoformat())
    at(tmp_path, settings(quay), evening + timedelta(days=1))
    assert states(tmp_path)[END].state == "verified"
    assert check(tmp_path, quay) == 0


def test_a_clock_that_is_a_day_behind_misses_no_day(start_simulator: Any, tmp_path: Path) -> None:
    noon = datetime(2026, 11, 20, 12, tzinfo=UTC)
    quay = start_simulator("--events", "200", "--days", "3", "--now", noon.isoformat(), *ENDS)
    at(tmp_path, settings(quay), noon - timedelta(days=1))
    assert states(tmp_path)[END - timedelta(days=1)].state == "verified"
    assert END in states(tmp_path)
