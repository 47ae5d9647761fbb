"""Reading days: the chains that fetch what the counts say is missing, side by side, oldest day first."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from datetime import date

import msgspec

from quayledger.collector.log import landing
from quayledger.collector.log.backends import may_omit_kinds
from quayledger.collector.log.counts import PART_ERRORS, complete_count, count_window, note_refusal
from quayledger.collector.log.follow_rate import rows_per_second
from quayledger.collector.log.judging import judge_day
from quayledger.collector.log.normalise import DefaultNamespace
from quayledger.collector.log.page_chain import ChainGoal, ChainResult, read_chain
from quayledger.collector.log.readings import exceeds, merge_chain, reading_of, tally_of
from quayledger.collector.log.repair import Repair, repair_before, repair_limit
from quayledger.collector.log.scope_day import ScopeDay, reloaded, scope_days
from quayledger.collector.log.source_run import SourceRun
from quayledger.collector.quay import logs
from quayledger.collector.quay.errors import BrokenReply, QuayError, ServerFailure, WrongWindow
from quayledger.collector.quay.logs import PAGE_ROWS
from quayledger.warehouse import publish, sources
from quayledger.warehouse.log import repairs, slices
from quayledger.warehouse.log.held_parts import deleted_namespaces, was_read_through
from quayledger.warehouse.log.watermarks import clear_watermark, set_watermark, watermark

# What one day may suffer without the source being stopped: other days can be read all the same.
_DAY_ERRORS = (ServerFailure, BrokenReply, WrongWindow)
_DOWN = frozenset({502, 503, 504})  # a proxy's word for a server that is not there
_MOST_DAYS_WITHOUT_A_PAGE = 10  # then the source's lists are in trouble, not one of their rows
_READ_THROUGH = frozenset({"filled", "held", "end", "bound"})
_MOSTLY_HELD = 0.75  # of a day's events: what is missing then is looked for in narrower lists first


async def read(run: SourceRun, due: list[date]) -> None:
    """Completes and judges the due days. Raises the first error that stops the source, after all chains have ended."""
    progress = run.state.progress
    progress.days_total = len(due)
    parts = await asyncio.to_thread(scope_days, run, due)
    progress.events_expected = sum(sum(part.lacking.values()) for day in parts.values() for part in day)
    queue = deque(due)

    async def worker() -> None:
        while queue and not run.state.is_stopping:
            day = queue.popleft()
            try:
                await _complete_day(run, day, parts.get(day, ()))
            except BaseException:
                run.state.is_stopping = True
                raise

    # All workers end before the error is raised: a chain that is cut off in the middle would lose the page it waits for.
    ended = await asyncio.gather(*(worker() for _ in range(min(run.source.chains, len(due)))), return_exceptions=True)
    for result in ended:
        if result is not None:
            raise result


async def _complete_day(run: SourceRun, day: date, parts: tuple[ScopeDay, ...]) -> None:
    state = run.state
    read_any, pages_before = False, state.pages_read
    known: list[ScopeDay] = []
    try:
        for part in parts:
            after = part if part.unavailable else await _complete_part(run, part)
            read_any |= after is not part
            known.append(await repair_part(run, after))
        state.days_without_a_page = 0
    except _DAY_ERRORS as error:
        state.notes.append(f"{day}: {error}")
        state.days_without_a_page = 0 if state.pages_read > pages_before else state.days_without_a_page + 1
        if error.status in _DOWN or state.days_without_a_page >= _MOST_DAYS_WITHOUT_A_PAGE:
            raise
    finally:
        # After an error the warehouse knows more than these values: what came before it is held already.
        await asyncio.to_thread(judge_day, run, day, known if len(known) == len(parts) else None)
    state.progress.days_read += read_any
    state.progress.days_done += 1
    run.report("read", day)
    await _publish_now_and_then(run)


async def _complete_part(run: SourceRun, part: ScopeDay) -> ScopeDay:
    """Fetches what one scope's count says is missing; returns `part` itself where nothing had to be fetched."""
    if part.unusable_count:
        return await _read_uncounted(run, part)
    # Named, a day's rejected rows are read again too: this version may understand them.
    wanted = part.not_held if run.days_named else part.lacking
    if part.counted is None or not wanted:
        return part
    if not run.is_over(part.day):
        mark = None if run.days_named else watermark(run.ledger, run.source_id, part.day, part.scope.text)
        wanted = _above_watermark(part, mark, wanted)
        return await _read_list(run, part, wanted, until_held=mark is not None) if wanted else part
    if run.days_named:
        repairs.forget_repair(run.ledger, run.source_id, part.day, part.scope.text)
    elif repair_before(run, part) is not None:
        return part  # the whole list was read to its end under this count: what it could not bring is for the repair
    held = part.counted_events - sum(wanted.values())
    if part.scope.kind == "superuser" and held >= _MOSTLY_HELD * part.counted_events:
        # One day after the other: what the first finds out, the next need not page through its whole list for.
        async with run.state.namespaces_lock:
            part = await _read_deleted_namespaces(run, part)
            wanted = part.not_held if run.days_named else part.lacking
            return await _read_list(run, part, wanted) if wanted else part
    return await _read_list(run, part, wanted)


