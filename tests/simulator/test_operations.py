"""Every operation answers as a real Quay did: each recorded call, made again with a token of the same user and scopes."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import httpx

from quayledger.simulator.api.table import OPERATIONS
from quayledger.simulator.quay import Quay
from quayledger.simulator.server import application
from tests.simulator import recorded

BASE = "https://quay.example"
Recording = dict[str, Any]
# Tested elsewhere: exports and what comes of them, logs and counts up to 160, discovery; of the log of the 23rd the state
# of the later calls is made, so those pages are not asked for again.
NO_CALLS = (
    "callback.json",
    "_file.json",
    "discovery_excerpt.json",
    "314_discovery.json",
    "315_discovery_internal.json",
)
MORE = ("060", "095", "125", "126", "233", "318", "319")  # of operations that the list does not name
# lists with an order of their own; members of all others are found again by what names them
ORDERED = {"tags", "builds", "stats", "logs", "ordered_teams", "rule_value"}
NAMES = ("name", "id", "uuid", "kid", "digest", "title", "email", "key", "Name")
# what the stand-in makes in its own way
OWN = {"hash", "color", "score", "next_page", "AddedBy"}


def _listed(recordings: Path) -> set[str]:
    """Every recording that the list of operations names."""
    text = (recordings / "endpoints.csv").read_text(encoding="utf-8")
    return {name for row in csv.DictReader(text.splitlines()) for name in row["recording_files"].split(";")}


def _is_log(recording: Recording) -> bool:
    path = recording["request"]["path"]
    return path.endswith(("/logs", "/aggregatelogs", "/exportlogs")) and "/build/" not in path and "-" not in path


def _is_tested_with_logs(name: str, recording: Recording) -> bool:
    return name < "161" and (_is_log(recording) or name >= "127")


def _calls(recordings: Path) -> dict[str, Recording]:
    """What is asked again here."""
    names = {name for name in _listed(recordings) if not name.endswith(NO_CALLS)}
    names |= {path.name for path in recordings.glob("[0-9]*.json") if path.name[:3] in MORE}
    loaded = {name: json.loads((recordings / name).read_bytes()) for name in sorted(names)}
    return {
        name: recording
        for name, recording in loaded.items()
        if not _is_tested_with_logs(name, recording) and not (_is_log(recording) and recording["status"] == 200)
    }


async def _headers(client: httpx.AsyncClient, quay: Quay, recording: Recording) -> dict[str, str]:
    """A token of the recorded user and scopes; for the registry's own protocol one that was exchanged for it."""
    scope = recording["request"]["scope"]
    if scope is None:
        return {}
    is_registry, is_basic = "registry token" in scope["scopes"], scope["scopes"].startswith("HTTP basic")
    scopes = "super:user repo:read" if is_registry or is_basic else scope["scopes"]
    token = recorded.token_for(quay, scope["user"], scopes)
    if is_basic:
        request = httpx.Request("GET", BASE)
        return {
            "authorization": next(httpx.BasicAuth("$oauthtoken", token).auth_flow(request)).headers["authorization"]
        }
    if is_registry:
        query = {"service": "quay.example", "scope": "repository:acme/web:pull"}
        token = (await client.get("/v2/auth", params=query, auth=("$oauthtoken", token))).json()["token"]
    return {"authorization": f"Bearer {token}"}


def _difference(ours: Any, theirs: Any, key: str = "") -> str:
    """Where two answers first differ, in words; '' where they do not."""
    if isinstance(theirs, str) and ("REDACTED" in theirs or key in OWN):
        return "" if isinstance(ours, str) and ours else f"{key}: {ours!r} for {theirs!r}"
    if isinstance(ours, dict) and isinstance(theirs, dict):
        if set(ours) != set(theirs):
            return f"{key}: keys {sorted(set(ours) ^ set(theirs))}"
        return next((found for k in theirs if (found := _difference(ours[k], theirs[k], k))), "")
    if isinstance(ours, list) and isinstance(theirs, list):
        if len(ours) != len(theirs):
            return f"{key}: {len(ours)} members, not {len(theirs)}"
        pairs = zip(ours, theirs, strict=True) if key in ORDERED else zip(_sorted(ours), _sorted(theirs), strict=True)
        return next((found for one, other in pairs if (found := _difference(one, other, key))), "")
    if key in OWN and isinstance(ours, int | float) and isinstance(theirs, int | float):
        return ""
    return "" if ours == theirs and type(ours) is type(theirs) else f"{key}: {ours!r}, not {theirs!r}"


