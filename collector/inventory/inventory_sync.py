"""Syncs the inventory: reads what events made stale, what was never read, and what is old, within the budget."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import msgspec

from quayledger.collector.errors import CollectorError
from quayledger.collector.inventory import schedule
from quayledger.collector.inventory.carry_over import carry_over
from quayledger.collector.inventory.due import Due, in_order
from quayledger.collector.inventory.invalidate import invalidate
from quayledger.collector.inventory.inventory_run import Allowance, InventoryRun
from quayledger.collector.inventory.results import family_rows
from quayledger.collector.inventory.targets import (
    chosen,
    not_offered,
    read_last_fetches,
    read_targets,
)
from quayledger.collector.inventory.worker import run_fetches
from quayledger.collector.log.cover import parse_scopes
from quayledger.collector.log.days import utc_now
from quayledger.collector.log.spending import spent_of
from quayledger.collector.quay import superuser
from quayledger.collector.quay.errors import Forbidden, NotOffered, QuayError
from quayledger.collector.sources import RateLimits, choose_sources, client_of
from quayledger.settings import Settings
from quayledger.warehouse import runs, sources
from quayledger.warehouse.catalog.queries import EVERYWHERE, ORPHANS, QUERIES
from quayledger.warehouse.inventory import held_objects
from quayledger.warehouse.inventory.store import Fetch, record_fetches
from quayledger.warehouse.ledger import Ledger

KIND = "inventory"


class InventoryRequest(msgspec.Struct, frozen=True):
    """What to read. `everything`: a whole round now, however new what is held is. `requests`, `seconds`: at most so many
    for each source. `tick`: how long until the next run, so that the round may be spread; None: do all that is due."""

    source_ids: tuple[str, ...] = ()
    everything: bool = False
    requests: int | None = None
    seconds: float | None = None
    tick: timedelta | None = None


class InventoryProgress(msgspec.Struct, frozen=True):
    """How far one source is."""

    source_id: str
    fetches_done: int
    fetches_total: int
    changes: int
    requests: int


class InventoryOutcome(msgspec.Struct, frozen=True):
    """What a run did for one source. `states`: fetches by how they ended; `by_why`: fetches by what asked for them (event,
    first, round); `left`: fetches that were due and not done, because the allowance was spent or the run was stopped;
    `failure`: what stopped it."""

    source_id: str
    states: dict[str, int]
    by_why: dict[str, int]
    opened: int
    changed: int
    closed: int
    points: int
    rejected_rows: int
    requests: int
    left: int
    notes: tuple[str, ...] = ()
    failure: QuayError | CollectorError | None = None

    @property
    def error(self) -> str:
        """The failure in words; '' where there is none."""
        return str(self.failure) if self.failure else ""


Report = Callable[[InventoryProgress], None]


def quiet(_: InventoryProgress) -> None:
    """Tells nobody."""


async def sync_inventory(
    ledger: Ledger,
    settings: Settings,
    request: InventoryRequest,
    *,
    command: str = KIND,
    now: Callable[[], datetime] = utc_now,
    report: Report = quiet,
    rate_limits: RateLimits | None = None,
) -> tuple[InventoryOutcome, ...]:
    """Reads what is due of the asked sources, side by side, each within its own budget (`rate_limits`: one shared with
    whoever else asks these sources). Raises UnknownSource, SettingsError
    (before anything is asked) and WarehouseError; what a source does wrong is in its outcome."""
    asked = choose_sources(settings, request.source_ids)
    runs.close_interrupted(ledger, now())
    run_id = runs.start_run(ledger, KIND, command, now())
    works = [
        _Work(
            InventoryRun(
                ledger=ledger,
                settings=settings.inventory,
                source_id=key,
                source=source,
                client=client_of(key, source, rate_limits),
                run_id=run_id,
                allowance=Allowance(request.requests, request.seconds),
                began_at=now(),
                now=now,
            ),
            report,
        )
        for key, source in asked
    ]
    outcome, message = "interrupted", "stopped before it was done"
    outcomes: tuple[InventoryOutcome, ...] = ()
    try:
        outcomes = tuple(await asyncio.gather(*(work.do(request) for work in works)))
        stopped = [f"{item.source_id}: {item.error}" for item in outcomes if item.error]
        outcome = "failed" if stopped and len(stopped) == len(outcomes) else "incomplete" if stopped else "done"
        message = "; ".join(stopped)
    finally:
        runs.finish_run(ledger, run_id, now(), outcome, message, [spent for work in works for spent in work.spent()])
    return outcomes


_TELL_EVERY_S = 0.2


class _Work:
    """One source's share of a run."""

    def __init__(self, run: InventoryRun, report: Report) -> None:
        self._run, self._report = run, report
        self._told_at = 0.0
        run.tell = self._tell

    async def do(self, request: InventoryRequest) -> InventoryOutcome:
        """Never raises what is the source's fault: that is in the outcome."""
        run = self._run
        error: QuayError | CollectorError | None = None
        async with run.client:
            try:
                await _take(run, request)
            except (QuayError, CollectorError) as stopped:
                error = stopped
        self._told_at = 0.0
        self._tell()
        tally = run.tally
        return InventoryOutcome(
            source_id=run.source_id,
            states=dict(tally.states),
            by_why=dict(tally.by_why),
            opened=tally.opened,
            changed=tally.changed,
            closed=tally.closed,
            points=tally.points,
            rejected_rows=tally.rejected_rows,
            requests=run.client.meter.requests,
            left=max(0, tally.fetches_total - tally.fetches_done),
            notes=tuple(run.notes),
            failure=error,
        )

    def spent(self) -> Sequence[runs.Spent]:
        """What was asked of the source, by operation, purpose and outcome."""
        return spent_of(self._run.source_id, self._run.client.meter)

    def _tell(self) -> None:
        if time.monotonic() - self._told_at < _TELL_EVERY_S:
            return
        self._told_at = time.monotonic()
        run, tally = self._run, self._run.tally
        changes = tally.opened + tally.changed + tally.closed
        self._report(
            InventoryProgress(
                run.source_id, tally.fetches_done, tally.fetches_total, changes, run.client.meter.requests
            )
        )