async def _read_deleted_namespaces(run: SourceRun, part: ScopeDay) -> ScopeDay:
    """Where only a little is missing (exports brought the rest), it is mostly what no export reaches: rows of deleted
    namespaces, which Quay keeps under a UUID. Known ones have a list and a count of their own, of a page or two."""
    names = deleted_namespaces(run.ledger, run.source_id, part.day)
    most = part.counted_events // PAGE_ROWS // 2  # beyond that the whole list is hardly dearer
    return await Repair(run, part, most).mend_namespaces(names) if names and most else part


async def _read_uncounted(run: SourceRun, part: ScopeDay) -> ScopeDay:
    """A closed day whose count cannot be true is read to its end, once: it is collected, though nothing proves it whole."""
    if not run.is_over(part.day):
        return part
    since = run.over_at(part.day)
    if not run.days_named and was_read_through(run.ledger, run.source_id, part.day, part.scope.text, since):
        return part
    return await _read_list(run, part, {})


async def _read_list(run: SourceRun, part: ScopeDay, wanted: dict[str, int], *, until_held: bool = False) -> ScopeDay:
    """Reads the whole list of a scope's day by one chain of pages, and merges what it brings."""
    day, scope, lacking = part.day, part.scope, part.lacking
    is_over = run.is_over(day)
    counted = part.counted or {}
    omits_kinds = may_omit_kinds(run, counted)
    goal = ChainGoal(
        wanted,
        part.counted_events,
        None if is_over else run.settle,
        to_the_end=omits_kinds or part.counted is None,
        join=run.state.join_tokens.pop((day, scope.text), None),
        until_held=until_held,
    )
    log = run.state.resumable.pop((day, scope.text), None) or _begin(run, part)

    async def fetch(token: str | None) -> logs.LogPage:
        page = await logs.list_logs(run.client, scope, day, day, next_page=token, purpose="read")
        run.state.pages_read += 1
        run.report("read", day)
        return page

    try:
        result = await read_chain(fetch, log, goal, tally_of(run, part, wanted), DefaultNamespace.of(scope))
        part, is_kept = await _keep(run, log, result, part)
    finally:
        log.close()
    # What an error broke off goes on from its last page at the next run; merging its rows twice is merging them once.
    if not (is_kept and result.end_reason == "failed" and log.marks):
        log.remove()
    if omits_kinds and result.error is None:
        part = await complete_count(run, part)
    if not run.is_over(day):
        await asyncio.to_thread(_note_open_day, run, part, wanted, result)
        run.state.progress.open_rows_lost += sum(_not_brought(lacking, result).values())
    if isinstance(result.error, PART_ERRORS):
        note_refusal(run, scope, [day], result.error)
        part = msgspec.structs.replace(part, unavailable=str(result.error))
    elif result.end_reason == "unreadable":
        run.state.notes.append(f"{day} {scope.text}: the server cannot give a page of the list, so it is gone round")
    elif result.error is not None:
        raise result.error
    return part


def _above_watermark(part: ScopeDay, mark: dict[str, int] | None, wanted: dict[str, int]) -> dict[str, int]:
    """Of what is missing, what came since an open day was last read. Rows that paging skipped then would be skipped again by
    the same list: they are left to a repair."""
    counted = part.counted or {}
    if mark is None:
        return wanted
    since = {kind: min(number, counted[kind] - mark.get(kind, 0)) for kind, number in wanted.items()}
    return {kind: number for kind, number in since.items() if number > 0}


def _note_open_day(run: SourceRun, part: ScopeDay, wanted: dict[str, int], result: ChainResult) -> None:
    """What an open day's chain shows of the source: how fast rows come, whether it skipped any, and how far it came."""
    key = (run.ledger, run.source_id, part.day, part.scope.text)
    progress = run.state.progress
    progress.open_rows_per_second = max(progress.open_rows_per_second, rows_per_second(result.events))
    if result.end_reason not in _READ_THROUGH:
        clear_watermark(*key)
        return
    run.state.skipped_rows[part.day, part.scope.text] = sum(_not_brought(wanted, result).values())
    unsettled = result.unsettled_by_kind
    read = {kind: number - unsettled.get(kind, 0) for kind, number in (part.counted or {}).items()}
    set_watermark(*key, read, run.now())


