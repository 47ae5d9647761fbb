"""Faults that a real network, a real proxy or an odd server brings, each with what the client makes of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from functools import partial
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from quayledger.collector.quay import errors, logs, organizations, superuser
from quayledger.collector.quay.client import QuayClient, moment
from quayledger.collector.quay.rate_limit import RateLimit
from quayledger.collector.quay.redaction import MARK, may_hold_secrets, redact
from quayledger.collector.quay.scopes import Scope
from quayledger.settings import SettingsError, SourceSettings
from tests.quay.wire import TOKEN, Clock, client, recording, replay

DAY = date(2026, 11, 18)
GOOD = recording("015_superuser_logs_11_18_2026_p1")
EVERYTHING = Scope("superuser")
SECRET = "s3cr3tS3cr3tS3cr3t"
Speak = Callable[[asyncio.StreamWriter], Awaitable[None]]


async def one_page(quay: QuayClient, scope: Scope = EVERYTHING, **more: Any) -> logs.LogPage:
    return await logs.list_logs(quay, scope, DAY, DAY, **more)


@asynccontextmanager
async def loopback(speak: Speak, **settings: Any) -> AsyncIterator[QuayClient]:
    """A client of a real server that answers each request by `speak`, on the bare connection."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        try:
            await speak(writer)
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    values = {"token": SecretStr(TOKEN), "retries": 1, "requests_per_second": 100, **settings}
    async with server, QuayClient("main", SourceSettings(url=url, **values), sleep=Clock().sleep) as quay:
        yield quay


async def test_a_reply_that_drips_for_ever_ends_at_the_time_out() -> None:
    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 9999\r\n\r\n")
        for _ in range(100):
            writer.write(b" ")
            await asyncio.sleep(0.05)

    async with loopback(drip, timeout_seconds=0.3, retries=0) as quay:
        with pytest.raises(errors.TimedOut, match=r"0\.3 s"):
            await one_page(quay)
    assert [item.outcome for item in quay.meter.spent()] == ["timeout"]


@pytest.mark.parametrize(
    "start",
    [
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 9999\r\n\r\n" + b'{"start_time": "Wed',
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\nnope",
        b"",
    ],
    ids=["cut", "gzip that is none", "nothing"],
)
async def test_a_broken_reply_is_asked_for_again_and_then_told(start: bytes) -> None:
    async def say(writer: asyncio.StreamWriter) -> None:
        writer.write(start)
        await writer.drain()

    async with loopback(say) as quay:
        with pytest.raises(errors.BrokenReply):
            await one_page(quay)
    assert quay.meter.requests == 2


async def test_json_nested_without_end_is_a_broken_reply() -> None:
    deep = b'{"token": ' + b"[" * 200_000 + b"]" * 200_000 + b"}"
    reply = httpx.Response(200, headers={"content-type": "application/json"}, content=deep)
    async with client(lambda _: reply, retries=0) as quay:
        with pytest.raises(errors.QuayError):
            await one_page(quay)


@pytest.mark.parametrize("token", ["two words", "line\nbreak", "tök3n", "tab\there"])
def test_a_token_that_no_header_can_carry_is_refused_without_telling_it(token: str) -> None:
    with pytest.raises(SettingsError) as caught:
        QuayClient("main", SourceSettings(url="https://quay.example", token=SecretStr(token)))
    assert token not in str(caught.value)


def test_a_proxy_that_is_none_is_said_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"gopher://user:{SECRET}@proxy.example")
    with pytest.raises(SettingsError, match="HTTPS_PROXY") as caught:
        QuayClient("main", SourceSettings(url="https://quay.example", token=SecretStr(TOKEN)))
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(403, json={"detail": TOKEN}),
        httpx.Response(400, json={"message": {"header": [f"not {TOKEN}"]}}),
        httpx.Response(404, headers={"content-type": "text/html"}, content=f"<title>{TOKEN}</title>".encode()),
        httpx.Response(302, headers={"location": f"https://elsewhere.example/?token={TOKEN}"}),
    ],
    ids=["detail", "message", "title", "redirect"],
)
async def test_a_token_that_is_echoed_bare_is_not_told(answer: httpx.Response) -> None:
    async with client(lambda _: answer) as quay:
        with pytest.raises(errors.QuayError) as caught:
            await one_page(quay)
    assert TOKEN not in f"{caught.value!r}"
    assert len(caught.value.says) <= errors.TEXT_LIMIT


@pytest.mark.parametrize(("status", "asked", "rate"), [(500, 1, 100), (502, 2, 50), (503, 2, 50)])
async def test_only_a_500_is_taken_for_the_answer_to_a_performer(status: int, asked: int, rate: float) -> None:
    answers = [httpx.Response(status), replay(recording("034_org_acme_performer_alice_p1"))]
    async with client(lambda _: answers.pop(0)) as quay:
        with pytest.raises(errors.QuayError):
            await one_page(quay, Scope("organization", "acme"), performer="alice")
    assert (quay.meter.requests, quay.rate_limit.rate) == (asked, rate)


async def test_json_of_another_shape_that_is_also_cut_is_asked_for_again() -> None:
    answers = [b'{"start_time": 7, "logs": [', b'{"start_time": 7, "logs": []}']
    headers = {"content-type": "application/json"}
    async with client(lambda _: httpx.Response(200, headers=headers, content=answers.pop(0))) as quay:
        with pytest.raises(errors.NotAQuay, match="'start_time', 'logs'"):
            await one_page(quay)
    assert quay.meter.requests == 2


