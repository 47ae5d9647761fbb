"""The inventory's sync: what events ask for, what was never read, what has grown old; within the budget, kept as it comes."""

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
from quayledger.collector.inventory.invalidate import note_causes
from quayledger.collector.inventory.inventory_run import Allowance, InventoryRun
from quayledger.collector.inventory.queries import EVERYWHERE, LOOK, ORPHANS
from quayledger.collector.inventory.results import brought
from quayledger.collector.inventory.targets import (
    chosen,
    current_names,
    not_offered,
    orphans,
    read_known,
    read_universe,
)
from quayledger.collector.inventory.worker import do_looks
from quayledger.collector.log.cover import parse_scopes
from quayledger.collector.log.days import utc_now
from quayledger.collector.log.spending import spent_of
from quayledger.collector.quay import superuser
from quayledger.collector.quay.errors import Forbidden, NotOffered, QuayError
from quayledger.collector.sources import RateLimits, choose_sources, client_of
from quayledger.settings import Settings
from quayledger.warehouse import runs, sources
from quayledger.warehouse.inventory.store import Look, record_looks
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
    looks_done: int
    looks_total: int
    changes: int
    requests: int


class InventoryOutcome(msgspec.Struct, frozen=True):
    """What a run did for one source. `states`: looks by how they ended; `by_why`: looks by what asked for them (event,
    first, round); `left`: looks that were due and not done, because the allowance was spent or the run was stopped;
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


async def take_inventory(
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
            left=max(0, tally.looks_total - tally.looks_done),
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
            InventoryProgress(run.source_id, tally.looks_done, tally.looks_total, changes, run.client.meter.requests)
        )


async def _take(run: InventoryRun, request: InventoryRequest) -> None:
    """Wide looks first: what they find says what narrow ones there are."""
    sources.register_source(run.ledger, run.source_id, run.source.name or run.source_id, run.source.url, run.now())
    run.access = run.refusals.access = await _access(run)
    run.known = await asyncio.to_thread(read_known, run.ledger, run.source_id)
    universe = await asyncio.to_thread(read_universe, run.ledger, run.source_id, run.access, run.now())
    await asyncio.to_thread(note_causes, run, universe)
    plan = schedule.Rounds(run, request.everything, request.tick)
    await _do(run, in_order(await asyncio.to_thread(plan.wanted, universe)))
    of_images = LOOK["scan"].tier
    for tier in sorted({of_images, *(kind.tier for kind in chosen(run.settings))}):
        if tier == of_images:
            # By now the tags of what was renamed are read: what follows is asked for image by image.
            await asyncio.to_thread(carry_over, run)
        await _do(run, await asyncio.to_thread(plan.of_tier, tier))
        if tier == 0:
            await asyncio.to_thread(_leave_out_what_is_off, run)
    await asyncio.to_thread(_close_orphans, run)
    if plan.put_off:
        run.notes.append(f"{plan.put_off:,} look(s) of the round are left for later runs, as the period allows")


async def _tried(run: InventoryRun) -> str:
    """One question that superusers alone are answered."""
    try:
        await superuser.get_registry_size(run.client, purpose="probe")
    except (Forbidden, NotOffered):
        return "other"
    return "superuser"


def _leave_out_what_is_off(run: InventoryRun) -> None:
    """Notes the looks that the registry does not offer, so that nothing is asked in vain, and readers are told why."""
    off = not_offered(run.ledger, run.source_id, run.settings)
    looks = [
        Look(
            source_id=run.source_id,
            look=kind.name,
            target=EVERYWHERE,
            state="not_offered",
            reason=f"the registry's own reference does not list {' or '.join(kind.operations)}: the feature is off, or of a "
            "newer version",
            looked_at=run.now(),
            requests=0,
            rejected_rows=0,
            caused_at=None,
        )
        for kind in off
    ]
    record_looks(run.ledger, run.run_id, looks)
    run.refusals.barred.update((kind.name, EVERYWHERE) for kind in off)


def _close_orphans(run: InventoryRun) -> None:
    """A manifest goes with its last tag; no look of its own would tell, as nothing asks for it any more. A run that ended
    before its time may not have read the tags by which a renamed namespace still has it."""
    if run.is_spent and current_names(run.ledger, run.source_id):
        return
    parts = [
        brought(
            family,
            {"namespace": namespace, "repository": repository, "digest": digest} if namespace else {"digest": digest},
            (),
        )
        for family, places in orphans(run.ledger, run.source_id).items()
        for namespace, repository, digest in places
    ]
    if not parts:
        return
    look = Look(
        source_id=run.source_id,
        look=ORPHANS,
        target="",
        state="ok",
        reason="",
        looked_at=run.now(),
        requests=0,
        rejected_rows=0,
        caused_at=None,
        brought=tuple(parts),
    )
    run.tally.closed += record_looks(run.ledger, run.run_id, [look]).closed


async def _do(run: InventoryRun, due: list[Due]) -> None:
    run.tally.looks_total += len(due)
    if due and not run.is_spent:
        await do_looks(run, due)


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
    """Looks of all sources by how they ended."""
    return sum((Counter(outcome.states) for outcome in outcomes), Counter())
