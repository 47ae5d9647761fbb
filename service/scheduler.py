"""The scheduler: `quayledger serve`. Holds the ledger, runs the jobs, accepts work that commands hand over, stops cleanly.

The log's jobs run one at a time; the inventory runs beside them in a lane of its own, within the same rate limit. Jobs live in
memory: when each is due follows from the settings and the ledger's own runs (`due_times`), at the start and whenever the
clock was set. Whatever fails, fails behind the guard, and the service goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.job import Job
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger

from quayledger.collector.exports.callbacks import CallbackRegistry
from quayledger.collector.inventory import inventory_sync
from quayledger.collector.inventory.inventory_sync import InventoryOutcome, InventoryProgress, InventoryRequest
from quayledger.collector.log.days import utc_now
from quayledger.collector.quay.client import rate_limit_of
from quayledger.collector.sync import Progress, SyncOutcome, SyncRequest
from quayledger.reports.delivery import deliver, siem
from quayledger.reports.desk import watch
from quayledger.reports.desk.alerts import last_change
from quayledger.reports.desk.store import Desk
from quayledger.reports.formatting import plural
from quayledger.service import callback_server, inbox
from quayledger.service.answers import inventory_answers, inventory_progress_answer, progress_answer, sync_answers
from quayledger.service.due_times import NOTIFY_EVERY, ClockWatch, Every, due_times
from quayledger.service.guard import Failure, Guard
from quayledger.service.health import Health
from quayledger.service.http_server import HttpServer, health_routes
from quayledger.service.jobs import close_and_publish, inventory_and_publish, sync_and_publish
from quayledger.settings import Settings
from quayledger.warehouse import publish, runs, service_status
from quayledger.warehouse.ledger import Ledger

log = logging.getLogger("quayledger")
_T = TypeVar("_T")
_POLL_S = 0.3
_BEAT_S = 5.0
_KEEP_ANSWERS_S = 3600.0
_LOG_LANE = "log"
_INVENTORY_LANE = "inventory"
_DETECTION_LANE = "detections"
_NOTIFY_LANE = "notifications"
_SIEM_LANE = "siem"
_LANES = {
    "sync": _LOG_LANE,
    "publish": _LOG_LANE,
    "close": _LOG_LANE,
    "inventory": _INVENTORY_LANE,
    "detections": _DETECTION_LANE,
    "notifications": _NOTIFY_LANE,
    "siem": _SIEM_LANE,
}
_STOPPED = Failure("the service was stopped meanwhile", 130)


class Service:
    """One running service. `run` returns when `stop` was called. `now` gives aware UTC, `monotonic` seconds."""

    def __init__(
        self,
        ledger: Ledger,
        settings: Settings,
        callbacks: CallbackRegistry | None = None,
        *,
        now: Callable[[], datetime] = utc_now,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ledger, self._settings, self._callbacks = ledger, settings, callbacks
        self._now, self._monotonic = now, monotonic
        self._stopping = threading.Event()
        self._tasks: dict[asyncio.Task[Any], asyncio.AbstractEventLoop] = {}
        self._rate_limits = {key: rate_limit_of(source) for key, source in settings.sources.items()}
        self._lock = threading.Lock()
        self._guard = Guard(monotonic)
        self._clock = ClockWatch(now, monotonic)
        self._health = Health(_intervals_s(settings), _LANES, _patience_s(settings), monotonic)
        self._answers: dict[str, inbox.Answer] = {}  # final ones that could not be written yet
        self._answered_at: dict[str, float] = {}
        self._status: service_status.ServiceStatus | None = None
        self._beat_at = 0.0
        self._is_planned = False
        self._judged: Path | None = None  # the copy that the rules saw last
        self._exported: tuple[Path, int] | None = (
            None  # the copy and the change of an alert that were written for a SIEM
        )
        self._scheduler = BackgroundScheduler(
            executors={lane: ThreadPoolExecutor(1) for lane in set(_LANES.values())},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
            timezone="UTC",
        )

    def stop(self) -> None:
        """Ends the job that runs at its next step, keeps what it has, and lets `run` return. Safe in a signal handler."""
        self._stopping.set()

    def run(self) -> None:
        """Serves until stopped, and until nothing else."""
        self._guard.attempt("inbox", partial(inbox.remove_answers, self._ledger.home))
        self._guard.attempt("notifications", partial(deliver.begin, self._ledger.home, self._settings))
        self._scheduler.start(paused=True)
        self._guard.attempt("clock", self._plan)
        self._scheduler.resume()
        log.info("serving %s; %s", self._ledger.home, self.next_runs())
        try:
            while not self._stopping.wait(_POLL_S):
                self._poll()
        finally:
            self._cancel()
            self._scheduler.shutdown(wait=True)
            self._guard.attempt("publish", self._publish)
            self._guard.attempt("inbox", self._write_answers)
            log.info("stopped")

    def is_working(self) -> tuple[bool, dict[str, Any]]:
        """What `/health` answers: whether every job is done as often as it should be, and how each is (times ISO 8601 UTC)."""
        jobs, next_runs = self._health.jobs(), self._next_runs()
        problems = self._faults() + [f"{name} is overdue" for name, job in jobs.items() if job.state == "overdue"]
        is_degraded = any(job.error for job in jobs.values())
        return not problems, {
            "status": self._status_word(problems, is_degraded=is_degraded),
            "problems": problems,
            "since": self._ledger.since.isoformat(),
            "busy": self._health.is_busy,
            "next_runs": {name: when.isoformat() for name, when in sorted(next_runs.items())},
            "jobs": msgspec.to_builtins(jobs),
        }

    def is_alive(self) -> tuple[bool, dict[str, Any]]:
        """What `/live` answers: whether the service turns, so that a restart would not help."""
        faults = self._faults()
        return not faults, {"status": self._status_word(faults, is_degraded=False), "problems": faults}

    def next_runs(self) -> str:
        """When each job runs next, for people."""
        found = sorted(self._next_runs().items(), key=lambda item: item[1])
        return ", ".join(f"{name} at {when:%Y-%m-%d %H:%M:%S} UTC" for name, when in found)

    def _status_word(self, problems: list[str], *, is_degraded: bool) -> str:
        if self._stopping.is_set():
            return "stopping"
        if problems:
            return "unhealthy"
        return "degraded" if is_degraded else "ok"

    def _faults(self) -> list[str]:
        """Why a restart would help."""
        found = self._health.faults()
        thread = getattr(self._scheduler, "_thread", None)
        if not self._stopping.is_set() and thread is not None and not thread.is_alive():
            found.append("the scheduler's thread has ended")
        return found

    def _next_runs(self) -> dict[str, datetime]:
        jobs: list[Job] = self._scheduler.get_jobs()
        return {job.id: job.next_run_time for job in jobs if job.id in _LANES and job.next_run_time is not None}

    def _poll(self) -> None:
        """One turn of the loop, each step behind the guard: one that fails now is tried again at the next turn."""
        self._health.polled()
        self._guard.attempt("clock", self._watch_clock)
        self._guard.attempt("inbox", self._take_orders)
        self._guard.attempt("answers", self._write_answers)
        self._guard.attempt("status file", self._write_status)
        self._guard.attempt("sign of life", self._beat)

    def _watch_clock(self) -> None:
        moved = self._clock.jump()
        if moved is not None:
            log.warning("the clock was set by %s; the jobs are planned anew", _readable(moved))
            self._is_planned = False
        if not self._is_planned:
            self._plan()

    def _plan(self) -> None:
        """Sets when each job runs next. Raises WarehouseError."""
        due = due_times(
            self._settings,
            runs.last_start(self._ledger, "sync"),
            runs.last_start(self._ledger, inventory_sync.KIND),
            self._now(),
        )
        for name, trigger in self._triggers().items():
            self._scheduler.add_job(
                self._run_job,
                trigger,
                args=[name],
                id=name,
                next_run_time=due[name],
                executor=_LANES[name],
                replace_existing=True,
            )
        # An order runs at once, and its moment may have become one of the future.
        for job in self._scheduler.get_jobs():
            if job.id not in _LANES:
                job.modify(next_run_time=self._now())
        self._is_planned = True

    def _triggers(self) -> dict[str, BaseTrigger]:
        schedule = self._settings.clock
        found: dict[str, BaseTrigger] = {
            name: Every(seconds=seconds, timezone="UTC") for name, seconds in _intervals_s(self._settings).items()
        }
        return found | {
            "close": CronTrigger(hour=schedule.close_at.hour, minute=schedule.close_at.minute, timezone="UTC")
        }

    def _run_job(self, name: str) -> None:
        work: dict[str, Callable[[], str | None]] = {
            "sync": self._sync_job,
            "close": self._close_job,
            "publish": self._publish_job,
            "inventory": self._inventory_job,
            "detections": self._detection_job,
            "notifications": self._notification_job,
            "siem": self._siem_job,
        }
        self._run_in_lane(_LANES[name], name, work[name])

    def _run_in_lane(self, lane: str, name: str, work: Callable[[], str | None]) -> None:
        """Runs work behind the guard. It returns what went wrong, '' for nothing, None where it was stopped."""
        self._health.started(lane, name)
        result: str | Failure | None = None
        try:
            result = self._guard.attempt(name, work)
        finally:
            self._health.ended(lane, result.message if isinstance(result, Failure) else result)

    def _sync_job(self) -> str | None:
        outcome = self._sync(SyncRequest())
        if outcome is None:
            return None
        _log_sync(outcome)
        self._follow_closely(outcome)
        return "; ".join(f"{item.source_id}: {item.error}" for item in outcome.sources if item.error)

    def _close_job(self) -> str | None:
        """The daily close: what is over is counted and checked, final months leave the live file."""
        error = self._sync_job()
        if error is not None:
            for made in close_and_publish(self._ledger, self._settings, self._now()):
                log.info("closed %s of %s: %d events in %s", made.label, made.source_id, made.rows, made.file)
        return error

    def _inventory_job(self) -> str | None:
        """What events changed, and this run's share of the round, for as long as the settings let it."""
        chosen = self._settings.inventory
        request = InventoryRequest(seconds=chosen.run_minutes * 60, tick=timedelta(minutes=chosen.run_every_minutes))
        outcomes = self._inventory(request)
        if outcomes is None:
            return None
        _log_inventory(outcomes)
        return "; ".join(f"{item.source_id}: {item.error}" for item in outcomes if item.error)

    def _detection_job(self) -> str:
        """Runs the rules over what is new in the newest copy. Reads copies only: it never holds up collection."""
        if not publish.is_any(self._ledger.home):
            return ""
        newest = publish.newest(self._ledger.home).path
        if newest != self._judged:
            deliver.begin(self._ledger.home, self._settings)
            recorded = watch.watch(self._ledger.home, self._now()).recorded
            self._judged = newest
            if recorded.raised or recorded.grown:
                log.warning("detections: %d new alerts, %d grew", len(recorded.raised), len(recorded.grown))
                self._run_soon("notifications")
        return ""

    def _notification_job(self) -> str:
        """Tells those who want to know of new alerts. A target that cannot be reached is tried again, and named."""
        if not publish.is_any(self._ledger.home):
            return ""
        done = deliver.deliver(self._ledger.home, self._settings, self._now)
        if done.sent:
            log.info("notifications: %s sent", plural(done.sent, "message"))
        for target_id, failure in done.failures.items():
            log.warning("notifications: %s: %s", target_id, failure)
        return "; ".join(f"{target_id}: {said}" for target_id, said in {**done.failures, **done.away}.items())

    def _siem_job(self) -> str:
        """Writes what is new for a SIEM, where there is a new copy or an alert that changed."""
        if not publish.is_any(self._ledger.home):
            return ""
        with Desk.open(self._ledger.home) as desk:
            newest = (publish.newest(self._ledger.home).path, last_change(desk))
        if newest != self._exported:
            written = siem.write_new(self._ledger.home, self._settings.siem, self._now())
            self._exported = None if written.is_busy else newest
            if written.files:
                log.info("siem: %s, %s", plural(written.events, "event"), plural(written.alerts, "alert"))
        return ""

    def _run_soon(self, name: str) -> None:
        """Brings a job forward to now."""
        if (job := self._scheduler.get_job(name)) is not None:
            job.modify(next_run_time=self._now())

    def _publish_job(self) -> str:
        self._publish()
        return ""

    def _publish(self) -> None:
        publish.publish(self._ledger, keep=self._settings.publish.keep, now=self._now())

    def _follow_closely(self, outcome: SyncOutcome) -> None:
        """Brings the next sync forward where a source loses rows unless it is followed closely."""
        wanted = [item.follow_seconds for item in outcome.sources if item.follow_seconds is not None]
        job = self._scheduler.get_job("sync")
        if not wanted or job is None or job.next_run_time is None:
            return
        soon = self._now() + timedelta(seconds=min(wanted))
        if soon < job.next_run_time:
            job.modify(next_run_time=soon)

    def _sync(self, request: SyncRequest, order: inbox.Order | None = None) -> SyncOutcome | None:
        """One sync; None where the service was stopped meanwhile."""
        sources: dict[str, inbox.SourceAnswer] = {}
        alerts: dict[str, str] = {}

        def report(progress: Progress) -> None:
            self._health.progressed(_LOG_LANE)
            if progress.alert and alerts.get(progress.source_id) != progress.alert:
                alerts[progress.source_id] = progress.alert
                log.warning("%s: %s", progress.source_id, progress.alert)
            if order is not None:
                sources[progress.source_id] = progress_answer(progress)
                self._report(inbox.Answer(order.order_id, "running", tuple(sources.values())))

        work = sync_and_publish(
            self._ledger,
            self._settings,
            request,
            command="sync (handed over)" if order else "serve",
            now=self._now,
            report=report,
            callbacks=self._callbacks,
            rate_limits=self._rate_limits,
            often=order is None,
        )
        return self._await(work)

    def _inventory(
        self, request: InventoryRequest, order: inbox.Order | None = None
    ) -> tuple[InventoryOutcome, ...] | None:
        """One run over the registry; None where the service was stopped meanwhile."""
        sources: dict[str, inbox.InventoryAnswer] = {}

        def report(progress: InventoryProgress) -> None:
            self._health.progressed(_INVENTORY_LANE)
            if order is not None:
                sources[progress.source_id] = inventory_progress_answer(progress)
                self._report(inbox.Answer(order.order_id, "running", inventories=tuple(sources.values())))

        work = inventory_and_publish(
            self._ledger,
            self._settings,
            request,
            command="inventory (handed over)" if order else "serve",
            now=self._now,
            report=report,
            rate_limits=self._rate_limits,
        )
        return self._await(work)

    def _report(self, answer: inbox.Answer) -> None:
        """Progress is worth nothing a moment later: where it cannot be written, the work goes on without."""
        with contextlib.suppress(OSError):
            inbox.answer(self._ledger.home, answer)

    def _take_orders(self) -> None:
        """Takes what commands handed over into the lanes. Raises OSError."""
        for order in inbox.waiting(self._ledger.home):
            if not inbox.take(self._ledger.home, order):
                continue
            log.info("took over: %s from %s to %s", order.work, order.first or "the start", order.last or "now")
            lane = _INVENTORY_LANE if order.work == "inventory" else _LOG_LANE
            self._scheduler.add_job(
                self._run_order, args=[order, lane], id=f"order-{order.order_id}", executor=lane, replace_existing=True
            )

    def _run_order(self, order: inbox.Order, lane: str) -> None:
        """Does what a command handed over. Its answer is written by the loop, which tries until the disk takes it."""
        result: inbox.Answer | Failure = _STOPPED

        def work() -> str:
            nonlocal result
            result = self._guard.attempt(f"handed-over {order.work}", lambda: self._execute(order))
            return ""

        self._run_in_lane(lane, f"handed-over {order.work}", work)
        if isinstance(result, Failure):
            result = inbox.Answer(order.order_id, "failed", (), result.message, result.exit_code)
        with self._lock:
            self._answers[order.order_id] = result

    def _execute(self, order: inbox.Order) -> inbox.Answer | Failure:
        if order.work == "inventory":
            outcomes = self._inventory(InventoryRequest(order.source_ids, order.everything, order.requests), order)
            if outcomes is None:
                return _STOPPED
            return inbox.Answer(order.order_id, "done", inventories=inventory_answers(outcomes))
        outcome = self._sync(SyncRequest(order.first, order.last, order.source_ids), order)
        return _STOPPED if outcome is None else inbox.Answer(order.order_id, "done", sync_answers(outcome))

    def _write_answers(self) -> None:
        """Writes what became of orders, and removes what nobody came for. Raises OSError; what is left is tried again."""
        home, now = self._ledger.home, self._monotonic()
        for order_id, answer in list(self._answers.items()):
            inbox.answer(home, answer)
            self._answered_at[order_id] = now
            with self._lock:
                del self._answers[order_id]
        if expired := [key for key, at in self._answered_at.items() if now - at > _KEEP_ANSWERS_S]:
            inbox.remove_answers(home, expired)
            for order_id in expired:
                del self._answered_at[order_id]

    def _write_status(self) -> None:
        """Says to readers what runs next. Raises OSError."""
        status = service_status.ServiceStatus(os.getpid(), self._ledger.since, self._health.is_busy, self._next_runs())
        if status != self._status:
            service_status.write(self._ledger.home, status)
            self._status = status

    def _beat(self) -> None:
        """Says to commands that wait that the service works; a service that hangs does not say so. Raises OSError."""
        now = self._monotonic()
        if now - self._beat_at > _BEAT_S and not self._faults():
            service_status.beat(self._ledger.home)
            self._beat_at = now

    def _await(self, work: Coroutine[Any, Any, _T]) -> _T | None:
        """Runs a coroutine in this thread such that `stop` can cancel it from another."""

        async def main() -> _T:
            task = asyncio.ensure_future(work)
            with self._lock:
                self._tasks[task] = asyncio.get_running_loop()
                if self._stopping.is_set():
                    task.cancel()
            try:
                return await task
            finally:
                with self._lock:
                    self._tasks.pop(task, None)

        try:
            return asyncio.run(main())
        except (asyncio.CancelledError, CancelledError):
            return None

    def _cancel(self) -> None:
        with self._lock:
            for task, loop in self._tasks.items():
                loop.call_soon_threadsafe(task.cancel)


