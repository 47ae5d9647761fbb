"""Find anything, and pages of events under any filter: the index says where to look, the events what there is."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from quayledger.warehouse.log import events, find
from quayledger.warehouse.log.event_filter import EventFilter
from quayledger.warehouse.snapshot import Snapshot
from tests.warehouse import test_rollups

snapshot = test_rollups.snapshot


_TEXTS = (
    "alice",
    "ALICE",
    "acme",
    "v3",
    "10.0.0",
    "10.9.9.9",
    "docker",
    "zed",
    "pull_repo",
    "e",
    "nothing",
    "%",
    "a' OR 1=1",
)


@pytest.mark.parametrize("text", _TEXTS)
def test_what_is_found_is_what_the_events_name(snapshot: Snapshot, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [find.find(snapshot, text, exact_only=exact, limit=0) for exact in (False, True)]
    monkeypatch.setattr(find, "find_rollups", lambda *_: None)
    for answer, exact in zip(answers, (False, True), strict=True):
        right = find.find(snapshot, text, exact_only=exact, limit=0)
        assert answer.rows() == right.rows()
        assert answer["is_exact"].all() or not exact
    assert answers[1].height <= answers[0].height


def test_a_find_says_when_and_how_often(snapshot: Snapshot) -> None:
    (row,) = find.find(snapshot, "10.9.9.9").to_dicts()
    (shown,) = events.events(snapshot, EventFilter(ip="10.9.9.9"), limit=5).to_dicts()
    assert (row["field"], row["source_id"], row["is_exact"], row["events"], row["days"]) == ("ip", "main", True, 1, 1)
    assert row["first_at"] == row["last_at"] == shown["occurred_at"]
    assert find.find(snapshot, "v", limit=3).height == 3


_FILTERS: list[dict[str, Any]] = [
    {},
    {"tag": "v3"},
    {"tag": "absent"},
    {"actor": "zed"},
    {"ip": "10.9.0.0/16"},
    {"repository": "web"},
    {"repository": "acme/api", "kinds": ("push_repo",)},
    {"user_agent": "SKOPEO", "namespace": "globex"},
    {"text": "v1"},
    {"actor_type": "robot", "since": datetime(2026, 10, 25, 7, tzinfo=UTC), "until": datetime(2026, 11, 2, tzinfo=UTC)},
]


@pytest.mark.parametrize("newest_first", [True, False])
@pytest.mark.parametrize("values", _FILTERS)
def test_pages_are_parts_of_the_whole(snapshot: Snapshot, values: dict[str, Any], newest_first: bool) -> None:
    flt = EventFilter(**values)
    whole = events.events(snapshot, flt, limit=0, newest_first=newest_first)
    assert whole.height == events.count_events(snapshot, flt)
    for offset, limit in ((0, 7), (7, 100), (whole.height, 5)):
        page = events.events(snapshot, flt, limit=limit, offset=offset, newest_first=newest_first)
        assert page.rows() == whole.slice(offset, limit).rows()
        assert page.schema == whole.schema
