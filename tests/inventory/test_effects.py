"""Which fetches an event asks for: every kind of event has an answer, and names the right target."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from quayledger.collector.inventory.stale import (
    AccountRename,
    ChangedObject,
    StaleTarget,
    narrow,
    rename_of,
    stale_targets,
)
from quayledger.warehouse.catalog import FAMILY, SERIES_BY_NAME
from quayledger.warehouse.catalog.event_effects import (
    EFFECTS,
    NO_EFFECT,
    NOT_WRITTEN,
)
from quayledger.warehouse.catalog.queries import ON_DEMAND, QUERIES, QUERY

RECORDINGS = Path(__file__).parent.parent / "recordings"
KINDS = json.loads((RECORDINGS / "log_kinds.json").read_text(encoding="utf-8"))
LOG_OPERATIONS = {
    "listAllLogs",
    "listUserLogs",
    "listOrgLogs",
    "listRepoLogs",
    "getAggregateUserLogs",
    "getAggregateOrgLogs",
    "getAggregateRepoLogs",
    "exportUserLogs",
    "exportOrgLogs",
    "exportRepoLogs",
}


def test_every_kind_of_event_has_an_answer_and_only_one() -> None:
    known = set(KINDS["kinds"])
    assert set(EFFECTS) | set(NO_EFFECT) == known
    assert not set(EFFECTS) & set(NO_EFFECT)
    assert {kind for kind, why in NO_EFFECT.items() if why == NOT_WRITTEN} == set(KINDS["not_written_by_code"])
    assert {query for effect in EFFECTS.values() for query in effect.stale} <= set(QUERY)


def test_every_operation_of_the_reference_is_read_or_on_demand() -> None:
    rows = csv.DictReader((RECORDINGS / "endpoints.csv").read_text(encoding="utf-8").splitlines())
    operations = {row["operation"] for row in rows}
    read = {operation for kind in QUERIES for operation in kind.operations}
    assert operations - read - set(ON_DEMAND) == LOG_OPERATIONS | {"postRegistrySize"}
    assert not read & set(ON_DEMAND)


def test_every_family_and_series_is_written_by_a_look() -> None:
    assert {name for kind in QUERIES for name in kind.writes} == set(FAMILY) | set(SERIES_BY_NAME)


@pytest.mark.parametrize(
    ("cause", "asked"),
    [
        (ChangedObject("push_repo", "acme", "acme", "team/nested/app", tag="v1"), {("tags", "acme/team/nested/app")}),
        (ChangedObject("revert_tag", "acme", "", "web", tag="v1"), {("tags", "acme/web")}),
        (
            ChangedObject("change_repo_permission", "acme", "acme", "web", username="carol"),
            {("user_permissions", "acme/web")},
        ),
        (
            ChangedObject("change_repo_permission", "acme", "", "web", team="qa"),
            {("repository_team_permissions", "acme/web")},
        ),
        (ChangedObject("org_add_team_member", "acme", team="qa"), {("team_members", "acme/qa")}),
        (ChangedObject("create_robot_federation", "acme", robot="acme+ci"), {("federation", "acme+ci")}),
        (ChangedObject("create_robot_federation", "acme", robot="ci"), {("federation", "acme+ci")}),
        (
            ChangedObject("manifest_label_add", "acme", "acme", "web", digest="sha256:a"),
            {("labels", "acme/web@sha256:a")},
        ),
        (ChangedObject("cancel_build", "acme", build="u-1"), {("builds", "acme/api")}),
        (ChangedObject("cancel_build", "acme", build="u-2"), set()),
        (ChangedObject("user_create", "newbie", username="newbie"), {("user", "newbie")}),
        (ChangedObject("user_change_email", "newbie"), {("user", "newbie")}),
        (
            ChangedObject("user_change_name", "nia", old_name="niaj"),
            {("user", "nia"), ("user", "niaj"), ("namespace_repositories", "nia")},
        ),
        (
            ChangedObject("org_change_name", "new", old_name="old", new_name="new"),
            {("organization", "old"), ("organization", "new"), ("namespace_repositories", "new")},
        ),
        (
            ChangedObject("take_ownership", "umbrella", "umbrella"),
            {("organization", "umbrella"), ("members", "umbrella"), ("team_members", "umbrella/owners")},
        ),
        (ChangedObject("org_delete", "0e7c-uuid", "acme"), {("organization", "acme")}),
        (ChangedObject("org_create_quota", "acme", "acme"), {("quota", "acme")}),
        (ChangedObject("service_key_rotate", "admin"), {("service_keys", "")}),
        (ChangedObject("push_repo", "before", "before", "web", tag="v1"), {("tags", "after/web")}),
        (ChangedObject("pull_repo", "acme", "acme", "web"), set()),
        (ChangedObject("a_kind_of_tomorrow", "acme"), set()),
        (ChangedObject("push_repo"), set()),
    ],
)
def test_what_an_event_asks_for(cause: ChangedObject, asked: set[tuple[str, str]]) -> None:
    found = stale_targets(cause, {"before": "between", "between": "after"}, {"u-1": "acme/api"})
    assert found == {StaleTarget(*pair) for pair in asked}


def test_names_that_go_in_a_circle_end() -> None:
    cause = ChangedObject("org_create_quota", "a", "a")
    assert stale_targets(cause, {"a": "b", "b": "a"}, {}) == {StaleTarget("quota", "b")}


@pytest.mark.parametrize(
    ("cause", "rename"),
    [
        (ChangedObject("org_change_name", old_name="a", new_name="b"), AccountRename("organization", "a", "b")),
        (ChangedObject("user_change_name", "b", old_name="a"), AccountRename("user", "a", "b")),
        (ChangedObject("user_change_name", "a", old_name="a"), None),
        (ChangedObject("org_delete", "a-uuid", "a"), AccountRename("organization", "a", "a-uuid")),
        (ChangedObject("org_delete", "a", "a"), None),
    ],
)
def test_renames(cause: ChangedObject, rename: AccountRename | None) -> None:
    assert rename_of(cause) == rename


def test_a_few_tags_of_a_large_repository_are_asked_for_one_by_one() -> None:
    held = {"acme/large": 2500, "acme/small": 90}
    asked = {"acme/large": {"v1", "v2"}, "acme/small": {"v1"}, "acme/new": {"v1", "v2"}}
    assert narrow(QUERY["tags"], asked, held, 100) == {
        StaleTarget("tag", "acme/large:v1"),
        StaleTarget("tag", "acme/large:v2"),
        StaleTarget("tags", "acme/small"),
        StaleTarget("tags", "acme/new"),
    }
    assert narrow(QUERY["tags"], {"acme/large": {f"v{n}" for n in range(25)}}, held, 100) == {
        StaleTarget("tags", "acme/large")
    }
    assert narrow(QUERY["tags"], {"acme/large": {""}}, held, 100) == {StaleTarget("tags", "acme/large")}
