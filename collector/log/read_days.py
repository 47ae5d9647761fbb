"""Reading: the chains that fetch what the counts say is missing, side by side, oldest day first."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from datetime import date

from quayledger.collector.log import landing
from quayledger.collector.log.backends import may_be_cut
from quayledger.collector.log.counts import PART_ERRORS, count_window, refuse, vouch
from quayledger.collector.log.follow_rate import rows_per_second
from quayledger.collector.log.judging import judge_day
from quayledger.collector.log.normalise import Place
from quayledger.collector.log.page_chain import ChainResult, Want, read_chain
from quayledger.collector.log.readings import exceeds, merge, reading_of, tally
from quayledger.collector.log.repair import Repair
from quayledger.collector.log.source_run import SourceRun
from quayledger.collector.log.verdict import missing
from quayledger.collector.quay import logs
from quayledger.collector.quay.errors import BrokenReply, QuayError, ServerFailure, WrongWindow
from quayledger.collector.quay.logs import PAGE_ROWS
from quayledger.collector.quay.scopes import Scope
from quayledger.warehouse import publish, sources
from quayledger.warehouse.log import slices
from quayledger.warehouse.log.watermarks import forget_look, looked_at, record_look

# What one day may suffer without the source being stopped, unless it happens on one day after the other.
_DAY_ERRORS = (ServerFailure, BrokenReply, WrongWindow)
_MOST_FAILED_DAYS = 3
_READ_THROUGH = frozenset({"filled", "held", "end", "bound"})
_MOST_BEFORE_AN_EXPORT = 100  # requests for splitting where an export can follow: it is the cheaper way from there on


async def read(run: SourceRun, due: list[date]) -> None:
    """Completes and judges the due days. Raises the first error that stops the source, after all chains have ended."""
    run.numbers.days_total = len(due)
    if not due:
        return
    run.numbers.events_expected = _expected(run, due)
    queue = deque(due)

    async def worker() -> None:
        while queue and not run.stopping:
            try:
                await _complete_day(run, queue.popleft())
            except BaseException:
                run.stopping = True
                raise

    ended = await asyncio.gather(*(worker() for _ in range(min(run.source.chains, len(due)))), return_exceptions=True)
    for result in ended:
        if result is not None:
            raise result


def _expected(run: SourceRun, due: list[date]) -> int:
    counts = slices.latest_counts(run.ledger, run.source_id, due[0], due[-1])
    held = slices.held_by_day(run.ledger, run.source_id, due[0], due[-1])
    return sum(
        sum(missing(row.by_kind, held.get(key, {})).values()) for key, row in counts.items() if key[0] in set(due)
    )


async def _complete_day(run: SourceRun, day: date) -> None:
    read_any = False
    try:
        for scope in run.scopes(day):
            if (day, scope.text) not in run.refused:
                read_any |= await _complete_part(run, day, scope)
                await _repair(run, day, scope)
        run.failed_days = 0
    except _DAY_ERRORS as error:
        run.failed_days += 1
        run.notes.append(f"{day}: {error}")
        if run.failed_days >= _MOST_FAILED_DAYS:
            raise
    finally:
        await asyncio.to_thread(judge_day, run, day)
    run.numbers.days_read += read_any
    run.numbers.days_done += 1
    run.tell("read", day)
    await _publish_now_and_then(run)


async def _complete_part(run: SourceRun, day: date, scope: Scope) -> bool:
    """Fetches what one scope's count says is missing; whether anything had to be fetched."""
    counted = slices.latest_counts(run.ledger, run.source_id, day, day).get((day, scope.text))
    stored = slices.held_counts(run.ledger, run.source_id, day, scope.text)
    lacking = missing(counted.by_kind, stored) if counted else {}
    looked = None if run.over(day) or run.again else looked_at(run.ledger, run.source_id, day, scope.text)
    wanted = _since_looked(lacking, counted.by_kind, looked) if counted else {}
    if counted is None or not wanted:
        return False
    cut = may_be_cut(run, counted.by_kind)
    want = Want(
        wanted,
        sum(counted.by_kind.values()),
        None if run.over(day) else run.settle,
        to_the_end=cut,
        join=run.joins.pop((day, scope.text), None),
        until_held=looked is not None,
    )
    log = run.left.pop((day, scope.text), None) or _begin(run, day, scope)

    async def fetch(token: str | None) -> logs.LogPage:
        page = await logs.list_logs(run.client, scope, day, day, next_page=token, purpose="read")
        run.tell("read", day)
        return page

    try:
        result = await read_chain(fetch, log, want, tally(run, day, scope, wanted, stored), Place.of(scope))
        await _keep(run, log, result, lacking)
    finally:
        log.close()
    log.remove()
    if cut and result.error is None:
        await vouch(run, day, scope)
    if not run.over(day):
        await asyncio.to_thread(_note_open_day, run, log.heading, counted.by_kind, wanted, result)
        run.numbers.open_rows_lost += sum(_short(lacking, result).values())
    if isinstance(result.error, PART_ERRORS):
        refuse(run, scope, [day], result.error)
    elif result.error is not None:
        raise result.error
    return True