def _not_brought(wanted: dict[str, int], result: ChainResult) -> dict[str, int]:
    """By kind, what a chain did not bring of what was wanted."""
    return {kind: max(0, number - result.new_by_kind.get(kind, 0)) for kind, number in wanted.items()}


async def repair_part(run: SourceRun, part: ScopeDay) -> ScopeDay:
    """A day that still lacks events is split, within the requests that are allowed for it. One that is not over waits for its
    end, unless this very read skipped a page of rows or more: then a request for each of them is not too much."""
    day, scope = part.day, part.scope
    lacking = sum(part.lacking.values())
    if not lacking or part.unavailable:
        return part
    most = repair_limit(run.settings.collect.repair_requests, lacking, run.source.expected_rate)
    if not run.is_over(day):
        skipped = run.state.skipped_rows.pop((day, scope.text), 0)
        most = min(most, skipped) if skipped >= PAGE_ROWS else 0
    elif (before := repair_before(run, part)) is not None and before.state == "exhausted":
        return part
    elif run.state.most_repair is not None:
        most = min(most, run.state.most_repair)
    if most == 0:
        return part
    repair = Repair(run, part, most)
    after = await repair.mend()
    left = sum(after.lacking.values())
    end = f"{left:,} still missing" if left else "nothing is missing any more"
    brought, requests = lacking - left, repair.requests
    run.state.notes.append(f"{day} {scope.text}: {brought:,} events repaired with {requests:,} requests, {end}")
    return after


async def repair_rest(run: SourceRun, days: list[date]) -> None:
    """Repairs and judges the closed days that still lack events after exports. Raises QuayError."""
    for day, parts in (await asyncio.to_thread(scope_days, run, [day for day in days if run.is_over(day)])).items():
        if not any(part.lacking and not part.unavailable for part in parts):
            continue
        try:
            for part in parts:
                await repair_part(run, part)
        except _DAY_ERRORS as error:
            run.state.notes.append(f"{day}: {error}")
            if error.status in _DOWN:
                raise
        finally:
            await asyncio.to_thread(judge_day, run, day)


def _begin(run: SourceRun, part: ScopeDay) -> landing.LandingFile:
    header = landing.ChainHeader(run.source_id, part.scope.text, "", part.day, run.run_id, run.now())
    return landing.LandingFile.begin(run.ledger.home, header)


async def _keep(run: SourceRun, log: landing.LandingFile, result: ChainResult, part: ScopeDay) -> tuple[ScopeDay, bool]:
    """Merges what a chain brought, unless a closed day would then hold more than the source counts; whether it did."""
    if result.backend and sources.backend(run.ledger, run.source_id) != result.backend:
        sources.note_backend(run.ledger, run.source_id, result.backend, run.now())
    # A chain that was resumed is this run's: its requests are.
    header = msgspec.structs.replace(log.header, run_id=run.run_id)
    reading = reading_of(header, result, run.now())
    if run.is_over(part.day) and part.counted is not None:
        part, is_too_much = await _is_too_much(run, part, result)
        if is_too_much:
            reason = "brought more than the source counts, before and after it: rows were given twice"
            await asyncio.to_thread(slices.record_void, run.ledger, reading, reason)
            run.state.notes.append(f"{part.day} {part.scope.text}: a reading was discarded because it {reason}")
            return part, False
    merged = await asyncio.to_thread(merge_chain, run, reading, result)
    run.state.progress.events_new += merged.new_events
    return part.after(merged), True


async def _is_too_much(run: SourceRun, part: ScopeDay, result: ChainResult) -> tuple[ScopeDay, bool]:
    """Whether a reading exceeds the count. It is counted again first: late rows are fine, rows given twice are not."""
    counted, lacking = part.counted or {}, part.not_held
    if may_omit_kinds(run, counted):
        # Kinds that the count leaves out cannot exceed it.
        brought = result.new_by_kind.items()
        return part, any(number > lacking.get(kind, 0) for kind, number in brought if kind in counted)
    if not exceeds(result, lacking):
        return part, False
    try:
        await count_window(run, part.scope, part.day, part.day, [part.day], purpose="recount")
    except QuayError:
        return part, True
    part = await asyncio.to_thread(reloaded, run, part)
    return part, exceeds(result, part.not_held)


async def _publish_now_and_then(run: SourceRun) -> None:
    """Readers see a long run grow."""
    if time.monotonic() - run.state.published_at < run.settings.clock.publish_every_minutes * 60:
        return
    run.state.published_at = time.monotonic()
    await asyncio.to_thread(publish.publish, run.ledger, keep=run.settings.publish.keep, now=run.now())