def open_and_serve(
    home: Path,
    settings: Settings,
    on_start: Callable[[Service], None],
    *,
    address: str,
    port: int | None,
    now: Callable[[], datetime] = utc_now,
) -> None:
    """Opens the ledger, serves, closes it. `on_start(service)` is called before serving begins; `port` None: no server.
    Raises WarehouseError, SettingsError and PortUnavailable before it serves."""
    with Ledger.open(home, command="serve") as ledger, contextlib.ExitStack() as stack:
        service = Service(ledger, settings, stack.enter_context(callback_server.open_callbacks(settings)), now=now)
        on_start(service)
        if port is not None:
            routes = health_routes(service.is_working, service.is_alive)
            server = stack.enter_context(HttpServer(address, port, routes, setting="--address or --port"))
            log.info("health at http://%s:%d/health", address, server.port)
        service.run()


def _intervals_s(settings: Settings) -> dict[str, float]:
    """By job, how many seconds lie between two runs."""
    found = {
        "sync": settings.clock.sync_every_minutes * 60,
        "publish": settings.clock.publish_every_minutes * 60,
        "close": 86_400.0,
    }
    if settings.inventory.enabled:
        found["inventory"] = settings.inventory.run_every_minutes * 60
    if settings.detections.enabled:
        found["detections"] = settings.detections.run_every_minutes * 60
    if settings.siem.folder is not None:
        found["siem"] = settings.siem.run_every_minutes * 60
    if settings.notify:
        found["notifications"] = NOTIFY_EVERY.total_seconds()
    return found


