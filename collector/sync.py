"""Sync: count first, fetch only what is missing, merge, compare, seal. Puts the client and the warehouse together.

One run reads all sources side by side, each within its own budget. What was collected stays, whatever ends the run.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import Callable
from datetime import date, datetime, timedelta

import msgspec

from quayledger.collector.errors import CollectorError
from quayledger.collector.exports.ask import export_days
from quayledger.collector.exports.callbacks import CallbackRegistry
from quayledger.collector.exports.choice import EXPORT_REQUESTS
from quayledger.collector.exports.preflight import preflight, released_days
from quayledger.collector.log.counts import count, due_days, find_older_rows, recount
from quayledger.collector.log.days import days_between, utc_now
from quayledger.collector.log.follow_rate import follow_interval
from quayledger.collector.log.judging import judge_day
from quayledger.collector.log.read_days import read, repair_rest
from quayledger.collector.log.resume import resume_chains
from quayledger.collector.log.settle_cover import settle_cover
from quayledger.collector.log.source_run import SourceRun
from quayledger.collector.log.spending import spent_of
from quayledger.collector.quay.client import QuayClient
from quayledger.collector.quay.errors import QuayError
from quayledger.collector.sources import RateLimits, choose_sources, client_of
from quayledger.settings import Settings, SourceSettings
from quayledger.warehouse import publish, runs, sources
from quayledger.warehouse.ledger import Ledger
from quayledger.warehouse.log import slices


class SyncRequest(msgspec.Struct, frozen=True):
    """What to make complete: UTC days from `first` to `last`, both included; None: as the settings say, up to today.

    Days that are named are tried again even where an earlier try fell short a moment ago."""

    first: date | None = None
    last: date | None = None
    source_ids: tuple[str, ...] = ()

    @property
    def named_days(self) -> bool:
        """Whether somebody asked for certain days."""
        return self.first is not None or self.last is not None


class Progress(msgspec.Struct, frozen=True):
    """How far one source is. `stage`: cover | count | read | export | done. `alert`: what somebody who waits should read at
    once; '' where there is nothing."""

    source_id: str
    stage: str
    day: date | None
    days_done: int
    days_total: int
    events_new: int
    events_expected: int
    requests: int
    alert: str = ""


class SourceOutcome(msgspec.Struct, frozen=True):
    """What a run did for one source. `failure` is what stopped it, None where nothing did; `states`: days by state."""

    source_id: str
    days_read: int
    events_new: int
    requests: int
    states: dict[str, int]
    failure: QuayError | CollectorError | None = None
    notes: tuple[str, ...] = ()
    follow_seconds: float | None = None  # look again so soon, because the source loses rows; None: by the clock

    @property
    def error(self) -> str:
        """The failure in words; '' where there is none."""
        return str(self.failure) if self.failure else ""


class SyncOutcome(msgspec.Struct, frozen=True):
    """What a run did."""

    run_id: int
    sources: tuple[SourceOutcome, ...]

    @property
    def failed(self) -> bool:
        """Whether any source was stopped by an error."""
        return any(source.failure for source in self.sources)


class DayRange(msgspec.Struct, frozen=True):
    """The range of one source in a run, oldest day first."""

    first: date
    last: date


Report = Callable[[Progress], None]
# Smaller differences change nothing that a reader would notice.
_SKEW_SAID = timedelta(minutes=1)


def quiet(_: Progress) -> None:
    """For a caller that shows no progress."""


async def sync(
    ledger: Ledger,
    settings: Settings,
    request: SyncRequest,
    *,
    command: str = "sync",
    now: Callable[[], datetime] = utc_now,
    report: Report = quiet,
    callbacks: CallbackRegistry | None = None,
    rate_limits: RateLimits | None = None,
) -> SyncOutcome:
    """Makes the asked days of the asked sources as complete as the sources allow.

    `callbacks`: where callbacks arrive; None: no exports. `rate_limits`: shared with whoever else asks these sources. Raises UnknownSource, SettingsError (before anything is asked) and WarehouseError; what a source does wrong is in its
    outcome. A cancelled run is recorded as interrupted."""
    chosen = choose_sources(settings, request.source_ids)
    runs.close_interrupted(ledger, now())
    run_id = runs.start_run(ledger, "sync", command, now())
    works = [
        _SourceSync(
            ledger,
            settings,
            (key, source, client_of(key, source, rate_limits)),
            run_id,
            now,
            request,
            report,
            callbacks,
        )
        for key, source in chosen
    ]
    outcomes: tuple[SourceOutcome, ...] = ()
    outcome, message = "interrupted", "stopped before it was done"
    try:
        outcomes = tuple(await asyncio.gather(*(work.do() for work in works)))
        stopped = [f"{item.source_id}: {item.error}" for item in outcomes if item.error]
        outcome = "failed" if stopped and len(stopped) == len(outcomes) else "incomplete" if stopped else "done"
        message = "; ".join(stopped)
    finally:
        runs.finish_run(ledger, run_id, now(), outcome, message, [spent for work in works for spent in work.spent()])
    return SyncOutcome(run_id, outcomes)


def requested_days(settings: Settings, request: SyncRequest, today: date) -> DayRange:
    """The range of days of a request. One that begins after it ends, or after today, has no day."""
    collect = settings.collect
    first = request.first or (request.last or today) - timedelta(days=collect.backfill_days)
    if collect.start is not None:
        first = max(first, collect.start)
    return DayRange(first, min(request.last or today, today))


class _SourceSync:
    """One source's share of a run."""

    def __init__(
        self,
        ledger: Ledger,
        settings: Settings,
        source: tuple[str, SourceSettings, QuayClient],
        run_id: int,
        now: Callable[[], datetime],
        request: SyncRequest,
        report: Report,
        callbacks: CallbackRegistry | None,
    ) -> None:
        self._request, self._report, self._callbacks = request, report, callbacks
        self._run = SourceRun(ledger, settings, *source, run_id, now, self._report_stage, request.named_days)
        # Whoever waits for the very first copy gets it with the first day.
        self._run.state.published_at = time.monotonic() if publish.is_any(ledger.home) else -math.inf

    async def do(self) -> SourceOutcome:
        """Never raises what is the source's fault: that is in the outcome."""
        run, state = self._run, self._run.state
        error: QuayError | CollectorError | None = None
        async with run.client:
            try:
                await _complete(run, self._days, self._callbacks)
            except (QuayError, CollectorError) as stopped:
                error = stopped
            finally:
                for log in state.resumable.values():
                    log.close()
        self._report_stage("done", None)
        return SourceOutcome(
            source_id=run.source_id,
            days_read=state.progress.days_read,
            events_new=state.progress.events_new,
            requests=run.client.meter.requests,
            states=_states(run, self._days()),
            failure=error,
            notes=tuple(state.notes),
            follow_seconds=None if error else follow_interval(run),
        )

    def _days(self) -> tuple[date, ...]:
        """The days of the request, by the source's clock as far as it is known yet."""
        wanted = requested_days(self._run.settings, self._request, self._run.now().date())
        return tuple(days_between(wanted.first, wanted.last))

    def spent(self) -> list[runs.Spent]:
        """The requests to the source, by operation, purpose and outcome."""
        return spent_of(self._run.source_id, self._run.client.meter)

    def _report_stage(self, stage: str, day: date | None) -> None:
        run, progress = self._run, self._run.state.progress
        self._report(
            Progress(
                source_id=run.source_id,
                stage=stage,
                day=day,
                days_done=progress.days_done,
                days_total=progress.days_total,
                events_new=progress.events_new,
                events_expected=progress.events_expected,
                requests=run.client.meter.requests,
                alert=run.state.alert,
            )
        )


