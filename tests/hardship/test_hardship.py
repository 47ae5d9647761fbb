"""A Quay at its worst, with the truth as judge: nothing double, ever, and whatever is missing is named to the last event."""

from __future__ import annotations

import asyncio
import json
import random
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from quayledger.collector.sync import Progress, Report, SourceOutcome, SyncRequest, quiet
from quayledger.service.jobs import sync_and_publish
from quayledger.settings import Settings
from quayledger.warehouse.ledger import Ledger
from tests.hardship.hard import END, check, collect, deficits, held, settings, truth
from tests.hardship.soak import kill_and_go_on

SECONDS = ("--precision", "second", "--end", END.isoformat())


@pytest.mark.parametrize("scenario", ["steady:0.01", "steady:0.2", "steady:1", "burst:3", "burst:19", "burst:50"])
def test_whole_second_stamps_are_repaired_or_named(start_simulator: Any, tmp_path: Path, scenario: str) -> None:
    quay = start_simulator("--scenario", scenario, "--events", "1200", "--days", "2", *SECONDS)
    outcome = collect(tmp_path, settings(quay), 3)
    missing = check(tmp_path, quay)
    assert missing <= 0.01 * 1200
    assert (outcome.states.get("short", 0) == 0) is (missing == 0)


@pytest.mark.parametrize("scenario", ["legacy", "maxpage", "elasticsearch", "rotation", "deleted-namespace"])
def test_odd_installations(start_simulator: Any, tmp_path: Path, scenario: str) -> None:
    quay = start_simulator("--scenario", scenario, "--events", "900", "--days", "3", *SECONDS)
    collect(tmp_path, settings(quay), 4)
    missing = check(tmp_path, quay)
    assert missing == 0 or scenario == "legacy"


BROKEN = {
    "throttle": 0.02,
    "error": 0.02,
    "bad_gateway": 0.01,
    "drop": 0.01,
    "cut": 0.02,
    "wrong_json": 0.01,
    "first_page_again": 0.02,
}


def test_one_reply_in_ten_is_broken(start_simulator: Any, tmp_path: Path) -> None:
    quay = start_simulator("--events", "1500", "--days", "3", "--precision", "microsecond", "--end", END.isoformat())
    quay.control("faults", rates=BROKEN)
    for _ in range(4):
        collect(tmp_path, settings(quay), 3)
    quay.control("faults")
    collect(tmp_path, settings(quay), 3)
    assert check(tmp_path, quay) == 0


def test_renames_and_deletions_between_readings_change_nothing_that_is_held(
    start_simulator: Any, tmp_path: Path
) -> None:
    quay = start_simulator("--scenario", "steady:0.2", "--events", "600", "--days", "1", *SECONDS)
    collect(tmp_path, unrepaired(settings(quay)), 1)
    before = held(tmp_path)
    assert before < truth(quay)
    quay.control("delete", name="acme+ci")
    quay.control("rename", old="acme", new="acme-2026")
    quay.control("rename", old="alice", new="alice-smith")
    collect(tmp_path, settings(quay), 1)
    assert before <= held(tmp_path)
    check(tmp_path, quay)


def test_rotation_takes_nothing_from_the_ledger(start_simulator: Any, tmp_path: Path) -> None:
    quay = start_simulator("--events", "800", "--days", "4", "--precision", "microsecond", "--end", END.isoformat())
    collect(tmp_path, settings(quay), 4)
    before = held(tmp_path)
    quay.control("rotate", before=f"{END - timedelta(days=1)}T12:00:00+00:00")
    again = collect(tmp_path, settings(quay), 4)
    assert held(tmp_path) == before
    assert again.states == {"rotated": 1, "verified": 3}


def test_late_rows_are_found_when_sealed_days_are_counted_again(start_simulator: Any, tmp_path: Path) -> None:
    quay = start_simulator("--events", "400", "--days", "2", "--precision", "microsecond", "--end", END.isoformat())
    chosen = settings(quay)
    look(tmp_path, chosen, MIDDAY + timedelta(days=1))
    late = {"kind": "create_repo", "namespace": "platform", "metadata": {"repo": "late", "namespace": "platform"}}
    quay.control("insert", rows=[{**late, "datetime": f"{END}T11:11:11+00:00"}])
    collect_later(tmp_path, chosen)
    assert check(tmp_path, quay) == 0


MIDDAY = datetime(2026, 11, 20, 12, tzinfo=UTC)
OLDER = {"namespace": "acme", "datetime": "2026-11-15T08:00:00+00:00"}  # proves that the days after it are whole


def look(home: Path, chosen: Settings, now: datetime = MIDDAY, report: Report = quiet) -> SourceOutcome:
    """The scheduled run at a time of both clocks."""
    if now != MIDDAY:
        set_clock(chosen, now)
    with Ledger.open(home, command="test") as ledger:
        done = sync_and_publish(ledger, chosen, SyncRequest(), command="test", now=lambda: now, report=report)
        return asyncio.run(done).sources[0]


def set_clock(chosen: Settings, now: datetime) -> None:
    """What the stand-in's clock shows from here on."""
    body = json.dumps({"now": now.isoformat()}).encode()
    with urlopen(f"{chosen.sources['main'].url}/__simulator__/clock", body, timeout=60):  # noqa: S310 - loopback
        pass


