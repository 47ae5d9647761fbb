"""The rules of history: how fetches, one after the other, change the intervals held of one object. Pure.

An interval never ends before it begins, and two of one object never overlap: a fetch that is not newer than what it would
change changes nothing. Times are aware UTC.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

Values = tuple[object, ...]
Ended = Literal["changed", "gone"]


class Sight(msgspec.Struct, frozen=True):
    """When a fetch was: `fetched_at` its first request, `ok_before` the last fetch at the same target that was ok or partial,
    `caused_at` the newest event that asked for it."""

    fetched_at: datetime
    ok_before: datetime | None = None
    caused_at: datetime | None = None

    def moment(self, after_at: datetime | None) -> datetime:
        """When what the fetch found changed, as near as is known: with its cause where that lies after `after_at`, the last
        time it was seen otherwise; else, and where it never was seen otherwise, with the fetch."""
        cause = self.caused_at
        # What was never read before may be much older than what made somebody fetch.
        if cause is None or after_at is None or not after_at < cause <= self.fetched_at:
            return self.fetched_at
        return cause


class End(msgspec.Struct, frozen=True):
    """How an interval ended: at `to_at`, after `to_after_at`, told by the fetch of `to_seen_at`."""

    to_at: datetime
    to_after_at: datetime | None
    to_seen_at: datetime
    ended: Ended


class Interval(msgspec.Struct):
    """A stretch in which an object was the same. `is_stored`: the ledger has it already."""

    values: Values
    from_at: datetime
    after_at: datetime | None
    first_seen_at: datetime
    is_stored: bool = False
    end: End | None = None


class Track(msgspec.Struct):
    """One object: `held`, the interval that is open, `gone_seen_at`, the last fetch that told that it was gone, and all
    intervals that fetches of this batch touched."""

    held: Interval | None = None
    gone_seen_at: datetime | None = None
    touched: list[Interval] = []

    def present(self, sight: Sight, values: Values) -> None:
        """A fetch found the object, with these values."""
        if self.held is None:
            if self.gone_seen_at is None or sight.fetched_at > self.gone_seen_at:
                self._open(sight, latest(sight.ok_before, self.gone_seen_at), values)
        elif values != self.held.values and sight.fetched_at > self.held.first_seen_at:
            after_at = latest(sight.ok_before, self.held.first_seen_at)
            self._close(self.held, sight, after_at, "changed")
            self._open(sight, after_at, values)

    def absent(self, sight: Sight) -> None:
        """A fetch that tells all did not find the object."""
        if self.held is not None and sight.fetched_at > self.held.first_seen_at:
            self._close(self.held, sight, latest(sight.ok_before, self.held.first_seen_at), "gone")
            self.gone_seen_at = sight.fetched_at

    def _open(self, sight: Sight, after_at: datetime | None, values: Values) -> None:
        self.held = Interval(values, sight.moment(after_at), after_at, sight.fetched_at)
        self.touched.append(self.held)

    def _close(self, held: Interval, sight: Sight, after_at: datetime | None, ended: Ended) -> None:
        held.end = End(sight.moment(after_at), after_at, sight.fetched_at, ended)
        if held.is_stored:
            self.touched.append(held)
        self.held = None


def latest(one: datetime | None, other: datetime | None) -> datetime | None:
    """The later of two times of which either may be unknown."""
    return max(one, other) if one is not None and other is not None else one or other
