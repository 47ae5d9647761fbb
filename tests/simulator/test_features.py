"""Secrets where Quay tells them, features that are off, paths that look alike, faults within answers, and large registries."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime
from typing import Any

import httpx
import pytest

from quayledger.simulator.clock import Clock
from quayledger.simulator.quay import Quay
from quayledger.simulator.scenarios import Wish, build
from quayledger.simulator.secret_values import all_secrets
from quayledger.simulator.server import application

NOW = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
SECRET = re.compile(r"s3cr3t-[0-9A-Za-z]+")


def _quay(scenario: str = "believable", events: int = 1000) -> Quay:
    return Quay(build(Wish(scenario, events, 14, date(2026, 11, 24), NOW, 1, "microsecond")), Clock(NOW))


def _client(quay: Quay, role: str = "superuser") -> httpx.AsyncClient:
    headers = {"authorization": f"Bearer {quay.tokens[role]}"} if role else {}
    transport = httpx.ASGITransport(application(quay))
    return httpx.AsyncClient(transport=transport, base_url="https://quay.example/api/v1", headers=headers)


async def _control(quay: Quay, call: str, **wish: Any) -> Any:
    async with _client(quay) as client:
        reply = await client.post(f"https://quay.example/__simulator__/{call}", json=wish)
    assert reply.status_code == 200, reply.text
    return reply.json()


async def _texts(quay: Quay, role: str) -> dict[str, str]:
    """Answers of all that tells secrets, by path."""
    paths = ["/user/apptoken", "/user/robots", "/superuser/apptokens", "/superuser/keys", "/repository?public=true"]
    paths += [f"/user/apptoken/{t.uuid}" for a in quay.registry.accounts.values() for t in a.app_tokens]
    for name in ("platform", "payments", "mirrors"):
        paths += [f"/organization/{name}/{word}" for word in ("robots", "applications", "robots/ci")]
    for found in quay.registry.live_repositories():
        path = f"/repository/{quay.registry.namespace_of(found).name}/{found.name}"
        paths += [path, f"{path}/notification/", f"{path}/mirror", f"{path}/build/"]
        paths += [f"{path}/trigger/", f"{path}/tag/"]
    async with _client(quay, role) as client:
        return {path: (await client.get(path)).text for path in paths}


async def test_every_secret_is_listed_and_told_to_whom_quay_tells_it() -> None:
    quay = _quay()
    known = set(all_secrets(quay.registry))
    texts = await _texts(quay, "superuser")
    told = {path: set(SECRET.findall(text)) for path, text in texts.items()}
    assert set().union(*told.values()) <= known
    assert set(await _control(quay, "secrets")) == known
    for path in (
        "/organization/platform/robots",
        "/organization/platform/robots/ci",
        "/organization/payments/applications",
    ):
        assert told[path], path
    assert any(told[path] for path in told if path.startswith("/user/apptoken/"))
    for word in ("/trigger/", "/notification/"):
        assert any(told[path] for path in told if path.endswith(word)), word
    assert not told["/user/apptoken"]
    async with _client(quay) as client:
        plain = (await client.get("/organization/platform/robots", params={"token": "false"})).text
    assert not SECRET.findall(plain)
    readonly = {path for path, text in (await _texts(quay, "readonly_superuser")).items() if SECRET.findall(text)}
    assert {path for path in readonly if "/organization/" in path or "/user/" in path} == set()
    assert any(path.endswith("/trigger/") for path in readonly)


async def test_a_feature_that_is_off_has_no_operations() -> None:
    quay = _quay()
    path = "/repository/mirrors/alpine"
    async with _client(quay) as client:
        before = (await client.get("/discovery")).json()["paths"]
        assert (await client.get(f"{path}/mirror")).status_code == 200
        await _control(quay, "features", builds=False, quota_management=False, mirroring=False, auto_prune=False)
        after = (await client.get("/discovery")).json()["paths"]
        assert {"/api/v1/repository/{repository}/build/", "/api/v1/user/quota"} <= set(before) - set(after)
        assert (await client.get("/user/quota")).status_code == 308
        assert (await client.get("/user/quota", follow_redirects=True)).headers["content-type"].startswith("text/html")
        assert (await client.get(f"{path}/build/")).status_code == 404
        # without its own route the path is that of a repository of this name
        assert (await client.get(f"{path}/mirror")).json()["error_type"] == "not_found"
        organizations = (await client.get("/superuser/organizations/")).json()["organizations"]
        assert not {"quotas", "quota_report"} & set(organizations[0])
        found = quay.registry.repository("platform", "gateway")
        assert found is not None
        security = f"/repository/platform/gateway/manifest/{next(iter(found.manifests))}/security"
        await _control(quay, "features", scanner_state="idle")
        assert (await client.get(security)).json() == {"status": "queued", "data": None}
        await _control(quay, "features", scanner_state="down")
        assert (await client.get(security)).status_code == 520
        await _control(quay, "features", security_scanner=False)
        assert (await client.get(security)).status_code == 404


async def test_without_full_access_a_superuser_sees_the_panel_only() -> None:
    quay = _quay()
    await _control(quay, "features", full_access=False)
    expected = {
        "/superuser/users/": 200,
        "/superuser/organizations/": 200,
        "/superuser/keys": 200,
        "/superuser/registrysize/": 200,
        "/organization/payments/quota": 200,
        "/superuser/apptokens": 403,
        "/organization/payments/robots": 403,
        "/repository/payments/api/tag/": 403,
        "/repository/payments/api/permissions/user/": 403,
    }
    async with _client(quay) as client:
        assert {path: (await client.get(path)).status_code for path in expected} == expected
    async with _client(quay, "readonly_superuser") as client:
        assert {(await client.get(path)).status_code for path in expected} == {200}


async def test_names_that_look_like_operations() -> None:
    quay = _quay("odd-names", 20)
    async with _client(quay) as client:
        for account in [a for a in quay.registry.accounts.values() if a.kind == "org"]:
            for found in quay.registry.repositories_of(account.id):
                if found.name in ("tag/latest", "build/logs", "permissions/user"):
                    continue  # with such names another operation is meant; nor can a real Quay read them so
                one = await client.get(f"/repository/{account.name}/{found.name}")
                assert (one.status_code, one.json()["name"]) == (200, found.name)
                assert one.json()["description"] == found.description
                tags = await client.get(f"/repository/{account.name}/{found.name}/tag/")
                assert {tag["name"] for tag in tags.json()["tags"]} <= set(found.current)
        nested = await client.get("/repository/a0/tag/latest/tag/", params={"limit": 3})
        assert len(nested.json()["tags"]) == 3
        number, names = 1, set()
        while True:
            page = (await client.get("/repository/a0/many-tags/tag/", params={"limit": 1000, "page": number})).json()
            assert len(page["tags"]) == 100
            names |= {tag["name"] for tag in page["tags"]}
            if not page["has_additional"]:
                break
            number += 1
    assert (number, len(names)) == (25, 2500)


async def test_fields_are_spoilt_and_operations_counted() -> None:
    quay = _quay()
    fields = [
        {"operation": "getOrgRobots", "field": "robots.created", "how": "drop"},
        {"operation": "listRepoUserPermissions", "field": "permissions.*.role", "how": "number", "every": 2},
        {"operation": "getGlobalMessages", "field": "", "how": "list"},
    ]
    await _control(quay, "faults", fields=fields)
    await _control(quay, "reset")
    async with _client(quay) as client:
        robots = (await client.get("/organization/platform/robots")).json()["robots"]
        roles = (await client.get("/repository/platform/base/permissions/user/")).json()["permissions"]
        messages = (await client.get("/messages")).json()
        await client.get("/organization/nosuch/robots")
    assert not any("created" in robot for robot in robots)
    assert {type(one["role"]) for one in roles.values()} == {str, int}
    assert messages == ["unexpected"]
    counted = {(one["operation"], one["status"]): one["count"] for one in (await _control(quay, "stats"))["operations"]}
    assert counted == {
        ("getOrgRobots", 200): 1,
        ("getOrgRobots", 404): 1,
        ("listRepoUserPermissions", 200): 1,
        ("getGlobalMessages", 200): 1,
    }


async def test_a_repository_goes_while_it_is_read() -> None:
    quay = _quay()
    path = "/repository/payments/api"
    async with _client(quay) as client:
        page = (await client.get(f"{path}/tag/", params={"limit": 2})).json()
        assert page["has_additional"]
        told = await _control(
            quay, "act", kind="delete_repo", namespace="payments", repository="api", performer="carol"
        )
        assert (await client.get(f"{path}/tag/", params={"limit": 2, "page": 2})).status_code == 404
        members = (await client.get("/organization/payments/members")).json()["members"]
    assert any(entry["family"] == "repositories" and entry["change"] == "vanished" for entry in told["changes"])
    carol = next(one for one in members if one["name"] == "carol")
    assert any(re.fullmatch(r"[0-9a-f-]{36}", name) for name in carol["repositories"])
    gone = await _control(quay, "collect")
    assert gone["repositories"] >= 2


async def test_the_registry_is_summed_up_when_asked() -> None:
    quay = _quay()
    async with _client(quay) as client:
        before = (await client.get("/superuser/registrysize/")).json()
        assert [(await client.post("/superuser/registrysize/", json={})).status_code for _ in range(2)] == [201, 202]
        quay.clock.advance(61)
        after = (await client.get("/superuser/registrysize/")).json()
    assert before["last_ran"] < after["last_ran"]
    assert not after["queued"]


@pytest.mark.parametrize("repositories", [90, 400])
def test_a_large_registry_has_what_was_asked(repositories: int) -> None:
    quay = _quay(f"registry:{repositories}", 300)
    registry = quay.registry
    organizations = [a for a in registry.accounts.values() if a.kind == "org"]
    assert len(list(registry.live_repositories())) == repositories
    assert len(organizations) == -(-repositories // 40)
    assert all(len(a.teams) == 3 and len(registry.robots_of(a.id)) == 3 for a in organizations)
    now_ms = quay.clock.now_us() // 1000
    for found in registry.live_repositories():
        assert 5 <= len(found.alive(now_ms)) <= 10
        assert len(found.tags) > len(found.alive(now_ms)) - 1
        assert "admin" in found.permissions.values()
    stamps = [json.loads(line)["datetime"] for line in quay.truth()]
    assert len(stamps) == 300
    assert {stamp[:16] for stamp in stamps} <= {"Mon, 23 Nov 2026", "Tue, 24 Nov 2026"}