def arrivals(number: int) -> list[dict[str, Any]]:
    """So many rows of the last minutes before midday, a second apart."""
    first = MIDDAY - timedelta(seconds=number)
    return [
        {"namespace": "acme", "metadata": {"number": n}, "datetime": (first + timedelta(seconds=n)).isoformat()}
        for n in range(number)
    ]


@pytest.fixture
def lossy(start_simulator: Any, tmp_path: Path) -> Any:
    """A registry at midday, of whose whole seconds the first look at the day missed many."""
    made = ("--scenario", "steady:0.2", "--events", "1000", "--days", "1", "--now", MIDDAY.isoformat())
    quay = start_simulator(*made, *SECONDS)
    quay.control("insert", rows=[OLDER])
    look(tmp_path, unrepaired(settings(quay)))
    assert deficits(tmp_path) > 200
    return quay


def unrepaired(chosen: Settings) -> Settings:
    """The same without a repair."""
    return chosen.model_copy(update={"collect": chosen.collect.model_copy(update={"repair_requests": 0})})


def test_a_page_of_rows_that_a_look_skipped_is_repaired_at_once(start_simulator: Any, tmp_path: Path) -> None:
    made = ("--scenario", "steady:0.2", "--events", "1000", "--days", "1", "--now", MIDDAY.isoformat())
    quay = start_simulator(*made, *SECONDS)
    quay.control("insert", rows=[OLDER])
    first = look(tmp_path, settings(quay))
    assert (check(tmp_path, quay), first.states["open"]) == (0, 1)
    quay.control("insert", rows=arrivals(60) * 5)
    look(tmp_path, settings(quay))
    assert check(tmp_path, quay) <= 0.01 * 300
    outcome = look(tmp_path, settings(quay), MIDDAY + timedelta(days=1))
    assert (check(tmp_path, quay), outcome.states["repaired"]) == (0, 1)


def test_what_an_open_day_lacks_is_not_asked_for_at_each_look(lossy: Any, tmp_path: Path) -> None:
    lacking = deficits(tmp_path)
    chosen = unrepaired(settings(lossy))
    assert look(tmp_path, chosen).requests == 1
    lossy.control("insert", rows=arrivals(30))
    outcome = look(tmp_path, chosen)
    assert (outcome.events_new, outcome.requests) == (30, 3)
    assert check(tmp_path, lossy) == lacking
    lossy.control("insert", rows=[arrivals(1)[0]] * 21)  # a look that loses a row itself ends where held rows begin
    assert look(tmp_path, chosen).requests <= 5
    outcome = look(tmp_path, settings(lossy), MIDDAY + timedelta(days=1))
    assert check(tmp_path, lossy) == 0
    assert outcome.states["repaired"] == 1


def test_a_look_that_breaks_off_leaves_no_gap_below_what_it_brought(lossy: Any, tmp_path: Path) -> None:
    lacking = deficits(tmp_path)
    lossy.control("insert", rows=arrivals(200))
    poor = unrepaired(settings(lossy, retries=0))

    def break_off(progress: Progress) -> None:
        if progress.stage == "read" and progress.requests == 4:
            lossy.control("faults", rates={"error": 1.0})

    stopped = look(tmp_path, poor, report=break_off)
    assert 0 < stopped.events_new < 200
    lossy.control("faults")
    look(tmp_path, poor)
    assert check(tmp_path, lossy) <= lacking


def test_rows_that_arrive_while_paging_are_taken_once(start_simulator: Any, tmp_path: Path) -> None:
    made = ("--events", "600", "--days", "2", "--now", MIDDAY.isoformat())
    quay = start_simulator(*made, *SECONDS)
    chosen = settings(quay)
    chosen = chosen.model_copy(update={"collect": chosen.collect.model_copy(update={"settle_seconds": 1.0})})
    left = 40

    def arrive(progress: Progress) -> None:
        nonlocal left
        if progress.stage == "read" and left:
            left -= 1
            quay.control("insert", rows=[{"namespace": "platform", "metadata": {"number": left // 2}}] * 2)

    look(tmp_path, chosen, report=arrive)
    assert held(tmp_path) <= truth(quay)
    time.sleep(2.2)
    look(tmp_path, chosen)
    check(tmp_path, quay)
    look(tmp_path, chosen, MIDDAY + timedelta(days=1))
    assert check(tmp_path, quay) <= 0.01 * 680


def collect_later(home: Path, chosen: Any) -> None:
    """The clock's own run when the week has passed after which sealed days are counted again."""
    look(home, chosen, MIDDAY + timedelta(days=9))


def test_killed_at_random_moments_it_goes_on_and_loses_nothing(start_simulator: Any, tmp_path: Path) -> None:
    quay = start_simulator("--events", "900", "--days", "3", "--precision", "microsecond", "--end", END.isoformat())
    quay.control("reset")
    killed = kill_and_go_on(quay, tmp_path / "ledger", 3, random.Random(5), 3)
    assert check(tmp_path / "ledger", quay) == 0
    assert killed >= 2
    # The floor, one page a chain and kill again, and each run's own probe and count.
    assert quay.control("stats")["total"] <= 900 / 20 + 3 + killed * (4 + 3) + 3
