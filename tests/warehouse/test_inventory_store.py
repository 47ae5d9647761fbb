"""Fetches become intervals: never two at once, never backwards, and each moment shows what the fetches by then told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import msgspec
import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from quayledger.warehouse.inventory import changed_objects
from quayledger.warehouse.inventory import store as inventory
from quayledger.warehouse.inventory.store import FamilyRows, Fetch, Recorded, Stale, record_fetches
from quayledger.warehouse.ledger import Ledger
from tests.properties import costly
from tests.warehouse.looking import BEGIN, at, brought, fetch, measured
from tests.warehouse.sample import NOW, SOURCE, event, store

_SOURCES = iter(range(1_000_000))
_TEAMS = [("acme", team, member) for team in ("qa", "dev") for member in ("alice", "bob")] + [("globex", "qa", "alice")]
_AUTHORITIES: list[dict[str, Any]] = [
    {},
    {"organization": "acme"},
    {"organization": "acme", "team": "qa"},
    {"organization": "globex", "team": "qa"},
    {"member": "alice"},
    {"member_kind": "robot"},
]
_MINUTE = timedelta(minutes=1)
_WHOLE = ("organization", "team", "member", "member_kind", "invited")


def _within(authority: dict[str, Any], row: Sequence[Any]) -> bool:
    told = dict(zip(_WHOLE, row, strict=True))
    return all(told[name] == value for name, value in authority.items())


@st.composite
def _fetches(draw: st.DrawFn, *, plain: bool = False) -> list[tuple[int, dict[str, Any], list[tuple[Any, ...]], Any]]:
    """(minute, authority, rows, (state, closes, caused minute)): plain ones come in order, are ok, and have no cause."""
    minutes = st.integers(0, 40)
    fetches = []
    told_at = draw(st.lists(minutes, min_size=1, max_size=8, unique=True))
    for minute in sorted(told_at) if plain else told_at:
        authority = draw(st.sampled_from(_AUTHORITIES))
        kinds = st.sampled_from(["robot"] if "member_kind" in authority else ["user", "robot"])
        keys = draw(st.lists(st.sampled_from(_TEAMS), unique=True))
        rows = [(*key, draw(kinds), draw(st.booleans())) for key in keys]
        rows = [row for row in rows if _within(authority, row)]
        told: tuple[str, bool, int | None] = ("ok", True, None)
        if not plain:
            state = draw(st.sampled_from(["ok", "ok", "ok", "partial", "gone", "refused", "failed"]))
            told = (state, draw(st.booleans()) or state == "ok", draw(st.none() | minutes))
        fetches.append((minute, authority, rows, told))
    return fetches


def _as_look(source_id: str, told: tuple[int, dict[str, Any], list[tuple[Any, ...]], Any]) -> Fetch:
    minute, authority, rows, (state, closes, caused) = told
    part = brought("team_members", authority, rows, closes=closes)
    target = ",".join(f"{name}={value}" for name, value in authority.items())
    return fetch(
        minute / 60,
        part,
        target=target,
        state=state,
        caused=None if caused is None else caused / 60,
        source_id=source_id,
    )


class _Model:
    """The same in plain Python: a list of [from, after, first seen, to, ended, values] for each key."""

    def __init__(self) -> None:
        self.intervals: dict[tuple[Any, ...], list[list[Any]]] = {}
        self.gone_at: dict[tuple[Any, ...], datetime] = {}
        self.ok_at: dict[str, datetime] = {}
        self.told_at: dict[str, datetime] = {}

    def take(self, told: Fetch) -> None:
        part, state = told.families[0], told.state
        if state not in ("ok", "partial", "gone"):
            return
        if self.told_at.get(told.target, told.fetched_at - _MINUTE) < told.fetched_at:
            self._tell(told, part)
            self.told_at[told.target] = told.fetched_at
        if state != "gone":
            self.ok_at[told.target] = max(told.fetched_at, self.ok_at.get(told.target, told.fetched_at))

    def _tell(self, told: Fetch, part: FamilyRows) -> None:
        state = told.state
        rows = {row[:3]: row[3:] for row in part.rows.iter_rows()} if state != "gone" else {}
        for key, values in rows.items():
            self._present(told, key, values)
        if state == "gone" or (state == "ok" and part.closes):
            for key in [key for key in self.intervals if key not in rows]:
                self._absent(told, part, key)

    def _open(self, key: tuple[Any, ...]) -> list[Any] | None:
        line = self.intervals.get(key)
        return line[-1] if line and line[-1][3] is None else None

    def _when(self, told: Fetch, seen_otherwise: datetime | None) -> tuple[datetime, datetime | None]:
        after = max(filter(None, (self.ok_at.get(told.target), seen_otherwise)), default=None)
        cause = told.caused_at
        fits = cause is not None and after is not None and after < cause <= told.fetched_at
        return (cause if fits and cause else told.fetched_at), after

    def _present(self, told: Fetch, key: tuple[Any, ...], values: tuple[Any, ...]) -> None:
        held = self._open(key)
        if held is None:
            if key in self.gone_at and told.fetched_at <= self.gone_at[key]:
                return
            begun, after = self._when(told, self.gone_at.get(key))
        else:
            if held[5] == values or told.fetched_at <= held[2]:
                return
            begun, after = self._when(told, held[2])
            held[3:5] = [begun, "changed"]
        self.intervals.setdefault(key, []).append([begun, after, told.fetched_at, None, None, values])

    def _absent(self, told: Fetch, part: FamilyRows, key: tuple[Any, ...]) -> None:
        held = self._open(key)
        if held is None or told.fetched_at <= held[2] or not _within(dict(part.authority), (*key, *held[5])):
            return
        held[3:5] = [self._when(told, held[2])[0], "gone"]
        self.gone_at[key] = told.fetched_at


def _stored(ledger: Ledger, source_id: str) -> list[tuple[Any, ...]]:
    return ledger.frame(
        "SELECT organization, team, member, member_kind, invited, from_at, after_at, first_seen_at, to_at, ended "
        "FROM team_members_history WHERE source_id = ? ORDER BY ALL",
        [source_id],
    ).rows()


def _everything(ledger: Ledger, source_id: str) -> list[list[tuple[Any, ...]]]:
    names = ("team_members_history", "looks", "looks_history", "looks_wanted")
    return [ledger.rows(f"SELECT * FROM {name} WHERE source_id = ? ORDER BY ALL", [source_id]) for name in names]


_PROPERTY = costly(12)


_ALICE = ("acme", "qa", "alice")
_TOLD = ("ok", True, None)
# What came out of order once: that something was gone is not forgotten over what was refused later.
_GONE_AND_OLDER = [
    (2, {"member_kind": "robot"}, [], ("gone", False, None)),
    (3, {"member_kind": "robot"}, [], ("refused", False, None)),
    (1, {"member_kind": "robot"}, [(*_ALICE, "robot", False)], _TOLD),
]
_GONE_AND_ELSEWHERE = [
    (17, {"organization": "acme", "team": "qa"}, [], ("refused", False, None)),
    (9, {"organization": "acme", "team": "qa"}, [], ("gone", False, None)),
    (3, {"organization": "acme"}, [(*_ALICE, "user", False)], _TOLD),
]


@_PROPERTY
@example(_GONE_AND_OLDER, 1)
@example(_GONE_AND_ELSEWHERE, 1)
@given(_fetches(), st.integers(1, 4))
def test_any_looks_in_any_order_and_batches_make_what_the_rules_say(ledger: Ledger, told: list[Any], size: int) -> None:
    source_id, model = f"s{next(_SOURCES)}", _Model()
    fetches = [_as_look(source_id, one) for one in told]
    for start in range(0, len(fetches), size):
        record_fetches(ledger, 1, fetches[start : start + size])
    for one in fetches:
        model.take(one)
    stored = _stored(ledger, source_id)
    assert stored == sorted(
        (
            (*key, *values, begun, after, seen, to, ended)
            for key, line in model.intervals.items()
            for begun, after, seen, to, ended, values in line
        ),
        key=lambda row: tuple((value is None, value) for value in row),
    )
    for before, after in pairwise(sorted(stored, key=lambda row: (row[:3], row[5]))):
        if before[:3] == after[:3]:
            assert before[5] < before[8] <= after[5]
    kept = _everything(ledger, source_id)
    assert record_fetches(ledger, 2, fetches) == Recorded(0, 0, 0, 0)
    assert _everything(ledger, source_id) == kept


@_PROPERTY
@given(_fetches(plain=True))
def test_each_moment_shows_what_the_look_of_that_moment_brought(ledger: Ledger, told: list[Any]) -> None:
    source_id = f"s{next(_SOURCES)}"
    record_fetches(ledger, 1, [_as_look(source_id, one) for one in told])
    stored = _stored(ledger, source_id)
    for minute, authority, rows, _ in told:
        moment = BEGIN + timedelta(minutes=minute)
        held = [row[:5] for row in stored if row[5] <= moment and (row[8] is None or row[8] > moment)]
        assert sorted(row for row in held if _within(authority, row)) == sorted(rows)


def _team(hours: float, *members: str, caused: float | None = None, **values: Any) -> Fetch:
    rows = [("acme", "qa", member) for member in members]
    part = brought("team_members", {"organization": "acme", "team": "qa"}, rows)
    return fetch(hours, part, name="team_members", target="acme/qa", caused=caused, **values)


def _line(ledger: Ledger, member: str) -> list[tuple[Any, ...]]:
    return ledger.frame(
        "SELECT from_at, after_at, first_seen_at, to_at, to_after_at, to_seen_at, ended FROM team_members_history "
        "WHERE member = ? ORDER BY from_at",
        [member],
    ).rows()


def test_a_change_is_dated_by_its_cause_only_where_that_fits_between_the_looks(ledger: Ledger) -> None:
    record_fetches(ledger, 1, [_team(0, "alice", caused=-1)])
    record_fetches(ledger, 2, [_team(2, "alice", "bob", caused=1)])
    record_fetches(ledger, 3, [_team(4, "bob", "carol", caused=1.5), _team(6, "carol", caused=7)])
    assert _line(ledger, "alice") == [(at(0), None, at(0), at(4), at(2), at(4), "gone")]
    assert _line(ledger, "bob") == [(at(1), at(0), at(2), at(6), at(4), at(6), "gone")]
    assert _line(ledger, "carol") == [(at(4), at(2), at(4), None, None, None, None)]


def test_a_wider_look_tells_what_was_not_there_before_the_narrow_one(ledger: Ledger) -> None:
    part = brought("team_members", {"team": "qa"}, [("acme", "qa", "alice", "user", False)])
    told = msgspec.structs.replace(part, known_before=at(1))
    record_fetches(ledger, 1, [fetch(3, told, name="team_members", target="acme/qa", caused=2)])
    assert _line(ledger, "alice") == [(at(2), at(1), at(3), None, None, None, None)]


def test_what_is_gone_takes_its_parts_with_it_and_nothing_else(ledger: Ledger) -> None:
    web, api = {"namespace": "acme", "repository": "web"}, {"namespace": "acme", "repository": "api"}
    record_fetches(
        ledger,
        1,
        [
            fetch(
                0,
                brought("repositories", {}, [("acme", "web"), ("acme", "api")]),
                brought(
                    "repository_permissions", {}, [("acme", name, "user", "alice", "read") for name in ("web", "api")]
                ),
                brought("stars", {}, [("admin", "acme", "web")]),
            )
        ],
    )
    families = ("repositories", "repository_permissions", "stars")
    gone = fetch(1, *(brought(name, web, []) for name in families), name="repository", target="acme/web", state="gone")
    refused = fetch(2, *(brought(name, api, []) for name in families), target="acme/api", state="refused")
    assert record_fetches(ledger, 2, [gone, refused]) == Recorded(0, 0, 3, 0)
    held = {name: inventory.held(ledger, name, SOURCE).height for name in families}
    assert held == {"repositories": 1, "repository_permissions": 1, "stars": 0}
    assert ledger.rows("SELECT count(*) FROM repositories_history") == [(2,)]


def test_rows_that_cannot_be_kept_are_counted_and_close_nothing(ledger: Ledger) -> None:
    record_fetches(ledger, 1, [_team(0, "alice", "bob")])
    rows = [("acme", "qa", "alice", "user"), ("acme", "qa", None, "user"), ("acme", "qa", "alice", "robot")]
    part = brought("team_members", {"organization": "acme", "team": "qa"}, rows)
    assert record_fetches(ledger, 2, [fetch(1, part, name="team_members", target="acme/qa")]) == Recorded(0, 1, 0, 0)
    held = inventory.held(ledger, "team_members", SOURCE, {"team": "qa"})
    assert held.select("member", "member_kind").rows() == [("alice", "robot"), ("bob", None)]
    states = inventory.fetch_states(ledger, SOURCE).row(0, named=True)
    assert (states["state"], states["rows"], states["rejected_rows"]) == ("partial", 1, 2)
    assert states["reason"] == "1 row(s) had no whole key"


def test_frames_are_taken_in_any_order_of_columns_and_a_missing_one_is_told(ledger: Ledger) -> None:
    rows = pl.DataFrame({"expiration_s": ["7", "many"], "organization": ["acme", "globex"]})
    rows = rows.with_columns(pl.lit("quay.io").alias("upstream_registry"), pl.lit(False).alias("insecure"))
    record_fetches(ledger, 1, [fetch(0, FamilyRows("proxy_caches", {}, rows))])
    held = inventory.held(ledger, "proxy_caches", SOURCE)
    assert held.rows() == [("acme", "quay.io", 7, False), ("globex", "quay.io", None, False)]
    with pytest.raises(ValueError, match="lacks the column"):
        record_fetches(ledger, 1, [fetch(1, FamilyRows("proxy_caches", {}, rows.drop("insecure")))])
    with pytest.raises(ValueError, match="no column team"):
        record_fetches(ledger, 1, [fetch(1, FamilyRows("proxy_caches", {"team": "x"}, rows))])


def test_an_error_in_the_middle_of_a_batch_leaves_nothing(ledger: Ledger) -> None:
    inventory.mark_stale(ledger, SOURCE, [Stale("list", "", "push_repo", at(-1), 1)], 3, NOW)
    before = _everything(ledger, SOURCE)
    broken = fetch(1, brought("teams", {}, [("acme", "qa")]), measured("sizes", [("registry", "", "", 5)]), target="b")
    wrong = fetch(2, FamilyRows("organizations", {}, pl.DataFrame({"name": ["acme"]})), target="c")
    with pytest.raises(ValueError, match="lacks"):
        record_fetches(ledger, 1, [fetch(0, brought("teams", {}, [("acme", "dev")])), broken, wrong])
    assert _everything(ledger, SOURCE) == before
    assert ledger.rows("SELECT (SELECT count(*) FROM teams_history) + (SELECT count(*) FROM sizes)") == [(0,)]


def test_a_point_is_kept_where_it_is_new_or_of_a_new_day(ledger: Ledger) -> None:
    def size(hours: float, size_bytes: int) -> Fetch:
        return fetch(hours, measured("sizes", [("namespace", "acme", "", size_bytes)]))

    fetches = [size(0, 5), size(1, 5), size(2, 6), size(3, 5), size(2.5, 9), size(15, 5), size(16, 5)]
    assert record_fetches(ledger, 1, fetches).points == 4
    assert record_fetches(ledger, 1, fetches).points == 0
    assert record_fetches(ledger, 1, [size(17, 5), size(18, 7)]).points == 1
    points = ledger.frame("SELECT measured_at, size_bytes FROM sizes ORDER BY 1").rows()
    assert points == [(at(0), 5), (at(2), 6), (at(3), 5), (at(15), 5), (at(18), 7)]
    assert ledger.rows("SELECT size_bytes FROM sizes_now") == []
    organization = brought("organizations", {}, [("acme",)])
    record_fetches(ledger, 1, [fetch(19, organization, name="organizations")])
    assert ledger.rows("SELECT size_bytes FROM sizes_now") == [(7,)]


def test_what_is_gone_or_renamed_is_in_no_present_sum(ledger: Ledger) -> None:
    def read(hours: float, *names: str) -> Fetch:
        sizes = measured("sizes", [("namespace", name, "", 11_806_068) for name in names])
        return fetch(hours, brought("organizations", {}, [(name,) for name in names]), sizes)

    record_fetches(ledger, 1, [read(0, "acme", "globex"), read(1, "acme", "globex-inc"), read(2, "globex-inc")])
    assert ledger.rows("SELECT namespace, size_bytes FROM sizes_now") == [("globex-inc", 11_806_068)]


def test_a_days_count_is_kept_once_however_many_days_pass(ledger: Ledger) -> None:
    def actions(hours: float, *counts: int) -> Fetch:
        rows = [("acme", "web", at(24 * day).date(), number) for day, number in enumerate(counts)]
        return fetch(hours, measured("repository_actions", rows))

    added = [
        record_fetches(ledger, 1, [actions(24 * day, *counts)]).points
        for day, counts in enumerate([(3,), (4, 1), (4, 1)])
    ]
    assert added == [1, 2, 0]


def test_how_looks_ended_is_kept_by_stretches_of_the_same_state(ledger: Ledger) -> None:
    for hours, state in enumerate(("ok", "ok", "refused", "refused", "ok")):
        record_fetches(ledger, hours, [_team(hours, "alice", state=state)])
    record_fetches(ledger, 9, [_team(6, "alice"), _team(5, "alice", state="failed"), _team(7, state="failed")])
    held = ledger.frame("SELECT state, from_at, to_at FROM looks_history ORDER BY from_at").rows()
    assert held == [
        ("ok", at(0), at(2)),
        ("refused", at(2), at(4)),
        ("ok", at(4), at(7)),
        ("failed", at(7), None),
    ]
    now = inventory.fetch_states(ledger, SOURCE).row(0, named=True)
    assert (now["state"], now["tried_at"], now["first_ok_at"], now["ok_at"]) == ("failed", at(7), at(0), at(6))
    assert inventory.held(ledger, "team_members", SOURCE).height == 1


def test_what_events_want_is_added_up_until_a_look_answers_it(ledger: Ledger) -> None:
    qa, dev = ("team_members", "acme/qa"), ("team_members", "acme/dev")
    assert inventory.cursor(ledger, SOURCE) is None
    first = [Stale(*qa, "org_add_team_member", at(1), 2), Stale(*dev, "org_add_team_member", at(1), 1)]
    inventory.mark_stale(ledger, SOURCE, first, 7, NOW)
    later = [Stale(*qa, "org_remove_team_member", at(3), 1), Stale(*qa, "org_add_team_member", at(2), 1)]
    inventory.mark_stale(ledger, SOURCE, later, 5, NOW)
    assert inventory.cursor(ledger, SOURCE) == 7
    assert inventory.read_stale(ledger, SOURCE) == [first[1], Stale(*qa, "org_remove_team_member", at(3), 4)]
    record_fetches(ledger, 1, [_team(2, "alice")])
    record_fetches(ledger, 1, [_team(4, state="failed")])
    assert len(inventory.read_stale(ledger, SOURCE)) == 2
    record_fetches(ledger, 1, [_team(5, state="refused")])
    assert inventory.read_stale(ledger, SOURCE) == [first[1]]


def test_causes_are_the_events_of_newer_readings_by_what_they_name(ledger: Ledger) -> None:
    push: dict[str, Any] = {"namespace": "acme", "repository": "web", "repository_namespace": "acme", "tag": "v1"}
    store(ledger, [event(1, "push_repo", **push)])
    _, newest = changed_objects.changed_objects_since(ledger, SOURCE, 0, (), None)
    renamed = event(5, "user_change_name", namespace="nia", metadata='{"old_username":"niaj"}')
    member = event(6, "org_add_team_member", namespace="acme", metadata='{"member":"bob","team":"qa"}')
    store(
        ledger,
        [event(1, "push_repo", **push), event(2, "push_repo", **push), event(3, "push_repo", **push), renamed, member],
    )
    kinds = ("push_repo", "user_change_name", "org_add_team_member")
    found, after = changed_objects.changed_objects_since(ledger, SOURCE, newest, kinds, NOW - timedelta(days=90))
    assert after == newest + 1
    rows = {row["kind"]: row for row in found.iter_rows(named=True)}
    pushes = rows["push_repo"]
    assert (pushes["events"], pushes["occurred_at"], pushes["named"]) == (2, event(3)["occurred_at"], "acme")
    assert rows["user_change_name"]["old_name"] == "niaj"
    assert (rows["org_add_team_member"]["team"], rows["org_add_team_member"]["member"]) == ("qa", "bob")
    assert changed_objects.changed_objects_since(ledger, SOURCE, newest, kinds, NOW)[0].is_empty()
    assert changed_objects.changed_objects_since(ledger, "other", 0, kinds, None)[1] == 0


def test_a_rename_is_noted_once(ledger: Ledger) -> None:
    for _ in range(2):
        inventory.note_rename(ledger, SOURCE, "organization", "old", "new", at(1), "org_change_name", 1)
    assert ledger.rows("SELECT old_name, new_name FROM renames") == [("old", "new")]
