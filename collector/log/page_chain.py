"""One chain of pages (pagination by token): read from the newest row down until the count is met, guarded against every way
in which a Quay gives a page twice.

The count bounds the chain; rows that were given before are recognised and left out; each page lands on disk before the next
one is requested, so that a killed run goes on from there. What a chain brought is a sub-multiset of what the source holds.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime, timedelta

import msgspec

from quayledger.collector.log import landing
from quayledger.collector.log.days import utc_now
from quayledger.collector.log.normalise import DefaultNamespace, Event, Reject, day_bounds_us, normalise, stamp_us
from quayledger.collector.quay.errors import QuayError, is_page_failure
from quayledger.collector.quay.logs import PAGE_ROWS, LogPage, page_rows

MOST_PAGES = 1_000_000
SPARE_PAGES = 3  # the extra last page, rows that arrive while paging, a short page at a table's border
TRIES_OF_A_REPEATED_PAGE = 2
TOKEN_LIFE = timedelta(hours=40)  # Quay's own is two days; an older one silently starts again at page 1

Fetch = Callable[[str | None], Awaitable[LogPage]]
EventKey = tuple[int, str, str | None, str | None, str | None, str | None, str | None, str | None, str | None]


class ChainGoal(msgspec.Struct, frozen=True):
    """What one chain is to bring, from the count of the part of a day that it reads."""

    missing: dict[str, int]  # by kind: what the source counts beyond what is held
    counted_rows: int  # all kinds: what bounds the chain
    # Rows younger than this, when served, are left for a later run; None: the day is over.
    settled_before: timedelta | None
    # The count may leave kinds out, so meeting it proves nothing: the chain goes to its end.
    to_the_end: bool = False
    # Where a chain that was left behind on an open day ended: once this one meets rows that are held, it goes on from there.
    join: str | None = None
    # The window goes on so many days after the day; their rows are passed over.
    later_days: int = 0
    # What lies below the rows that are held was looked at before: a page of nothing but them ends the chain.
    until_held: bool = False

    @property
    def most_pages(self) -> int:
        """More pages than this never help."""
        return MOST_PAGES if self.to_the_end else math.ceil(self.counted_rows / PAGE_ROWS) + SPARE_PAGES


class ChainResult(msgspec.Struct, frozen=True):
    """What a chain brought. `error` is what ended it before its time; what had come until then is here all the same."""

    events: list[Event]
    rejects: list[Reject]
    requests: int
    # filled | held | end | bound | repeated | unreadable (the server cannot give the next page) | failed (all other errors)
    end_reason: str
    new_by_kind: dict[str, int]
    unsettled_by_kind: dict[str, int]  # of them, those that are left for a later run
    backend: str  # what the last page gave away: database | elasticsearch | ''
    error: QuayError | None


class Tally:
    """Counts by kind what of the rows so far is new to the ledger."""

    def __init__(self, missing: dict[str, int], held: Callable[[int], Counter[EventKey]] | None) -> None:
        """`held(since_us)` gives the stored keys from that stamp on; None where nothing of the part is stored."""
        self._missing = missing
        self._held = held
        self._known: Counter[EventKey] = Counter()
        self._known_since: int | None = None
        self._seen: Counter[EventKey] = Counter()
        self.met_known = False
        self.new_by_kind: Counter[str] = Counter()

    def add(self, events: Iterable[Event]) -> int:
        """Takes the rows of one page, newest first, and says how many of them are new."""
        events = list(events)
        if self._held is None:
            self.new_by_kind.update(event.kind for event in events)
            return len(events)
        new = 0
        self._reach(min((event.occurred_at for event in events), default=None))
        for event in events:
            key = event.key
            self._seen[key] += 1
            if self._seen[key] > self._known[key]:
                self.new_by_kind[event.kind] += 1
                new += 1
            else:
                self.met_known = True
        return new

    def leave(self, kind: str) -> None:
        """A row too young to be taken now still counts towards what is missing."""
        self.new_by_kind[kind] += 1

    @property
    def filled(self) -> bool:
        """Whether every kind's deficit is made up."""
        return all(self.new_by_kind[kind] >= number for kind, number in self._missing.items())

    def _reach(self, oldest: int | None) -> None:
        """Loads stored keys down to `oldest`: first what one page needs, then the whole day."""
        if self._held is None or oldest is None or (self._known_since is not None and oldest >= self._known_since):
            return
        since = oldest if self._known_since is None else 0
        self._known = self._held(since)
        self._known_since = since


