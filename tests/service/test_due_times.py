"""When jobs are due, from what the ledger says was done."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from quayledger.service.due_times import ClockWatch, Every, due_times
from quayledger.settings import Settings

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
NEXT_CLOSE = datetime(2026, 11, 26, 0, 45, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
YEAR = timedelta(days=365)


def due(last_sync: datetime | None, last_inventory: datetime | None = None) -> dict[str, datetime]:
    return due_times(Settings.model_construct(), last_sync, last_inventory, NOW)


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        (None, NOW),
        (NOW - 5 * MINUTE, NOW + 10 * MINUTE),
        (NOW - 20 * MINUTE, NOW),  # missed: made up once
        (NOW + 2 * YEAR, NOW),  # the clock ran ahead: nothing waits for that year
        (NOW + MINUTE, NOW),
    ],
)
def test_a_run_is_due_by_the_last_one_and_never_waits_for_a_clock_that_was_wrong(
    last: datetime | None, expected: datetime
) -> None:
    assert due(last)["sync"] == expected
    assert due(None, last)["inventory"] == expected


@pytest.mark.parametrize(
    ("last_sync", "expected"),
    [
        (None, NEXT_CLOSE),
        (NOW - 5 * MINUTE, NEXT_CLOSE),
        (datetime(2026, 11, 25, 0, 44, tzinfo=UTC), NOW),  # nobody served when it was due
        (NOW + YEAR, NEXT_CLOSE),
    ],
)
def test_a_close_that_was_missed_is_made_up(last_sync: datetime | None, expected: datetime) -> None:
    assert due(last_sync)["close"] == expected


def test_an_inventory_that_is_off_is_never_due() -> None:
    settings = Settings.model_construct()
    off = settings.model_copy(update={"inventory": settings.inventory.model_copy(update={"enabled": False})})
    assert set(due_times(off, None, None, NOW)) == {"sync", "publish", "close", "detections"}


def test_a_clock_that_was_set_is_noticed_once_and_slewing_is_not() -> None:
    wall, seconds = NOW, 0.0
    watch = ClockWatch(lambda: wall, lambda: seconds)
    for _ in range(3):
        wall, seconds = wall + timedelta(seconds=601), seconds + 600
        assert watch.jump() is None
    for step in (YEAR, -YEAR):
        wall += step
        moved = watch.jump()
        assert moved is not None and abs(moved - step) < timedelta(seconds=30)
        assert watch.jump() is None
    for _ in range(60):  # small steps add up
        wall += timedelta(seconds=1)
    assert watch.jump() is not None


@pytest.mark.parametrize("years", [0, 2, 57, 7000])
def test_runs_that_a_jump_of_the_clock_missed_are_one(years: int) -> None:
    every = Every(seconds=90, timezone="UTC")
    now = NOW + years * YEAR + MINUTE
    moment = every.get_next_fire_time(NOW, now)  # APScheduler asks again as long as what it gets is not after now
    assert moment is not None
    assert now < moment <= now + timedelta(seconds=90)
    assert (moment - NOW) % timedelta(seconds=90) == timedelta(0), "the rhythm stays"
    assert every.get_next_fire_time(NOW, NOW) == NOW + timedelta(seconds=90)
