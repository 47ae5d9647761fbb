"""What readers are told: by whom, how much, when in their own time, and how complete it is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from quayledger.warehouse.ledger import Ledger
from quayledger.warehouse.log import events
from quayledger.warehouse.log.events import EventFilter
from quayledger.warehouse.log.slices import record_counts, set_state
from quayledger.warehouse.publish import publish
from quayledger.warehouse.runs import Spent, finish_run, start_run
from quayledger.warehouse.schema import EVENT_COLUMNS, REJECT_SCHEMA, SliceState
from quayledger.warehouse.snapshot import Snapshot
from tests.warehouse.sample import DAY, NOW, SCOPE, SOURCE, begin, event, frame, seal, store

_NEXT = DAY + timedelta(days=1)
_WEB: dict[str, Any] = {
    "namespace": "acme",
    "namespace_kind": "org",
    "repository": "web",
    "repository_namespace": "acme",
}
_ALICE: dict[str, Any] = {"performer": "alice", "performer_kind": "user"}
_ROBOT: dict[str, Any] = {"performer": "acme+ci", "performer_kind": "robot"}
_EVENTS: dict[str, dict[str, Any]] = {
    "pull": event(0, **_WEB, **_ALICE, ip="10.0.0.1", tag="v1", user_agent="Docker/24 (linux)"),
    "robot": event(3600, **_WEB, **_ROBOT, ip="10.0.0.2", digest="sha256:0", user_agent="cri-o/1.28.1"),
    "anonymous": event(7200, **_WEB, ip="10.0.0.3", user_agent="containers/5 (github.com/containers/image)"),
    "deleted robot": event(7200, **_WEB, metadata='{"is_robot":true,"username":"acme+gone"}'),
    "token": event(9000, "push_repo", **_WEB, **_ALICE, metadata='{"oauth_token_application":"ci","oauth_token_id":3}'),
    "login": event(9001, "login_success", namespace="bob", namespace_kind="user"),
    "failure": event(9002, "login_failure", ip="10.9.9.9", metadata='{"username":"root"}'),
    "prune": event(9003, "autoprune_tag_delete", **_WEB, tag="old"),
    "purged": event(9004, "pull_repo", repository="api", repository_namespace="gone", **_ALICE),
    "unknown": event(86_399, "brand_new_kind", **_ALICE, metadata='{"note":"50% of \\"Ümlaut\\"; DROP TABLE"}'),
}
_SUMMED: tuple[events.UsageKey, ...] = ("namespace", "client", "kind", "source")
_BUILDS = [
    event(10, "build_dockerfile", day=_NEXT, **_WEB, metadata='{"build_id":"a","is_manual":true}'),
    event(
        11, "build_dockerfile", day=_NEXT, **_WEB, metadata='{"build_id":"b","is_manual":false,"trigger_kind":"github"}'
    ),
    event(12, "cancel_build", day=_NEXT, namespace="acme", metadata='{"build_uuid":"b"}'),
    event(13, "cancel_build", day=_NEXT, namespace="acme", metadata='{"build_uuid":"earlier"}'),
]


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Snapshot]:
    home: Path = tmp_path_factory.mktemp("reader")
    with Ledger.open(home, command="test") as ledger:
        begin(ledger)
        begin(ledger, "other")
        run_id = start_run(ledger, "sync", "sync", NOW - timedelta(days=2))
        finish_run(ledger, run_id, NOW, "incomplete", "", [Spent(SOURCE, "listLogs", "read", "ok", 5, 1.0, 10)])
        run_id = start_run(ledger, "sync", "sync", NOW)
        finish_run(ledger, run_id, NOW, "done", "", [Spent(SOURCE, "listLogs", "read", "ok", 2, 1.0, 10)])
        rejects = pl.DataFrame([(None, "not JSON", "{<script>")], schema=REJECT_SCHEMA, orient="row")
        store(ledger, list(_EVENTS.values()), rejects=rejects)
        store(ledger, _BUILDS, day=_NEXT)
        record_counts(ledger, run_id, SOURCE, SCOPE, {DAY: {"pull_repo": 6, "push_repo": 1}}, NOW)
        seal(ledger, _NEXT)
        seal(ledger, DAY, state=SliceState.SHORT)
        publish(ledger, keep=2, now=NOW)
    with Snapshot.open(home) as opened:
        yield opened


def named(shown: pl.DataFrame) -> set[str]:
    """Which of the events of the first day are shown."""
    by_no = dict(
        enumerate(
            frame(_EVENTS.values())
            .with_columns(pl.Series("name", list(_EVENTS)))
            .sort("occurred_at", maintain_order=True)["name"],
            1,
        )
    )
    return {by_no[number] for number, day in shown.select("event_no", "day").iter_rows() if day == DAY}


_CHOICES: list[tuple[EventFilter, set[str]]] = [
    (EventFilter(source_ids=("other",)), set()),
    (EventFilter(kinds=("",)), set()),
    (EventFilter(kinds=("push_repo", "login_failure")), {"token", "failure"}),
    (EventFilter(categories=("unknown",)), {"unknown"}),
    (EventFilter(namespace="gone"), {"purged"}),
    (EventFilter(repository="api"), {"purged"}),
    (EventFilter(repository="gone/api"), {"purged"}),
    (EventFilter(actor="acme+gone"), {"deleted robot"}),
    (EventFilter(actor="bob"), {"login"}),
    (EventFilter(actor_type="robot"), {"robot", "deleted robot"}),
    (EventFilter(actor_type="anonymous"), {"anonymous"}),
    (EventFilter(actor_type="system"), {"prune"}),
    (EventFilter(ip="10.0.0.2"), {"robot"}),
    (EventFilter(tag="v1"), {"pull"}),
    (EventFilter(digest="sha256:0"), {"robot"}),
    (EventFilter(client="cri-o"), {"robot"}),
    (EventFilter(client="podman/containers"), {"anonymous"}),
    (EventFilter(user_agent="LINUX"), {"pull"}),
    (EventFilter(text="DROP TABLE"), {"unknown"}),
    (EventFilter(text="50%"), {"unknown"}),
    (EventFilter(text="üML"), {"unknown"}),
    (EventFilter(text="'; DROP TABLE events; --"), set()),
    (EventFilter(namespace="acme", actor="alice", tag="v1"), {"pull"}),
    (
        EventFilter(since=datetime(2026, 10, 5, 2, tzinfo=UTC), until=datetime(2026, 10, 5, 2, 30, tzinfo=UTC)),
        {"anonymous", "deleted robot"},
    ),
    (
        EventFilter(
            since=datetime(2026, 10, 6, 8, 59, 59, tzinfo=timezone(timedelta(hours=9))),
            until=datetime(2026, 10, 6, tzinfo=UTC),
        ),
        {"unknown"},
    ),
    (EventFilter(until=datetime(2026, 10, 5, 1, tzinfo=UTC)), {"pull"}),
]


@pytest.mark.parametrize(("chosen", "expected"), _CHOICES)
def test_a_filter_chooses(snapshot: Snapshot, chosen: EventFilter, expected: set[str]) -> None:
    shown = events.events(snapshot, chosen, limit=0)
    assert named(shown) == expected
    assert events.count_events(snapshot, chosen) == shown.height
    assert tuple(shown.columns) == EVENT_COLUMNS


def test_a_filter_without_a_time_zone_is_refused(snapshot: Snapshot) -> None:
    with pytest.raises(ValueError, match="no time zone"):
        events.count_events(snapshot, EventFilter(since=datetime(2026, 10, 5)))  # noqa: DTZ001


def test_events_tell_who_by_what_and_how_it_ended(snapshot: Snapshot) -> None:
    shown = events.events(snapshot, EventFilter(), limit=0, newest_first=False)
    rows = {row["event_no"]: row for row in shown.iter_rows(named=True) if row["day"] == DAY}
    assert rows[1]["event_id"] == "main-20261005-1"
    assert (rows[5]["credential"], rows[5]["actor"]) == ("OAuth token of ci", "alice")
    assert rows[7]["outcome"] == "failure"
    assert rows[7]["actor"] == "root", "a failed login is found by the name that was typed"
    assert rows[9]["namespace"] == "gone"
    assert shown.schema["occurred_at"] == pl.Datetime("us", "UTC")


@pytest.mark.parametrize("newest_first", [True, False])
def test_pages_and_batches_are_the_whole_in_its_order(snapshot: Snapshot, newest_first: bool) -> None:
    whole = events.events(snapshot, EventFilter(), limit=0, newest_first=newest_first)
    assert whole.height == 14
    pages = [
        events.events(snapshot, EventFilter(), limit=4, offset=offset, newest_first=newest_first)
        for offset in range(0, 16, 4)
    ]
    assert pl.concat(pages).equals(whole)
    for rows in (1, 3, 50):
        batches = list(events.event_batches(snapshot, EventFilter(), batch_rows=rows, newest_first=newest_first))
        assert pl.concat(batches).equals(whole)
        assert max(batch.height for batch in batches) <= rows
    assert list(events.event_batches(snapshot, EventFilter(kinds=("",)))) == []


def test_totals_and_rankings_add_up(snapshot: Snapshot) -> None:
    day = EventFilter(until=datetime(2026, 10, 6, tzinfo=UTC))
    (totals,) = events.totals(snapshot, day).to_dicts()
    expected = {"events": 10, "pulls": 5, "pushes": 1, "deletes": 1, "other": 3, "actors": 4, "anonymous_pulls": 1}
    assert {name: totals[name] for name in expected} == expected
    assert (totals["namespaces"], totals["repositories"], totals["ips"], totals["unknown_kinds"]) == (3, 2, 4, 1)
    users = events.usage_counts(snapshot, day, by="actor").select("key", "pulls", "pushes").rows()
    assert users == [("alice", 2, 1), ("bob", 0, 0)]
    robots = events.usage_counts(snapshot, day, by="robot").select("key", "pulls").rows()
    assert sorted(robots) == [("acme+ci", 1), ("acme+gone", 1)]
    repositories = events.usage_counts(snapshot, day, by="repository").select("key", "events", "anonymous_pulls").rows()
    assert repositories == [("acme/web", 6, 1), ("gone/api", 1, 0)]
    for by in _SUMMED:
        counts = events.usage_counts(snapshot, day, by=by)
        assert (counts["pulls"] + counts["pushes"] + counts["deletes"] + counts["other"] == counts["events"]).all()
    assert events.usage_counts(snapshot, day, by="kind")["events"].sum() == 10


def test_buckets_and_hours_are_those_of_the_readers_time_zone(snapshot: Snapshot) -> None:
    flt = EventFilter(until=datetime(2026, 10, 6, tzinfo=UTC))
    series = events.usage_series(snapshot, flt, time_zone="America/New_York", bucket="day")
    assert series.select("bucket", "events").rows() == [(datetime(2026, 10, 4), 9), (datetime(2026, 10, 5), 1)]  # noqa: DTZ001
    weeks = events.usage_series(snapshot, flt, time_zone="UTC", bucket="week")
    assert weeks.select("bucket", "events").rows() == [(datetime(2026, 10, 5), 10)]  # noqa: DTZ001
    heat = events.heat(snapshot, flt, time_zone="Asia/Tokyo")
    assert heat.rows() == [(1, 9, 1), (1, 10, 1), (1, 11, 7), (2, 8, 1)]


def test_builds_are_told_by_what_started_them(snapshot: Snapshot) -> None:
    rows = events.build_counts(snapshot, EventFilter()).rows()
    assert sorted(rows, key=str) == [("github", 1, 1), ("manual", 1, 0), (None, 0, 1)]


def test_a_day_without_a_slice_is_not_collected_and_one_with_a_slice_has_its_state(snapshot: Snapshot) -> None:
    rows = events.coverage(snapshot, DAY - timedelta(days=1), _NEXT, (SOURCE,)).rows()
    assert rows == [
        (SOURCE, DAY - timedelta(days=1), "not collected", None, 0, 0, ""),
        (SOURCE, DAY, "short", 10, 10, 1, ""),
        (SOURCE, _NEXT, "verified", 4, 4, 0, ""),
    ]
    assert events.coverage(snapshot, DAY, _NEXT).height == 4
    assert events.coverage(snapshot, DAY, DAY, ("nobody",)).height == 0


def test_kinds_are_compared_where_they_were_counted(snapshot: Snapshot) -> None:
    kinds = events.kind_coverage(snapshot, DAY, _NEXT)
    rows = {(row["day"], row["kind"]): row for row in kinds.iter_rows(named=True)}
    pulls = rows[DAY, "pull_repo"]
    # The sixth was seen, and could not be read as an event.
    assert (pulls["source_count"], pulls["stored_count"], pulls["difference"]) == (6, 5, 0)
    assert rows[DAY, "login_success"]["source_count"] == 0
    assert rows[DAY, "login_success"]["difference"] == -1
    builds = rows[_NEXT, "build_dockerfile"]
    assert (builds["source_count"], builds["stored_count"], builds["difference"]) == (None, 2, None)
    assert events.kind_coverage(snapshot, date(2026, 1, 1), date(2026, 1, 2)).is_empty()


def test_the_state_of_a_source(snapshot: Snapshot) -> None:
    main, other = events.status(snapshot).to_dicts()
    assert (main["days"], main["events"], main["expected_events"], main["rejected_rows"]) == (2, 14, 14, 1)
    assert (main["requests"], main["requests_today"], main["last_run_outcome"]) == (7, 2, "done")
    assert main["last_event_at"] == datetime(2026, 10, 6, 0, 0, 13, tzinfo=UTC)
    assert (other["days"], other["events"], other["last_event_at"], other["last_run_at"]) == (0, 0, None, None)
    assert events.days_by_state(snapshot).rows() == [(SOURCE, "short", 1), (SOURCE, "verified", 1)]
    assert events.list_sources(snapshot).select("source_id", "first_day", "last_day").rows() == [
        (SOURCE, DAY, _NEXT),
        ("other", None, None),
    ]
    assert events.namespaces(snapshot) == ["acme", "bob", "gone"]
    assert events.namespaces(snapshot, ("other",)) == []
    assert events.runs(snapshot)["requests"].to_list() == [2, 5]
    assert events.rejects(snapshot)["raw"].to_list() == ["{<script>"]


def test_a_day_that_is_not_over_is_never_held_beyond_what_its_source_counts(tmp_path: Path) -> None:
    with Ledger.open(tmp_path, command="test") as ledger:
        begin(ledger)
        for day, state in ((DAY, SliceState.OVER), (_NEXT, SliceState.OPEN)):
            record_counts(ledger, 1, SOURCE, SCOPE, {day: {"pull_repo": 2}}, NOW)
            store(ledger, [event(second, day=day) for second in range(3)], day=day)
            set_state(ledger, SOURCE, day, 1, state, expected_events=None, note="", now=NOW, counted_at=NOW)
        publish(ledger, keep=1, now=NOW)
    with Snapshot.open(tmp_path) as opened:
        (row,) = events.status(opened).to_dicts()
    # Of the open day Quay gave three, so it holds three; of the other it counted two after its end.
    assert (row["events"], row["expected_events"]) == (6, 5)