class Stretches:
    """Rows of a chain, none of them twice, whatever the server gives again: page 1 (a dead token), a legacy table's first page
    for ever, or rows of the one table between those of the other.

    Within a descending stretch every row counts. Where the time goes up, another stretch begins; stretches are joined by the
    larger multiplicity of each event."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._oldest: int | None = None
        self._most: Counter[EventKey] | None = None  # only once there is a second stretch
        self._stretch: Counter[EventKey] = Counter()

    def take(self, events: list[Event]) -> tuple[list[Event], bool]:
        """The rows of a page that were not given before, and whether the page was nothing but a repetition."""
        if not events:
            return [], False
        up = self._oldest is not None and events[0].occurred_at > self._oldest
        if up:
            self._most = self._most or Counter(event.key for event in self.events)
            self._stretch = Counter()
        new = events if self._most is None else [event for event in events if self._is_new(event, self._most)]
        if up and not new:
            return [], True
        self._oldest = events[-1].occurred_at
        self.events += new
        return new, False

    def _is_new(self, event: Event, most: Counter[EventKey]) -> bool:
        key = event.key
        self._stretch[key] += 1
        if self._stretch[key] <= most[key]:
            return False
        most[key] = self._stretch[key]
        return True


class _Chain:
    """The state of one chain while it is read."""

    def __init__(self, want: ChainGoal, tally: Tally, default: DefaultNamespace, bounds: tuple[int, int]) -> None:
        self.want, self.tally, self.default, self.bounds = want, tally, default, bounds
        self.window_end = bounds[1] + want.later_days * (bounds[1] - bounds[0])
        self.stretches = Stretches()
        self.pool: dict[str, str] = {}
        self.kept: list[Event] = []
        self.rejects: list[Reject] = []
        self.unsettled: Counter[str] = Counter()
        self._all_held = False  # the newest page brought nothing but rows that are held
        self.pages = 0
        self._join = want.join
        self.backend = ""

    def take(self, rows: tuple[msgspec.Raw, ...], served_at: datetime | None, more: bool) -> bool:
        """Takes one page's rows; False where the page was given before."""
        read = [normalise(row, self.default) for row in rows]
        events = [self._pooled(item) for item in read if isinstance(item, Event)]
        new, repeated = self.stretches.take(events)
        if repeated:
            return False
        self.pages += 1
        self.rejects.extend(item for item in read if isinstance(item, Reject))
        inside = [event for event in new if self._inside(event)]
        brought = self._settle(inside, served_at)
        self._all_held = not brought and 0 < len(inside) == len(rows)
        if rows and not more:
            self.backend = "elasticsearch"
        elif more and len(rows) < PAGE_ROWS:
            self.backend = "database"
        return True

    def take_landed(self, log: landing.LandingFile) -> tuple[str | None, str]:
        """Takes the pages that landed before, at no request: the token to go on with, and why the chain is over already."""
        token, reason = None, ""
        for landed in log.pages():
            more = landed.mark.next_page
            if self.take(page_rows(landed.body), landed.mark.served_at, more is not None):
                token, reason = more, self.ended(more)
        self.pages = 0  # the bound is on what is asked now
        return token, reason

    def ended(self, next_page: str | None) -> str:
        """Why the chain is over after a page with this token; '' where it is not."""
        if self.want.until_held and self._all_held and self._join is None:
            return "held"
        if self.tally.filled and not self.want.to_the_end:
            return "filled"
        return "" if next_page is not None else "end"

    def next_page(self, token: str | None) -> str | None:
        """The token to ask with next: the page's own, or that of a chain left behind, once rows are met that it brought."""
        if self._join is None or not self.tally.met_known:
            return token
        token, self._join = self._join, None
        return token

    def _inside(self, event: Event) -> bool:
        if not self.bounds[0] <= event.occurred_at < self.window_end:
            self.rejects.append(Reject(event.kind, "its time lies outside the days that were asked for", ""))
            return False
        return event.occurred_at < self.bounds[1]

    def _settle(self, events: list[Event], served_at: datetime | None) -> int:
        """Takes what is old enough; how many rows of the page are new, those that are left among them."""
        left = 0
        limit = self.want.settled_before
        if limit is not None and events:
            border = stamp_us((served_at or utc_now()) - limit)
            for event in events:
                if event.occurred_at > border:
                    self.tally.leave(event.kind)
                    self.unsettled[event.kind] += 1
                    left += 1
            events = [event for event in events if event.occurred_at <= border]
        self.kept.extend(events)
        return left + self.tally.add(events)

    def _pooled(self, event: Event) -> Event:
        """The same event on shared strings: a day repeats its names, agents and metadata thousands of times, and a chain of a
        million rows must fit into memory."""
        pool = self.pool
        return Event(event[0], *(pool.setdefault(text, text) if text is not None else None for text in event[1:]))  # type: ignore[arg-type]

    def result(self, requests: int, reason: str, error: QuayError | None = None) -> ChainResult:
        return ChainResult(
            self.kept,
            self.rejects,
            requests,
            reason,
            dict(self.tally.new_by_kind),
            dict(self.unsettled),
            self.backend,
            error,
        )


