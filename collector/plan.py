"""Plan: what a sync would request, at what cost, day by day. Requests the counts alone; what is held is read from the
published copy."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date, datetime

import msgspec

from quayledger.collector.exports.choice import Choice, choose
from quayledger.collector.log.counts import MOST_PROBES
from quayledger.collector.log.cover import find_access, parse_scopes
from quayledger.collector.log.days import ONE_DAY, days_between, utc_now, windows
from quayledger.collector.log.page_chain import SPARE_PAGES
from quayledger.collector.log.repair import REQUESTS_A_MISSING_PAGE
from quayledger.collector.log.scope_day import missing
from quayledger.collector.quay import logs
from quayledger.collector.quay.client import QuayClient
from quayledger.collector.quay.errors import UnusableCount
from quayledger.collector.quay.logs import PAGE_ROWS
from quayledger.collector.quay.scopes import Scope
from quayledger.collector.sources import choose_sources
from quayledger.collector.sync import SyncRequest, requested_days
from quayledger.settings import Settings, SourceSettings


class PlannedPart(msgspec.Struct, frozen=True):
    """One day of one scope: what is counted, held and missing, and the requests it takes. `pages`: the fewest that can bring
    what is missing. `most_requests`: about as many as it takes where pages lose rows (a registry that stamps whole seconds,
    legacy tables): the whole list, its extra last pages, and the repair. Both are 0 where nothing is requested."""

    day: date
    scope: str
    counted_events: int
    held_events: int
    missing_events: int
    pages: int
    most_requests: int


class SourcePlan(msgspec.Struct, frozen=True):
    """The cost for one source. `count_requests` is what a sync requests to count, `planning_requests` what this plan spent;
    `request_cpu_seconds`: of the source, each request; `choice`: pages or exports for the days that are over, and why; `exports`: how many of them at least."""

    source_id: str
    parts: tuple[PlannedPart, ...]
    sealed_days: int
    count_requests: int
    planning_requests: int
    requests_per_second: float
    request_cpu_seconds: float
    choice: Choice
    exports: int

    @property
    def least_requests(self) -> int:
        """What a sync requests where nothing goes wrong and pages lose nothing."""
        pages = sum(part.pages for part in self.parts)
        # An export brings many days with one request.
        return self.count_requests + (min(pages, self.exports) if self.choice.method == "export" else pages)

    @property
    def most_requests(self) -> int:
        """About what a sync requests where pages lose rows on every day; replies that must be repeated are not in it."""
        return max(
            self.least_requests, self.count_requests + MOST_PROBES + sum(part.most_requests for part in self.parts)
        )

    @property
    def seconds(self) -> tuple[float, float]:
        """How long the least and the most take within the source's rate."""
        return self.least_requests / self.requests_per_second, self.most_requests / self.requests_per_second

    @property
    def cpu_seconds(self) -> tuple[float, float]:
        """How much of the source's CPU the least and the most take, by what its replies to this plan took."""
        return self.least_requests * self.request_cpu_seconds, self.most_requests * self.request_cpu_seconds


class Held(msgspec.Struct, frozen=True):
    """What the ledger holds of a source: stored events by (day, scope) and kind, the days that need no request, those parts of
    days of which every way of reading was tried (with the count under which it was), and by (day, scope) and kind the rows that
    were seen and could not be read as events."""

    stored: dict[tuple[date, str], dict[str, int]]
    sealed: frozenset[date]
    exhausted: dict[tuple[date, str], int] = {}
    unreadable: dict[tuple[date, str], dict[str, int]] = {}


async def plan(
    settings: Settings,
    request: SyncRequest,
    held: Callable[[str, date, date], Held],
    *,
    now: Callable[[], datetime] = utc_now,
) -> tuple[SourcePlan, ...]:
    """What `sync` would ask for the same request. Raises QuayError, CollectorError, SettingsError as it does."""
    return tuple(
        [
            await _plan_source(settings, key, source, request, held, now())
            for key, source in choose_sources(settings, request.source_ids)
        ]
    )


