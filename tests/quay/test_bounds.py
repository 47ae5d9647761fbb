"""Bounds on what a server may send: endless bodies, packed bombs and informational replies without end all end here."""

from __future__ import annotations

import asyncio
import gzip
import resource
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import date
from typing import Any

import pytest
from pydantic import SecretStr

from quayledger.collector.quay import errors, logs
from quayledger.collector.quay.client import QuayClient
from quayledger.collector.quay.http_reply import MOST_BYTES
from quayledger.collector.quay.scopes import Scope
from quayledger.settings import SourceSettings

DAY = date(2026, 11, 18)
OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
GOOD = b'{"start_time": "Wed, 18 Nov 2026 00:00:00 -0000", "end_time": "Thu, 19 Nov 2026 00:00:00 -0000", "logs": [%b]}'
Speak = Callable[[asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def loopback(speak: Speak, **settings: Any) -> AsyncIterator[QuayClient]:
    """A client of a real server that answers each connection by `speak`, on the bare connection."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            await speak(writer)
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    values = {"token": SecretStr("tok-0123456789"), "retries": 2, "requests_per_second": 100, **settings}
    async with server, QuayClient("main", SourceSettings(url=url, **values)) as quay:
        yield quay


async def one_page(quay: QuayClient) -> logs.LogPage:
    return await logs.list_logs(quay, Scope("superuser"), DAY, DAY)


async def test_an_endless_body_is_left_at_the_bound_and_not_asked_for_again() -> None:
    sent = 0

    async def pour(writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(OK + b"connection: close\r\n\r\n" + b'{"logs": ["')
        while sent < 4 * MOST_BYTES:
            writer.write(b"x" * (1 << 20))
            sent += 1 << 20
            await writer.drain()

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    async with loopback(pour) as quay:
        with pytest.raises(errors.TooLarge, match="64 MiB"):
            await one_page(quay)
    assert quay.meter.requests == 1
    assert sent < 2 * MOST_BYTES
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 4 * MOST_BYTES // 1024


@pytest.mark.parametrize(
    ("encoding", "body", "kind"),
    [
        ("gzip", gzip.compress(b" " * (MOST_BYTES + 1)), errors.TooLarge),
        ("gzip, gzip", gzip.compress(gzip.compress(b" " * (MOST_BYTES + 1))), errors.BrokenReply),
        ("deflate", zlib.compress(GOOD % b""), errors.BrokenReply),
        ("br", b"whatever", errors.BrokenReply),
        ("gzip", gzip.compress(GOOD % b"")[:-9], errors.BrokenReply),
        ("gzip", b"none", errors.BrokenReply),
    ],
    ids=["bomb", "bomb in a bomb", "not asked for", "unknown", "cut", "no gzip"],
)
async def test_what_is_packed_is_unpacked_within_bounds(encoding: str, body: bytes, kind: type[Exception]) -> None:
    async def say(writer: asyncio.StreamWriter) -> None:
        head = b"content-encoding: %b\r\ncontent-length: %d\r\n\r\n" % (encoding.encode(), len(body))
        writer.write(OK + head + body)
        await writer.drain()

    async with loopback(say, retries=0) as quay:
        with pytest.raises(kind):
            await one_page(quay)


async def test_a_packed_page_is_read() -> None:
    body = gzip.compress(GOOD % b"null, 7")

    async def say(writer: asyncio.StreamWriter) -> None:
        writer.write(OK + b"content-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()

    async with loopback(say) as quay:
        assert [bytes(row) for row in (await one_page(quay)).rows] == [b"null", b"7"]


@pytest.mark.parametrize("line", [b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n"])
async def test_informational_replies_without_end_are_a_time_out(line: bytes) -> None:
    async def go_on(writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(line * 100)
            await writer.drain()
            await asyncio.sleep(0)

    async with loopback(go_on, timeout_seconds=0.5, retries=0) as quay:
        with pytest.raises(errors.TimedOut):
            await one_page(quay)


@pytest.mark.parametrize("endless", [b"x-more: " + b"y" * 1000 + b"\r\n", b"y" * 1000], ids=["many", "one"])
async def test_headers_without_end_are_a_broken_reply(endless: bytes) -> None:
    sent = 0

    async def pour(writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(OK + b"x-first: ")
        while sent < 50_000_000:
            writer.write(endless)
            sent += len(endless)
            await writer.drain()

    async with loopback(pour, retries=0) as quay:
        with pytest.raises(errors.BrokenReply):
            await one_page(quay)
    assert sent < 10_000_000


async def test_a_page_of_fifty_megabytes_costs_a_few_times_its_size() -> None:
    row = b'{"kind": "create_robot", "metadata": {"token": [%b1]}, "ip": null, "datetime": ""}' % (b"1," * 25_000_000)
    body = GOOD % row

    async def say(writer: asyncio.StreamWriter) -> None:
        writer.write(OK + b"content-length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()

    async with loopback(say) as quay:
        page = await one_page(quay)
    assert len(page.rows) == 1
    assert len(bytes(page.rows[0])) < 1000  # the secret's value, however long


async def test_of_an_error_page_only_the_beginning_is_read() -> None:
    async def pour(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 403 No\r\ncontent-type: text/html\r\nconnection: close\r\n\r\n<title>Blocked</title>")
        for _ in range(1000):
            writer.write(b"x" * (1 << 20))
            await writer.drain()

    async with loopback(pour) as quay:
        with pytest.raises(errors.Forbidden, match="Blocked"):
            await one_page(quay)
