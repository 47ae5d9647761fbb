"""What the hardship tests share: one sync against a stand-in with its truth as judge."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import msgspec
from pydantic import SecretStr

from quayledger.collector.quay.redaction import redact
from quayledger.collector.sync import SourceOutcome, SyncRequest
from quayledger.service.jobs import sync_and_publish
from quayledger.settings import CollectSettings, Settings, SourceSettings
from quayledger.warehouse.ledger import Ledger
from quayledger.warehouse.log import events, quay_json
from quayledger.warehouse.snapshot import Snapshot

END = date(2026, 11, 20)


def settings(quay: Any, **more: Any) -> Settings:
    """Settings for a stand-in, with a budget that only a stand-in may be given."""
    values = {"requests_per_second": 1000, "chains": 4, "retries": 6, **more}
    source = SourceSettings(url=quay.url, token=SecretStr(quay.tokens["superuser"]), **values)
    collect = CollectSettings(settle_seconds=0, repair_requests=3000)
    return Settings.model_construct().model_copy(update={"sources": {"main": source}, "collect": collect})


def collect(home: Path, chosen: Settings, days: int, last: date = END) -> SourceOutcome:
    """One run over the days up to `last`."""
    request = SyncRequest(last - timedelta(days=days - 1), last)
    with Ledger.open(home, command="test") as ledger:
        return asyncio.run(sync_and_publish(ledger, chosen, request, command="test")).sources[0]


def canonical(event: dict[str, Any]) -> str:
    """An event by what Quay stores for good: without names that are joined when read; secrets cut as the client cuts them."""
    cut = msgspec.json.decode(redact(msgspec.json.encode(event)))
    return json.dumps([cut["kind"], cut["datetime"], cut["ip"], cut["metadata"]], sort_keys=True)


def held(home: Path) -> Counter[str]:
    """Every event of the published copy."""
    with Snapshot.open(home) as snapshot:
        frame = events.events(snapshot, events.EventFilter(since=None, until=None), limit=0)
        return Counter(canonical(json.loads(line)) for line in quay_json.to_quay(frame))


def truth(quay: Any) -> Counter[str]:
    """Every event that the stand-in holds now."""
    return Counter(canonical(event) for event in quay.control("truth"))


def deficits(home: Path) -> int:
    """What the ledger itself says is missing, over all days and kinds."""
    with Snapshot.open(home) as snapshot:
        frame = events.kind_coverage(snapshot, END - timedelta(days=60), END + timedelta(days=60))
    return int(frame.filter(frame["difference"] > 0)["difference"].sum())


def check(home: Path, quay: Any) -> int:
    """Nothing double, and every missing event named; gives how many are missing."""
    found, there = held(home), truth(quay)
    assert found - there == Counter(), "an event is held more often than it happened"
    missing = sum((there - found).values())
    assert deficits(home) == missing, "a missing event is not named"
    return missing