def _patience_s(settings: Settings) -> float:
    """How long a step may take by the settings: the replies of one request, or the callback of an export."""
    sources = [source for source in settings.sources.values() if source.enabled]
    replies = max((source.timeout_seconds * (source.retries + 1) for source in sources), default=0.0)
    if all(source.exports == "off" for source in sources):
        return replies
    return replies + settings.callbacks.timeout_minutes * 60 * settings.callbacks.attempts


def _readable(moved: timedelta) -> str:
    return f"{'-' if moved < timedelta(0) else '+'}{timedelta(seconds=round(abs(moved.total_seconds())))}"


def _log_sync(outcome: SyncOutcome) -> None:
    for source in outcome.sources:
        states = ", ".join(f"{number} {state}" for state, number in sorted(source.states.items()))
        log.info(
            "%s: %d new events, %d requests; days: %s", source.source_id, source.events_new, source.requests, states
        )
        for note in source.notes:
            log.warning("%s: %s", source.source_id, note)
        if source.error:
            log.error("%s: %s", source.source_id, source.error)


def _log_inventory(outcomes: tuple[InventoryOutcome, ...]) -> None:
    for source in outcomes:
        states = ", ".join(f"{number} {state}" for state, number in sorted(source.states.items()))
        log.info(
            "%s: inventory: %d added, %d changed, %d removed, %d requests; reads: %s; left: %d",
            source.source_id,
            source.opened,
            source.changed,
            source.closed,
            source.requests,
            states or "none",
            source.left,
        )
        if source.error:
            log.error("%s: %s", source.source_id, source.error)
