"""The habits of a Quay that trip collectors, asked of a running stand-in."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.conftest import Simulated

Start = Callable[..., Simulated]
OLD_DAYS = ("--days", "4", "--end", "2026-11-20")
CLIENT = httpx.Client(timeout=30)
WINDOW = {"starttime": "11/17/2026", "endtime": "11/20/2026"}


@pytest.fixture(scope="module")
def quay(start_simulator: Start) -> Simulated:
    return start_simulator("--events", "2500", *OLD_DAYS)


def _get(quay: Simulated, path: str, role: str = "superuser", **params: Any) -> httpx.Response:
    headers = {"authorization": f"Bearer {quay.tokens[role]}"}
    return CLIENT.get(f"{quay.url}/api/v1{path}", params=params, headers=headers)


def _chain(quay: Simulated, path: str, role: str = "superuser", **params: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for _ in range(400):
        page = _get(quay, path, role, **params).json()
        rows += page["logs"]
        if "next_page" not in page:
            return rows
        params["next_page"] = page["next_page"]
    raise AssertionError(f"{path} never ends")


def _counts(quay: Simulated, path: str, role: str = "superuser", **params: Any) -> Counter[tuple[str, str]]:
    body = _get(quay, path, role, **params).json()
    return Counter({(c["datetime"], c["kind"]): c["count"] for c in body["aggregated"]})


def _canonical(rows: list[dict[str, Any]]) -> Counter[str]:
    return Counter(json.dumps(row, sort_keys=True) for row in rows)


def test_all_pages_are_the_truth_and_the_count_agrees(quay: Simulated) -> None:
    truth = quay.truth()
    assert len(truth) == 2500
    assert _canonical(_chain(quay, "/superuser/logs", **WINDOW)) == _canonical(truth)
    midnight = Counter((row["datetime"][:16] + " 00:00:00 -0000", row["kind"]) for row in truth)
    assert _counts(quay, "/superuser/aggregatelogs", **WINDOW) == midnight


def test_namespaces_add_up_but_for_the_deleted_one(quay: Simulated) -> None:
    names = [o["name"] for o in _get(quay, "/superuser/organizations/").json()["organizations"]]
    names += [u["username"] for u in _get(quay, "/superuser/users/").json()["users"]]
    summed: Counter[tuple[str, str]] = Counter()
    for name in names:
        summed += _counts(quay, f"/organization/{name}/aggregatelogs", **WINDOW)
    missing = _counts(quay, "/superuser/aggregatelogs", **WINDOW) - summed
    hidden = {row["namespace"]["name"] for row in quay.truth()} - set(names)
    assert len(hidden) == 1
    assert missing == _counts(quay, f"/organization/{hidden.pop()}/aggregatelogs", **WINDOW)


@pytest.mark.parametrize("written", ["2026-11-18", "11/18/26", "13/01/2026", "11/18/2026 UTC"])
def test_other_dates_become_the_default_window_without_a_word(quay: Simulated, written: str) -> None:
    reply = _get(quay, "/superuser/logs", starttime=written, endtime=written)
    assert reply.status_code == 200
    assert not reply.json()["start_time"].startswith("Wed, 18 Nov 2026 00:00:00")


def test_performers(quay: Simulated) -> None:
    path = "/organization/platform"
    everyone = _counts(quay, f"{path}/aggregatelogs", **WINDOW)
    assert _get(quay, f"{path}/logs", performer="nosuch", **WINDOW).status_code == 500
    assert _counts(quay, f"{path}/aggregatelogs", performer="nosuch", **WINDOW) == everyone
    rows = _chain(quay, f"{path}/logs", performer="platform+ci", **WINDOW)
    assert {row["performer"]["name"] for row in rows} == {"platform+ci"}
    counted = _counts(quay, f"{path}/aggregatelogs", performer="platform+ci", **WINDOW)
    assert 0 < counted.total() == len(rows) < everyone.total()
    assert _get(quay, "/superuser/logs", performer="nosuch", **WINDOW).status_code == 200


def test_scopes_of_the_four_tokens(quay: Simulated) -> None:
    statuses = {
        (role, path): _get(quay, path, role, **WINDOW).status_code
        for role in quay.tokens
        for path in ("/superuser/logs", "/organization/payments/logs", "/user/logs", "/repository/payments/api/logs")
    }
    refused = [f"{role} {path}" for (role, path), status in statuses.items() if status != 200]
    assert refused == [
        "org_admin /superuser/logs",
        "user /superuser/logs",
        "user /organization/payments/logs",
        "user /repository/payments/api/logs",
    ]
    quayadmin = _counts(quay, "/organization/quayadmin/aggregatelogs", **WINDOW)
    hidden = quayadmin - _counts(quay, "/user/aggregatelogs", **WINDOW)
    assert {kind for _, kind in hidden} == {"service_key_rotate"}


def test_names_are_joined_when_read(start_simulator: Start) -> None:
    quay = start_simulator("--events", "900", *OLD_DAYS, "--scenario", "deleted-namespace")
    assert any("namespace" not in row for row in quay.truth())
    quay.control("rename", old="platform", new="foundation")
    assert _get(quay, "/organization/platform/logs", **WINDOW).json() == {
        "message": "Invalid namespace requested: platform"
    }
    rows = _chain(quay, "/organization/foundation/logs", performer="foundation+ci", **WINDOW)
    assert {row["metadata"]["namespace"] for row in rows} == {"platform"}
    quay.control("delete", name="foundation+ci")
    assert _get(quay, "/organization/foundation/logs", performer="foundation+ci", **WINDOW).status_code == 500
    kept = _chain(quay, "/organization/foundation/logs", **WINDOW)
    assert sum("performer" not in row for row in kept) >= len(rows)


def test_page_tokens_age_and_wander(start_simulator: Start) -> None:
    quay = start_simulator("--events", "600", *OLD_DAYS, "--scenario", "steady:0.01")
    first = _get(quay, "/superuser/logs", **WINDOW).json()
    second = _get(quay, "/superuser/logs", **WINDOW, next_page=first["next_page"]).json()
    assert second["logs"] != first["logs"]
    assert _get(quay, "/organization/acme/logs", **WINDOW, next_page=first["next_page"]).json()["logs"]
    quay.control("clock", advance=86_400)
    assert _get(quay, "/superuser/logs", **WINDOW, next_page=first["next_page"]).json()["logs"] == second["logs"]
    quay.control("clock", advance=86_401)
    assert _get(quay, "/superuser/logs", **WINDOW, next_page=first["next_page"]).json()["logs"] == first["logs"]


def test_the_count_merges_days_of_the_month(start_simulator: Start) -> None:
    quay = start_simulator("--events", "0", "--scenario", "empty", "--now", "2026-12-05T00:00:00Z")
    days = ("2026-11-01", "2026-12-01", "2026-12-04")
    rows = [{"kind": "push_repo", "namespace": "acme", "datetime": f"{day}T10:00:00+00:00"} for day in days]
    quay.control("insert", rows=rows)
    merged = _counts(quay, "/organization/acme/aggregatelogs", starttime="11/01/2026", endtime="12/01/2026")
    assert merged == {("Sun, 01 Nov 2026 00:00:00 -0000", "push_repo"): 2}
    crossing = {"starttime": "11/30/2026", "endtime": "12/01/2026"}
    assert list(_counts(quay, "/superuser/aggregatelogs", **crossing)) == [
        ("Tue, 01 Dec 2026 00:00:00 -0000", "push_repo")
    ]
    too_long = {"starttime": "11/01/2026", "endtime": "12/02/2026"}
    statuses = [_get(quay, f"{p}/aggregatelogs", **too_long).status_code for p in ("/organization/acme", "/superuser")]
    assert statuses == [400, 500]


def test_other_backends(start_simulator: Start) -> None:
    elastic = start_simulator("--events", "1500", *OLD_DAYS, "--scenario", "elasticsearch", "--precision", "second")
    truth = elastic.truth()
    assert _canonical(_chain(elastic, "/superuser/logs", **WINDOW)) == _canonical(truth)
    assert any(row["ip"] == "None" for row in truth)
    assert len({kind for _, kind in _counts(elastic, "/superuser/aggregatelogs", **WINDOW)}) == 10
    splunk = start_simulator("--events", "100", *OLD_DAYS, "--scenario", "splunk")
    for word, key in (("logs", "logs"), ("aggregatelogs", "aggregated")):
        body = _get(splunk, f"/superuser/{word}", **WINDOW).json()
        assert body["search_unavailable"] is True
        assert body[key] == []


def test_without_the_superusers_panel(start_simulator: Start) -> None:
    quay = start_simulator("--events", "500", *OLD_DAYS, "--scenario", "org-admin-only")
    assert {_get(quay, "/superuser/logs", role).status_code for role in quay.tokens} == {403}
    user = _get(quay, "/user/", "org_admin").json()
    administered = [o["name"] for o in user["organizations"] if o["is_org_admin"]]
    assert administered == ["platform", "payments"]
    assert _chain(quay, "/organization/platform/logs", "org_admin", **WINDOW)


def test_rows_that_cannot_be_read_are_counted(start_simulator: Start) -> None:
    quay = start_simulator("--events", "900", *OLD_DAYS, "--scenario", "unknown-kinds")
    rows = _chain(quay, "/superuser/logs", **WINDOW)
    assert len(rows) == _counts(quay, "/superuser/aggregatelogs", **WINDOW).total() == 900
    unreadable = [r for r in rows if not isinstance(r["metadata"], dict) or not r.get("datetime", "").endswith("-0000")]
    assert len(unreadable) == 30


def test_rotation_takes_the_oldest_rows(start_simulator: Start) -> None:
    quay = start_simulator("--events", "400", *OLD_DAYS)
    assert quay.control("rotate", before="2026-11-18T00:00:00+00:00", limit=10) == {"deleted": 10}
    rows = _chain(quay, "/superuser/logs", **WINDOW)
    assert _canonical(rows) == _canonical(quay.truth()[10:])
    assert _counts(quay, "/superuser/aggregatelogs", **WINDOW).total() == 390
