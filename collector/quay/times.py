"""Times: reads the forms in which Quay writes times; everything behind this client sees aware UTC."""

from __future__ import annotations

import re
from abc import ABCMeta
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Moment = datetime
else:

    class Moment(metaclass=ABCMeta):  # noqa: B024 - only datetimes are of this type
        """The type of a datetime field; on the wire it may have any form that `instant` reads."""

    Moment.register(datetime)


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_USUAL = re.compile(
    r"[A-Z][a-z]{2}, (\d\d) ([A-Z][a-z]{2}) (\d{4}) (\d\d):(\d\d):(\d\d) (?:-0000|\+0000|GMT|UTC)", re.ASCII
)


def moment(text: str) -> datetime:
    """A time of RFC 2822 as aware UTC; "-0000" is UTC too. Raises ValueError."""
    if (usual := _USUAL.fullmatch(text)) is not None:
        return _usual(usual)
    try:
        parsed = parsedate_to_datetime(text)
        return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except (TypeError, IndexError, OverflowError):
        raise ValueError(f"{text!r} is not a time in RFC 2822 format") from None


def _usual(match: re.Match[str]) -> datetime:
    """The form in which Quay writes; the library would take the year 0001 for 2001."""
    try:
        month = _MONTHS.index(match[2]) + 1
        return datetime(int(match[3]), month, int(match[1]), int(match[4]), int(match[5]), int(match[6]), tzinfo=UTC)
    except ValueError:
        raise ValueError(f"{match[0]!r} is not a time in RFC 2822 format") from None


def instant(value: object) -> datetime:
    """RFC 2822 (lists, service keys), ISO 8601 (mirrors; without a zone it is UTC) or seconds since 1970 (tags, repositories)
    as aware UTC. Raises ValueError, without the value in its text."""
    try:
        if isinstance(value, str):
            return _iso(value) if value[4:5] == "-" else moment(value)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        pass
    raise ValueError("not a time in any of Quay's formats")


def from_milliseconds(value: float | None) -> datetime | None:
    """Milliseconds since 1970 (the registry's size) as aware UTC. Raises ValueError."""
    return None if value is None else instant(value / 1000)


def _iso(text: str) -> datetime:
    parsed = datetime.fromisoformat(text)
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
