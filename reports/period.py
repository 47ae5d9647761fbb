"""Periods: pure values and functions: whole local days of a time zone as half-open stretches of
UTC."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import msgspec

from quayledger.reports.errors import BadPeriod
from quayledger.reports.formatting import visible

PRESETS: tuple[tuple[str, str], ...] = (
    ("today", "Today"),
    ("yesterday", "Yesterday"),
    ("last-7-days", "Last 7 days"),
    ("last-30-days", "Last 30 days"),
    ("last-90-days", "Last 90 days"),
    ("this-week", "This week"),
    ("last-week", "Last week"),
    ("this-month", "This month"),
    ("last-month", "Last month"),
    ("last-quarter", "Last quarter"),
    ("this-year", "This year"),
)
DEFAULT_PRESET = "last-30-days"
# How a period may be written, for help texts.
EXAMPLES = ("yesterday", "last-7-days", "last-week", "last-month", "2026-10", "2026-Q3")
MAX_DAYS = 3660
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
Bucket = Literal["hour", "day", "week", "month"]
_LAST = re.compile(r"last-(\d{1,4})-days")
_DAY_NAME = re.compile(r"\d{4}-\d{2}-\d{2}")
_MONTH = re.compile(r"(\d{4})-(\d{2})")
_QUARTER = re.compile(r"(\d{4})-q([1-4])")
_WEEK = re.compile(r"(\d{4})-w(\d{2})")
_YEAR = re.compile(r"\d{4}")
_MOMENT = r"(\d{4}-\d{2}-\d{2})t([01]\d|2[0-3]):([0-5]\d)"
_HOURS = re.compile(rf"{_MOMENT}\.\.{_MOMENT}")
_CUSTOM = re.compile(r"(\d{4}-\d{2}-\d{2})(?:\.\.|/)(\d{4}-\d{2}-\d{2})")


class Period(msgspec.Struct, frozen=True):
    """A half-open stretch of time, `since` included and `until` not; both aware UTC. `time_zone` is an IANA name: days,
    hours and week days of a report are those of that zone."""

    since: datetime
    until: datetime
    time_zone: str = "UTC"

    @property
    def first_day(self) -> date:
        """The local day that holds `since`."""
        return self.since.astimezone(zone(self.time_zone)).date()

    @property
    def last_day(self) -> date:
        """The local day that holds the last instant of the period."""
        return (self.until - timedelta(microseconds=1)).astimezone(zone(self.time_zone)).date()

    @property
    def days(self) -> int:
        """How many local days the period touches."""
        return (self.last_day - self.first_day).days + 1

    def utc_days(self) -> tuple[date, date]:
        """First and last UTC day that the period touches; slices of the record are UTC days."""
        return self.since.date(), (self.until - timedelta(microseconds=1)).date()

    def previous(self) -> Period:
        """The period of equal length that ends where this one begins: as many local days where it is made of whole days
        (a day may have 23 or 25 hours), else as many seconds."""
        if _is_whole(self):
            return Period(
                start_of_day(self.first_day - timedelta(days=self.days), self.time_zone), self.since, self.time_zone
            )
        return Period(self.since - (self.until - self.since), self.since, self.time_zone)

    def until_now(self, now: datetime) -> Period:
        """The part of the period that is over at `now`; never empty: a period that has not begun keeps its first
        second."""
        until = min(self.until, max(now, self.since + timedelta(seconds=1)))
        return Period(self.since, until, self.time_zone)

    def compared_with(self, now: datetime) -> Period:
        """What a figure of this period is compared with: the period before; cut at the same point if this one is not
        over."""
        before = self.previous()
        if now >= self.until:
            return before
        over = self.until_now(now)
        return Period(before.since, min(before.since + (over.until - over.since), before.until), self.time_zone)

    @property
    def is_whole_days(self) -> bool:
        """Whether it is made of whole local days."""
        return _is_whole(self)

    @property
    def label(self) -> str:
        """What people call it, such as `1 Nov 2026 – 21 Nov 2026 (Europe/Berlin)`; hours only where it is not whole
        days."""
        if _is_whole(self):
            first, last = day_label(self.first_day), day_label(self.last_day)
            return f"{first} ({self.time_zone})" if first == last else f"{first} – {last} ({self.time_zone})"
        begins, ends = (moment.astimezone(zone(self.time_zone)) for moment in (self.since, self.until))
        return f"{day_label(begins.date())} {begins:%H:%M} – {day_label(ends.date())} {ends:%H:%M} ({self.time_zone})"

    @property
    def bounds(self) -> str:
        """Its exact bounds, for the small print."""
        since, until = (f"{moment:%Y-%m-%d %H:%M:%S} UTC" for moment in (self.since, self.until))
        return f"From {since}, up to but not including {until}"


class AsOf(Period, frozen=True):
    """A state at one moment: `until`. `since` begins its UTC day."""

    @property
    def label(self) -> str:
        """What people call it: `as of 21 Nov 2026 15:00 UTC`, `at the end of 5 Nov 2026 UTC`."""
        if self.until - self.since == timedelta(days=1):
            return f"at the end of {day_label(self.since.date())} UTC"
        return f"as of {day_label(self.until.date())} {self.until:%H:%M} UTC"

    @property
    def bounds(self) -> str:
        """The moment, for the small print."""
        return f"The state {self.label}"

    @classmethod
    def end_of(cls, day: date) -> AsOf:
        """The state at the end of a UTC day. Raises BadPeriod for a day outside the calendar."""
        whole = whole_days(day, day, "UTC")
        return cls(whole.since, whole.until)

    @classmethod
    def at(cls, moment: datetime) -> AsOf:
        """The state at a moment (aware)."""
        moment = moment.astimezone(UTC)
        return cls(moment.replace(hour=0, minute=0, second=0, microsecond=0), moment)


def day_label(day: date) -> str:
    """`1 Nov 2026`: no leading zero, the month in words, so that nobody reads a day as a month."""
    return f"{day.day} {day:%b %Y}"


@cache
def time_zones() -> tuple[str, ...]:
    """The IANA names that may be asked for, UTC first, then the rest by name."""
    return ("UTC", *sorted(name for name in available_timezones() if "/" in name and not name.startswith("Etc/")))


def zone(name: str) -> ZoneInfo:
    """The zone of an IANA name. Raises BadPeriod for anything else, paths included."""
    if name not in time_zones():
        raise BadPeriod(f"{name[:60]!r} is not a time zone. Use an IANA name such as UTC or Europe/Berlin.")
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise BadPeriod(
            f"the time zone {name[:60]!r} cannot be read on this machine: install tzdata, or use UTC"
        ) from error


def start_of_day(day: date, time_zone: str) -> datetime:
    """The first instant of a local day, in UTC; where midnight does not exist, the instant at which the clock jumps
    over it."""
    return datetime.combine(day, time.min, tzinfo=zone(time_zone)).astimezone(UTC)


def whole_days(first: date, last: date, time_zone: str) -> Period:
    """The local days `first` to `last`, both included. Raises BadPeriod if `last` is before `first` or it is longer
    than ten years."""
    if last < first:
        raise BadPeriod(f"the period ends on {last} before it begins on {first}: swap the two days")
    if (last - first).days >= MAX_DAYS:
        raise BadPeriod(f"{first} to {last} is longer than {MAX_DAYS} days: ask for a shorter period")
    try:
        return Period(start_of_day(first, time_zone), start_of_day(last + timedelta(days=1), time_zone), time_zone)
    except OverflowError:
        raise BadPeriod(f"{first} to {last} is outside the calendar: ask for days between 1970 and 9000") from None


def parse(text: str, time_zone: str, now: datetime) -> Period:
    """A period from a name (`last-7-days`, `yesterday`, `last-week`, `this-month`, …), a calendar stretch (`2026`, `2026-Q3`,
    `2026-10`, `2026-W47`, `2026-11-21`), days (`2026-11-01..2026-11-21`, both included) or times (`2026-11-21T08:00..
    2026-11-21T12:30`, the second not included). "Last N days" are today and the days before it, in the time zone; weeks begin
    on Monday. Raises BadPeriod."""
    today = now.astimezone(zone(time_zone)).date()
    words = text.strip().lower().replace(" ", "-")
    if last := _LAST.fullmatch(words):
        if not 1 <= int(last[1]) <= MAX_DAYS:
            raise BadPeriod(f"{text!r} is not a valid period. Ask for 1 to {MAX_DAYS} days.")
        return whole_days(today - timedelta(days=int(last[1]) - 1), today, time_zone)
    if times := _HOURS.fullmatch(words):
        return _between(times, text, time_zone)
    days = _named(words, today) or _calendar(words)
    if days is None:
        raise BadPeriod(
            f"'{visible(text[:60])}' is not a period. Use {', '.join(EXAMPLES)}, or days such as 2026-11-01..2026-11-21."
        )
    return whole_days(*days, time_zone)


def _between(times: re.Match[str], text: str, time_zone: str) -> Period:
    """From one moment of the local clock up to another."""
    local = zone(time_zone)
    whole_days(
        _day(times[1]), _day(times[4]), time_zone
    )  # as short, and as far within the calendar, as days have to be
    since, until = (
        _instant(datetime.combine(_day(day), time(int(hour), int(minute))), local)
        for day, hour, minute in (times.groups()[:3], times.groups()[3:])
    )
    if until <= since:
        raise BadPeriod(f"the period {visible(text[:60])} ends before it begins: swap the two times")
    return Period(since, until, time_zone)


def stretch_text(period: Period, first: datetime, last: datetime) -> str:
    """The text that `parse` takes for a part of a period: from the bucket that begins at `first` to the one that begins at
    `last`, both as `buckets` gives them."""
    begin, stop = (
        moment.astimezone(zone(period.time_zone)).replace(tzinfo=None) for moment in (period.since, period.until)
    )
    begin, stop = max(first, begin), min(_after(last, bucket_of(period)), stop)
    if begin.time() == stop.time() == time():
        return f"{begin.date()}..{stop.date() - timedelta(days=1)}"
    return f"{begin:%Y-%m-%dT%H:%M}..{stop:%Y-%m-%dT%H:%M}"


def _named(words: str, today: date) -> tuple[date, date] | None:
    """First and last day of a stretch that has a name relative to today."""
    monday, month, quarter = today - timedelta(days=today.weekday()), today.replace(day=1), _quarter(today)
    before = (month - timedelta(days=1), quarter - timedelta(days=1))
    named = {
        "today": (today, today),
        "yesterday": (today - timedelta(days=1), today - timedelta(days=1)),
        "this-week": (monday, monday + timedelta(days=6)),
        "last-week": (monday - timedelta(days=7), monday - timedelta(days=1)),
        "this-month": (month, _end_of_month(today)),
        "last-month": (before[0].replace(day=1), before[0]),
        "this-quarter": (quarter, _end_of_quarter(quarter)),
        "last-quarter": (_quarter(before[1]), before[1]),
        "this-year": (today.replace(month=1, day=1), today.replace(month=12, day=31)),
        "last-year": (date(today.year - 1, 1, 1), date(today.year - 1, 12, 31)),
    }
    return named.get(words.replace("previous-", "last-"))


def _calendar(words: str) -> tuple[date, date] | None:
    """First and last day of a year, quarter, month, ISO week, day or span of days. Raises BadPeriod for one that the calendar
    does not have."""
    try:
        if span := _CUSTOM.fullmatch(words):
            return _day(span[1]), _day(span[2])
        if _DAY_NAME.fullmatch(words):
            return _day(words), _day(words)
        if month := _MONTH.fullmatch(words):
            first = date(int(month[1]), int(month[2]), 1)
            return first, _end_of_month(first)
        if quarter := _QUARTER.fullmatch(words):
            first = date(int(quarter[1]), 3 * int(quarter[2]) - 2, 1)
            return first, _end_of_quarter(first)
        if week := _WEEK.fullmatch(words):
            return date.fromisocalendar(int(week[1]), int(week[2]), 1), date.fromisocalendar(
                int(week[1]), int(week[2]), 7
            )
        if _YEAR.fullmatch(words):
            return date(int(words), 1, 1), date(int(words), 12, 31)
    except ValueError:
        raise BadPeriod(
            f"{words!r} is not in the calendar. Use a month such as 2026-10 or a day such as 2026-11-21."
        ) from None
    return None


def _quarter(day: date) -> date:
    return day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)


def _end_of_quarter(first: date) -> date:
    return _end_of_month(first.replace(month=first.month + 2))


def bucket_of(period: Period) -> Bucket:
    """How fine a series is drawn: hours up to two days, days up to a quarter and a bit, weeks to about two years, then
    months."""
    days = period.days
    return "hour" if days <= 2 else "day" if days <= 100 else "week" if days <= 750 else "month"


def buckets(period: Period, bucket: Bucket) -> Iterator[tuple[datetime, Period]]:
    """Every bucket that the period touches, as its naive local beginning and the stretch of the period that lies in it.
    The stretches tile the period: no instant is missing and none is in two. An hour that the clock repeats is one
    bucket."""
    local = zone(period.time_zone)
    begin = period.since
    while begin < period.until:
        label = _floor(begin.astimezone(local).replace(tzinfo=None, fold=0), bucket)
        end = _instant(_after(label, bucket), local)
        # Where clocks go back inside an hour the wall clock comes to the same bucket again: its end is the later one.
        end = max(end, begin + timedelta(minutes=1))
        yield label, Period(begin, min(end, period.until), period.time_zone)
        begin = end


def hours_of_week(period: Period, weekday: int, hour: int) -> Iterator[Period]:
    """The stretches of the period that lie in one hour of one week day (Monday is 1) of its time zone, oldest first."""
    local = zone(period.time_zone)
    day = period.first_day
    while day <= period.last_day:
        if day.isoweekday() == weekday:
            begin, end = (_instant(datetime.combine(day, time(hour)) + timedelta(hours=add), local) for add in (0, 1))
            begin, end = max(begin, period.since), min(end, period.until)
            if begin < end:
                yield Period(begin, end, period.time_zone)
        day += timedelta(days=1)


def _instant(label: datetime, local: ZoneInfo) -> datetime:
    return label.replace(tzinfo=local, fold=0).astimezone(UTC)


def _floor(moment: datetime, bucket: Bucket) -> datetime:
    if bucket == "hour":
        return moment.replace(minute=0, second=0, microsecond=0)
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    if bucket == "week":
        return midnight - timedelta(days=midnight.weekday())
    return midnight.replace(day=1) if bucket == "month" else midnight


def _after(label: datetime, bucket: Bucket) -> datetime:
    if bucket == "month":
        return (label.replace(day=28) + timedelta(days=4)).replace(day=1)
    return label + {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(days=7)}[bucket]


def _is_whole(period: Period) -> bool:
    begins = start_of_day(period.first_day, period.time_zone) == period.since
    return begins and start_of_day(period.last_day + timedelta(days=1), period.time_zone) == period.until


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadPeriod(f"'{visible(text[:60])}' is not a date. Use YYYY-MM-DD.") from None


def _end_of_month(day: date) -> date:
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
