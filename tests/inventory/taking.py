"""What the inventory's tests share: a stand-in's registry, read into a real ledger, and the changes planted in it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from quayledger.collector.inventory.inventory_sync import InventoryOutcome, InventoryRequest
from quayledger.collector.sync import SyncRequest
from quayledger.service.jobs import inventory_and_publish, sync_and_publish
from quayledger.settings import CollectSettings, InventorySettings, Settings, SourceSettings
from quayledger.warehouse.ledger import Ledger

# The stand-in's clock when it starts: what a registry holds, and what it costs to read, depends on the time of day.
NOW = "2026-11-20T15:04:05+00:00"
# Two of three requests read images, one by one; most tests are about something else.
WITHOUT_IMAGES = InventorySettings(leave_out=("scan", "manifest", "labels", "referrers"))
_AHEAD: dict[str, timedelta] = {}


def settings(
    quay: Any, token: str | None = None, *, inventory: InventorySettings | None = None, **more: Any
) -> Settings:
    """Settings for a stand-in, with a budget that only a stand-in may be given; images are read only where `inventory` says so."""
    _AHEAD[quay.url] = datetime.fromisoformat(quay.control("clock")["now"]) - datetime.now(UTC)
    values = {"requests_per_second": 1000, "chains": 4, "retries": 2, **more}
    source = SourceSettings(url=quay.url, token=SecretStr(token or quay.tokens["superuser"]), **values)
    chosen = {
        "sources": {"main": source},
        "collect": CollectSettings(settle_seconds=0),
        "inventory": inventory or WITHOUT_IMAGES,
    }
    return Settings.model_construct().model_copy(update=chosen)


def read_log(home: Path, chosen: Settings, first: date | None = None, last: date | None = None) -> int:
    """Collects the log; gives the number of new events."""
    with Ledger.open(home, command="test") as ledger:
        request = SyncRequest(first, last)
        outcome = asyncio.run(sync_and_publish(ledger, chosen, request, command="test", now=clock(chosen)))
    (source,) = outcome.sources
    assert source.failure is None, source.error
    return source.events_new


def take(
    home: Path, chosen: Settings, request: InventoryRequest | None = None, *, later: timedelta = timedelta(0)
) -> InventoryOutcome:
    """Takes the inventory, `later` than now."""
    with Ledger.open(home, command="test") as ledger:
        outcomes = asyncio.run(
            inventory_and_publish(
                ledger, chosen, request or InventoryRequest(), command="test", now=clock(chosen, later)
            )
        )
    return outcomes[0]


def clock(chosen: Settings, later: timedelta = timedelta(0)) -> Callable[[], datetime]:
    """The stand-in's time, moved."""
    ahead = _AHEAD[chosen.sources["main"].url]
    return lambda: datetime.now(UTC) + ahead + later