async def read_chain(
    fetch: Fetch, log: landing.LandingFile, want: ChainGoal, tally: Tally, default: DefaultNamespace
) -> ChainResult:
    """Reads on from where `log` ends (its pages are taken first, at no request) until the count is met or the source ends.

    Never raises QuayError: a chain that fails is a chain that brought less, and says why in `error`."""
    chain = _Chain(want, tally, default, day_bounds_us(log.header.day))
    token, reason = chain.take_landed(log)
    requests = repeats = 0
    while not reason and chain.pages < want.most_pages:
        try:
            page = await fetch(token)
        except QuayError as error:
            return chain.result(requests, "unreadable" if is_page_failure(error) else "failed", error)
        requests += 1
        if chain.take(page.rows, page.served_at, page.next_page is not None):
            repeats = 0
            log.append(_mark(chain.pages, page), page.body)
            token, reason = chain.next_page(page.next_page), chain.ended(page.next_page)
        elif (repeats := repeats + 1) > TRIES_OF_A_REPEATED_PAGE:
            reason = "repeated"
    return chain.result(requests, reason or "bound")


def replay(log: landing.LandingFile, default: DefaultNamespace, settle: timedelta) -> ChainResult:
    """The rows of a chain that was left behind, as far as it came; asks nothing."""
    chain = _Chain(ChainGoal({}, 0, settle), Tally({}, None), default, day_bounds_us(log.header.day))
    for landed in log.pages():
        chain.take(
            page_rows(landed.body), landed.mark.served_at or landed.mark.landed_at, landed.mark.next_page is not None
        )
    return chain.result(len(log.marks), "left behind")


def usable(log: landing.LandingFile, day_over_at: datetime, now: datetime) -> bool:
    """Whether a chain that was left behind can be read on: begun after its day was over, with a token that still lives."""
    return log.header.started_at >= day_over_at and living_token(log, now) is not None


def living_token(log: landing.LandingFile, now: datetime) -> str | None:
    """The token that a chain would have gone on with; None where it had ended, or the token is too old to be trusted."""
    if not log.marks or now - log.marks[-1].landed_at >= TOKEN_LIFE:
        return None
    return log.marks[-1].next_page


def _mark(number: int, page: LogPage) -> landing.PageMark:
    return landing.PageMark(
        number=number,
        rows=len(page.rows),
        next_page=page.next_page,
        served_at=page.served_at,
        landed_at=utc_now(),
        rows_digest=landing.digest(page.rows),
        size_bytes=len(page.body),
    )
