"""What an error, a bad row or a limit stands in the way of: it is gone round, gone on with, or named; and not tried for nothing."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from quayledger.collector.log import repair
from quayledger.collector.log.counts import MOST_PROBES
from quayledger.collector.sync import Progress, Report, SourceOutcome, SyncRequest, quiet
from quayledger.service.jobs import sync_and_publish
from quayledger.settings import Settings
from quayledger.warehouse.ledger import Ledger
from quayledger.warehouse.log.repairs import waiting_repairs
from quayledger.warehouse.log.slices import slices
from quayledger.warehouse.snapshot import Snapshot
from tests.hardship.hard import END, check, collect, deficits, settings

MICROSECONDS = ("--precision", "microsecond", "--end", END.isoformat())
SECONDS = ("--precision", "second", "--end", END.isoformat())
AFTER = datetime.combine(END + timedelta(days=1), datetime.min.time(), UTC) + timedelta(hours=6)
NOW = ("--now", AFTER.isoformat())


def scheduled(home: Path, chosen: Settings, report: Report = quiet, now: datetime = AFTER) -> SourceOutcome:
    """A run for which nobody named days."""
    with Ledger.open(home, command="test") as ledger:
        work = sync_and_publish(ledger, chosen, SyncRequest(), command="test", now=lambda: now, report=report)
        return asyncio.run(work).sources[0]


def notes(home: Path) -> list[str]:
    with Ledger.open(home, command="test") as ledger:
        return [row.note for row in slices(ledger, "main", END - timedelta(days=30), END).values()]


def test_rows_that_break_their_pages_cost_no_other_row(start_simulator: Any, tmp_path: Path) -> None:
    quay = start_simulator("--events", "1000", "--days", "6", *MICROSECONDS)
    bad_days = [END - timedelta(days=back) for back in (0, 1, 3, 4)]
    for day in bad_days:
        bad = {"namespace": "platform", "datetime": f"{day}T12:00:00+00:00", "unparsable": True}
        quay.control("insert", rows=[bad])
    outcome = collect(tmp_path, settings(quay), 6)
    assert outcome.failure is None
    assert outcome.states == {"short": 4, "verified": 1, "rotated": 1}
    assert len(bad_days) <= check(tmp_path, quay) <= 3 * len(bad_days)
    assert sum("cannot give a page" in note for note in notes(tmp_path)) == len(bad_days)
    quay.control("reset")
    assert scheduled(tmp_path, settings(quay)).failure is None
    lists = [row for row in quay.control("stats")["requests"] if row["status"] == 500]
    assert lists == [], "what cannot be had is not asked for again"


def test_a_server_whose_lists_all_fail_is_left_alone(start_simulator: Any, tmp_path: Path) -> None:
    quay = start_simulator("--events", "1000", "--days", "20", *MICROSECONDS)
    quay.control("faults", rates={"error": 1.0}, only="/logs")
    outcome = collect(tmp_path, settings(quay), 20)
    assert outcome.failure is not None
    assert outcome.requests < 400


def test_what_an_error_broke_off_goes_on_at_the_next_run(start_simulator: Any, tmp_path: Path) -> None:
    quay = start_simulator("--events", "1200", "--days", "2", *NOW, *MICROSECONDS)
    chosen = settings(quay, chains=1)
    revoked = False

    def revoke(progress: Progress) -> None:
        nonlocal revoked
        if progress.stage == "read" and progress.requests > 25 and not revoked:
            revoked = True
            quay.control("revoke", token=quay.tokens["superuser"])

    assert scheduled(tmp_path, chosen, revoke).failure is not None
    assert 200 < deficits(tmp_path) < 1200
    assert any("broke its reading off" in note for note in notes(tmp_path))
    other = chosen.sources["main"].model_copy(update={"token": SecretStr(quay.tokens["readonly_superuser"])})
    quay.control("reset")
    outcome = scheduled(tmp_path, chosen.model_copy(update={"sources": {"main": other}}))
    assert (outcome.failure, check(tmp_path, quay)) == (None, 0)
    # Besides the pages: two counts, the looks for older rows, a page at the border of each day.
    assert outcome.requests <= outcome.events_new / 20 + 7 + MOST_PROBES, "no page is read a second time"


def test_a_repair_that_brought_all_it_can_is_not_repeated(start_simulator: Any, tmp_path: Path) -> None:
    quay = start_simulator("--scenario", "legacy", "--events", "500", "--days", "3", *NOW, *SECONDS)
    first = scheduled(tmp_path, settings(quay))
    missing = check(tmp_path, quay)
    assert missing > 0
    again = scheduled(tmp_path, settings(quay))
    assert (again.events_new, check(tmp_path, quay)) == (0, missing)
    assert again.requests <= 4 < first.requests
    assert any("every way of reading was tried" in note for note in notes(tmp_path))


def test_a_repair_goes_on_at_the_next_run_until_it_is_through(
    start_simulator: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quay = start_simulator("--scenario", "steady:1", "--events", "700", "--days", "1", *NOW, *SECONDS)
    quay.control("insert", rows=[{"namespace": "acme", "datetime": f"{END - timedelta(days=2)}T08:00:00+00:00"}])
    monkeypatch.setattr(repair, "_LONGEST_REPAIR_S", 0.04)  # 40 requests at 1,000 a second
    chosen = settings(quay)
    chosen = chosen.model_copy(update={"collect": chosen.collect.model_copy(update={"repair_requests": 10})})
    scheduled(tmp_path, chosen)
    with Snapshot.open(tmp_path) as snapshot:
        (waiting,) = waiting_repairs(snapshot)
    assert waiting.remaining_requests > 0
    assert waiting.lacking_events == deficits(tmp_path) > 100
    assert any("goes on at the next run" in note for note in notes(tmp_path))
    lacking = [waiting.lacking_events]
    for _ in range(30):
        outcome = scheduled(tmp_path, chosen)
        lacking.append(check(tmp_path, quay))
        assert outcome.requests < 200
        with Snapshot.open(tmp_path) as snapshot:
            if not waiting_repairs(snapshot):
                break
    assert lacking == sorted(lacking, reverse=True)
    assert lacking[-1] <= 0.02 * 700


def test_rows_of_a_deleted_namespace_are_read_by_its_own_list(start_simulator: Any, tmp_path: Path) -> None:
    quay = start_simulator("--events", "1200", "--days", "6", *NOW, *MICROSECONDS)
    uuid = quay.control("delete", name="analytics")["name"]
    scheduled(tmp_path, settings(quay))
    late = [
        {"namespace": uuid, "datetime": f"{END - timedelta(days=back)}T00:00:0{number}+00:00"}
        for back in range(5)
        for number in range(9)
    ]
    quay.control("insert", rows=late)
    week_later = AFTER + timedelta(days=8)
    quay.control("clock", now=week_later.isoformat())
    outcome = scheduled(tmp_path, settings(quay), now=week_later)
    assert (outcome.events_new, check(tmp_path, quay)) == (len(late), 0)
    assert outcome.requests <= 40, "a count and two or three pages a day, not the whole registry's 10"


def test_rows_that_cannot_be_read_are_not_looked_for_again(start_simulator: Any, tmp_path: Path) -> None:
    quay = start_simulator("--scenario", "unknown-kinds", "--events", "300", "--days", "3", *NOW, *MICROSECONDS)
    first = scheduled(tmp_path, settings(quay))
    assert first.states["with rejects"] >= 1
    assert "short" not in first.states
    assert deficits(tmp_path) == 0
    again = scheduled(tmp_path, settings(quay))
    assert (again.states, again.events_new) == (first.states, 0)
    assert again.requests <= 3, "the open day's count, a recount at most"
    # What is missing beside them is still missing, and still looked for.
    held = END - timedelta(days=1)
    quay.control("insert", rows=[{"namespace": "platform", "datetime": f"{held}T12:00:00+00:00", "unparsable": True}])
    named = collect(tmp_path, settings(quay), 3)
    assert named.states.get("short", 0) == 1
    assert deficits(tmp_path) >= 1
