"""Taking the inventory of a stand-in over real HTTP into a real ledger: whole, by any token, whatever goes wrong."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest

from quayledger.collector.inventory.inventory_sync import InventoryOutcome, InventoryRequest
from quayledger.settings import InventorySettings, Settings
from quayledger.warehouse.inventory import reader
from quayledger.warehouse.snapshot import Snapshot
from tests.cli.conftest import ROOT, environment
from tests.inventory.taking import NOW, WITHOUT_IMAGES, read_log, settings, take


@pytest.fixture
def quay(start_simulator: Any) -> Any:
    """A stand-in that the test may change."""
    return start_simulator("--events", "300", "--days", "2", "--now", NOW)


@pytest.fixture(scope="module")
def unchanged(start_simulator: Any) -> Any:
    """A stand-in that every test leaves as it is."""
    return start_simulator("--events", "300", "--days", "2", "--now", NOW)


class Whole(msgspec.Struct):
    """A ledger with the whole inventory of the unchanged stand-in, images and configuration too, and what taking it did."""

    home: Path
    settings: Settings
    outcome: InventoryOutcome


@pytest.fixture(scope="module")
def whole(unchanged: Any, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    home = tmp_path_factory.mktemp("whole") / "ledger"
    chosen = settings(unchanged, inventory=InventorySettings(extra=("log_config",)))
    read_log(home, chosen)
    return Whole(home, chosen, take(home, chosen))


def held(home: Path, family: str, **where: Any) -> pl.DataFrame:
    with Snapshot.open(home) as snapshot:
        return reader.as_of(snapshot, family, where=where or None)


def knowledge(home: Path, fetch: str) -> pl.DataFrame:
    with Snapshot.open(home) as snapshot:
        return reader.knowledge(snapshot).filter(pl.col("query") == fetch)


def test_the_second_run_asks_nothing_and_no_secret_is_anywhere(unchanged: Any, whole: Whole) -> None:
    assert whole.outcome.failure is None
    assert set(whole.outcome.states) <= {"ok"}
    second = take(whole.home, whole.settings)
    assert (second.requests, second.states) == (0, {})
    secrets = [secret.encode() for secret in unchanged.control("secrets")] + [unchanged.tokens["superuser"].encode()]
    assert len(secrets) > 20
    files = [path for path in whole.home.rglob("*") if path.is_file()]
    told = [(path.name, secret) for path in files for secret in secrets if secret in path.read_bytes()]
    assert told == []


@pytest.mark.parametrize("role", ["readonly_superuser", "org_admin", "user"])
def test_any_token_gets_what_it_may_see_and_is_told_the_rest(unchanged: Any, tmp_path: Path, role: str) -> None:
    home, chosen = tmp_path / "ledger", settings(unchanged, unchanged.tokens[role])
    outcome = take(home, chosen)
    assert outcome.failure is None
    assert set(outcome.states) <= {"ok", "refused"}
    assert held(home, "repositories").height > 0
    if role != "readonly_superuser":
        refused = knowledge(home, "members").filter(pl.col("state") == "refused")
        assert refused.height > 0
        assert all("403" in reason for reason in refused["reason"])
        teams = held(home, "teams")["organization"].unique().to_list()
        assert not set(knowledge(home, "organization").filter(pl.col("state") == "refused")["target"]) & set(teams)
    again = take(home, chosen)
    assert again.requests <= 3  # who the token is; what was refused is left alone


def test_a_family_that_is_refused_costs_a_few_requests_and_stays_unknown(quay: Any, tmp_path: Path) -> None:
    home, chosen = tmp_path / "ledger", settings(quay, chains=1)
    quay.control("features", full_access=False)
    outcome = take(home, chosen)
    assert outcome.failure is None
    for fetch in ("members", "robots", "applications"):
        states = dict(knowledge(home, fetch).group_by("state").len().iter_rows())
        assert states == {"refused": 3, "not_asked": 1}
    assert held(home, "users").height > 20
    quay.control("features", full_access=True)
    later = take(home, chosen, later=timedelta(days=8))
    assert set(later.states) <= {"ok"}
    assert knowledge(home, "members").filter(pl.col("state") != "ok").is_empty()


def test_features_that_are_off_are_not_asked_for(quay: Any, tmp_path: Path) -> None:
    home, chosen = tmp_path / "ledger", settings(quay)
    quay.control("features", builds=False)
    outcome = take(home, chosen)
    assert set(outcome.states) <= {"ok"}
    for fetch in ("builds", "triggers"):
        assert knowledge(home, fetch).select("target", "state").rows() == [("*", "not_offered")]
    quay.control("features", builds=True)
    take(home, chosen, later=timedelta(days=1))
    assert knowledge(home, "builds").filter(pl.col("state") != "ok").is_empty()


def test_a_repository_that_is_deleted_meanwhile_takes_its_parts_along(quay: Any, tmp_path: Path) -> None:
    home, chosen = tmp_path / "ledger", settings(quay)
    take(home, chosen, InventoryRequest(requests=60))
    assert held(home, "repositories", namespace="payments", repository="api").height == 1
    quay.control("act", kind="delete_repo", namespace="payments", performer="quayadmin", repository="api")
    outcome = take(home, chosen)
    assert outcome.failure is None
    for family in ("repositories", "repository_permissions", "direct_access", "tags"):
        assert held(home, family, namespace="payments", repository="api").is_empty()
    with Snapshot.open(home) as snapshot:
        past = reader.history(snapshot, "repositories", where={"namespace": "payments", "repository": "api"})
    assert past["ended"].to_list() == ["gone"]


def test_images_of_a_renamed_namespace_are_at_no_time_gone(quay: Any, tmp_path: Path) -> None:
    home, chosen = tmp_path / "ledger", settings(quay, inventory=InventorySettings())
    read_log(home, chosen)
    take(home, chosen)
    time.sleep(1.1)  # events tell whole seconds
    planted = quay.control("changes")
    old, new = next(
        (one["before"], one["after"])
        for one in planted
        if (one["family"], one["change"]) == ("organizations", "renamed")
    )
    theirs = set(held(home, "tags", namespace=old)["digest"])
    found = {row for row in held(home, "vulnerabilities").select("digest", "vulnerability").rows() if row[0] in theirs}
    assert len(found) > 20
    read_log(home, chosen)
    between = False
    for _ in range(60):
        outcome = take(home, chosen, InventoryRequest(requests=20))
        assert found <= set(held(home, "vulnerabilities").select("digest", "vulnerability").rows())
        between |= held(home, "tags", namespace=old).is_empty() and held(home, "tags", namespace=new).is_empty()
        if outcome.requests < 20:
            break
    assert between
    assert set(held(home, "manifests", namespace=new)["digest"]) <= theirs
    assert not held(home, "manifests", namespace=new).is_empty()


def test_fields_that_are_missing_or_of_another_type_close_nothing(quay: Any, tmp_path: Path) -> None:
    home, chosen = tmp_path / "ledger", settings(quay)
    take(home, chosen)
    before = {family: held(home, family).height for family in ("robots", "teams", "users", "repositories", "tags")}
    plans = [
        {"operation": "getOrgRobots", "field": "robots.name", "how": "drop", "every": 2},
        {"operation": "getOrganization", "field": "teams.*.role", "how": "object", "every": 2},
        {"operation": "listAllUsers", "field": "users.username", "how": "list", "every": 5},
        {"operation": "listRepos", "field": "repositories.name", "how": "null", "every": 7},
        {"operation": "listRepoTags", "field": "tags.start_ts", "how": "text", "every": 2},
    ]
    quay.control("faults", fields=plans)
    outcome = take(home, chosen, InventoryRequest(everything=True))
    assert outcome.failure is None
    assert outcome.rejected_rows > 0
    assert outcome.states["partial"] > 10
    assert {family: held(home, family).height for family in before} == before
    quay.control("faults")
    assert set(take(home, chosen, InventoryRequest(everything=True)).states) <= {"ok"}


def test_a_failing_server_is_left_alone_and_nothing_is_lost(quay: Any, tmp_path: Path) -> None:
    home, chosen = tmp_path / "ledger", settings(quay, retries=0)
    first = take(home, chosen, InventoryRequest(requests=80))
    assert first.left > 0
    repositories = held(home, "repositories").height
    quay.control("faults", rates={"unavailable": 1})
    failed = take(home, chosen)
    assert failed.failure is not None
    assert failed.requests < 40
    assert held(home, "repositories").height == repositories > 30
    quay.control("faults", rates={"unavailable": 0.05, "cut": 0.05})
    take(home, chosen, later=timedelta(hours=2))
    quay.control("faults")
    assert set(take(home, chosen, later=timedelta(hours=4)).states) <= {"ok"}


def test_a_token_that_is_revoked_in_mid_run_stops_it_with_a_word(quay: Any, tmp_path: Path) -> None:
    home, chosen = tmp_path / "ledger", settings(quay)
    take(home, chosen, InventoryRequest(requests=50))
    quay.control("revoke", token=quay.tokens["superuser"])
    outcome = take(home, chosen)
    assert "401" in outcome.error
    assert outcome.requests <= 8
    assert held(home, "repositories").height > 30


def test_a_killed_run_goes_on_where_it_was(quay: Any, tmp_path: Path) -> None:
    home = tmp_path / "ledger"
    slow = {
        "QUAYLEDGER_SOURCES__MAIN__REQUESTS_PER_SECOND": "60",
        "QUAYLEDGER_INVENTORY__LEAVE_OUT": ",".join(WITHOUT_IMAGES.leave_out),
    }
    asked = environment(home, quay.url, quay.tokens["superuser"]) | slow
    process = subprocess.Popen(
        [sys.executable, "-m", "quayledger", "inventory", "sync"], env=asked, cwd=ROOT, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 60
    while quay.control("stats")["total"] < 300 and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    before = quay.control("stats")["total"]
    outcome = take(home, settings(quay))
    assert set(outcome.states) <= {"ok"}
    other = take(tmp_path / "other", settings(quay))
    # what was asked in the last seconds before the kill is asked again, and no more
    assert before + outcome.requests <= other.requests + 150
    for family in ("repositories", "repository_permissions", "tags", "robots", "vulnerabilities"):
        assert (
            held(home, family)
            .drop("from_at", "after_at", "first_seen_at", "to_at")
            .equals(held(tmp_path / "other", family).drop("from_at", "after_at", "first_seen_at", "to_at"))
        )


def test_names_with_every_character_and_thousands_of_tags(start_simulator: Any, tmp_path: Path) -> None:
    quay = start_simulator("--events", "50", "--days", "1", "--scenario", "odd-names", "--now", NOW)
    home = tmp_path / "ledger"
    chosen = settings(quay)
    outcome = take(home, chosen)
    assert outcome.failure is None
    # Quay's own routes take a repository that is named like an operation for that operation: it is not asked for.
    shadowed = knowledge(home, "repository").filter(pl.col("state") != "ok")
    assert all(target.endswith("/build/logs") for target in shadowed["target"])
    assert set(outcome.states) <= {"ok", "gone", "refused"}
    repositories = held(home, "repositories")
    assert repositories.filter(pl.col("repository").str.contains("/")).height > 0
    most = held(home, "tags").group_by("namespace", "repository").len().sort("len").row(-1)
    assert most[2] >= 2500
    listed = {row["namespace"] + "/" + row["repository"] for row in repositories.iter_rows(named=True)}
    assert set(knowledge(home, "tags")["target"]) == listed
    quay.control("act", kind="push_repo", namespace=most[0], repository=most[1], metadata={"tag": "v-new"})
    read_log(home, chosen)
    after = take(home, chosen)
    assert after.requests <= 2
    assert held(home, "tags", namespace=most[0], repository=most[1], tag="v-new").height == 1


def test_of_the_configuration_nothing_but_named_settings_is_kept(whole: Whole) -> None:
    rows = held(whole.home, "registry_settings", origin="config")
    kept = dict(rows.select("setting", "value").iter_rows())
    assert (kept["LOGS_MODEL"], kept["FEATURE_ACTION_LOG_ROTATION"]) == ('"database"', "false")
    assert not [name for name in kept if "PASSWORD" in name or "SECRET" in name or name == "LOGS_MODEL_CONFIG"]


def test_robots_and_policies_of_users_are_read_too(whole: Whole) -> None:
    users = set(held(whole.home, "users")["username"])
    robots = held(whole.home, "robots").filter(pl.col("namespace").is_in(users))
    assert {"alice", "quayadmin"} <= set(robots["namespace"])
    policies = held(whole.home, "autoprune_policies", repository="").filter(pl.col("namespace").is_in(users))
    assert {"alice", "quayadmin"} <= set(policies["namespace"])
    asked = knowledge(whole.home, "user_robots")
    assert set(asked["state"]) == {"ok"}
    assert set(asked["target"]) == users
