"""The stand-in gives the answers that a real Quay gave."""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx

from quayledger.simulator.quay import Quay
from quayledger.simulator.server import application
from tests.simulator import recorded

BASE = "https://quay.example"
Recording = dict[str, Any]


def _load(recordings: Path) -> dict[str, Recording]:
    """The log, count and error calls of 001 to 160."""
    found = {}
    for path in sorted(recordings.glob("[0-9]*.json")):
        recording = json.loads(path.read_bytes())
        if path.name < "161" and (recording["request"]["path"].endswith("logs") or path.name >= "127"):
            found[path.name] = recording
    return found


def _client(quay: Quay) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(application(quay)), base_url=BASE)


async def _ask(
    client: httpx.AsyncClient, quay: Quay, name: str, recording: Recording, page: str | None
) -> httpx.Response:
    asked = recording["request"]
    query = dict(asked["query"]) | ({"next_page": page} if page else {})
    headers = {}
    if isinstance(asked["scope"], dict):
        expired = "expired_token" in name
        token = recorded.token_for(quay, asked["scope"]["user"], asked["scope"]["scopes"], expired=expired)
        headers["authorization"] = f"Bearer {token}"
    elif asked["scope"]:
        headers["authorization"] = "Bearer nosuchtoken"
    return await client.request(asked["method"], asked["path"], params=query, headers=headers, json=asked.get("body"))


def _set_clock(quay: Quay, recording: Recording) -> None:
    """To the moment of a call that got the default window; else to a moment after all of them."""
    quay.clock.set(recorded.AFTERWARDS)
    start = recording["body"].get("start_time", "") if isinstance(recording["body"], dict) else ""
    if start and "00:00:00" not in start:
        quay.clock.set(parsedate_to_datetime(start.replace("-0000", "+0000")) + timedelta(days=1))


def _bare(value: Any) -> Any:
    """Without avatars; page tokens and made-up ids by presence only."""
    if isinstance(value, dict):
        return {k: "any" if k in ("next_page", "export_id") else _bare(v) for k, v in value.items() if k != "avatar"}
    return [_bare(v) for v in value] if isinstance(value, list) else value


def _multiset(rows: list[Any]) -> Counter[str]:
    return Counter(json.dumps(row, sort_keys=True) for row in rows)


def _assert_same_rows(ours: list[Any], theirs: list[Any]) -> None:
    """Equal, the order within equal stamps aside: where a page's edge cuts such a group, any of its rows may show."""
    stamps = [row["datetime"] for row in theirs]
    assert [row["datetime"] for row in ours] == stamps
    cut = {stamps[0], stamps[-1]} if stamps else set()
    inner = [[row for row in rows if row["datetime"] not in cut] for rows in (ours, theirs)]
    assert _multiset(inner[0]) == _multiset(inner[1])


async def test_every_recorded_log_count_and_error_call(recordings: Path) -> None:
    quay = recorded.load(recordings)
    truth = _multiset([_bare(json.loads(line)) for line in quay.truth()])
    calls = _load(recordings)
    assert len(calls) == 89
    pages: dict[str, str] = {}
    async with _client(quay) as client:
        for name, recording in calls.items():
            asked = recording["request"]
            chain = json.dumps([asked["path"], asked["query"] | {"next_page": ""}, asked["scope"]])
            _set_clock(quay, recording)
            follows = asked["query"].get("next_page", "garbage") != "garbage"
            ours = await _ask(client, quay, name, recording, pages[chain] if follows else None)
            assert (name, ours.status_code) == (name, recording["status"])
            assert ours.headers["content-type"] == recording["headers"]["content-type"], name
            assert ours.headers.get("location") == recording["headers"].get("location"), name
            if name.startswith("146"):
                continue  # the page of the web front
            if not isinstance(recording["body"], dict):
                assert ours.text == recording["body"], name
                continue
            body, theirs = ours.json(), _bare(recording["body"])
            pages[chain] = body.get("next_page", "")
            body = _bare(body)
            assert list(body) == list(theirs), name
            if asked["path"].endswith("/superuser/logs"):
                assert not _multiset(body.get("logs", [])) - truth, name
            _assert_same_rows(body.pop("logs", []), theirs.pop("logs", []))
            assert _multiset(body.pop("aggregated", [])) == _multiset(theirs.pop("aggregated", [])), name
            assert body == theirs, name


async def test_recorded_organizations_in_their_order_and_pages(recordings: Path) -> None:
    quay = recorded.load(recordings)
    everything = json.loads((recordings / "056_superuser_organizations.json").read_bytes())
    wanted = [o["name"] for o in everything["body"]["organizations"]]
    token = recorded.token_for(quay, "admin", "super:user")
    seen, query = [], {"limit": "2"}
    async with _client(quay) as client:
        client.headers["authorization"] = f"Bearer {token}"
        while True:
            page = (await client.get("/api/v1/superuser/organizations/", params=query)).json()
            seen.append([o["name"] for o in page["organizations"]])
            if "next_page" not in page:
                break
            query["next_page"] = page["next_page"]
    assert seen == [wanted[:2], wanted[2:4], wanted[4:]]