async def test_a_redirect_keeps_the_dates_and_the_default_port_is_the_same_host() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/logs"):
            return httpx.Response(308, headers={"location": f"https://quay.example{request.url.path}/"})
        assert request.url.params["starttime"] == "11/18/2026"
        assert request.headers["authorization"] == f"Bearer {TOKEN}"
        return replay(GOOD)

    async with client(handler, url="https://quay.example:443") as quay:
        assert len((await one_page(quay)).rows) == 20


async def test_a_page_that_comes_again_ends_the_list() -> None:
    page = recording("057_superuser_organizations_limit2")
    async with client(lambda _: replay(page)) as quay:
        with pytest.raises(errors.BrokenReply, match="repeats an earlier page"):
            await superuser.list_organizations(quay)


def _always(reply: httpx.Response, _: httpx.Request) -> httpx.Response:
    return reply


async def test_an_organisation_tells_what_the_user_is_in_it() -> None:
    for name, admin in (("208_org_as_nonmember", False), ("210_org_as_admin", True)):
        reply = replay(recording(name))
        async with client(partial(_always, reply)) as quay:
            assert (await organizations.get_organization(quay, "acme")).is_admin is admin


async def test_what_another_server_holds_is_named() -> None:
    async with client(lambda _: httpx.Response(200, json={"hello": 1, "world": 2})) as quay:
        with pytest.raises(errors.NotAQuay, match="'hello', 'world'"):
            await one_page(quay)


@pytest.mark.parametrize(
    "text", ["Wed, 18 Nov 2026 00:00:00 -0000", "Wed, 18 Nov 2026 00:00:00 GMT", "Wed, 18 Nov 2026 09:00:00 +0900"]
)
def test_every_zone_ends_in_utc(text: str) -> None:
    assert moment(text) == datetime(2026, 11, 18, tzinfo=UTC)
    assert moment(text).tzinfo is UTC


@pytest.mark.parametrize("text", ["", "soon", "Wed, 99 Nov 2026 00:00:00 -0000", "2026-11-18T00:00:00Z"])
def test_what_is_no_time_is_said(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        moment(text)


async def test_one_failure_slows_the_source_even_where_nothing_is_asked_again() -> None:
    async with client(lambda _: httpx.Response(503), retries=0) as quay:
        with pytest.raises(errors.ServerFailure):
            await one_page(quay)
        assert quay.rate_limit.rate == 50


async def test_retry_after_of_a_server_at_work_is_kept_too() -> None:
    answers, clock = [httpx.Response(503, headers={"retry-after": "45"}), replay(GOOD)], Clock()
    began = clock.now
    async with client(lambda _: answers.pop(0), clock) as quay:
        await one_page(quay)
    assert clock.now - began >= 45


def test_a_pause_saves_nothing_up() -> None:
    clock = Clock()
    budget = RateLimit(2.0, clock)
    while budget.reserve() == 0:
        pass
    budget.pause(60)
    assert 60 < budget.reserve() <= 61.5
    clock.now += 62
    assert sum(budget.reserve() == 0 for _ in range(10)) <= 3


def test_a_server_that_stays_slow_is_not_pushed_again_at_once() -> None:
    clock = Clock()
    budget = RateLimit(8.0, clock)
    for _ in range(40):
        budget.succeeded(0.2)
    for _ in range(45):
        budget.succeeded(2.0)
    held = budget.rate
    assert held <= 4.0
    for _ in range(10):
        budget.succeeded(2.0)
    assert budget.rate <= held


def test_an_ordinary_page_is_not_taken_apart() -> None:
    for name in ("001_superuser_logs_3d_p1", "007_org_acme_logs_3d_p1", "031_org_acme_logs_lossy"):
        assert not may_hold_secrets(json.dumps(recording(name)["body"]).encode())


@pytest.mark.parametrize(
    ("metadata", "left"),
    [
        ({"changed": "http_proxy", "to": f"user:{SECRET}@proxy.example:3128"}, f"{MARK}@proxy.example:3128"),
        ({"changed": "https_proxy", "to": f"http://u:{SECRET}@proxy.example"}, f"http://{MARK}@proxy.example"),
        ({"changed": "external_registry_password", "to": SECRET}, MARK),
        ({"changed": "external_registry_password", "to": "********"}, "********"),
        ({"changed": "verify_tls", "to": False}, False),
        ({"http_proxy": f"u:{SECRET}/@x@proxy.example"}, f"{MARK}@proxy.example"),
        ({"url": f"https://u:p@{SECRET}@host.example/x"}, f"https://{MARK}@host.example/x"),
        ({"url": f"https://s3.example/f?X-Amz-Date=1&X-Amz-Signature={SECRET}"},
         f"https://s3.example/f?X-Amz-Date=1&X-Amz-Signature={MARK}"),
        ({"image": "docker://quay.example/acme/web@sha256:0123"}, "docker://quay.example/acme/web@sha256:0123"),
    ],
)  # fmt: skip
def test_what_is_cut_out_of_changes_and_addresses(metadata: dict[str, Any], left: Any) -> None:
    clean = json.loads(redact(json.dumps(metadata).encode()))
    assert list(clean) == list(metadata)
    assert list(clean.values())[-1] == left


@pytest.mark.parametrize(
    "odd", [b'"\\ud800"', b'"\xff"', b"1" * 5000, b"NaN"], ids=["half a surrogate", "no utf-8", "huge number", "NaN"]
)
def test_odd_json_hides_no_secret(odd: bytes) -> None:
    body = b'{"logs": [{"odd": ' + odd + b', "metadata": {"token": "' + SECRET.encode() + b'"}}]}'
    assert SECRET.encode() not in redact(body)