def _sorted(members: list[Any]) -> list[Any]:
    if all(isinstance(one, dict) for one in members):
        return sorted(members, key=lambda one: [str(one.get(name)) for name in NAMES])
    return sorted(members, key=str)


def _reply_difference(reply: httpx.Response, recording: Recording) -> str:
    if reply.status_code != recording["status"]:
        return f"{reply.status_code}, not {recording['status']}"
    for header in ("content-type", "location", "www-authenticate", "oci-filters-applied"):
        if reply.headers.get(header) != recording["headers"].get(header):
            return f"{header}: {reply.headers.get(header)}, not {recording['headers'].get(header)}"
    if isinstance(recording["body"], str) and "json" not in recording["headers"]["content-type"]:
        return ""  # pages for people
    return _difference(reply.json(), recording["body"])


async def test_every_recorded_call(recordings: Path) -> None:
    quays = [recorded.at(recordings, moment) for moment in (recorded.BEFORE, recorded.MIDWAY, recorded.AT_LAST)]
    clients = [httpx.AsyncClient(transport=httpx.ASGITransport(application(q)), base_url=BASE) for q in quays]
    wrong, calls = [], _calls(recordings)
    for name, recording in calls.items():
        part = 0 if name < "161" else 1 if name < "316" else 2
        asked, client = recording["request"], clients[part]
        headers = await _headers(client, quays[part], recording)
        reply = await client.request(
            asked["method"], asked["path"], params=asked["query"], headers=headers, json=asked.get("body")
        )
        if difference := _reply_difference(reply, recording):
            wrong.append(f"{name}: {difference}")
    assert not wrong, "\n".join(wrong)
    assert len(calls) == 255


def test_no_recording_is_left_out(recordings: Path) -> None:
    left = _listed(recordings) - set(_calls(recordings))
    others = {name for name in left if not name.endswith(NO_CALLS)}
    loaded = {name: json.loads((recordings / name).read_bytes()) for name in others}
    later = {name for name, recording in loaded.items() if not _is_tested_with_logs(name, recording)}
    assert all("_11_23_2026_" in name for name in later)


async def test_discovery_tells_what_is_served(recordings: Path) -> None:
    quay = recorded.at(recordings, recorded.AT_LAST)
    theirs = json.loads((recordings / "314_discovery.json").read_bytes())["body"]
    added = json.loads((recordings / "315_discovery_internal.json").read_bytes())["body"]["operations_added"]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(application(quay)), base_url=BASE) as client:
        ours = (await client.get("/api/v1/discovery")).json()
        internal = (await client.get("/api/v1/discovery", params={"internal": "true"})).json()
    assert set(theirs) - set(ours) == {"definitions"}
    found = {(path, method): one for path, methods in ours["paths"].items() for method, one in methods.items()}
    for (path, method), one in found.items():
        other = theirs["paths"][path][method]
        assert one["operationId"] == other["operationId"]
        assert one.get("security") == other["security"], path
    hidden = {one["operationId"] for methods in internal["paths"].values() for one in methods.values()}
    hidden -= {one["operationId"] for one in found.values()}
    assert hidden <= set(added)
    assert len(hidden) == 4
    reads = {
        one["operationId"] for methods in theirs["paths"].values() for method, one in methods.items() if method == "get"
    }
    assert reads - {operation.id for operation in OPERATIONS} == {
        # neither in the list of operations nor anything that an inventory could use
        "getOrgNotification",
        "getRepoBuildLogsArchiveSuperUser",
        "getRepositoryMirrorHealth",
        "getTokens",
        "getUserNamespaceNotification",
        "listRepoTokens",
        "listUserNamespaceNotifications",
    }
