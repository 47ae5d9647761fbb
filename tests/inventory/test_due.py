"""When a fetch is due: never-read at once, rounds by age, refusals left alone, events first."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quayledger.collector.inventory.due import (
    Birth,
    Due,
    LastFetch,
    Refresh,
    in_order,
    is_barred,
    round_due,
    share_of_round,
    stale_due,
)
from quayledger.collector.inventory.inventory_run import Refusals
from quayledger.collector.inventory.targets import births_of
from quayledger.warehouse.catalog.queries import QUERIES, QUERY
from quayledger.warehouse.inventory.store import Stale

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
WEEK = Refresh(timedelta(days=7))


def _known(state: str, age: timedelta, *, was_ok: bool = True) -> LastFetch:
    return LastFetch(state, NOW - age, NOW - age if was_ok else None)


@pytest.mark.parametrize(
    ("query", "known", "is_due"),
    [
        ("members", None, True),
        ("members", _known("ok", timedelta(days=6)), False),
        ("members", _known("ok", timedelta(days=8)), True),
        ("members", _known("partial", timedelta(days=8)), True),
        ("users", _known("ok", timedelta(hours=20)), False),
        ("users", _known("ok", timedelta(hours=23, minutes=30)), True),
        ("users", _known("refused", timedelta(days=2), was_ok=False), False),
        ("members", _known("refused", timedelta(days=8), was_ok=False), True),
        ("members", _known("failed", timedelta(minutes=30)), False),
        ("members", _known("failed", timedelta(hours=2)), True),
        ("manifest", _known("ok", timedelta(days=300)), False),
        ("labels", _known("ok", timedelta(days=20)), False),
        ("labels", _known("ok", timedelta(days=29)), True),
        ("tag", None, False),
        ("user", None, False),
    ],
)
def test_rounds(query: str, known: LastFetch | None, is_due: bool) -> None:
    assert (round_due(QUERY[query], "x", known, WEEK, NOW) is not None) == is_due


def test_what_events_ask_for_waits_only_for_what_runs_by_the_hour() -> None:
    hour, day = timedelta(hours=1), timedelta(days=1)
    push = Stale("tags", "acme/web", "push_repo", NOW, 1)
    sync = Stale("tags", "acme/web", "repo_mirror_sync_success", NOW, 1)
    assert stale_due(push, _known("ok", hour), NOW) is not None
    assert stale_due(sync, _known("ok", hour), NOW) is None
    assert stale_due(sync, _known("ok", day), NOW) is not None
    assert stale_due(push, _known("failed", timedelta(minutes=1)), NOW) is None


def test_order_is_events_then_unread_then_oldest_and_wide_before_narrow() -> None:
    late = timedelta(days=2)
    due = [
        Due("tags", "a/b", "round", late=late),
        Due("tags", "a/c", "first"),
        Due("members", "a", "first"),
        Due("labels", "a/b@d", "event", NOW),
        Due("user_permissions", "a/b", "event", NOW),
    ]
    assert [one.query for one in in_order(due)] == ["user_permissions", "labels", "members", "tags", "tags"]


def test_a_note_about_all_targets_bars_for_a_period() -> None:
    notes = {
        ("triggers", "*"): _known("not_offered", timedelta(hours=6), was_ok=False),
        ("tags", "acme/*"): _known("not_asked", timedelta(days=1), was_ok=False),
    }
    notes["referrers", "acme/web@*"] = _known("not_asked", timedelta(days=1), was_ok=False)
    week = timedelta(days=7)
    assert is_barred("referrers", "acme/web@sha256:a", notes, week, NOW)
    assert not is_barred("referrers", "acme/api@sha256:a", notes, week, NOW)
    assert is_barred("triggers", "globex/web", notes, week, NOW)
    assert is_barred("tags", "acme/web", notes, week, NOW)
    assert not is_barred("tags", "globex/web", notes, week, NOW)
    later = NOW + timedelta(days=1)
    assert not is_barred("triggers", "globex/web", notes, week, later)
    assert is_barred("tags", "acme/web", notes, week, later)


@given(st.integers(1, 50_000), st.integers(1, 240))
def test_the_shares_of_a_period_make_a_whole_round(targets: int, tick_minutes: int) -> None:
    tick = timedelta(minutes=tick_minutes)
    sizes = [(kind, targets) for kind in QUERIES if kind.periods and not kind.once]
    fetches = sum(targets / kind.periods for kind, _ in sizes if kind.periods)
    ticks = WEEK.period / tick
    share = share_of_round(sizes, WEEK, tick)
    assert fetches - ticks <= share * ticks <= fetches + 2 * ticks


def test_three_refusals_speak_for_a_namespace_and_an_answer_for_the_others() -> None:
    refusals = Refusals("other")
    told = [refusals.note("tags", f"acme/r{n}", "refused") for n in range(4)]
    assert told == [[], [], ["acme/*"], []]
    assert refusals.bars("tags", "acme/r9")
    assert not refusals.bars("tags", "globex/r1")
    assert not refusals.bars("builds", "acme/r9")
    refusals.note("builds", "acme/r1", "ok")
    for n in range(5):
        assert refusals.note("builds", f"acme/x{n}", "refused") == []
    assert not refusals.bars("builds", "acme/r9")


def test_one_manifest_speaks_for_its_repository_and_three_repositories_for_their_namespace() -> None:
    refusals = Refusals("superuser")
    assert refusals.note("referrers", "acme/web@sha256:a", "refused") == ["acme/web@*"]
    assert refusals.bars("referrers", "acme/web@sha256:b")
    assert not refusals.bars("referrers", "acme/api@sha256:b")
    assert refusals.note("referrers", "acme/api@sha256:b", "refused") == ["acme/api@*"]
    assert refusals.note("referrers", "acme/db@sha256:b", "refused") == ["acme/db@*", "acme/*"]
    assert refusals.bars("referrers", "acme/other@sha256:c")


def test_organisations_speak_for_each_other_only_to_a_superuser() -> None:
    for access, barred in (("superuser", True), ("other", False)):
        refusals = Refusals(access)
        told = [refusals.note("members", f"org{n}", "refused") for n in range(3)]
        assert refusals.bars("members", "org9") is barred
        assert told[-1] == (["*"] if barred else [])


def test_what_is_not_offered_is_not_asked_again() -> None:
    refusals = Refusals()
    assert refusals.note("builds", "acme/web", "not_offered") == ["*"]
    assert refusals.note("builds", "acme/api", "not_offered") == []
    assert refusals.bars("builds", "globex/db")


def test_a_tag_that_is_moved_again_and_again_is_not_put_off_each_time_anew() -> None:
    hours = [NOW - timedelta(hours=n) for n in range(1, 30, 2)]
    birth = Birth(
        hours[0], NOW - timedelta(days=9), tuple((f"acme/web@sha256:{n}", at) for n, at in enumerate(hours[1:]))
    )
    assert birth.waits_since("labels", {}) == hours[-1]
    read = {("labels", "acme/web@sha256:2"): _known("ok", timedelta(hours=6))}
    assert birth.waits_since("labels", read) == hours[2]
    assert birth.waits_since("referrers", read) == hours[-1]
    assert Birth(hours[0], NOW).waits_since("labels", {}) == hours[0]


def test_what_a_busy_tag_stood_for_before_is_known_as_far_back_as_it_may_wait() -> None:
    first_read = pl.DataFrame({"name": ["acme/web"], "first_ok_at": [NOW - timedelta(days=9)]})
    rows = [("acme/web", "latest", f"sha256:{n}", NOW - timedelta(hours=20 * n + 1), n == 0) for n in range(6)] + [
        ("acme/web", "old", "sha256:old", NOW - timedelta(days=30), True)
    ]
    tags = pl.DataFrame(rows, schema=["name", "tag", "digest", "started_at", "is_current"], orient="row")
    births = births_of(first_read, tags, NOW)
    assert births.keys() == {"acme/web@sha256:0"}
    assert [target for target, _ in births["acme/web@sha256:0"].before] == ["acme/web@sha256:1", "acme/web@sha256:2"]