async def _plan_source(
    settings: Settings,
    source_id: str,
    source: SourceSettings,
    request: SyncRequest,
    held: Callable[[str, date, date], Held],
    now: datetime,
) -> SourcePlan:
    wanted = requested_days(settings, request, now.date())
    days = tuple(days_between(wanted.first, wanted.last))
    have = held(source_id, wanted.first, wanted.last)
    due = [day for day in days if day not in have.sealed]
    parts: list[PlannedPart] = []
    counts = 0
    async with QuayClient(source_id, source) as client:
        scopes = await _scopes(client, source_id, source, now.date())
        for scope in scopes:
            for first, last in windows([due[0] - ONE_DAY, *due]) if due else ():
                counted = await _counts(client, scope, first, last)
                counts += 1
                parts.extend(
                    _part(
                        day,
                        scope,
                        counted.get(day, {}),
                        have.stored.get((day, scope.text), {}),
                        unreadable=have.unreadable.get((day, scope.text), {}),
                        exhausted_at=have.exhausted.get((day, scope.text)),
                        is_open=day >= now.date(),
                        repairs=settings.collect.repair_requests > 0,
                    )
                    for day in due
                    if first <= day <= last
                )
        spent = client.meter.requests
        pace, cost = client.rate_limit.limit, client.rate_limit.request_cpu_seconds
    parts.sort(key=lambda part: (part.day, part.scope))
    exports, choice = _choice(source, parts, now.date())
    sealed = len(days) - len(due)
    return SourcePlan(source_id, tuple(parts), sealed, counts, spent, pace, cost, choice, exports)


async def _counts(client: QuayClient, scope: Scope, first: date, last: date) -> dict[date, dict[str, int]]:
    """The counts of a window; a day whose count cannot be true is left out."""
    try:
        return await logs.aggregate_logs(client, scope, first, last, purpose="count")
    except UnusableCount as error:
        return error.usable


async def _scopes(client: QuayClient, source_id: str, source: SourceSettings, today: date) -> tuple[Scope, ...]:
    if source.scopes:
        return parse_scopes(source_id, source.scopes)
    return (await find_access(client, today)).scopes


def _choice(source: SourceSettings, parts: list[PlannedPart], today: date) -> tuple[int, Choice]:
    """Pages or exports for closed days, and how many exports at least. A superuser's day takes at least one export; how many namespaces it takes is counted
    only when it comes to that."""
    closed = [part for part in parts if part.day < today and part.missing_events]
    exports = sum(
        1 for scope in {part.scope for part in closed} for _ in windows(p.day for p in closed if p.scope == scope)
    )
    pages = sum(part.pages for part in closed)
    return exports, choose(source.exports, pages=pages, exports=exports, is_over=bool(closed))


def _part(
    day: date,
    scope: Scope,
    counted: dict[str, int],
    stored: dict[str, int],
    *,
    unreadable: dict[str, int],
    exhausted_at: int | None,
    is_open: bool,
    repairs: bool,
) -> PlannedPart:
    seen = {kind: stored.get(kind, 0) + unreadable.get(kind, 0) for kind in stored.keys() | unreadable.keys()}
    lacking, total, held = sum(missing(counted, seen).values()), sum(counted.values()), sum(stored.values())
    pages = math.ceil(lacking / PAGE_ROWS)
    if not lacking or exhausted_at == total:
        return PlannedPart(day, scope.text, total, held, lacking, 0, 0)
    # New rows of an open day are on top; a gap in a closed day may be anywhere, so at worst the whole list is read.
    listed = pages if is_open else math.ceil(total / PAGE_ROWS)
    repair = REQUESTS_A_MISSING_PAGE * pages if repairs and not is_open else 0
    return PlannedPart(day, scope.text, total, held, lacking, pages, listed + SPARE_PAGES + repair)
