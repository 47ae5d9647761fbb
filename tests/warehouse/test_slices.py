"""Slices: what a reading adds, what a count says, and what may be said of a day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from quayledger.warehouse import runs, sources
from quayledger.warehouse.ledger import Ledger
from quayledger.warehouse.log.slices import (
    held_by_day,
    held_counts,
    held_keys,
    latest_counts,
    merge_reading,
    record_counts,
    record_void,
    slices,
)
from quayledger.warehouse.schema import REJECT_SCHEMA, SliceState
from tests.warehouse.sample import DAY, NO_REJECTS, NOW, SCOPE, SOURCE, busy_day, event, frame, reading, seal, store


def numbers(ledger: Ledger) -> list[tuple[int, str]]:
    return ledger.rows("SELECT event_no, scope FROM event_rows ORDER BY event_no")


def test_running_numbers_go_on_over_readings_and_scopes_and_never_change(ledger: Ledger) -> None:
    store(ledger, [event(9), event(3)], scope="organization:acme")
    first = ledger.rows("SELECT event_no, occurred_at FROM event_rows ORDER BY event_no")
    assert [moment.second for _, moment in first] == [3, 9]
    store(ledger, [event(1)], scope="user:alice")
    again = store(ledger, [event(3), event(5), event(9)], scope="organization:acme")
    assert (again.new_events, again.known_events, again.stored_by_kind) == (1, 2, {"pull_repo": 3})
    assert numbers(ledger) == [
        (1, "organization:acme"),
        (2, "organization:acme"),
        (3, "user:alice"),
        (4, "organization:acme"),
    ]
    assert ledger.rows("SELECT event_no, occurred_at FROM event_rows WHERE event_no <= 2 ORDER BY 1") == first


def test_the_same_event_of_two_scopes_is_two_rows_and_of_one_scope_is_one(ledger: Ledger) -> None:
    for scope in ("organization:acme", "organization:acme", "organization:globex"):
        store(ledger, [event(1)], scope=scope)
    assert held_by_day(ledger, SOURCE, DAY, DAY) == {
        (DAY, "organization:acme"): {"pull_repo": 1},
        (DAY, "organization:globex"): {"pull_repo": 1},
    }


@pytest.mark.parametrize("second", [-1, 86_400])
def test_an_event_of_another_day_is_refused_and_nothing_is_kept(ledger: Ledger, second: int) -> None:
    with pytest.raises(ValueError, match="not of that UTC day"):
        merge_reading(ledger, reading(), frame([event(5), event(second)]), NO_REJECTS)
    assert numbers(ledger) == []
    assert ledger.rows("SELECT * FROM readings") == []


def test_every_instant_of_the_day_belongs_to_it(ledger: Ledger) -> None:
    last = event(86_399)
    last["occurred_at"] += timedelta(microseconds=999_999)
    assert store(ledger, [event(0), last]).new_events == 2
    keys = held_keys(ledger, SOURCE, DAY, SCOPE, last["occurred_at"])
    assert keys["occurred_at"].to_list() == [last["occurred_at"]]


def test_an_error_in_the_middle_leaves_nothing_behind(ledger: Ledger) -> None:
    broken = pl.DataFrame({"kind": ["x"], "reason": [None], "raw": ["y"]}, schema=REJECT_SCHEMA)
    with pytest.raises(Exception, match="NOT NULL"):
        store(ledger, [event(1)], rejects=broken)
    assert held_counts(ledger, SOURCE, DAY, SCOPE) == {}
    assert slices(ledger, SOURCE, DAY, DAY) == {}
    assert store(ledger, [event(1)]).new_events == 1


def test_an_unreadable_row_counts_once_however_often_it_is_read(ledger: Ledger) -> None:
    rejects = pl.DataFrame([(None, "not JSON", "{"), (None, "not JSON", "{")], schema=REJECT_SCHEMA, orient="row")
    for _ in range(2):
        store(ledger, [event(1)], rejects=rejects)
    assert slices(ledger, SOURCE, DAY, DAY)[DAY].rejected_rows == 2
    seal(ledger, DAY)
    assert slices(ledger, SOURCE, DAY, DAY)[DAY].rejected_rows == 2


def test_a_later_name_is_noted_once_and_the_first_one_stays(ledger: Ledger) -> None:
    store(ledger, [event(1, performer="alice"), event(2, performer="alice")])
    renamed = [event(1, performer="alicia"), event(2, performer="alicia")]
    assert store(ledger, renamed).aliases == 1
    store(ledger, renamed)
    assert ledger.rows("SELECT field, first_name, later_name, events FROM aliases") == [
        ("performer", "alice", "alicia", 2)
    ]
    assert ledger.rows("SELECT DISTINCT performer FROM event_rows") == [("alice",)]


def test_a_first_reading_makes_the_slice_under_the_cover_of_its_day(ledger: Ledger) -> None:
    sources.add_cover(ledger, SOURCE, sources.CoverRow(2, DAY + timedelta(days=1), ("user:alice",), ("x",), "set"))
    store(ledger, [event(1)])
    row = slices(ledger, SOURCE, DAY, DAY)[DAY]
    assert (row.cover_version, row.state, row.stored_events) == (1, SliceState.PROVISIONAL, 1)
    today = NOW.date()
    store(ledger, [event(1, day=today)], day=today)
    assert slices(ledger, SOURCE, today, today)[today].state is SliceState.OPEN


def test_a_seal_keeps_its_time_until_it_is_broken(ledger: Ledger) -> None:
    store(ledger, busy_day(DAY))
    seal(ledger, DAY)
    ledger_row = slices(ledger, SOURCE, DAY, DAY)[DAY]
    assert (ledger_row.sealed_at, ledger_row.stored_events, ledger_row.read_at) == (NOW, 40, NOW)
    seal(ledger, DAY, state=SliceState.SHORT)
    assert slices(ledger, SOURCE, DAY, DAY)[DAY].sealed_at is None


def test_counts_keep_the_latest_and_the_most_and_nothing_is_an_answer(ledger: Ledger) -> None:
    record_counts(ledger, 1, SOURCE, SCOPE, {DAY: {"pull_repo": 9, "push_repo": 2}}, NOW)
    later = NOW + timedelta(hours=1)
    record_counts(ledger, 2, SOURCE, SCOPE, {DAY: {"push_repo": 3}, DAY + timedelta(days=1): {}}, later)
    counted = latest_counts(ledger, SOURCE, DAY, DAY + timedelta(days=2))
    assert counted[DAY, SCOPE].by_kind == {"push_repo": 3}
    assert counted[DAY, SCOPE].peak_by_kind == {"pull_repo": 9, "push_repo": 3}
    assert counted[DAY + timedelta(days=1), SCOPE].by_kind == {}
    assert counted[DAY, SCOPE].counted_at == later
    assert len(counted) == 2


def test_a_void_reading_is_on_record_without_rows(ledger: Ledger) -> None:
    store(ledger, [event(1)])
    record_void(ledger, reading(ended_at=NOW + timedelta(hours=1)), "rows were given twice")
    assert ledger.rows("SELECT state, reason FROM readings ORDER BY reading_id") == [
        ("merged", ""),
        ("void", "rows were given twice"),
    ]
    row = slices(ledger, SOURCE, DAY, DAY)[DAY]
    assert (row.stored_events, row.read_at) == (1, NOW + timedelta(hours=1))


def test_a_source_keeps_its_id_and_the_history_of_its_names(ledger: Ledger) -> None:
    for name in ("Main", "Registry", "Registry"):
        sources.register_source(ledger, SOURCE, name, "https://main.example.com", NOW)
    assert ledger.rows("SELECT name FROM sources") == [("Registry",)]
    assert ledger.rows("SELECT name FROM source_names ORDER BY rowid") == [("Main",), ("Registry",)]
    assert sources.backend(ledger, SOURCE) == "unknown"
    sources.note_backend(ledger, SOURCE, "database", NOW)
    assert sources.backend(ledger, SOURCE) == "database"
    with pytest.raises(ValueError, match="not beyond"):
        sources.add_cover(ledger, SOURCE, sources.CoverRow(1, DAY, (), (), ""))


def test_a_run_that_a_dead_process_left_is_closed_and_a_living_one_is_not(ledger: Ledger) -> None:
    lost = runs.start_run(ledger, "sync", "sync", NOW)
    with ledger.transaction() as cursor:
        cursor.execute("UPDATE runs SET ledger_since = ?", [datetime(2026, 1, 1, tzinfo=UTC)])
    living = runs.start_run(ledger, "sync", "sync", NOW)
    assert runs.close_interrupted(ledger, NOW) == 1
    runs.finish_run(ledger, living, NOW, "done", "", [])
    assert ledger.rows("SELECT run_id, outcome FROM runs ORDER BY run_id") == [(lost, "interrupted"), (living, "done")]
