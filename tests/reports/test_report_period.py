"""Periods: presets mean what people mean, whole days tile time whatever the clock does, comparisons are like for
like."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quayledger.reports.errors import BadPeriod
from quayledger.reports.period import (
    Period,
    bucket_of,
    buckets,
    hours_of_week,
    parse,
    start_of_day,
    stretch_text,
    whole_days,
)

NOW = datetime(2026, 11, 21, 23, 30, tzinfo=UTC)
# Zones whose clocks are odd: half hours, jumps at midnight, repeated midnights, half-hour summer time, a day left out.
ZONES = st.sampled_from(
    [
        "UTC",
        "Europe/Berlin",
        "America/New_York",
        "Africa/Cairo",
        "America/Havana",
        "Australia/Lord_Howe",
        "Asia/Kolkata",
    ]
)
DAYS = st.dates(date(2020, 1, 1), date(2030, 12, 31))


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("today", "2026-11-22", "2026-11-22"),
        ("Last 7 days", "2026-11-16", "2026-11-22"),
        ("this-month", "2026-11-01", "2026-11-30"),
        ("previous month", "2026-10-01", "2026-10-31"),
        ("last-month", "2026-10-01", "2026-10-31"),
        ("yesterday", "2026-11-21", "2026-11-21"),
        ("this week", "2026-11-16", "2026-11-22"),
        ("last-week", "2026-11-09", "2026-11-15"),
        ("2026-02", "2026-02-01", "2026-02-28"),
        ("2025", "2025-01-01", "2025-12-31"),
        ("2026-11-03", "2026-11-03", "2026-11-03"),
        ("2026-02-27..2026-03-01", "2026-02-27", "2026-03-01"),
    ],
)
def test_presets_are_days_of_the_time_zone(text: str, first: str, last: str) -> None:
    # 23:30 UTC is already tomorrow in Berlin.
    period = parse(text, "Europe/Berlin", NOW)
    assert (period.first_day.isoformat(), period.last_day.isoformat()) == (first, last)


@pytest.mark.parametrize(
    ("text", "zone"),
    [
        ("last-0-days", "UTC"),
        ("yesterdayish", "UTC"),
        ("2026-11-21..2026-11-01", "UTC"),
        ("2026-11-21T08:00..2026-11-21T08:00", "UTC"),
        ("2026-11-21T24:00..2026-11-22T08:00", "UTC"),
        ("2006-11-21T08:00..2026-11-21T08:00", "UTC"),
        ("2026-02-30..2026-03-01", "UTC"),
        ("2026-13", "UTC"),
        ("0000", "UTC"),
        ("2026-02-30", "UTC"),
        ("0001-01-01..9999-12-31", "UTC"),
        ("9999-12-30..9999-12-31", "America/New_York"),
        ("last-7-days", "../../etc/passwd"),
        ("last-7-days", "Mars/Olympus"),
    ],
)
def test_what_is_no_period_is_refused_in_words(text: str, zone: str) -> None:
    with pytest.raises(BadPeriod, match=r"\w+"):
        parse(text, zone, NOW)


def test_a_day_of_summer_time_has_its_own_length() -> None:
    assert _hours(whole_days(date(2026, 10, 25), date(2026, 10, 25), "Europe/Berlin")) == 25
    assert _hours(whole_days(date(2026, 3, 29), date(2026, 3, 29), "Europe/Berlin")) == 23
    # The week before has as many days, not as many seconds.
    before = whole_days(date(2026, 10, 25), date(2026, 10, 31), "Europe/Berlin").previous()
    assert (before.first_day, before.last_day) == (date(2026, 10, 18), date(2026, 10, 24))


def test_an_unfinished_period_is_compared_with_the_same_stretch() -> None:
    period = parse("today", "UTC", NOW.replace(hour=6))
    before = period.compared_with(NOW.replace(hour=6, minute=0))
    assert before == Period(datetime(2026, 11, 20, tzinfo=UTC), datetime(2026, 11, 20, 6, tzinfo=UTC), "UTC")
    assert period.compared_with(period.until) == period.previous()


@given(first=DAYS, length=st.integers(0, 400), zone=ZONES)
def test_a_period_and_the_one_before_tile(first: date, length: int, zone: str) -> None:
    period = whole_days(first, first + timedelta(days=length), zone)
    before = period.previous()
    assert before.until == period.since
    assert before.since < before.until
    assert before.days == period.days
    assert period.since == start_of_day(first, zone)


@given(first=DAYS, length=st.integers(0, 400), zone=ZONES)
def test_buckets_tile_the_period(first: date, length: int, zone: str) -> None:
    period = whole_days(first, first + timedelta(days=length), zone)
    found = list(buckets(period, bucket_of(period)))
    assert found[0][1].since == period.since
    assert found[-1][1].until == period.until
    assert all(one[1].until == two[1].since for one, two in pairwise(found))
    labels = [label for label, _ in found]
    assert labels == sorted(set(labels))


@given(first=DAYS, length=st.integers(0, 20), zone=ZONES, hour=st.integers(0, 23))
def test_hours_of_the_week_are_disjoint_and_are_that_hour(first: date, length: int, zone: str, hour: int) -> None:
    period = whole_days(first, first + timedelta(days=length), zone)
    parts = [part for weekday in range(1, 8) for part in hours_of_week(period, weekday, hour)]
    parts.sort(key=lambda part: part.since)
    assert all(one.until <= two.since for one, two in pairwise(parts))
    assert all(period.since <= part.since < part.until <= period.until for part in parts)


@given(first=DAYS, zone=ZONES)
def test_the_hours_of_a_week_are_the_week(first: date, zone: str) -> None:
    period = whole_days(first, first + timedelta(days=6), zone)
    parts = [part for day in range(1, 8) for hour in range(24) for part in hours_of_week(period, day, hour)]
    assert sum((part.until - part.since for part in parts), timedelta()) == period.until - period.since


def _hours(period: Period) -> float:
    return (period.until - period.since).total_seconds() / 3600


def test_times_are_of_the_local_clock() -> None:
    period = parse("2026-11-21T08:00..2026-11-21T12:30", "Europe/Berlin", NOW)
    assert (period.since, period.until) == (
        datetime(2026, 11, 21, 7, tzinfo=UTC),
        datetime(2026, 11, 21, 11, 30, tzinfo=UTC),
    )
    assert "08:00 – 21 Nov 2026 12:30" in period.label


@given(DAYS, st.integers(0, 200), st.integers(0, 100), st.integers(0, 100), ZONES)
def test_the_text_of_some_buckets_is_a_period_of_just_these(
    day: date, length: int, one: int, other: int, zone: str
) -> None:
    period = whole_days(day, day + timedelta(days=length), zone)
    held = list(buckets(period, bucket_of(period)))
    first, last = sorted((one % len(held), other % len(held)))
    chosen = parse(stretch_text(period, held[first][0], held[last][0]), zone, NOW)
    assert chosen.since <= held[first][1].since
    assert chosen.until >= held[last][1].until
    if length > 2 and length < 99:
        assert (chosen.since, chosen.until) == (held[first][1].since, held[last][1].until)