async def _complete(
    run: SourceRun, wanted_days: Callable[[], tuple[date, ...]], callbacks: CallbackRegistry | None
) -> None:
    """Counts what is not sealed, reads what is missing, judges each day; oldest first."""
    sources.register_source(run.ledger, run.source_id, run.source.name or run.source_id, run.source.url, run.now())
    days = wanted_days()
    if not days:
        return
    run.report("cover", None)
    await settle_cover(run, days[0])
    await asyncio.to_thread(resume_chains, run)
    released = released_days(run) if callbacks else set()
    due = due_days(run, days, released)
    run.report("count", None)
    await count(run, due)
    # The first reply shows the source's clock; where it has another date than this host, other days are wanted.
    if (by_the_source := wanted_days()) != days:
        counted, days = due, by_the_source
        due = due_days(run, days, released) if days else []
        await count(run, [day for day in due if day not in counted])
    _note_skew(run)
    await find_older_rows(run, due)
    grown = [] if run.days_named or not days else await recount(run, days)
    wanted = await asyncio.to_thread(_without_damaged, run, sorted({*due, *grown}))
    if run.source.exports != "off" and callbacks and not await preflight(run, callbacks):
        run.state.most_repair = EXPORT_REQUESTS
    await _export(run, callbacks, wanted, fell_short=False)
    await read(run, wanted)
    await _export(run, callbacks, wanted, fell_short=True)
    if run.state.most_repair is not None:
        run.state.most_repair = None
        await repair_rest(run, wanted)
    parts = [(day, scope.text) for day in due for scope in run.scopes(day)]
    if run.state.newest_refusal is not None and all(part in run.state.refused for part in parts):
        raise run.state.newest_refusal


def _without_damaged(run: SourceRun, days: list[date]) -> list[date]:
    """The days whose events can be read; the others are judged by what they held, and wait until their file is put back, since
    nothing could be added to them."""
    left = days
    for fault in slices.damaged_files(run.ledger, run.source_id):
        first, last = fault.file.first_day, fault.file.last_day
        inside = [day for day in left if first <= day <= last]
        left = [day for day in left if not first <= day <= last]
        for day in inside:
            judge_day(run, day)
        if inside:
            run.state.notes.append(f"{fault.file.label} is left as it is: {fault.describe(run.ledger.home)}")
    return left


def _note_skew(run: SourceRun) -> None:
    """Says that this host's clock differs, because days then end at another time than its own."""
    server = run.client.server_now()
    skew = (run.host_now() - server).total_seconds() if server is not None else 0.0
    if abs(skew) > _SKEW_SAID.total_seconds():
        ahead = "ahead of" if skew > 0 else "behind"
        run.state.notes.append(
            f"this host's clock is {timedelta(seconds=round(abs(skew)))} {ahead} the source's; days end by the source's clock"
        )


async def _export(run: SourceRun, callbacks: CallbackRegistry | None, days: list[date], *, fell_short: bool) -> None:
    """Lets exports bring what closed days lack, where the settings allow it and it is worth its cost."""
    if callbacks is None:
        return
    for outcome in await export_days(run, callbacks, days, fell_short=fell_short):
        for day in outcome.request.days:
            await asyncio.to_thread(judge_day, run, day)


def _states(run: SourceRun, days: tuple[date, ...]) -> dict[str, int]:
    """How many of the days are in which state."""
    if not days:
        return {}
    held = slices.slices(run.ledger, run.source_id, days[0], days[-1])
    return dict(Counter(row.state.value for row in held.values()))
