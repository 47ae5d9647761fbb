"""The clock: `quayledger serve`. Holds the ledger, runs the jobs, takes work over, stops cleanly.

The log's jobs run one at a time; the inventory runs beside them in a thread of its own, within the same budget.

Jobs are kept in `<home>/clock.sqlite`, so a run that was missed while the service was down is made up once, at its start.
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
from pathlib import Path
from typing import Any, TypeVar

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from quayledger.collector.errors import CollectorError
from quayledger.collector.exports.callbacks import CallbackRegistry
from quayledger.collector.inventory.inventory_sync import InventoryOutcome, InventoryProgress, InventoryRequest
from quayledger.collector.log.days import utc_now
from quayledger.collector.quay.errors import QuayError
from quayledger.collector.quay.rate_limit import RateLimit
from quayledger.collector.sync import Progress, SyncOutcome, SyncRequest
from quayledger.service import callback_server, inbox
from quayledger.service.answers import inventory_answers, inventory_progress_answer, progress_answer, sync_answers
from quayledger.service.exit_codes import exit_of
from quayledger.service.http_server import HttpServer
from quayledger.service.jobs import close_months, inventory_and_publish, sync_and_publish
from quayledger.settings import Settings, SettingsError
from quayledger.warehouse import publish, service_status
from quayledger.warehouse.errors import WarehouseError
from quayledger.warehouse.ledger import Ledger

log = logging.getLogger("quayledger")
_T = TypeVar("_T")
_POLL_S = 0.3
_BESIDE = "inventory"  # the executor of what runs beside the log


class Service:
    """One running service. `run` returns when `stop` was called."""

    current: Service | None = None  # jobs come back from disk as names; this is what they work on

    def __init__(self, ledger: Ledger, settings: Settings, callbacks: CallbackRegistry | None = None) -> None:
        self._ledger, self._settings, self._callbacks = ledger, settings, callbacks
        self._stopping = threading.Event()
        self._tasks: dict[asyncio.Task[Any], asyncio.AbstractEventLoop] = {}
        self._rate_limits = {
            key: RateLimit(source.requests_per_second, time.monotonic) for key, source in settings.sources.items()
        }
        self._lock = threading.Lock()
        self._since = utc_now()
        self._told: service_status.ServiceStatus | None = None
        self._scheduler = BackgroundScheduler(
            jobstores={"default": SQLAlchemyJobStore(url=f"sqlite:///{ledger.home.resolve() / 'clock.sqlite'}")},
            executors={"default": ThreadPoolExecutor(1), _BESIDE: ThreadPoolExecutor(1)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
            timezone="UTC",
        )

    def stop(self) -> None:
        """Ends the job that runs at its next step, keeps what it has, and lets `run` return. Safe in a signal handler."""
        self._stopping.set()

    def run(self) -> None:
        """Serves until stopped."""
        Service.current = self
        self._scheduler.start(paused=True)
        self._set_jobs()
        self._scheduler.resume()
        log.info("serving %s; %s", self._ledger.home, self.next_runs())
        try:
            while not self._stopping.wait(_POLL_S):
                self._take_orders()
                self._tell_board()
        finally:
            self._cancel()
            self._scheduler.shutdown(wait=True)
            Service.current = None
            self._publish_the_last()
            log.info("stopped")

    def health(self) -> dict[str, Any]:
        """What `/health` answers: the jobs and when each runs next (ISO 8601, UTC)."""
        jobs = {job.id: job.next_run_time for job in self._scheduler.get_jobs()}
        return {
            "status": "stopping" if self._stopping.is_set() else "ok",
            "since": self._since.isoformat(),
            "busy": bool(self._tasks),
            "next_runs": {name: when.isoformat() if when else None for name, when in sorted(jobs.items())},
        }

    def next_runs(self) -> str:
        """When each job runs next, for people."""
        jobs = sorted(self._scheduler.get_jobs(), key=lambda job: str(job.next_run_time))
        return ", ".join(f"{job.id} at {job.next_run_time:%Y-%m-%d %H:%M:%S} UTC" for job in jobs if job.next_run_time)

    def sync(self, request: SyncRequest, order: inbox.Order | None = None) -> SyncOutcome | None:
        """One sync; None where the service was stopped meanwhile."""
        told: dict[str, inbox.SourceAnswer] = {}

        def report(progress: Progress) -> None:
            if order is not None:
                told[progress.source_id] = progress_answer(progress)
                inbox.answer(self._ledger.home, inbox.Answer(order.order_id, "running", tuple(told.values())))

        command = "sync (handed over)" if order else "serve"
        return self._await(
            sync_and_publish(
                self._ledger,
                self._settings,
                request,
                command=command,
                report=report,
                callbacks=self._callbacks,
                rate_limits=self._rate_limits,
                often=order is None,
            )
        )

    def inventory(
        self, request: InventoryRequest, order: inbox.Order | None = None
    ) -> tuple[InventoryOutcome, ...] | None:
        """One run over the registry; None where the service was stopped meanwhile."""
        told: dict[str, inbox.InventoryAnswer] = {}

        def report(progress: InventoryProgress) -> None:
            if order is not None:
                told[progress.source_id] = inventory_progress_answer(progress)
                said = inbox.Answer(order.order_id, "running", inventories=tuple(told.values()))
                inbox.answer(self._ledger.home, said)

        command = "inventory (handed over)" if order else "serve"
        return self._await(
            inventory_and_publish(
                self._ledger, self._settings, request, command=command, report=report, rate_limits=self._rate_limits
            )
        )

    def inventory_tick(self) -> tuple[InventoryOutcome, ...] | None:
        """What events changed, and this run's share of the round, for as long as the settings let it."""
        asked = self._settings.inventory
        return self.inventory(
            InventoryRequest(seconds=asked.run_minutes * 60, tick=timedelta(minutes=asked.run_every_minutes))
        )

    def look_again(self, outcome: SyncOutcome | None) -> None:
        """Brings the next sync forward where a source loses rows unless it is followed closely."""
        wanted = [item.follow_seconds for item in outcome.sources if item.follow_seconds is not None] if outcome else []
        job = self._scheduler.get_job("sync")
        if not wanted or job is None or job.next_run_time is None:
            return
        soon = utc_now() + timedelta(seconds=min(wanted))
        if soon < job.next_run_time:
            job.modify(next_run_time=soon)

    def close_day(self) -> None:
        """The daily close: what is over is counted and checked, final months leave the live file."""
        outcome = self.sync(SyncRequest())
        if outcome is not None:
            for made in close_months(self._ledger, self._settings, utc_now()):
                log.info("month %s of %s is final: %d events in %s", made.month, made.source_id, made.rows, made.file)

    def publish(self) -> None:
        """A new copy for readers."""
        publish.publish(self._ledger, keep=self._settings.publish.keep, now=utc_now())

    def _publish_the_last(self) -> None:
        """What a sync left for the next one to publish."""
        try:
            self.publish()
        except WarehouseError as error:
            log.error("publish: %s", error)  # noqa: TRY400 -- an expected error is a sentence, not a traceback

    def serve_order(self, order: inbox.Order) -> None:
        """Does what a command handed over, and tells it."""
        home = self._ledger.home
        try:
            said = self._obey(order)
        except (QuayError, CollectorError, SettingsError, WarehouseError) as error:
            said = inbox.Answer(order.order_id, "failed", (), str(error), int(exit_of(error)))
        inbox.answer(home, said or inbox.Answer(order.order_id, "failed", (), "the service was stopped meanwhile", 130))

    def _obey(self, order: inbox.Order) -> inbox.Answer | None:
        if order.work == "inventory":
            looked = self.inventory(InventoryRequest(order.source_ids, order.everything, order.requests), order)
            if looked is None:
                return None
            return inbox.Answer(order.order_id, "done", inventories=inventory_answers(looked))
        outcome = self.sync(SyncRequest(order.first, order.last, order.source_ids), order)
        return None if outcome is None else inbox.Answer(order.order_id, "done", sync_answers(outcome))

    def _tell_board(self) -> None:
        """Says to readers what runs next; they cannot ask this process."""
        jobs = {job.id: job.next_run_time for job in self._scheduler.get_jobs() if job.next_run_time is not None}
        told = service_status.ServiceStatus(os.getpid(), self._since, bool(self._tasks), jobs)
        if told != self._told:
            self._told = told
            with contextlib.suppress(OSError):
                service_status.write(self._ledger.home, told)

    def _set_jobs(self) -> None:
        """Sets the jobs of the settings; one whose rhythm is unchanged keeps its next time, so a missed run is made up."""
        clock = self._settings.clock
        self._set_job("sync", IntervalTrigger(seconds=clock.sync_every_minutes * 60, timezone="UTC"), utc_now())
        self._set_job("publish", IntervalTrigger(seconds=clock.publish_every_minutes * 60, timezone="UTC"), None)
        if self._settings.inventory.enabled:
            every_s = self._settings.inventory.run_every_minutes * 60
            self._set_job("inventory", IntervalTrigger(seconds=every_s, timezone="UTC"), utc_now(), _BESIDE)
        elif self._scheduler.get_job("inventory") is not None:
            self._scheduler.remove_job("inventory")
        close_at = CronTrigger(hour=clock.close_at.hour, minute=clock.close_at.minute, timezone="UTC")
        self._set_job("close", close_at, None)

    def _set_job(self, name: str, trigger: BaseTrigger, first_at: datetime | None, executor: str = "default") -> None:
        held = self._scheduler.get_job(name)
        if held is not None and str(held.trigger) == str(trigger):
            return
        when = {} if first_at is None else {"next_run_time": first_at}
        self._scheduler.add_job(
            "quayledger.service.scheduler:run_job",
            trigger,
            args=[name],
            id=name,
            name=name,
            replace_existing=True,
            executor=executor,
            **when,
        )

    def _take_orders(self) -> None:
        inbox.sweep(self._ledger.home, utc_now())
        for order in inbox.waiting(self._ledger.home):
            inbox.take(self._ledger.home, order)
            log.info("took over: %s from %s to %s", order.work, order.first or "the start", order.last or "now")
            executor = _BESIDE if order.work == "inventory" else "default"
            self._scheduler.add_job(
                "quayledger.service.scheduler:run_order", args=[order], id=f"order-{order.order_id}", executor=executor
            )

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


