"""Counts: which days are due to be counted, and how many events Quay reports for them, in as few requests as possible."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from datetime import date, timedelta

from quayledger.collector.log.backends import MOST_KINDS, may_omit_kinds
from quayledger.collector.log.cover import cover_of
from quayledger.collector.log.days import ONE_DAY, windows
from quayledger.collector.log.judging import judge_day
from quayledger.collector.log.scope_day import ScopeDay, missing, reloaded
from quayledger.collector.log.source_run import SourceRun
from quayledger.collector.quay import logs
from quayledger.collector.quay.errors import (
    BadRequest,
    Forbidden,
    NotFound,
    QuayError,
    SearchUnavailable,
    UnusableCount,
)
from quayledger.collector.quay.logs import LONGEST_WINDOW_DAYS
from quayledger.collector.quay.scopes import Scope
from quayledger.warehouse.log import repairs, slices
from quayledger.warehouse.log.held_parts import held_parts
from quayledger.warehouse.schema import PROVEN_STATES, SEALED_STATES, SliceState

# What one scope of a cover may suffer without the rest of the source being stopped.
PART_ERRORS = (Forbidden, NotFound, BadRequest, SearchUnavailable)
MOST_PROBES = 6  # for older rows, of four weeks each
_EARLIEST = date(1971, 1, 1)
_RECOUNT_AFTER = timedelta(days=7)
_RETRY_AFTER = timedelta(hours=20)
_RETRIED = frozenset({SliceState.SHORT, SliceState.OVER, SliceState.UNCOUNTABLE})


def due_days(run: SourceRun, days: tuple[date, ...], released: Collection[date] = ()) -> list[date]:
    """The days to count: covered, not sealed under the cover in force, and not found short only a while ago, unless they
    were named or are `released`, because what failed then may work now."""
    held = slices.slices(run.ledger, run.source_id, days[0], days[-1])
    left_out = set(run.settings.collect.exclude_days)
    for day in days:
        if day in left_out and (cover := cover_of(day, run.state.covers)):
            exclude(run, day, cover.version)
    unfinished = repairs.unfinished_days(run.ledger, run.source_id, days[0], days[-1]) | set(released)
    return [
        day for day in days if day not in left_out and run.scopes(day) and _is_due(run, day, held.get(day), unfinished)
    ]


def exclude(run: SourceRun, day: date, cover_version: int) -> None:
    """Records that a day is left out on purpose; what is held of it stays."""
    slices.set_state(
        run.ledger,
        run.source_id,
        day,
        cover_version,
        SliceState.EXCLUDED,
        expected_events=None,
        note="left out by collect.exclude_days",
        now=run.now(),
        counted_at=None,
    )


def _is_due(run: SourceRun, day: date, row: slices.SliceRow | None, unfinished: Collection[date]) -> bool:
    """`unfinished`: days whose last reading an error broke off, or whose repair goes on."""
    cover = cover_of(day, run.state.covers)
    if row is None or cover is None or row.cover_version != cover.version:
        return True
    if row.state in PROVEN_STATES:
        return False
    if run.days_named:
        return True
    if row.state in SEALED_STATES:
        return False
    if row.state is SliceState.ROTATED:
        return row.counted_at is None or run.now() - row.counted_at > _RECOUNT_AFTER
    if row.state not in _RETRIED or day in unfinished:
        return True
    return row.read_at is None or run.now() - row.read_at > _RETRY_AFTER


async def recount(run: SourceRun, days: tuple[date, ...]) -> list[date]:
    """Counts sealed days again once a week, in one request for up to 28 of them; returns those that grew. A count that fell
    means that the source no longer holds the rows, and the day is judged anew."""
    sealed = _sealed(run, days)
    week_ago = run.now() - _RECOUNT_AFTER
    if not sealed or all(row.counted_at is not None and row.counted_at > week_ago for row in sealed.values()):
        return []
    before = slices.latest_counts(run.ledger, run.source_id, min(sealed), max(sealed))
    await count(run, sealed, purpose="recount")
    after = slices.latest_counts(run.ledger, run.source_id, min(sealed), max(sealed))
    grown = {key[0] for key, row in after.items() if key in before and missing(row.by_kind, before[key].by_kind)}
    for day in sealed:
        if day not in grown:
            await asyncio.to_thread(judge_day, run, day)
    return sorted(grown)


def _sealed(run: SourceRun, days: tuple[date, ...]) -> dict[date, slices.SliceRow]:
    """The sealed days that are counted again, whatever range is asked for now."""
    first = run.now().date() - timedelta(days=run.settings.collect.recount_days)
    held = slices.slices(run.ledger, run.source_id, first, days[-1])
    return {day: row for day, row in held.items() if row.state in SEALED_STATES and run.scopes(day)}


async def count(run: SourceRun, due: Iterable[date], *, purpose: str = "count") -> None:
    """Counts every due day of every scope of its cover and records what the source said."""
    by_scope: dict[Scope, list[date]] = {}
    for day in due:
        for scope in run.scopes(day):
            by_scope.setdefault(scope, []).append(day)
    for scope, days in by_scope.items():
        # The day before the first tells whether the source holds older rows, mostly at no request of its own.
        extra = [min(days) - ONE_DAY] if run.is_over(min(days)) else []
        for first, last in windows([*extra, *days]):
            await _count_part(run, scope, (first, last), [day for day in days if first <= day <= last], purpose)


async def find_older_rows(run: SourceRun, due: Iterable[date]) -> None:
    """Counts the weeks before the first row that was counted, where closed days depend on it: a day can be called verified only
    where the source holds an older row. Goes back four weeks at a time, a request for each and scope, until there is one, or
    for half a year: a registry may have been silent for long."""
    oldest = run.state.oldest_counted_day
    open_to_doubt = [day for day in due if run.is_over(day) and (oldest is None or day <= oldest)]
    if not open_to_doubt:
        return
    last = min(open_to_doubt) - 2 * ONE_DAY  # the day before was counted with it
    scopes, probes = run.scopes(open_to_doubt[0]), 0
    while scopes and probes + len(scopes) <= max(MOST_PROBES, len(scopes)) and last > _EARLIEST:
        first = last - (LONGEST_WINDOW_DAYS - 1) * ONE_DAY
        for scope in scopes:
            with contextlib.suppress(*PART_ERRORS, UnusableCount):
                note_oldest_day(run, await logs.aggregate_logs(run.client, scope, first, last, purpose="probe"))
        probes += len(scopes)
        run.state.looked_back_to = first
        if run.state.oldest_counted_day is not None and run.state.oldest_counted_day < min(open_to_doubt):
            return
        last = first - ONE_DAY


def note_oldest_day(run: SourceRun, counts: Mapping[date, Mapping[str, int]]) -> None:
    """Keeps the oldest day that has rows."""
    with_rows = [day for day, by_kind in counts.items() if by_kind]
    known = run.state.oldest_counted_day
    run.state.oldest_counted_day = min([*with_rows, *([known] if known else [])], default=None)


async def _count_part(
    run: SourceRun, scope: Scope, window: tuple[date, date], wanted: list[date], purpose: str
) -> None:
    try:
        await count_window(run, scope, *window, wanted, purpose=purpose)
    except PART_ERRORS as error:
        note_refusal(run, scope, wanted, error)


async def count_window(
    run: SourceRun, scope: Scope, first: date, last: date, wanted: list[date], *, purpose: str = "count"
) -> None:
    """One request for all days from `first` to `last`; records those that are wanted."""
    counted_at = run.now()
    try:
        counts = await logs.aggregate_logs(run.client, scope, first, last, purpose=purpose)
    except UnusableCount as error:
        counts = error.usable
        _note_unusable(run, scope, error, [day for day in wanted if day not in counts])
    note_oldest_day(run, counts)
    kinds = {kind for by_kind in counts.values() for kind in by_kind}
    if len(wanted) > 1 and may_omit_kinds(run, kinds):
        for day in wanted:
            await count_window(run, scope, day, day, [day], purpose=purpose)
        return
    chosen = {day: counts[day] for day in wanted if day in counts}
    for day in chosen:
        run.state.unusable_counts.pop((day, scope.text), None)
    await asyncio.to_thread(slices.record_counts, run.ledger, run.run_id, run.source_id, scope.text, chosen, counted_at)


async def complete_count(run: SourceRun, part: ScopeDay) -> ScopeDay:
    """Completes a count that names ten kinds at most (Elasticsearch), from counts of the namespaces that the day's events
    name: a namespace that names fewer than ten kinds leaves none out. One with ten proves nothing, and the count stays."""
    day, scope = part.day, part.scope
    if part.counted is None or not may_omit_kinds(run, part.counted) or scope.kind != "superuser":
        return part
    total: Counter[str] = Counter()
    held = held_parts(run.ledger, run.source_id, day, scope.text)
    for name in sorted({one.namespace for one in held if one.namespace is not None}):
        counts = await logs.aggregate_logs(run.client, Scope("organization", name), day, day, purpose="recount")
        if len(counts[day]) >= MOST_KINDS:
            return part
        total.update(counts[day])
    whole = {**total, **part.counted}
    await asyncio.to_thread(
        slices.record_counts, run.ledger, run.run_id, run.source_id, scope.text, {day: whole}, run.now()
    )
    return reloaded(run, part)


def _note_unusable(run: SourceRun, scope: Scope, error: UnusableCount, days: list[date]) -> None:
    """A count that cannot be true proves nothing, so it is not recorded; the days' states say so."""
    for day in days:
        run.state.unusable_counts[day, scope.text] = error.reasons.get(day, error.says)
        run.state.notes.append(
            f"{day} {scope.text}: the source gave no usable count ({error.reasons.get(day, error.says)})"
        )


def note_refusal(run: SourceRun, scope: Scope, days: Iterable[date], error: QuayError) -> None:
    """Notes that a scope cannot be read on these days, so that their slices say so."""
    for day in days:
        run.state.refused[day, scope.text] = str(error)
    run.state.notes.append(f"{scope.text} cannot be read: {error}")
    run.state.newest_refusal = error
