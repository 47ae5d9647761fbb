"""Why a list of events is empty: "nothing happened" is said only where it is known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from quayledger.reports.log.emptiness import explain
from quayledger.warehouse.log.event_filter import EventFilter
from quayledger.warehouse.snapshot import Snapshot
from tests.reports.sample import FIRST, NOW, SHORT_DAY, SOURCE


def _day(day: Any, days: int = 1) -> dict[str, datetime]:
    since = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return {"since": since, "until": since + timedelta(days=days)}


@pytest.mark.parametrize(
    ("asked", "said", "unsaid"),
    [
        ({"kinds": ("push_rpo",)}, "Did you mean push_repo", "Quay's log has none"),
        ({"actor": "alic"}, "names the user or robot 'alic'. Did you mean alice?", "Quay's log has none"),
        ({"namespace": "nosuch"}, "names the namespace 'nosuch'.", "Quay's log has none"),
        ({"repository": "nosuch"}, "names the repository 'nosuch'.", "Quay's log has none"),
        ({"ip": "203.0.113.9"}, "names the IP address '203.0.113.9'.", "Quay's log has none"),
        ({"source_ids": ("other",)}, f"There is no source 'other'. Sources: {SOURCE}.", "Quay's log has none"),
        ({"since": NOW + timedelta(days=3)}, "in the future: the data is as of 2026-11-21 15:00:00 UTC", "verified"),
        (_day(FIRST - timedelta(days=30), 3), "before collection began: nothing is known", "Quay's log has none"),
        ({"kinds": ("push_repo",), **_day(SHORT_DAY), "actor": "[x]"}, "push_repo 3", "Quay's log has none"),
        ({"kinds": ("delete_repo",), **_day(FIRST, 3)}, "all 3 days of the period are verified", "missing here"),
        ({"kinds": ("delete_repo",), **_day(NOW)}, "1 day of the period is not closed yet", "Quay's log has none"),
    ],
)
def test_emptiness_is_explained(asked: dict[str, Any], said: str, unsaid: str, snapshot: Snapshot) -> None:
    told = " ".join(explain(snapshot, EventFilter(**asked)))
    assert told.startswith("No events match")
    assert said in told
    assert unsaid not in told