def run_job(name: str) -> None:
    """What the scheduler calls: one job of the running service, its errors told and not lost."""
    service = Service.current
    if service is None:
        return
    try:
        match name:
            case "sync":
                outcome = service.sync(SyncRequest())
                _tell(outcome)
                service.look_again(outcome)
            case "inventory":
                _tell_inventory(service.inventory_tick())
            case "close":
                service.close_day()
            case "publish":
                service.publish()
    except (QuayError, CollectorError, SettingsError, WarehouseError) as error:
        log.error("%s: %s", name, error)  # noqa: TRY400 -- an expected error is a sentence, not a traceback


def run_order(order: inbox.Order) -> None:
    """What the scheduler calls for work that was handed over."""
    if Service.current is not None:
        Service.current.serve_order(order)


def _tell(outcome: SyncOutcome | None) -> None:
    for source in outcome.sources if outcome else ():
        states = ", ".join(f"{number} {state}" for state, number in sorted(source.states.items()))
        log.info(
            "%s: %d new events, %d requests; days: %s", source.source_id, source.events_new, source.requests, states
        )
        for note in source.notes:
            log.warning("%s: %s", source.source_id, note)
        if source.error:
            log.error("%s: %s", source.source_id, source.error)


def _tell_inventory(outcomes: tuple[InventoryOutcome, ...] | None) -> None:
    for source in outcomes or ():
        states = ", ".join(f"{number} {state}" for state, number in sorted(source.states.items()))
        log.info(
            "%s: inventory: %d new, %d changed, %d gone, %d requests; looks: %s; left: %d",
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


def open_and_serve(
    home: Path, settings: Settings, made: Callable[[Service], None], *, address: str, port: int | None
) -> None:
    """Opens the ledger, serves, closes it. `made(service)` is called before serving begins; `port` None: no server."""
    with Ledger.open(home, command="serve") as ledger, contextlib.ExitStack() as stack:
        service = Service(ledger, settings, stack.enter_context(callback_server.open_callbacks(settings)))
        made(service)
        if port is not None:
            server = stack.enter_context(HttpServer(address, port, service.health))
            log.info("health at http://%s:%d/health", address, server.port)
        service.run()
