"""Days and windows: they tile what is asked, and no window ever holds the same day of the month twice."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quayledger.collector.log.days import days_between, is_over, windows

DAYS = st.sets(st.dates(date(2023, 1, 1), date(2028, 12, 31)), max_size=80)


@given(DAYS)
def test_windows_hold_every_day_once_and_never_a_day_of_the_month_twice(days: set[date]) -> None:
    covered: list[date] = []
    for first, last in windows(days):
        inside = list(days_between(first, last))
        assert len({day.day for day in inside}) == len(inside)
        assert {first, last} <= days
        covered += [day for day in inside if day in days]
    assert covered == sorted(days)


def test_a_month_of_days_takes_two_windows() -> None:
    first = date(2026, 10, 24)
    assert list(windows(days_between(first, first + timedelta(days=31)))) == [
        (date(2026, 10, 24), date(2026, 11, 20)),
        (date(2026, 11, 21), date(2026, 11, 24)),
    ]


@pytest.mark.parametrize(("minute", "over"), [(29, False), (30, True)])
def test_a_day_is_over_after_its_grace(minute: int, over: bool) -> None:
    now = datetime(2026, 11, 22, 0, minute, tzinfo=UTC)
    assert is_over(date(2026, 11, 21), now, timedelta(minutes=30)) is over
