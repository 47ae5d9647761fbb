"""The small ledger with alerts on its desk: one about a day's deletions, with these events as evidence, and a lesser one."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import polars as pl

from quayledger.reports.desk import alerts
from quayledger.reports.desk.store import Desk
from quayledger.reports.detections.model import Severity, Signal
from quayledger.warehouse.log import events
from quayledger.warehouse.log.events import EventFilter
from quayledger.warehouse.snapshot import Snapshot
from tests.reports.sample import NOW, SOURCE, build_ledger

ACTOR = "alice"
HOSTILE_SUBJECT = "<img src=x onerror=alert(1)>"
DELETES = EventFilter(kinds=("delete_tag",), actor=ACTOR)


def build_alerts(home: Path) -> None:
    """Fill a ledger and its desk."""
    build_ledger(home)
    with Snapshot.open(home) as snapshot:
        evidence = events.events(snapshot, DELETES, limit=0)
    found = [
        signal("D14", Severity.HIGH, ACTOR, evidence, f"{ACTOR} deleted {evidence.height} tags."),
        signal("D8", Severity.LOW, HOSTILE_SUBJECT, evidence.head(0), "Nothing that can be seen *here*."),
    ]
    titles = {"D14": "Mass deletion", "D8": "Mass pull"}
    with Desk.open(home) as desk:
        alerts.record(desk, found, NOW, titles=titles, merge_within={})


def signal(rule: str, severity: Severity, subject: str, evidence: pl.DataFrame, summary: str) -> Signal:
    """A signal of a rule on a subject, with these events."""
    times = evidence["occurred_at"].sort().to_list() or [NOW - timedelta(hours=1)]
    return Signal(
        rule_id=rule,
        rule_version=1,
        severity=severity,
        source_id=SOURCE,
        subject=subject,
        first_at=times[0],
        last_at=times[-1],
        count=evidence.height,
        event_ids=tuple(evidence["event_id"]),
        summary=summary,
    )
