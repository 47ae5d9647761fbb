"""Robots and tokens on a small registry: age, idleness, power; what is not known is never said to be never or no."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from quayledger.reports.model import Report
from quayledger.reports.render.formats import Format, write
from quayledger.warehouse.inventory.store import record_fetches
from quayledger.warehouse.ledger import Ledger
from quayledger.warehouse.publish import publish
from quayledger.warehouse.runs import finish_run, start_run
from quayledger.warehouse.snapshot import Snapshot
from tests.reports.building import build
from tests.reports.inventory_sample import HOSTILE, MAIN, Taken
from tests.warehouse.sample import begin, event, seal, store

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
READ = datetime(2026, 11, 21, 6, tzinfo=UTC)
BEGUN, LATER = date(2026, 10, 1), date(2026, 11, 11)
MADE = datetime(2026, 1, 5, tzinfo=UTC)
ACME = {"namespace": "acme", "namespace_kind": "org"}


def _events(ledger: Ledger) -> None:
    alice = {**ACME, "performer": "alice", "performer_kind": "user"}
    web = {**ACME, "repository": "web", "repository_namespace": "acme", "ip": "10.0.0.7"}

    def told(kind: str, second: int, day: date = BEGUN, **metadata: Any) -> dict[str, Any]:
        return event(second, kind, day=day, metadata=json.dumps(metadata, separators=(",", ":")), **alice)

    robot = {"performer_kind": "robot"}
    days = {
        BEGUN: [
            told("create_robot", 0, robot="gone"),
            event(5, "pull_repo", day=BEGUN, performer="acme+gone", **robot, **web),
            told("delete_robot", 10, robot="gone"),
            told("create_application", 20, client_id="C1", application_name="deployer"),
            told("create_app_specific_token", 30, app_specific_token="t-1", app_specific_token_title=HOSTILE),
            event(40, "pull_repo", day=BEGUN, performer="bob+own", **robot, **web),
            event(50, "pull_repo", day=BEGUN, performer="0d09d33d-1392-4626-bf26-0d09d33d1392+ci", **robot, **web),
        ],
        LATER: [
            told("regenerate_robot_token", 0, LATER, robot="ci"),
            event(60, "push_repo", day=LATER, performer="acme+ci", **robot, **web),
            told(
                "delete_tag",
                70,
                LATER,
                oauth_token_id=7,
                oauth_token_application_id="C1",
                oauth_token_application="deployer",
            ),
        ],
    }
    for day, rows in days.items():
        store(ledger, rows, source_id=MAIN, day=day)
        seal(ledger, day, source_id=MAIN)


def _inventory(taken: Taken, *, roles_read: bool) -> None:
    taken.fetch("organizations", "", [("organizations", {}, [("acme", None)])])
    taken.fetch(
        "repositories",
        "",
        [("repositories", {}, [("acme", n, "image", "NORMAL", False, None) for n in ("web", "api")])],
    )
    taken.fetch("organization", "acme", [("teams", {"organization": "acme"}, [("acme", "owners", "admin", "", False)])])
    robots = ("acme+ci", "acme+idle", "acme+root")
    taken.fetch(
        "robots",
        "acme",
        [("robots", {"namespace": "acme"}, [(name, "acme", "", MADE) for name in robots])],
        [("last_uses", [("robot", name, None, None) for name in robots])],
    )
    for name in robots:
        identity = [(name, "https://idp.example.com", "repo:acme")] if name == "acme+ci" else []
        taken.fetch("federation", name, [("robot_federations", {"robot": name}, identity)])
    member = [("acme", "owners", "acme+root", "robot", False)]
    taken.fetch("team_members", "acme/owners", [("team_members", {"organization": "acme", "team": "owners"}, member)])
    taken.fetch("team_permissions", "acme/owners", [])
    taken.fetch(
        "app_tokens",
        "",
        [("app_tokens", {}, [("t-1", HOSTILE, None, MADE, None), ("t-2", "old", None, MADE, MADE)])],
        [("last_uses", [("app_token", "t-1", None, None)])],
    )
    taken.fetch(
        "applications",
        "acme",
        [("applications", {"organization": "acme"}, [("acme", "C1", "deployer", "", None, None)])],
    )
    tokens = [("acme", "C1", "u-1", None, "repo:read org:admin", MADE, "alice", None)]
    taken.fetch("oauth_tokens", "acme/C1", [("oauth_tokens", {"organization": "acme", "client_id": "C1"}, tokens)])
    for repository in ("web", "api"):
        where = {"namespace": "acme", "repository": repository}
        if not roles_read:
            taken.fetch("user_permissions", f"acme/{repository}", state="refused", reason="403")
            continue
        rows = [("acme", repository, "robot", "acme+idle", "write")] if repository == "web" else []
        taken.fetch(
            "user_permissions",
            f"acme/{repository}",
            [("repository_permissions", where | {"principal_kind": "robot"}, rows)],
        )


def _report(home: Path, *, roles_read: bool = True, **given: Any) -> Report:
    with Ledger.open(home, command="sample") as ledger:
        begin(ledger, MAIN)
        _events(ledger)
        run_id = start_run(ledger, "inventory", "sample", READ)
        taken = Taken(READ)
        _inventory(taken, roles_read=roles_read)
        record_fetches(ledger, run_id, taken.fetches)
        finish_run(ledger, run_id, READ, "done", "", ())
        publish(ledger, keep=3, now=NOW)
    with Snapshot.open(home) as snapshot:
        return build("credentials", snapshot, now=NOW, **given)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Report]:
    yield _report(tmp_path_factory.mktemp("credentials"))


def _rows(report: Report) -> dict[str, dict[str, Any]]:
    return {row["credential_id"]: row for row in report.table("credentials").frame.iter_rows(named=True)}


def test_each_credential_has_an_age_and_is_idle_since_something(report: Report) -> None:
    rows = _rows(report)
    assert {name: (row["kind"], row["use"], row["idle_days"]) for name, row in rows.items()} == {
        "acme+ci": ("robot", "used", 10),
        # Quay says that these were never used: idle since they were made.
        "acme+idle": ("robot", "never used", 320),
        "acme+root": ("robot", "never used", 320),
        "t-1": ("app token", "never used", 320),
        # Nobody says anything: idle since the records begin at least.
        "t-2": ("app token", "no record", 51),
        "C1": ("OAuth application", "used", 10),
        "u-1": ("OAuth token", "no record", 51),
        # Its owner's list could not be read; robots that were deleted, and those of deleted accounts, are not there.
        "bob+own": ("robot", "used", 51),
    }
    assert rows["acme+idle"]["age_days"] == 320
    assert rows["t-2"]["expired"] is True
    assert [rows[name]["listed"] for name in ("acme+ci", "bob+own")] == [True, False]
    assert "Records begin on 2026-10-01. No record before that day does not mean never used." in [
        n.text for n in report.notes
    ]


def test_owner_rotation_and_power(report: Report) -> None:
    rows = _rows(report)
    assert rows["t-1"]["owner"] == "alice"  # the event that made it names them, the list does not
    assert rows["acme+ci"]["rotated_at"] == datetime(2026, 11, 11, tzinfo=UTC)
    assert (rows["acme+ci"]["federated"], rows["acme+idle"]["federated"]) == (True, False)
    named = ("highest_role", "repositories", "powerful", "unused_write")
    assert [rows["acme+root"][one] for one in named] == ["admin", 2, True, True]
    assert [rows["acme+idle"][one] for one in named] == ["write", 1, False, True]
    assert [rows["acme+ci"][one] for one in named] == [None, 0, False, False]
    assert rows["u-1"]["powerful"] is True and rows["t-1"]["powerful"] is None
    assert report.table("oauth_tokens_in_log").frame.select("number", "application").rows() == [("7", "deployer")]


def test_filters_keep_what_is_not_known(tmp_path: Path) -> None:
    kept = _rows(_report(tmp_path, idle_days=52))
    assert set(kept) == {"acme+idle", "acme+root", "t-1"}


def test_roles_that_were_not_read_are_not_none(tmp_path: Path) -> None:
    report = _report(tmp_path, roles_read=False)
    rows = _rows(report)
    assert (rows["acme+ci"]["powerful"], rows["acme+ci"]["repositories"]) == (None, None)
    assert rows["acme+root"]["powerful"] is True
    assert report.trust.level == "warning"
    assert next(metric.value for metric in report.metrics if metric.name == "unused_write") == 1


@pytest.mark.parametrize("form", list(Format))
def test_every_format_holds_hostile_names_harmlessly(report: Report, form: Format) -> None:
    told = write(report, form, "")
    if isinstance(told, str):
        assert "acme+idle" in told
        assert form is not Format.HTML or HOSTILE not in told
    else:
        assert len(told) > 1000