def _since_looked(lacking: dict[str, int], counted: dict[str, int], looked: dict[str, int] | None) -> dict[str, int]:
    """Of what is missing, what an open day's last look cannot have met: what paging skipped then is for a repair."""
    if looked is None:
        return lacking
    since = {kind: min(number, counted[kind] - looked.get(kind, 0)) for kind, number in lacking.items()}
    return {kind: number for kind, number in since.items() if number > 0}


def _note_open_day(
    run: SourceRun, heading: landing.Heading, counted: dict[str, int], wanted: dict[str, int], result: ChainResult
) -> None:
    """What an open day's chain says of the source: how fast rows come, whether it skipped any, and how far it came."""
    key = (run.ledger, run.source_id, heading.day, heading.scope)
    run.numbers.open_rows_per_second = max(run.numbers.open_rows_per_second, rows_per_second(result.events))
    if result.end_reason not in _READ_THROUGH:
        forget_look(*key)
        return
    run.skipped[heading.day, heading.scope] = sum(_short(wanted, result).values())
    unsettled = result.unsettled_by_kind
    record_look(*key, {kind: number - unsettled.get(kind, 0) for kind, number in counted.items()}, run.now())


def _short(wanted: dict[str, int], result: ChainResult) -> dict[str, int]:
    """By kind, what a chain did not bring of what was wanted."""
    return {kind: max(0, number - result.new_by_kind.get(kind, 0)) for kind, number in wanted.items()}


async def _repair(run: SourceRun, day: date, scope: Scope) -> None:
    """A day that still lacks events is split, within the requests that the settings allow for it. One that is not over waits
    for its end, unless this very look skipped a page of rows or more: then a request for each of them is not too much."""
    most = run.settings.collect.repair_requests
    if run.source.exports != "off":
        most = min(most, _MOST_BEFORE_AN_EXPORT)
    if not run.over(day):
        skipped = run.skipped.pop((day, scope.text), 0)
        most = min(most, skipped) if skipped >= PAGE_ROWS else 0
    repair = Repair(run, day, scope, most)
    if most == 0 or not (lacking := repair.lacking()):
        return
    complete = await repair.mend()
    left = sum(repair.lacking().values())
    brought = sum(lacking.values()) - left
    end = "nothing is missing any more" if complete else f"{left} are still missing"
    run.notes.append(f"{day} {scope.text}: repaired {brought} events with {repair.requests} requests, {end}")


def _begin(run: SourceRun, day: date, scope: Scope) -> landing.ChainLog:
    heading = landing.Heading(run.source_id, scope.text, "", day, run.run_id, run.now())
    return landing.ChainLog.begin(run.ledger.home, heading)


async def _keep(run: SourceRun, log: landing.ChainLog, result: ChainResult, lacking: dict[str, int]) -> None:
    """Merges what a chain brought, unless a closed day would then hold more than the source counts."""
    day, scope = log.heading.day, Scope.parse(log.heading.scope)
    if result.backend and sources.backend(run.ledger, run.source_id) != result.backend:
        sources.note_backend(run.ledger, run.source_id, result.backend, run.now())
    reading = reading_of(log.heading, result, run.now())
    if run.over(day) and await _is_too_much(run, day, scope, result, lacking):
        reason = "brought more than the source counts, before and after it: rows were given twice"
        await asyncio.to_thread(slices.record_void, run.ledger, reading, reason)
        run.notes.append(f"{day} {scope.text}: a reading was thrown away, it {reason}")
        return
    merged = await asyncio.to_thread(merge, run, reading, result)
    run.numbers.events_new += merged.new_events


async def _is_too_much(run: SourceRun, day: date, scope: Scope, result: ChainResult, lacking: dict[str, int]) -> bool:
    """Counts again where a reading exceeds the count: late rows are fine, rows given twice are not."""
    counted = slices.latest_counts(run.ledger, run.source_id, day, day)[day, scope.text]
    if may_be_cut(run, counted.by_kind):
        return any(
            number > lacking.get(kind, 0) for kind, number in result.new_by_kind.items() if kind in counted.by_kind
        )
    if not exceeds(result, lacking):
        return False
    try:
        await count_window(run, scope, day, day, [day], purpose="recount")
    except QuayError:
        return True
    counted = slices.latest_counts(run.ledger, run.source_id, day, day)[day, scope.text]
    stored = slices.held_counts(run.ledger, run.source_id, day, scope.text)
    return exceeds(result, missing(counted.by_kind, stored))


async def _publish_now_and_then(run: SourceRun) -> None:
    """Readers see a long run grow."""
    if time.monotonic() - run.published_at < run.settings.clock.publish_every_minutes * 60:
        return
    run.published_at = time.monotonic()
    await asyncio.to_thread(publish.publish, run.ledger, keep=run.settings.publish.keep, now=run.now())
