"""Which looks an event asks for: every kind of event has an answer, and names the right target."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from quayledger.collector.inventory.event_effects import (
    EFFECTS,
    NO_EFFECT,
    NOT_WRITTEN,
    Asked,
    Cause,
    Rename,
    asked_by,
    narrow_tags,
    rename_of,
)
from quayledger.collector.inventory.queries import LOOK, LOOKS, ON_DEMAND
from quayledger.warehouse.catalog import FAMILY, SERIES_BY_NAME

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
    assert {look for looks in EFFECTS.values() for look in looks} <= set(LOOK)


def test_every_operation_of_the_reference_is_read_or_on_demand() -> None:
    rows = csv.DictReader((RECORDINGS / "endpoints.csv").read_text(encoding="utf-8").splitlines())
    operations = {row["operation"] for row in rows}
    read = {operation for kind in LOOKS for operation in kind.operations}
    assert operations - read - set(ON_DEMAND) == LOG_OPERATIONS | {"postRegistrySize"}
    assert not read & set(ON_DEMAND)


def test_every_family_and_series_is_written_by_a_look() -> None:
    assert {name for kind in LOOKS for name in kind.writes} == set(FAMILY) | set(SERIES_BY_NAME)


@pytest.mark.parametrize(
    ("cause", "asked"),
    [
        (Cause("push_repo", "acme", "acme", "team/nested/app", tag="v1"), {("tags", "acme/team/nested/app")}),
        (Cause("revert_tag", "acme", "", "web", tag="v1"), {("tags", "acme/web")}),
        (
            Cause("change_repo_permission", "acme", "acme", "web", username="carol"),
            {("user_permissions", "acme/web")},
        ),
        (
            Cause("change_repo_permission", "acme", "", "web", team="qa"),
            {("repository_team_permissions", "acme/web")},
        ),
        (Cause("org_add_team_member", "acme", team="qa"), {("team_members", "acme/qa")}),
        (Cause("create_robot_federation", "acme", robot="acme+ci"), {("federation", "acme+ci")}),
        (Cause("create_robot_federation", "acme", robot="ci"), {("federation", "acme+ci")}),
        (
            Cause("manifest_label_add", "acme", "acme", "web", digest="sha256:a"),
            {("labels", "acme/web@sha256:a")},
        ),
        (Cause("cancel_build", "acme", build="u-1"), {("builds", "acme/api")}),
        (Cause("cancel_build", "acme", build="u-2"), set()),
        (Cause("user_create", "newbie", username="newbie"), {("user", "newbie")}),
        (Cause("user_change_email", "newbie"), {("user", "newbie")}),
        (
            Cause("user_change_name", "nia", old_name="niaj"),
            {("user", "nia"), ("user", "niaj"), ("namespace_repositories", "nia")},
        ),
        (
            Cause("org_change_name", "new", old_name="old", new_name="new"),
            {("organization", "old"), ("organization", "new"), ("namespace_repositories", "new")},
        ),
        (
            Cause("take_ownership", "umbrella", "umbrella"),
            {("organization", "umbrella"), ("members", "umbrella"), ("team_members", "umbrella/owners")},
        ),
        (Cause("org_delete", "0e7c-uuid", "acme"), {("organization", "acme")}),
        (Cause("org_create_quota", "acme", "acme"), {("quota", "acme")}),
        (Cause("service_key_rotate", "admin"), {("service_keys", "")}),
        (Cause("push_repo", "before", "before", "web", tag="v1"), {("tags", "after/web")}),
        (Cause("pull_repo", "acme", "acme", "web"), set()),
        (Cause("a_kind_of_tomorrow", "acme"), set()),
        (Cause("push_repo"), set()),
    ],
)
def test_what_an_event_asks_for(cause: Cause, asked: set[tuple[str, str]]) -> None:
    found = asked_by(cause, {"before": "between", "between": "after"}, {"u-1": "acme/api"})
    assert found == {Asked(*pair) for pair in asked}


def test_names_that_go_in_a_circle_end() -> None:
    cause = Cause("org_create_quota", "a", "a")
    assert asked_by(cause, {"a": "b", "b": "a"}, {}) == {Asked("quota", "b")}


@pytest.mark.parametrize(
    ("cause", "rename"),
    [
        (Cause("org_change_name", old_name="a", new_name="b"), Rename("organization", "a", "b")),
        (Cause("user_change_name", "b", old_name="a"), Rename("user", "a", "b")),
        (Cause("user_change_name", "a", old_name="a"), None),
        (Cause("org_delete", "a-uuid", "a"), Rename("organization", "a", "a-uuid")),
        (Cause("org_delete", "a", "a"), None),
    ],
)
def test_renames(cause: Cause, rename: Rename | None) -> None:
    assert rename_of(cause) == rename


def test_a_few_tags_of_a_large_repository_are_asked_for_one_by_one() -> None:
    held = {"acme/large": 2500, "acme/small": 90}
    asked = {"acme/large": {"v1", "v2"}, "acme/small": {"v1"}, "acme/new": {"v1", "v2"}}
    assert narrow_tags(asked, held, 100) == {
        Asked("tag", "acme/large:v1"),
        Asked("tag", "acme/large:v2"),
        Asked("tags", "acme/small"),
        Asked("tags", "acme/new"),
    }
    assert narrow_tags({"acme/large": {f"v{n}" for n in range(25)}}, held, 100) == {Asked("tags", "acme/large")}
    assert narrow_tags({"acme/large": {""}}, held, 100) == {Asked("tags", "acme/large")}
