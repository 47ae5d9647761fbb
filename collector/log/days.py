"""Days: UTC days, windows of days and when a day is over. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta

from quayledger.collector.quay.logs import LONGEST_WINDOW_DAYS

ONE_DAY = timedelta(days=1)


def utc_now() -> datetime:
    """The present, aware, UTC."""
    return datetime.now(UTC)


def day_start(day: date) -> datetime:
    """Midnight UTC at which the day begins."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def days_between(first: date, last: date) -> Iterator[date]:
    """Every day from `first` to `last`, both included, oldest first."""
    for number in range((last - first).days + 1):
        yield first + timedelta(days=number)


def is_over(day: date, now: datetime, grace: timedelta) -> bool:
    """Whether the UTC day has ended, and the time for rows that arrive late with it."""
    return now >= day_start(day) + ONE_DAY + grace


def windows(days: Iterable[date], longest_days: int = LONGEST_WINDOW_DAYS) -> Iterator[tuple[date, date]]:
    """The fewest inclusive windows of at most `longest_days` that cover all `days`; days between may be covered too."""
    first = last = None
    for day in sorted(set(days)):
        if first is None or last is None:
            first = last = day
        elif (day - first).days < longest_days:
            last = day
        else:
            yield first, last
            first = last = day
    if first is not None and last is not None:
        yield first, last