async def _take(run: InventoryRun, request: InventoryRequest) -> None:
    """Wide fetches first: what they find says what narrow ones there are."""
    sources.register_source(run.ledger, run.source_id, run.source.name or run.source_id, run.source.url, run.now())
    run.access = run.refusals.access = await _access(run)
    run.known = await asyncio.to_thread(read_last_fetches, run.ledger, run.source_id)
    targets = await asyncio.to_thread(read_targets, run.ledger, run.source_id, run.access, run.now())
    await asyncio.to_thread(invalidate, run, targets)
    plan = schedule.Schedule(run, request.everything, request.tick)
    await _do(run, in_order(await asyncio.to_thread(plan.stale, targets)))
    of_images = min(query.tier for query in QUERIES if query.carried)
    for tier in sorted({of_images, *(query.tier for query in chosen(run.settings))}):
        if tier == of_images:
            # By now the tags of what was renamed are read: what follows is asked for image by image.
            await asyncio.to_thread(carry_over, run)
        await _do(run, await asyncio.to_thread(plan.of_tier, tier))
        if tier == 0:
            await asyncio.to_thread(_leave_out_what_is_off, run)
    await asyncio.to_thread(_close_orphans, run)
    if plan.put_off:
        run.notes.append(f"{plan.put_off:,} reads of this round are left for later runs, as the period allows")


async def _tried(run: InventoryRun) -> str:
    """One question that superusers alone are answered."""
    try:
        await superuser.get_registry_size(run.client, purpose="probe")
    except (Forbidden, NotOffered):
        return "other"
    return "superuser"


def _leave_out_what_is_off(run: InventoryRun) -> None:
    """Notes the queries that the registry does not offer, so that nothing is asked in vain, and readers are told why."""
    off = not_offered(held_objects.offered_operations(run.ledger, run.source_id), run.settings)
    fetches = [
        Fetch(
            source_id=run.source_id,
            query=query.name,
            target=EVERYWHERE,
            state="not_offered",
            reason=f"Quay's discovery does not list {' or '.join(query.operations)}: the feature is off, or of a "
            "newer version",
            fetched_at=run.now(),
            requests=0,
            rejected_rows=0,
            caused_at=None,
        )
        for query in off
    ]
    record_fetches(run.ledger, run.run_id, fetches)
    run.refusals.barred.update((query.name, EVERYWHERE) for query in off)


def _close_orphans(run: InventoryRun) -> None:
    """A manifest goes with its last tag; no fetch of its own would tell, as nothing asks for it any more. A run that ended
    before its time may not have read the tags by which a renamed namespace still has it."""
    if run.is_spent and held_objects.current_names(run.ledger, run.source_id):
        return
    parts = [
        family_rows(
            family,
            {"namespace": namespace, "repository": repository, "digest": digest} if namespace else {"digest": digest},
            (),
        )
        for family, places in held_objects.orphans(run.ledger, run.source_id).items()
        for namespace, repository, digest in places
    ]
    if not parts:
        return
    fetch = Fetch(
        source_id=run.source_id,
        query=ORPHANS,
        target="",
        state="ok",
        reason="",
        fetched_at=run.now(),
        requests=0,
        rejected_rows=0,
        caused_at=None,
        families=tuple(parts),
    )
    run.tally.closed += record_fetches(run.ledger, run.run_id, [fetch]).closed


async def _do(run: InventoryRun, due: list[Due]) -> None:
    run.tally.fetches_total += len(due)
    if due and not run.is_spent:
        await run_fetches(run, due)


async def _access(run: InventoryRun) -> str:
    """Whether the token reads the whole registry: as the newest cover says, or else found out."""
    covers = sources.covers(run.ledger, run.source_id)
    if run.source.scopes:
        scopes = [scope.text for scope in parse_scopes(run.source_id, run.source.scopes)]
    elif covers:
        scopes = list(covers[-1].scopes)
    else:
        return await _tried(run)
    return "superuser" if "superuser" in scopes else "other"


def state_counts(outcomes: Sequence[InventoryOutcome]) -> Counter[str]:
    """Fetches of all sources by how they ended."""
    return sum((Counter(outcome.states) for outcome in outcomes), Counter())
