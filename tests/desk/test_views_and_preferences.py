"""Saved views and preferences: kept in the desk, replaced by name, refused with words; a desk made before them is upgraded."""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

from quayledger.reports.desk import outbox, preferences, saved_views, store, visits
from quayledger.reports.desk.store import FILE_NAME, Desk
from tests.warehouse.sample import NOW

HOSTILE = "x'); DROP TABLE saved_views; -- <img src=x>"


def test_views_are_shared_replaced_and_removed(tmp_path: Path) -> None:
    with Desk.open(tmp_path) as desk:
        saved_views.save_view(desk, "events", "Failed  log-ins ", "kind=login_failure", "alice", NOW)
        saved_views.save_view(desk, "events", HOSTILE, "a=1", "bob", NOW)
        saved_views.save_view(desk, "events", "Failed log-ins", "outcome=failure", "bob", NOW)
        assert saved_views.list_views(desk, "usage") == []
    with Desk.open(tmp_path) as desk:
        held = saved_views.list_views(desk, "events")
        assert [(one.name, one.address, one.saved_by) for one in held] == [
            ("Failed log-ins", "outcome=failure", "bob"),
            (HOSTILE, "a=1", "bob"),
        ]
        saved_views.remove_view(desk, "events", HOSTILE)
        assert len(saved_views.list_views(desk, "events")) == 1
        for name, address in (("  ", "a=1"), ("n" * 81, "a=1"), ("long", "a" * 9_000)):
            with pytest.raises(saved_views.BadView):
                saved_views.save_view(desk, "events", name, address, "bob", NOW)


def test_a_preference_is_that_of_one_person(tmp_path: Path) -> None:
    with Desk.open(tmp_path) as desk:
        preferences.keep_preference(desk, "alice", "columns", "kind actor")
        preferences.keep_preference(desk, "alice", "columns", "kind")
        assert preferences.read_preference(desk, "alice", "columns") == "kind"
        assert preferences.read_preference(desk, "bob", "columns") is None


@pytest.mark.parametrize("version", range(1, len(store._VERSIONS)))
def test_a_desk_of_an_earlier_version_is_upgraded(tmp_path: Path, version: int) -> None:
    with sqlite3.connect(tmp_path / FILE_NAME) as held:
        for statements in store._VERSIONS[:version]:
            for statement in statements:
                held.execute(statement)
        held.execute(f"PRAGMA user_version = {version}")
    with Desk.open(tmp_path) as desk:
        assert saved_views.list_views(desk, "events") == []
        assert outbox.messages(desk) == []


def test_a_visit_lasts_half_an_hour_and_the_one_before_is_told(tmp_path: Path) -> None:
    with Desk.open(tmp_path) as desk:
        assert visits.begin_visit(desk, "alice", NOW) is None
        assert visits.begin_visit(desk, "alice", NOW + timedelta(minutes=29)) is None
        assert visits.begin_visit(desk, "bob", NOW + timedelta(hours=1)) is None
        for minutes in (61, 80):
            assert visits.begin_visit(desk, "alice", NOW + timedelta(minutes=minutes)) == NOW
        later = visits.begin_visit(desk, "alice", NOW + timedelta(hours=9))
        assert later == NOW + timedelta(minutes=61)
