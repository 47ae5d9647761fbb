"""Reports for security teams, on a small ledger in which each thing that they have to tell happens once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from quayledger.reports.period import parse
from quayledger.warehouse.ledger import Ledger
from quayledger.warehouse.log.slices import Reading, merge_reading, record_counts, set_state
from quayledger.warehouse.publish import publish
from quayledger.warehouse.runs import finish_run, start_run
from quayledger.warehouse.schema import EVENT_SCHEMA, REJECT_SCHEMA, SliceState
from quayledger.warehouse.snapshot import Snapshot
from quayledger.warehouse.sources import CoverRow, add_cover, register_source
from tests.reports.building import build
from tests.reports.sample import NOW

DAY = datetime(2026, 11, 20, tzinfo=UTC)
OLD, NEW = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"
PERIOD = parse("2026-11-20", "UTC", NOW)
Row = tuple[int, str, str | None, str | None, str | None, dict[str, Any]]
ATTACKER = "203.0.113.66"
# minute, kind, account, repository, address, metadata
ROWS: tuple[Row, ...] = (
    *((n, "login_failure", None, None, ATTACKER, {"username": "bob", "message": "Invalid"}) for n in range(1, 5)),
    (30, "login_success", "bob", None, ATTACKER, {}),
    (40, "login_failure", None, None, "198.51.100.7", {"username": "=cmd", "message": "Invalid"}),
    (60, "push_repo", "acme+ci", "web", "198.51.100.1", {"tag": "v1"}),
    (
        70,
        "move_tag",
        "alice",
        "web",
        "198.51.100.2",
        {"tag": "v1", "manifest_digest": NEW, "original_manifest_digest": OLD},
    ),
    (80, "change_repo_permission", "alice", "web", None, {"username": "bob", "role": "read"}),
    (90, "change_repo_permission", "alice", "web", None, {"username": "bob", "role": "admin"}),
    (95, "delete_repo_permission", "alice", "web", None, {"team": "qa"}),
    (100, "org_add_team_member", "alice", None, None, {"member": "carol", "team": "owners"}),
    (110, "change_repo_visibility", "alice", "web", None, {"visibility": "public"}),
    (120, "take_ownership", "root", None, None, {"namespace": "acme", "was_user": False, "superuser": "root"}),
    (130, "user_change_email", "root", None, None, {"old_email": "b@x", "email": "e@x", "superuser": "root"}),
    (140, "user_change_email", "bob", None, None, {"old_email": "e@x", "email": "own@x"}),
    (150, "org_change_quota", "root", None, None, {"namespace": "acme", "limit": "2 GiB", "previous_limit": "1 GiB"}),
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("security")
    frame = pl.DataFrame([_event(*row) for row in ROWS], schema=EVENT_SCHEMA, orient="row")
    counts = {str(kind): int(count) for kind, count in frame.group_by("kind").len().iter_rows()}
    with Ledger.open(folder, command="sample") as ledger:
        register_source(ledger, "main", "Main", "https://quay.example.com", NOW)
        add_cover(ledger, "main", CoverRow(1, DAY.date(), ("superuser",), (), "first cover"))
        run = start_run(ledger, "sync", "sample", NOW)
        ended = DAY + timedelta(days=1)
        reading = Reading("main", DAY.date(), "superuser", "", "pages", run, DAY, ended, frame.height, 1, "end", True)
        record_counts(ledger, run, "main", "superuser", {DAY.date(): counts}, NOW)
        merge_reading(ledger, reading, frame, pl.DataFrame(schema=REJECT_SCHEMA))
        set_state(
            ledger,
            "main",
            DAY.date(),
            1,
            SliceState.VERIFIED,
            expected_events=frame.height,
            note="",
            now=NOW,
            counted_at=NOW,
        )
        finish_run(ledger, run, NOW, "done", "", ())
        publish(ledger, keep=3, now=NOW)
    return folder


def _event(
    minute: int, kind: str, actor: str | None, repository: str | None, ip: str | None, metadata: dict[str, Any]
) -> Any:
    event: dict[str, object] = dict.fromkeys(EVENT_SCHEMA)
    event.update(occurred_at=DAY + timedelta(minutes=minute), kind=kind, namespace="acme", namespace_kind="org", ip=ip)
    event.update(performer=actor, performer_kind="robot" if actor and "+" in actor else "user" if actor else None)
    event.update(repository=repository, repository_namespace="acme" if repository else None, tag=metadata.get("tag"))
    event.update(metadata=json.dumps(metadata), digest=metadata.get("manifest_digest"))
    return event


@pytest.fixture
def snapshot(home: Path) -> Iterator[Snapshot]:
    with Snapshot.open(home) as opened:
        yield opened


def _rows(frame: pl.DataFrame, *names: str) -> list[tuple[Any, ...]]:
    return frame.select(names).rows()


def test_who_pushed_what(snapshot: Snapshot) -> None:
    report = build("pushes", snapshot, period=PERIOD)
    names = ("actor", "repository", "tag", "digest", "confidence", "overwritten", "previous_digest")
    assert _rows(report.table("pushes").frame, *names) == [
        ("alice", "acme/web", "v1", NEW, "exact", True, OLD),
        ("acme+ci", "acme/web", "v1", None, "unknown", None, None),
    ]
    assert build("pushes", snapshot, period=PERIOD, actor="acme+ci").table("pushes").frame.height == 1
    assert build("pushes", snapshot, period=PERIOD, digest=NEW).table("pushes").frame.height == 1
    quiet = build("pushes", snapshot, period=PERIOD, namespace="globex").table("pushes")
    assert (quiet.frame.height, quiet.empty) == (0, "No push: every day of the period is verified.")


def test_privileged_actions(snapshot: Snapshot) -> None:
    report = build("privileged-actions", snapshot, period=PERIOD)
    assert _rows(report.table("actions").frame, "by", "kind", "before", "after") == [
        ("root", "org_change_quota", "1 GiB", "2 GiB"),
        ("root", "user_change_email", "b@x", "e@x"),
        ("root", "take_ownership", None, None),
    ]
    assert _rows(report.table("by_account").frame, "by", "actions") == [("root", 3)]


def test_permission_changes(snapshot: Snapshot) -> None:
    report = build("permission-changes", snapshot, period=PERIOD)
    assert _rows(report.table("changes").frame, "subject", "resource", "old_role", "new_role", "made_public") == [
        ("everyone", "acme/web", None, "public", True),
        ("carol", "team acme/owners", None, "member", None),
        ("acme/qa", "acme/web", None, None, None),
        ("bob", "acme/web", "read", "admin", None),
        ("bob", "acme/web", None, "read", None),
    ]
    assert {metric.name: metric.value for metric in report.metrics}["admin"] == 1
    assert build("permission-changes", snapshot, period=PERIOD, subject="bob").table("changes").frame.height == 2


def test_failed_access(snapshot: Snapshot) -> None:
    report = build("failed-access", snapshot, period=PERIOD)
    attempts = report.table("attempts").frame
    names = ("name", "ip", "attempts", "success_at", "success_by", "success_actor")
    assert _rows(attempts, *names) == [
        ("bob", ATTACKER, 4, DAY + timedelta(minutes=30), "name and address", "bob"),
        ("=cmd", "198.51.100.7", 1, None, None, None),
    ]
    assert any("pull_repo_failed" in note.text for note in report.notes)
    assert _rows(report.table("by_address").frame, "ip", "attempts", "others")[0] == (ATTACKER, 4, 1)
