"""Planning: what a sync would ask, at what cost, day by day. Asks the counts only; reads what is held from the published copy."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date, datetime

import msgspec

from quayledger.collector.exports.choice import Choice, choose
from quayledger.collector.log.cover import find_access, parse_scopes
from quayledger.collector.log.days import days_between, utc_now, windows
from quayledger.collector.log.scope_day import missing
from quayledger.collector.quay import logs
from quayledger.collector.quay.client import QuayClient
from quayledger.collector.quay.logs import PAGE_ROWS
from quayledger.collector.quay.scopes import Scope
from quayledger.collector.sources import choose_sources
from quayledger.collector.sync import SyncRequest, requested_days
from quayledger.settings import Settings, SourceSettings


class PlannedPart(msgspec.Struct, frozen=True):
    """One day of one scope: what is counted, held and missing, and the pages it takes. `missing_events` 0: nothing is asked."""

    day: date
    scope: str
    counted_events: int
    held_events: int
    missing_events: int
    pages: int


class SourcePlan(msgspec.Struct, frozen=True):
    """The cost for one source. `count_requests` is what a sync would ask to count, `planning_requests` what this plan spent;
    `choice`: pages or exports for the days that are over, and why."""

    source_id: str
    parts: tuple[PlannedPart, ...]
    sealed_days: int
    count_requests: int
    planning_requests: int
    requests_per_second: float
    choice: Choice

    @property
    def requests(self) -> int:
        """All that a sync would ask."""
        return self.count_requests + sum(part.pages for part in self.parts)

    @property
    def seconds(self) -> float:
        """How long that takes within the budget, at least."""
        return self.requests / self.requests_per_second


class Held(msgspec.Struct, frozen=True):
    """What the ledger holds of a source: stored events by (day, scope) and kind, and the days that need no look."""

    stored: dict[tuple[date, str], dict[str, int]]
    sealed: frozenset[date]


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
    asked = requested_days(settings, request, now.date())
    days = tuple(days_between(asked.first, asked.last))
    have = held(source_id, asked.first, asked.last)
    due = [day for day in days if day not in have.sealed]
    parts: list[PlannedPart] = []
    counts = 0
    async with QuayClient(source_id, source) as client:
        scopes = await _scopes(client, source_id, source, now.date())
        for scope in scopes:
            for first, last in windows(due):
                counted = await logs.aggregate_logs(client, scope, first, last, purpose="count")
                counts += 1
                parts.extend(
                    _part(
                        day,
                        scope,
                        counted.get(day, {}),
                        have.stored.get((day, scope.text), {}),
                        is_open=day >= now.date(),
                    )
                    for day in due
                    if first <= day <= last
                )
        spent = client.meter.requests
    parts.sort(key=lambda part: (part.day, part.scope))
    choice = _choice(source, parts, now.date())
    return SourcePlan(source_id, tuple(parts), len(days) - len(due), counts, spent, source.requests_per_second, choice)


async def _scopes(client: QuayClient, source_id: str, source: SourceSettings, today: date) -> tuple[Scope, ...]:
    if source.scopes:
        return parse_scopes(source_id, source.scopes)
    return (await find_access(client, today)).scopes


def _choice(source: SourceSettings, parts: list[PlannedPart], today: date) -> Choice:
    """Pages or exports for closed days. A superuser's day takes at least one export; how many namespaces it takes is counted
    only when it comes to that."""
    closed = [part for part in parts if part.day < today and part.missing_events]
    exports = sum(
        1 for scope in {part.scope for part in closed} for _ in windows(p.day for p in closed if p.scope == scope)
    )
    return choose(source.exports, pages=sum(part.pages for part in closed), exports=exports, is_over=bool(closed))


def _part(day: date, scope: Scope, counted: dict[str, int], stored: dict[str, int], *, is_open: bool) -> PlannedPart:
    lacking = sum(missing(counted, stored).values())
    total = sum(counted.values())
    # New rows of an open day are on top; a hole in a closed day may be anywhere, so at worst all of it is read again.
    rows = 0 if not lacking else total if stored and not is_open else lacking
    return PlannedPart(day, scope.text, total, sum(stored.values()), lacking, math.ceil(rows / PAGE_ROWS))
