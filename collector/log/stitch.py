"""Stitching: reads a list in short stretches, each begun with a page token whose place in time is known.

Quay's page token says a time, and is bound to no list. Where a page of one list ends between two rows of the same stamp, the
token that another list gave for that time, or a little before it, goes on without the loss. Stretches overlap; each is an
honest sub-multiset of the list, so they are joined by the larger multiplicity of each event. Where a server binds its tokens
it answers with page 1 again, which brings nothing new and does no harm.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping

import msgspec

from quayledger.collector.log.normalise import DefaultNamespace, Event, normalise
from quayledger.collector.log.page_chain import EventKey
from quayledger.collector.quay.errors import QuayError, is_page_failure
from quayledger.collector.quay.logs import LogPage

_MOST_FAILURES = 5  # pages in a row that the server cannot give

Fetch = Callable[[str | None], Awaitable[LogPage]]


class StretchStart(msgspec.Struct, frozen=True, order=True):
    """A token that begins with the newest row at or before `stamp_us` (microseconds since 1970, UTC)."""

    stamp_us: int
    token: str


class TokenWatch:
    """Follows the page borders of a chain and keeps the tokens that begin between two different stamps: only of those is it
    known with which row they begin, whatever list they are used on."""

    def __init__(self) -> None:
        self.starts: list[StretchStart] = []
        self._last: int | None = None
        self._token: str | None = None
        self._clean = True

    def see(self, page: LogPage) -> None:
        """One more page of the chain."""
        stamps = [event.occurred_at for event in _events(page, DefaultNamespace(None, None))]
        if stamps and self._last is not None and self._token is not None:
            self._clean = self._clean and stamps[0] < self._last
            if self._clean:
                self.starts.append(StretchStart(stamps[0], self._token))
        self._last, self._token = (stamps[-1] if stamps else None), page.next_page


class StitchedRows:
    """Rows of overlapping stretches, joined by the larger multiplicity, and what of them is new to the ledger."""

    def __init__(self, held: Counter[EventKey]) -> None:
        self._held = held
        self._most: Counter[EventKey] = Counter()
        self.events: list[Event] = []
        self.new_by_kind: Counter[str] = Counter()

    def add(self, stretch: Counter[EventKey], event: Event) -> None:
        """One row of a stretch; `stretch` counts the stretch's rows so far."""
        key = event.key
        stretch[key] += 1
        if stretch[key] > self._most[key]:
            self._most[key] = stretch[key]
            self.events.append(event)
            if stretch[key] > self._held[key]:
                self.new_by_kind[event.kind] += 1

    def fills(self, lacking: Mapping[str, int]) -> bool:
        """Whether every kind's deficit is made up."""
        return all(self.new_by_kind[kind] >= number for kind, number in lacking.items())


async def stitch(
    fetch: Fetch,
    starts: list[StretchStart],
    joined: StitchedRows,
    lacking: Mapping[str, int],
    bounds: tuple[int, int],
    default: DefaultNamespace,
    most_requests: int,
    begin_below: int | None = None,
) -> int:
    """Walks a list from its top to the beginning of `bounds`, into `joined`, until nothing is lacking; returns the number of
    requests. A page that the server cannot give is passed over: the walk goes on below it. `begin_below` (microseconds since
    1970): where it begins instead of at the top. Raises QuayError; what came before is in `joined`."""
    ordered = sorted(starts)
    token, begun = None, bounds[1]
    stretch: Counter[EventKey] = Counter()
    last, lowest, requests, failures = bounds[1], bounds[1], 0, 0
    if begin_below is not None and (jump := _below(ordered, begin_below, 1)) is not None:
        token, begun, last = jump.token, jump.stamp_us, jump.stamp_us
    while requests < most_requests:
        requests += 1
        try:
            page = await fetch(token)
        except QuayError as error:
            failures += 1
            jump = _below(ordered, last, failures) if is_page_failure(error) else None
            if jump is None or failures > _MOST_FAILURES:
                raise
            token, begun, last, stretch = jump.token, jump.stamp_us, jump.stamp_us, Counter()
            continue
        failures = 0
        events = _events(page, default)
        if events and events[0].occurred_at > last:
            # The list went back up: another table begins, or a page is given again. Either way it is a stretch of its own.
            stretch = Counter()
        for event in events:
            if bounds[0] <= event.occurred_at < bounds[1]:
                joined.add(stretch, event)
        if joined.fills(lacking) or not events or page.next_page is None:
            break
        last = events[-1].occurred_at
        if last == begun or (jump := _jump(ordered, last, lowest)) is None:
            # Within a run of one stamp that the stretch began with, the own token is exact; else there is no better one.
            token = page.next_page
        else:
            token, begun, stretch = jump.token, jump.stamp_us, Counter()
        lowest = min(lowest, last)
    return requests


def _jump(ordered: list[StretchStart], last: int, lowest: int) -> StretchStart | None:
    """The nearest beginning at or above the last row seen that still lies below where the walk was before."""
    index = bisect_left(ordered, StretchStart(last, ""))
    return ordered[index] if index < len(ordered) and ordered[index].stamp_us < lowest else None


def _below(ordered: list[StretchStart], stamp_us: int, steps: int) -> StretchStart | None:
    """The beginning that lies `steps` below a stamp: a bad row is in every page that begins up to a page above it."""
    index = bisect_left(ordered, StretchStart(stamp_us, "")) - steps
    return ordered[index] if index >= 0 else None


def _events(page: LogPage, default: DefaultNamespace) -> list[Event]:
    return [event for event in (normalise(row, default) for row in page.rows) if isinstance(event, Event)]
