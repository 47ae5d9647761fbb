"""Planted changes: all that an inventory can see is among them, and each is really to be seen through the API."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from quayledger.simulator.acts import Act
from quayledger.simulator.changes.table import act_of, play
from quayledger.simulator.clock import Clock, to_us
from quayledger.simulator.effects.kinds import KEYS
from quayledger.simulator.effects.table import EFFECTS, NOTHING
from quayledger.simulator.facts.table import FAMILIES as TOLD
from quayledger.simulator.facts.table import facts
from quayledger.simulator.quay import Quay
from quayledger.simulator.scenarios import Wish, build
from quayledger.simulator.server import application
from quayledger.warehouse.catalog import FAMILIES, SERIES, Family, Series

NOW = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
Rows = dict[tuple[Any, ...], dict[str, Any]]


def _quay(scenario: str = "believable", events: int = 4000) -> Quay:
    return Quay(build(Wish(scenario, events, 14, date(2026, 11, 24), NOW, 1, "microsecond")), Clock(NOW))


class _Reader:
    """Reads a few families through the API, as the superuser."""

    def __init__(self, quay: Quay) -> None:
        transport = httpx.ASGITransport(application(quay))
        headers = {"authorization": f"Bearer {quay.tokens['superuser']}"}
        self._client = httpx.AsyncClient(transport=transport, base_url="https://quay.example/api/v1", headers=headers)

    async def _get(self, path: str, **query: Any) -> Any:
        reply = await self._client.get(path, params=query)
        assert reply.status_code == 200, (path, reply.text)
        return reply.json()

    async def all(self) -> dict[str, Rows]:
        """By family and key, with the columns that the facts know, too."""
        found: dict[str, Rows] = {
            name: {} for name in ("users", "organizations", "repositories", "teams", "team_members")
        }
        for one in (await self._get("/superuser/users/"))["users"]:
            found["users"][(one["username"],)] = {"email": one["email"], "enabled": one["enabled"]}
        organizations = [one["name"] for one in (await self._get("/superuser/organizations/"))["organizations"]]
        found["organizations"] = {(name,): {} for name in organizations}
        for name in organizations:
            await self._organization(found, name)
        page: dict[str, Any] = {}
        while "next_page" in page or not found["repositories"]:
            page = await self._get("/repository", public="true", **{k: page[k] for k in page if k == "next_page"})
            for one in page["repositories"]:
                key = (one["namespace"], one["name"])
                found["repositories"][key] = {"is_public": one["is_public"], "state": one["state"]}
                await self._repository(found, *key)
        return found

    async def _organization(self, found: dict[str, Rows], name: str) -> None:
        told = await self._get(f"/organization/{name}")
        for team in told["teams"].values():
            found["teams"][name, team["name"]] = {"role": team["role"], "description": team["description"]}
            members = await self._get(f"/organization/{name}/team/{team['name']}/members", includePending="true")
            for one in members["members"]:
                key = (name, team["name"], one.get("name") or one["email"])
                found["team_members"][key] = {"invited": one["invited"]}
        for quota in told["quotas"]:
            found.setdefault("quotas", {})[name, quota["id"]] = {"limit_bytes": quota["limit_bytes"]}
        for one in (await self._get(f"/organization/{name}/robots", token="false"))["robots"]:
            found.setdefault("robots", {})[(one["name"],)] = {"description": one["description"]}
        for one in (await self._get(f"/organization/{name}/applications"))["applications"]:
            found.setdefault("applications", {})[name, one["client_id"]] = {"redirect_uri": one["redirect_uri"]}
        for one in (await self._get(f"/organization/{name}/prototypes"))["prototypes"]:
            found.setdefault("default_permissions", {})[name, one["id"]] = {"role": one["role"]}
        await self._policies(found, f"/organization/{name}", (name, ""))

    async def _repository(self, found: dict[str, Rows], namespace: str, name: str) -> None:
        path = f"/repository/{namespace}/{name}"
        for kind, word in (("user", "user"), ("team", "team")):
            for one in (await self._get(f"{path}/permissions/{word}/"))["permissions"].values():
                key = (namespace, name, "robot" if one.get("is_robot") else kind, one["name"])
                found.setdefault("repository_permissions", {})[key] = {"role": one["role"]}
        number, more = 1, True
        while more:
            page = await self._get(f"{path}/tag/", limit=100, page=number)
            for one in page["tags"]:
                started = datetime.fromtimestamp(one["start_ts"], UTC).isoformat()
                tags = found.setdefault("tags", {})
                same = (namespace, name, one["name"], started, one["manifest_digest"])
                ordinal = sum(key[:5] == same for key in tags)
                tags[(*same, ordinal)] = {"immutable": one["immutable"]}
            number, more = number + 1, page["has_additional"]
        for one in (await self._get(f"{path}/notification/"))["notifications"]:
            found.setdefault("notifications", {})[namespace, name, one["uuid"]] = {"method": one["method"]}
        for one in (await self._get(f"{path}/trigger/"))["triggers"]:
            found.setdefault("triggers", {})[namespace, name, one["id"]] = {"enabled": one["enabled"]}
        await self._policies(found, path, (namespace, name))

    async def _policies(self, found: dict[str, Rows], path: str, owner: tuple[str, str]) -> None:
        for one in (await self._get(f"{path}/autoprunepolicy/"))["policies"]:
            found.setdefault("autoprune_policies", {})[*owner, one["uuid"]] = {"policy_value": str(one["value"])}


@pytest.fixture(scope="module")
def seen() -> tuple[dict[str, Rows], dict[str, Rows], list[dict[str, Any]], Quay]:
    """Before the planted changes, after them, and what they are said to be."""
    quay = _quay()
    before = asyncio.run(_Reader(quay).all())
    entries = play(quay, to_us(NOW - timedelta(hours=20)), to_us(NOW))
    return before, asyncio.run(_Reader(quay).all()), entries, quay


def test_families_and_columns_are_the_products() -> None:
    theirs: dict[str, Family | Series] = {family.name: family for family in FAMILIES}
    theirs |= {series.name: series for series in SERIES}
    # Quay's judgement of its mirrors is no object that changes: tests/quay/test_mirror_health.py holds the stand-in to it.
    assert set(TOLD) == set(theirs) - {"mirror_health"}
    told = facts(_quay())
    for name, family in TOLD.items():
        assert family.columns == tuple(theirs[name].key), name
        assert family.measured == (name in {series.name for series in SERIES})
        columns = {column for values in told[name].values() for column in values}
        assert told[name], f"nothing of {name}"
        assert columns <= set(theirs[name].values), name


def test_every_family_and_way_to_change_is_planted(seen: Any) -> None:
    entries = seen[2]
    assert {entry["family"] for entry in entries} == set(TOLD)
    assert {entry["change"] for entry in entries} == {"appeared", "vanished", "changed", "renamed", "measured"}
    unlogged = {entry["family"] for entry in entries if not entry["logged"]}
    assert {"messages", "sizes", "scans", "stars", "repository_actions", "offered_operations"} <= unlogged
    stamps = [datetime.fromisoformat(entry["at"]) for entry in entries]
    assert NOW - timedelta(hours=20) <= min(stamps) <= max(stamps) <= NOW
    assert stamps == sorted(stamps)


def test_planted_changes_are_what_the_api_shows(seen: Any) -> None:
    before, after, entries, _ = seen
    for family, rows in after.items():
        told = [entry for entry in entries if entry["family"] == family]
        keys = {
            kind: {tuple(e["object"].values()) for e in told if e["change"] == kind}
            for kind in ("appeared", "vanished")
        }
        renamed = [e for e in told if e["change"] == "renamed"]
        gone = {tuple(e["object"].values()) for e in renamed}
        come = {tuple(e["became"].values()) for e in renamed}
        assert come <= set(rows)
        assert set(before[family]) - set(rows) == keys["vanished"] | gone, family
        assert {k for k in set(rows) - set(before[family]) if k not in come} == keys["appeared"], family
        columns = {column for values in rows.values() for column in values}
        changed = {
            (key, column)
            for key, values in rows.items()
            for column in values
            if key in before[family] and before[family][key][column] != values[column]
        }
        named = {(tuple(e["object"].values()), e["column"]) for e in told if e["change"] == "changed"}
        assert changed == {(key, column) for key, column in named if column in columns}, family


def test_planted_changes_are_in_the_log(seen: Any) -> None:
    _, _, entries, quay = seen
    rows = {(row["datetime"], row["kind"]) for row in map(json.loads, quay.truth())}
    for entry in entries:
        if entry["logged"]:
            stamp = datetime.fromisoformat(entry["at"]).strftime("%a, %d %b %Y %H:%M:%S -0000")
            assert (stamp, entry["kind"]) in rows


def test_every_kind_means_something_or_nothing(recordings: Path) -> None:
    told = json.loads((recordings / "log_kinds.json").read_bytes())["kinds"]
    assert set(told) == set(KEYS) == set(EFFECTS) | set(NOTHING)
    assert not set(EFFECTS) & set(NOTHING)
    for kind, one in told.items():
        always = [key for key, how in one["metadata"].items() if how.get("presence", "always") == "always"]
        assert list(KEYS[kind]) == [key for key in always if not key.startswith("oauth_token")], kind


def _acts() -> Iterator[Act]:
    repository: dict[str, Any] = {"performer": "carol", "repository": "api"}
    yield Act("push_repo", "payments", "payments+ci", "api", {"tag": "acted"}, {"digest": f"sha256:{'ab' * 32}"})
    yield Act("move_tag", "payments", metadata={"tag": "acted", "manifest_digest": f"sha256:{'cd' * 32}"}, **repository)
    yield Act(
        "revert_tag", "payments", metadata={"tag": "acted", "manifest_digest": f"sha256:{'ab' * 32}"}, **repository
    )
    yield Act("org_create", "acted-org", "quayadmin", metadata={"namespace": "acted-org", "email": "a@example.com"})
    yield Act("delete_repo", "payments", **repository)


def test_acts_change_the_registry_and_write_their_row() -> None:
    quay = _quay(events=600)
    length = len(quay.logs.tables[0])
    for act in _acts():
        told = act_of(quay, act, quay.clock.now_us())
        event = told["event"]
        assert event["kind"] == act.kind
        assert set(KEYS[act.kind]) <= set(event["metadata"])
        assert event["namespace"]["name"] == act.namespace
        assert event["performer"]["name"] == act.performer
        assert told["changes"]
    assert len(quay.logs.tables[0]) == length + 5
    for wrong in (
        Act("no_such_kind", "payments"),
        Act("delete_repo", "payments", repository="api"),
        Act("pull_repo", "x"),
    ):
        with pytest.raises((LookupError, ValueError)):
            act_of(quay, wrong, quay.clock.now_us())


def test_the_registry_is_the_log_s_end() -> None:
    quay = _quay()
    registry = quay.registry
    pushed: dict[tuple[str, str], str] = {}
    for row in map(json.loads, quay.truth()):
        metadata = row["metadata"]
        if row["kind"] == "push_repo" and registry.namespace(row["namespace"]["name"]):
            pushed[row["namespace"]["name"], metadata["repo"] + ":" + metadata["tag"]] = row["datetime"]
    assert len(pushed) > 100
    now_ms = quay.clock.now_us() // 1000
    for (namespace, path), stamp in pushed.items():
        name, _, tag = path.partition(":")
        found = registry.repository(namespace, name)
        if found is None:
            continue
        starts = [
            datetime.fromtimestamp(one.start_ms // 1000, UTC).strftime("%a, %d %b %Y %H:%M:%S -0000")
            for one in found.tags
            if one.name == tag
        ]
        assert stamp in starts, (path, stamp)
        assert len([one for one in found.tags if one.name == tag and one.is_alive(now_ms)]) <= 1
    robot = registry.account("platform+ci")
    assert robot is not None
    assert robot.robot is not None
    assert robot.robot.last_accessed_us is not None
