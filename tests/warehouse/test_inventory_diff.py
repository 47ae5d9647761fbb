"""Differences: what is otherwise than before, and what was merely read for the first time, or is called otherwise."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quayledger.warehouse.inventory import reader
from quayledger.warehouse.inventory.store import Fetch, note_rename, record_fetches
from quayledger.warehouse.ledger import Ledger
from quayledger.warehouse.publish import Published
from quayledger.warehouse.snapshot import Snapshot
from tests.properties import costly
from tests.warehouse.looking import at, brought, fetch, measured, published
from tests.warehouse.sample import NOW, SOURCE

_SOURCES = iter(range(1_000_000))


def _told(frame: pl.DataFrame) -> list[tuple[Any, ...]]:
    return frame.select("family", "object", "change", "column", "before", "after").rows()


def _permissions(hours: float, *rows: tuple[str, str, str], repository: str = "web", **values: Any) -> Fetch:
    full = [("acme", repository, *row) for row in rows]
    place = {"namespace": "acme", "repository": repository}
    part = brought("repository_permissions", place, full)
    return fetch(hours, part, name="user_permissions", target=f"acme/{repository}", **values)


def test_what_appeared_changed_and_vanished_is_told_and_a_first_look_is_not(ledger: Ledger) -> None:
    alice, bob, carol = ("user", "alice", "read"), ("user", "bob", "write"), ("team", "qa", "admin")
    record_fetches(ledger, 1, [_permissions(1, alice, bob)])
    record_fetches(ledger, 2, [_permissions(3, ("user", "alice", "admin"), carol, caused=2)])
    with published(ledger) as snapshot:
        since_before = reader.diff(snapshot, at(0), at(9))
        assert _told(since_before) == [
            ("repository_permissions", "acme/web team qa", "appeared", None, None, "role admin"),
            ("repository_permissions", "acme/web user alice", "changed", "role", "read", "admin"),
            ("repository_permissions", "acme/web user bob", "vanished", None, "role write", None),
        ]
        assert since_before.select("at", "after_at", "first_seen_at", "certain", "run_id").unique().rows() == [
            (at(2), at(1), at(3), True, 2)
        ]
        assert json.loads(since_before["key"][0]) == {
            "namespace": "acme",
            "repository": "web",
            "principal_kind": "team",
            "principal": "qa",
        }
        assert _told(reader.diff(snapshot, at(1), at(3))) == _told(since_before)
        assert reader.diff(snapshot, at(2), at(9)).is_empty()
        assert reader.diff(snapshot, at(0), at(1.5)).is_empty()
        assert reader.diff(snapshot, at(0), at(9), source_ids=("other",)).is_empty()
        assert reader.diff(snapshot, at(0), at(9), families=("teams", "sizes")).is_empty()
        with pytest.raises(ValueError, match="no differences are told of looks"):
            reader.diff(snapshot, at(0), at(9), families=("looks",))


def test_what_came_and_went_shows_only_where_every_step_is_asked_for(ledger: Ledger) -> None:
    alice, bob = ("user", "alice", "read"), ("user", "bob", "read")
    for hours, rows in enumerate([[alice], [alice, bob], [("user", "alice", "admin")], [alice], []]):
        record_fetches(ledger, hours, [_permissions(hours, *rows)])
    with published(ledger) as snapshot:
        assert reader.diff(snapshot, at(0), at(3.5)).is_empty()
        steps = reader.diff(snapshot, at(0), at(9), every_step=True)
        assert steps.select("object", "change", "after", "at").rows() == [
            ("acme/web user bob", "appeared", "role read", at(1)),
            ("acme/web user alice", "changed", "admin", at(2)),
            ("acme/web user bob", "vanished", None, at(2)),
            ("acme/web user alice", "changed", "read", at(3)),
            ("acme/web user alice", "vanished", None, at(4)),
        ]


def test_what_a_first_look_finds_may_be_older_than_the_event_that_asked_for_it(ledger: Ledger) -> None:
    record_fetches(ledger, 1, [_permissions(2, ("user", "alice", "read"), caused=1), _permissions(2, repository="api")])
    with published(ledger) as snapshot:
        assert reader.diff(snapshot, at(0), at(9)).is_empty()


def test_what_is_in_a_new_place_is_new_though_its_place_was_never_looked_at_before(ledger: Ledger) -> None:
    def repositories(hours: float, *names: str) -> Fetch:
        return fetch(hours, brought("repositories", {}, [("acme", name) for name in names]), name="repositories")

    record_fetches(ledger, 1, [repositories(0, "old"), repositories(2, "old", "new")])
    record_fetches(ledger, 2, [_permissions(3, ("user", "alice", "read"), repository=name) for name in ("old", "new")])
    with published(ledger) as snapshot:
        found = reader.diff(snapshot, at(1), at(9))
        assert _told(found) == [
            ("repositories", "acme/new", "appeared", None, None, None),
            ("repository_permissions", "acme/new user alice", "appeared", None, None, "role read"),
        ]
        assert found.select("after_at", "certain").rows() == [(at(0), True), (at(0), True)]


def _organization(hours: float, name: str, *members: str, role: str = "member", state: Any = "ok") -> Fetch:
    place = {"organization": name}
    return fetch(
        hours,
        brought("organizations", place, [(name, "a@b.c")]),
        brought("teams", place, [(name, "qa", role)]),
        brought("team_members", place, [(name, "qa", member) for member in members]),
        brought("quotas", {"namespace": name}, [(name, 3, None, 500)]),
        name="organization",
        target=name,
        state=state,
    )


@pytest.mark.parametrize("every_step", [False, True])
def test_a_renamed_organisation_is_one_change_with_the_real_ones_beside_it(ledger: Ledger, every_step: bool) -> None:
    sizes = fetch(0, measured("sizes", [("namespace", "old", "", 100)]), name="sizes")
    record_fetches(ledger, 1, [_organization(0, "old", "alice", "old+ci"), sizes])
    note_rename(ledger, SOURCE, "organization", "old", "new", at(2), "org_change_name", 5)
    note_rename(ledger, SOURCE, "organization", "other", "a-uuid", at(2), "org_delete", 5)
    gone, now = _organization(3, "old", state="gone"), _organization(4, "new", "bob", "new+ci", role="admin")
    record_fetches(ledger, 2, [gone, now, fetch(4, measured("sizes", [("namespace", "new", "", 120)]), name="sizes")])
    with published(ledger) as snapshot:
        found = reader.diff(snapshot, at(1), at(9), every_step=every_step)
        assert _told(found) == [
            ("organizations", "new", "renamed", "organization", "old", "new"),
            ("team_members", "new/qa alice", "vanished", None, None, None),
            ("sizes", "namespace new", "measured", "size_bytes", "100", "120"),
            ("team_members", "new/qa bob", "appeared", None, None, None),
            ("teams", "new/qa", "changed", "role", "member", "admin"),
        ]
        renamed = found.row(0, named=True)
        assert (renamed["at"], renamed["run_id"], renamed["key"]) == (at(2), 5, '{"organization":"new"}')
        uncertain = found.filter(~pl.col("certain"))
        assert uncertain["change"].to_list() == ["vanished", "appeared"]
        # What was first read within the span, by its old name, was there all the same.
        whole = reader.diff(snapshot, at(-1), at(9), every_step=every_step)
        assert _told(whole) == [row for row in _told(found) if row[0] != "sizes"]


def test_a_rename_of_which_only_one_side_was_read_is_no_appearance_and_no_certain_end(ledger: Ledger) -> None:
    record_fetches(ledger, 1, [_organization(0, "old", "alice")])
    note_rename(ledger, SOURCE, "organization", "old", "new", at(2), "org_change_name", 5)
    record_fetches(ledger, 2, [_organization(3, "new", "alice")])
    with published(ledger) as snapshot:
        assert reader.diff(snapshot, at(1), at(9))["change"].to_list() == ["renamed"]
    record_fetches(ledger, 3, [_organization(4, "new", state="gone"), _organization(5, "old", state="gone")])
    with published(ledger) as snapshot:
        gone = reader.diff(snapshot, at(1), at(9), families=("quotas",))
        assert gone.select("object", "change").rows() == [("new 3", "vanished")]


def test_measurements_are_compared_by_the_newest_of_each_moment(ledger: Ledger) -> None:
    for hours, size, high in ((0, 5, 1), (24, 5, 1), (30, 7, 1), (60, 9, None)):
        scan = measured("scans", [("sha256:a", "acme", "web", "queued" if high is None else "scanned", 0, high)])
        record_fetches(ledger, hours, [fetch(hours, measured("sizes", [("registry", "", "", size)]), scan)])
    with published(ledger) as snapshot:
        found = reader.diff(snapshot, at(25), at(70))
        assert found.select("family", "object", "column", "before", "after", "at", "after_at").rows() == [
            ("scans", "sha256:a", "high", "1", None, at(60), at(24)),
            ("scans", "sha256:a", "status", "scanned", "queued", at(60), at(24)),
            ("sizes", "registry", "size_bytes", "5", "9", at(60), at(24)),
        ]
        assert reader.diff(snapshot, at(-5), at(20)).is_empty()


_ROWS = st.dictionaries(
    st.sampled_from(["alice", "bob", "carol"]), st.tuples(st.sampled_from(["read", "admin"]), st.booleans()), max_size=3
)


@costly(12)
@given(st.lists(_ROWS, min_size=2, max_size=6), st.tuples(st.floats(0, 6), st.floats(0, 6)))
def test_the_net_difference_is_that_of_the_two_states(
    ledger: Ledger, states: list[dict[str, tuple[str, bool]]], span: tuple[float, float]
) -> None:
    source_id, (since, until) = f"s{next(_SOURCES)}", sorted(map(at, span))
    for hours, state in enumerate(states):
        part = brought("users", {}, [(name, *values) for name, values in state.items()])
        record_fetches(ledger, 1, [fetch(hours, part, name="users", source_id=source_id)])
    snapshot = Snapshot(Published(ledger.live, NOW, 1), ledger.cursor())
    before, after = (
        {row["username"]: row for row in reader.as_of(snapshot, "users", moment, source_ids=(source_id,)).to_dicts()}
        for moment in (since, until)
    )
    expected: set[tuple[str, str, str | None]] = {(name, "appeared", None) for name in after.keys() - before.keys()}
    expected |= {(name, "vanished", None) for name in before.keys() - after.keys()}
    for name in before.keys() & after.keys():
        columns = [column for column in ("email", "enabled") if before[name][column] != after[name][column]]
        expected |= {(name, "changed", column) for column in columns}
    found = reader.diff(snapshot, since, until, source_ids=(source_id,))
    assert set(found.select("object", "change", "column").rows()) == expected
    assert found.height == len(expected)
    assert all(since < moment <= until for moment in found["at"])
