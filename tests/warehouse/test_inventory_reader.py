"""What readers are told of the inventory: what held when, what is not known, who can do what, and when it was last used."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from quayledger.warehouse.inventory import reader
from quayledger.warehouse.inventory.store import note_rename, record_fetches
from quayledger.warehouse.ledger import Ledger
from tests.warehouse.looking import at, brought, fetch, measured, published
from tests.warehouse.sample import DAY, SOURCE, begin, event, store


def test_a_moment_shows_the_intervals_that_hold_then_and_no_others(ledger: Ledger) -> None:
    for hours, email in ((0, "a@x"), (1, "b@x"), (2, None)):
        rows = [] if email is None else [("acme", email), ("globex", "g@x")]
        record_fetches(ledger, 1, [fetch(hours, brought("organizations", {}, rows))])
    record_fetches(ledger, 1, [fetch(0, brought("organizations", {}, [("acme", "o@x")]), source_id="other")])
    with published(ledger) as snapshot:
        shown = {
            hours: reader.as_of(
                snapshot, "organizations", at(hours), source_ids=(SOURCE,), where={"organization": "acme"}
            )
            for hours in (-1, 0, 0.5, 1, 1.5, 2)
        }
        emails = {hours: frame["email"].to_list() for hours, frame in shown.items()}
        assert emails == {-1: [], 0: ["a@x"], 0.5: ["a@x"], 1: ["b@x"], 1.5: ["b@x"], 2: []}
        assert shown[1].select("from_at", "after_at", "first_seen_at", "to_at").rows() == [(at(1), at(0), at(1), at(2))]
        assert reader.as_of(snapshot, "organizations").select("source_id", "email").rows() == [("other", "o@x")]
        assert reader.as_of(snapshot, "organizations", where={"email": None}).is_empty()
        assert reader.history(snapshot, "organizations", source_ids=(SOURCE,))["ended"].to_list() == [
            "changed",
            "gone",
            "gone",
        ]
        with pytest.raises(ValueError, match="no column 'name'"):
            reader.as_of(snapshot, "organizations", where={"name": "acme"})
        with pytest.raises(ValueError, match="no family 'events'"):
            reader.as_of(snapshot, "events")


def test_points_of_a_stretch(ledger: Ledger) -> None:
    for hours, size in ((0, 5), (1, 6), (2, 7)):
        record_fetches(ledger, 1, [fetch(hours, measured("sizes", [("namespace", "acme", "", size, None, "running")]))])
    with published(ledger) as snapshot:
        found = reader.series(snapshot, "sizes", where={"namespace": "acme"}, since=at(1), until=at(2))
        assert found.select("size_bytes", "backfill", "measured_at").rows() == [(6, "running", at(1))]
        assert reader.series(snapshot, "sizes")["size_bytes"].to_list() == [5, 6, 7]


def test_what_was_unknown_when(ledger: Ledger) -> None:
    for hours, state in enumerate(("refused", "ok", "ok", "failed", "gone")):
        record_fetches(ledger, 1, [fetch(hours, name="members", target="acme", state=state)])  # type: ignore[arg-type]
    record_fetches(
        ledger, 1, [fetch(0, name="tags", target="*", state="not_asked"), fetch(3, name="robots", target="acme")]
    )
    with published(ledger, 10) as snapshot:
        known = {
            hours: reader.knowledge(snapshot, at(hours))
            .filter(pl.col("query") == "members")
            .select("state", "ok_at")
            .rows()
            for hours in (-1, 0, 1.5, 2.5, 3, 9)
        }
        assert known == {
            -1: [],
            0: [("refused", None)],
            1.5: [("ok", at(1))],
            2.5: [("ok", at(2))],
            3: [("failed", at(2))],
            9: [("gone", at(2))],
        }
        assert reader.unknown(snapshot, at=at(3)).select("query", "state", "reason").rows() == [
            ("members", "failed", "it was failed"),
            ("tags", "not_asked", "it was not_asked"),
        ]
        assert reader.unknown(snapshot, ("members",)).is_empty()
        covered = reader.coverage(snapshot, (SOURCE,)).select(
            "query", "targets", "ok", "not_asked", "gone", "oldest_age_s"
        )
        assert covered.rows() == [
            ("members", 0, 0, 0, 1, None),
            ("robots", 1, 1, 0, 0, 7 * 3600),
            ("tags", 1, 0, 1, 0, None),
        ]


def _access(ledger: Ledger) -> None:
    users = [("root", "", True, True, True, False), ("auditor", "", True, True, False, True), ("alice", "", True)]
    users += [("bob", "", False), ("carol", "", True)]
    permissions = [
        ("acme", "web", "user", "alice", "write"),
        ("acme", "web", "team", "devs", "read"),
        ("acme", "web", "robot", "acme+ci", "admin"),
        ("bob", "own", "robot", "bob+bot", "read"),
    ]
    defaults = [("acme", "p1", None, "devs", "team", "read"), ("acme", "p2", "alice", "acme+ci", "robot", "write")]
    members = [("acme", "owners", "carol", "user", False), ("acme", "devs", "bob", "user", False)]
    members += [("acme", "devs", "new@x.org", "invite", True), ("acme", "makers", "acme+ci", "robot", False)]
    record_fetches(
        ledger,
        1,
        [
            fetch(
                0,
                brought("users", {}, users),
                brought(
                    "teams",
                    {},
                    [("acme", "owners", "admin"), ("acme", "devs", "member"), ("acme", "makers", "creator")],
                ),
                brought("team_members", {}, members),
                brought(
                    "repositories",
                    {},
                    [
                        ("acme", "web", "image", "NORMAL", True),
                        ("acme", "api"),
                        ("bob", "own", "image", "NORMAL", False),
                    ],
                ),
                brought("repository_permissions", {}, permissions),
                brought(
                    "direct_access",
                    {},
                    [
                        ("acme", "web", "alice", "members"),
                        ("acme", "api", "alice", "members"),
                        ("acme", "api", "zed", "members"),
                    ],
                ),
                brought("default_permissions", {}, defaults),
            )
        ],
    )


_WAYS: list[tuple[Any, ...]] = [
    ("*", "everybody", "acme", "web", "read", "public", "", True),
    ("acme+ci", "robot", "acme", "*", "create", "team", "makers", True),
    ("acme+ci", "robot", "acme", "*", "write", "default permission", "p2", True),
    ("acme+ci", "robot", "acme", "web", "admin", "direct", "", True),
    ("alice", "user", "acme", "api", None, "direct", "", True),
    ("alice", "user", "acme", "web", "write", "direct", "", True),
    ("auditor", "user", "*", "*", "read", "read-only superuser", "", True),
    ("bob", "user", "acme", "*", "read", "default permission", "p1", False),
    ("bob", "user", "acme", "web", "read", "team", "devs", False),
    ("bob", "user", "bob", "*", "admin", "owner", "", False),
    ("bob+bot", "robot", "bob", "own", "read", "direct", "", False),
    ("carol", "user", "acme", "*", "admin", "organization admin", "owners", True),
    ("root", "user", "*", "*", "admin", "superuser", "", True),
    ("zed", "user", "acme", "api", None, "direct", "", None),
]


def test_every_way_to_a_role_is_told(ledger: Ledger) -> None:
    _access(ledger)
    record_fetches(
        ledger, 2, [fetch(2, brought("users", {}, []), brought("repository_permissions", {}, []), target="later")]
    )
    with published(ledger) as snapshot:

        def ways(**asked: Any) -> list[tuple[Any, ...]]:
            found = reader.effective_access(snapshot, at(1), **asked)
            assert found["source_id"].unique().to_list() in ([], [SOURCE])
            return sorted(found.drop("source_id").rows(), key=str)

        assert ways() == sorted(_WAYS, key=str)
        assert ways(source_ids=("other",)) == []
        assert ways(principal="alice") == [row for row in sorted(_WAYS, key=str) if row[0] == "alice"]
        assert {row[0] for row in ways(principal_kind="robot")} == {"acme+ci", "bob+bot"}
        assert {row[0] for row in ways(namespace="bob")} == {"auditor", "bob", "bob+bot", "root"}
        on_api = ways(namespace="acme", repository="api")
        assert [row[0] for row in on_api] == ["alice", "auditor", "carol", "root", "zed"]
        assert ways(repository="acme/api") == on_api
        assert [row[5] for row in ways(principal="bob", principal_kind="user", repository="acme/web")] == [
            "public",
            "team",
        ]
        now = reader.effective_access(snapshot)
        assert set(now["via"]) == {"direct", "public", "organization admin", "team", "default permission"}
        assert set(now.filter(pl.col("via") == "direct")["role"]) == {None}


def test_when_everything_was_last_used_and_on_what_evidence(ledger: Ledger) -> None:
    begin(ledger, "other")
    now = event(0)["occurred_at"] + timedelta(days=10)
    app = '{"app_specific_token":"t-1","app_specific_token_title":"laptop"}'
    oauth = '{"oauth_token_application":"ci","oauth_token_application_id":"C1","oauth_token_id":7}'
    store(
        ledger,
        [
            event(10, "pull_repo", performer="acme+ci", performer_kind="robot", ip="10.0.0.1"),
            event(20, "push_repo", performer="acme+ci", performer_kind="robot", ip="10.0.0.2"),
            event(30, "pull_repo", performer="old", performer_kind="user", ip="10.0.0.1", metadata=app),
            event(40, "create_repo", performer="alice", performer_kind="user", metadata=oauth),
            event(
                50,
                "create_app_specific_token",
                performer="alice",
                performer_kind="user",
                metadata=app.replace("1", "2"),
            ),
            event(60, "login_failure", metadata='{"username":"mallory"}'),
        ],
    )
    note_rename(ledger, SOURCE, "user", "old", "new", event(99)["occurred_at"], "user_change_name", 1)
    quay = event(3600)["occurred_at"]
    used = [("robot", "acme+ci", event(15)["occurred_at"]), ("robot", "acme+idle", quay), ("app_token", "t-2", None)]
    record_fetches(
        ledger,
        1,
        [
            fetch(
                0,
                brought("users", {}, [("alice",), ("new",), ("sleeper",)]),
                brought("robots", {}, [("acme+ci", "acme"), ("acme+idle", "acme")]),
                brought("app_tokens", {}, [("t-2", "server")]),
                brought("applications", {}, [("acme", "C1", "ci"), ("acme", "C2", "unused")]),
                measured("last_uses", used),
            )
        ],
    )
    with published(ledger) as snapshot:
        found = reader.last_use(snapshot, now=now, source_ids=(SOURCE,))
        assert reader.last_use(snapshot, now=now, source_ids=("other",)).is_empty()
    told = {row["subject"]: row for row in found.iter_rows(named=True)}
    assert found["evidence_from"].unique().to_list() == [DAY]
    assert {name: (row["subject_kind"], row["exists"], row["evidence"]) for name, row in told.items()} == {
        "alice": ("user", True, "events"),
        "new": ("user", True, "events"),
        "sleeper": ("user", True, "none"),
        "acme+ci": ("robot", True, "both"),
        "acme+idle": ("robot", True, "quay"),
        "t-1": ("app_token", False, "events"),
        "t-2": ("app_token", True, "none"),
        "7": ("oauth_token", None, "events"),
        "C1": ("oauth_application", True, "events"),
        "C2": ("oauth_application", True, "none"),
    }
    robot = told["acme+ci"]
    assert (robot["last_event_kind"], robot["last_use_at"], robot["distinct_ips_30d"]) == (
        "push_repo",
        event(20)["occurred_at"],
        2,
    )
    assert (told["acme+idle"]["last_use_at"], told["acme+idle"]["idle_days"]) == (quay, 9)
    assert (told["sleeper"]["idle_days"], told["t-1"]["title"], told["C1"]["title"]) == (None, "laptop", "ci")


def test_what_the_log_holds_of_the_time_before_the_first_read(ledger: Ledger) -> None:
    told = [
        event(10, "change_repo_permission"),
        event(20, "create_robot"),
        event(30, "push_repo"),
        event(40, "pull_repo"),
        event(3600, "create_robot"),
    ]
    store(ledger, told)
    record_fetches(ledger, 1, [fetch(2, name="users"), fetch(5, name="robots", target="acme")])
    midnight = datetime(DAY.year, DAY.month, DAY.day, tzinfo=UTC)
    with published(ledger) as snapshot:
        assert reader.first_read_at(snapshot) == at(2)
        assert reader.logged_changes(snapshot, midnight, midnight + timedelta(seconds=3600)) == 2
        assert reader.logged_changes(snapshot, midnight, midnight + timedelta(days=2), ("other",)) == 0


def test_a_robot_that_was_never_used_is_idle_since_it_was_made(ledger: Ledger) -> None:
    robots = brought("robots", {}, [("acme+ci", "acme", "", at(-48)), ("acme+old", "acme", "", at(-240))])
    uses = measured("last_uses", [("robot", "acme+ci", at(-24), None), ("robot", "acme+old", None, None)])
    record_fetches(ledger, 1, [fetch(0, robots, uses)])
    with published(ledger) as snapshot:
        found = reader.last_use(snapshot, now=at(0))
        told = {row["subject"]: (row["never_used"], row["idle_days"]) for row in found.iter_rows(named=True)}
        assert told == {"acme+ci": (False, 1), "acme+old": (True, 10)}
