"""Jobs: the work that a command or the scheduler starts on the ledger; both call these same functions."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from datetime import datetime

from quayledger.collector.exports.callbacks import CallbackRegistry
from quayledger.collector.inventory import inventory_sync as inventory
from quayledger.collector.inventory.inventory_sync import (
    InventoryOutcome,
    InventoryProgress,
    InventoryRequest,
    sync_inventory,
)
from quayledger.collector.log.days import utc_now
from quayledger.collector.sources import RateLimits
from quayledger.collector.sync import Progress, SyncOutcome, SyncRequest, quiet, sync
from quayledger.service import callback_server
from quayledger.settings import Settings
from quayledger.warehouse import publish
from quayledger.warehouse.event_files import EventFile
from quayledger.warehouse.ledger import Ledger
from quayledger.warehouse.log.check_files import check_files
from quayledger.warehouse.log.close import close_days
from quayledger.warehouse.log.former_names import note_former_names
from quayledger.warehouse.seals.keys import read_key
from quayledger.warehouse.seals.seal import SealOutcome, seal_days

log = logging.getLogger("quayledger")


async def sync_and_publish(
    ledger: Ledger,
    settings: Settings,
    request: SyncRequest,
    *,
    command: str,
    now: Callable[[], datetime] = utc_now,
    report: Callable[[Progress], None] = quiet,
    callbacks: CallbackRegistry | None = None,
    rate_limits: RateLimits | None = None,
    often: bool = False,
) -> SyncOutcome:
    """Collects what is missing, moves settled days into files, and gives readers a new copy, whatever ended the collecting.
    `callbacks`: where callbacks arrive; None: a callback server is opened for as long as the run takes, where a source may
    export; where its port cannot be opened, the run goes on without exports. `often`: another such run comes soon, so a copy
    that costs much can wait."""
    try:
        with contextlib.ExitStack() as stack:
            registry = callbacks or stack.enter_context(callback_server.try_callbacks(settings))
            return await sync(
                ledger,
                settings,
                request,
                command=command,
                now=now,
                report=report,
                callbacks=registry,
                rate_limits=rate_limits,
            )
    finally:
        try:
            close_and_seal(ledger, settings, now())
        finally:
            if not (often and publish.is_soon(ledger)):
                publish.publish(ledger, keep=settings.publish.keep, now=now())


async def inventory_and_publish(
    ledger: Ledger,
    settings: Settings,
    request: InventoryRequest,
    *,
    command: str,
    now: Callable[[], datetime] = utc_now,
    report: Callable[[InventoryProgress], None] = inventory.quiet,
    rate_limits: RateLimits | None = None,
) -> tuple[InventoryOutcome, ...]:
    """Reads what is due of the registry, then gives readers a new copy, whatever ended the reading."""
    try:
        return await sync_inventory(
            ledger, settings, request, command=command, now=now, report=report, rate_limits=rate_limits
        )
    finally:
        publish.publish(ledger, keep=settings.publish.keep, now=now())


def check_and_close(ledger: Ledger, settings: Settings, now: datetime) -> list[EventFile]:
    """Checks the files of closed days, logs what is wrong with them and what was mended, notes new names of accounts, then moves
    what is settled out of the live file. Raises DiskFull, WarehouseError."""
    report = check_files(ledger, now)
    for fault in report.faults:
        log.error("%s", fault.describe(ledger.home))
    for file, reason in report.rebuilt:
        log.warning("%s %s; it was made anew from the events", ledger.home / file, reason)
    note_former_names(ledger)
    return close_days(ledger, now.date(), settings.months.final_after_days)


def seal(ledger: Ledger, settings: Settings, now: datetime) -> SealOutcome | None:
    """Seals the days that were judged or changed; None where that is off. Raises KeyUnusable, LogForked, DiskFull,
    WarehouseError; what was collected stays."""
    if not settings.seal.enabled:
        return None
    key = read_key(settings.seal.key_file) if settings.seal.key_file is not None else None
    outcome = seal_days(ledger, key, now)
    if outcome.days_unreadable:
        log.warning(
            "%d days cannot be sealed: the files of their events are damaged or missing", outcome.days_unreadable
        )
    return outcome


def close_and_seal(ledger: Ledger, settings: Settings, now: datetime) -> list[EventFile]:
    """Checks and closes, then seals, whatever ended the closing. Raises as both do."""
    try:
        return check_and_close(ledger, settings, now)
    finally:
        seal(ledger, settings, now)


def close_and_publish(ledger: Ledger, settings: Settings, now: datetime) -> list[EventFile]:
    """Checks the files of closed days, moves what is settled into new ones, seals, then gives readers a new copy, whatever ended
    the closing. Raises DiskFull, WarehouseError."""
    try:
        return close_and_seal(ledger, settings, now)
    finally:
        publish.publish(ledger, keep=settings.publish.keep, now=now)
