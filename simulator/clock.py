"""The simulator's clock: real time, or any other time that runs on from where it was set."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND_US = 1_000_000
DAY_US = 86_400 * SECOND_US
_DAYS = ("Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_dates: dict[int, str] = {}


class Clock:
    """Tells the time in UTC. `start`: what it shows now; None: real time."""

    def __init__(self, start: datetime | None = None) -> None:
        self._offset_us = 0
        if start is not None:
            self.set(start)

    def now_us(self) -> int:
        """Microseconds since 1970."""
        return time.time_ns() // 1000 + self._offset_us

    def now(self) -> datetime:
        """The same as an aware datetime."""
        return from_us(self.now_us())

    def set(self, now: datetime) -> None:
        """Shows `now` from here on."""
        self._offset_us = to_us(now) - time.time_ns() // 1000

    def advance(self, seconds: float) -> None:
        """Jumps ahead (or back)."""
        self._offset_us += round(seconds * SECOND_US)


def to_us(moment: datetime) -> int:
    """Microseconds since 1970 of an aware datetime; a naive one is taken as UTC."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - EPOCH) // timedelta(microseconds=1)


def from_us(stamp_us: int) -> datetime:
    """The aware UTC datetime of microseconds since 1970."""
    return EPOCH + timedelta(microseconds=stamp_us)


def rfc_822(stamp_us: int) -> str:
    """Quay's way to write a time: whole seconds, `-0000` (RFC 2822 §3.3: UTC, nothing known of the local zone)."""
    day, rest_us = divmod(stamp_us, DAY_US)
    text = _dates.get(day)
    if text is None:
        date = from_us(day * DAY_US)
        text = _dates[day] = f"{_DAYS[day % 7]}, {date.day:02} {_MONTHS[date.month - 1]} {date.year:04}"
    minutes, seconds = divmod(rest_us // SECOND_US, 60)
    return f"{text} {minutes // 60:02}:{minutes % 60:02}:{seconds:02} -0000"


def http_date(stamp_us: int) -> str:
    """The form of the `Date` header (RFC 9110 §5.6.7)."""
    return rfc_822(stamp_us)[:-5] + "GMT"
