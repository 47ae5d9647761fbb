"""The callback server and its addresses, over a real loopback server: always 200, each address once, for a while, and nothing is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest

from quayledger.collector.exports import callbacks as callbacks_module
from quayledger.collector.exports.callbacks import Callback, CallbackRegistry
from quayledger.service import callback_server
from quayledger.service.http_server import HttpServer
from quayledger.settings import CallbackSettings, Settings

NOW = datetime(2026, 11, 23, tzinfo=UTC)
LIFE = timedelta(minutes=30)
T = TypeVar("T")


@pytest.fixture(scope="module")
def recorded(request: pytest.FixtureRequest) -> dict[str, Any]:
    folder: Path = request.getfixturevalue("recordings")
    body: dict[str, Any] = json.loads((folder / "export_org_callback.json").read_bytes())["request"]["body"]
    return body


def served(work: Callable[[CallbackRegistry], T], **rules: Any) -> T:
    callbacks = CallbackRegistry(now=lambda: NOW)
    with HttpServer(
        "127.0.0.1", 0, setting="x", routes=callback_server.routes(callbacks, rules.get("public_url"))
    ) as server:
        callbacks.public_url = callback_server.public_url(CallbackSettings(**rules), server.port)
        return work(callbacks)


def post(url: str, body: Any) -> int:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return httpx.post(url, content=content, headers={"Content-Type": "application/json"}).status_code


def received(
    callbacks: CallbackRegistry, bodies: list[Any], *, life: timedelta = LIFE, close: bool = False
) -> list[Callback]:
    """What arrives of bodies that are posted to one new address; each must be answered with 200."""

    async def work() -> list[Callback]:
        address = callbacks.open(life)
        if close:
            callbacks.close(address)
        answers = [await asyncio.to_thread(post, address.url, body) for body in bodies]
        assert answers == [200] * len(bodies)
        found = []
        while (callback := await address.next(0.05)) is not None:
            found.append(callback)
        return found

    return asyncio.run(work())


def test_a_recorded_callback_arrives(recorded: dict[str, Any]) -> None:
    (callback,) = served(lambda callbacks: received(callbacks, [recorded]))
    assert (callback.export_id, callback.status, callback.namespace) == (recorded["export_id"], "success", "acme")
    assert callback.exported_data_url == recorded["exported_data_url"]


def test_the_same_callback_counts_once_and_other_statuses_arrive_in_order(recorded: dict[str, Any]) -> None:
    failed = {**recorded, "status": "failed", "exported_data_url": None}
    sent = [{**failed, "status": "timedout"}, failed, failed, recorded, recorded]
    found = served(lambda callbacks: received(callbacks, sent))
    assert [callback.status for callback in found] == ["timedout", "failed", "success"]


def test_a_flood_is_answered_and_forgotten(recorded: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    flood = [{**recorded, "export_id": str(number)} for number in range(40)]
    monkeypatch.setattr(callbacks_module, "MAX_CALLBACKS", 20)
    assert len(served(lambda callbacks: received(callbacks, flood))) == 20


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"[" * 60_000,
        b'{"x":' * 9_000,
        b"\xff",
        {"export_id": 7, "status": "success"},
        {"status": "success"},
    ],
)
def test_what_is_no_callback_is_answered_and_dropped(body: Any) -> None:
    assert served(lambda callbacks: received(callbacks, [body])) == []


def test_an_address_that_expired_or_was_used_tells_nothing(recorded: dict[str, Any]) -> None:
    assert served(lambda callbacks: received(callbacks, [recorded], life=timedelta(0))) == []
    assert served(lambda callbacks: received(callbacks, [recorded], close=True)) == []


def test_an_unknown_address_looks_like_a_known_one(recorded: dict[str, Any]) -> None:
    def work(callbacks: CallbackRegistry) -> list[int]:
        url = f"{callbacks.public_url}/callbacks/exports/"
        too_large = {**recorded, "namespace": "x" * 70_000}
        statuses = [post(url + "unknown", recorded), post(url + "unknown", too_large)]
        return [*statuses, httpx.get(url + "unknown").status_code, post(f"{callbacks.public_url}/", recorded)]

    assert served(work) == [200, 413, 405, 404]


def test_addresses_are_never_the_same_and_hard_to_guess() -> None:
    async def work() -> list[str]:
        return [CallbackRegistry("https://ledger.example/quay/").open(LIFE).url for _ in range(100)]

    urls = asyncio.run(work())
    assert len(set(urls)) == 100
    assert all(url.startswith("https://ledger.example/quay/callbacks/exports/") for url in urls)
    assert min(len(url.rsplit("/", 1)[1]) for url in urls) >= 43


def test_a_proxy_may_leave_the_public_path_on(recorded: dict[str, Any]) -> None:
    callbacks = CallbackRegistry("https://ledger.example/quay")

    async def work() -> Callback | None:
        address = callbacks.open(LIFE)
        with HttpServer(
            "127.0.0.1", 0, setting="x", routes=callback_server.routes(callbacks, callbacks.public_url)
        ) as server:
            path = address.url.removeprefix("https://ledger.example")
            assert await asyncio.to_thread(post, f"http://127.0.0.1:{server.port}{path}", recorded) == 200
        return await address.next(0.05)

    assert asyncio.run(work()) is not None


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ({"public_url": "https://ledger.example"}, "https://ledger.example"),
        ({"address": "10.1.2.3"}, "http://10.1.2.3:81"),
        ({"address": "::1"}, "http://[::1]:81"),
        ({"address": "0.0.0.0"}, ""),  # noqa: S104 - not listened on
    ],
)
def test_where_the_receiver_is_reached(rules: dict[str, str], expected: str) -> None:
    assert callback_server.public_url(CallbackSettings(**rules), 81) == expected  # type: ignore[arg-type]


def test_nothing_is_listened_on_where_nothing_exports() -> None:
    with callback_server.open_callbacks(Settings.model_construct()) as callbacks:
        assert callbacks.public_url == ""
