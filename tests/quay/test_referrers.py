"""The registry's own operation: its token is exchanged, used, kept a little, and told to nobody."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from pydantic import SecretStr

from quayledger.collector.quay import errors, referrers
from quayledger.collector.quay.client import QuayClient
from quayledger.collector.quay.registry_tokens import KEPT_S, MOST_KEPT, RegistryTokens
from quayledger.settings import SourceSettings
from tests.quay.wire import TOKEN, Clock, client, recording, replay

REGISTRY_TOKEN = "eyJhbGciOi.JSUzI1NiIs.InR5cCI6IkpXVCJ9"
DIGEST = "sha256:63688cc632c9b5e9aa20b47bda28f4085d32f769d50ff66514731764753a2ecf"
BASIC = base64.b64encode(f"$oauthtoken:{TOKEN}".encode()).decode()


class Registry:
    """Gives numbered tokens and takes the newest one only; `refusals` are given in place of answers."""

    def __init__(self, *refusals: httpx.Response) -> None:
        self.refusals = list(refusals)
        self.asked: list[str] = []
        self.given = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.path)
        sent = request.headers["authorization"]
        if request.url.path == "/v2/auth":
            assert sent == f"Basic {BASIC}"
            self.given += 1
            return httpx.Response(200, json={"token": f"{REGISTRY_TOKEN}{self.given}"})
        assert sent == f"Bearer {REGISTRY_TOKEN}{self.given}"
        return self.refusals.pop(0) if self.refusals else replay(recording("304_"))


async def ask(quay: QuayClient, repository: str = "acme/web") -> int:
    return len(await referrers.list_referrers(quay, repository, DIGEST))


async def test_one_exchange_serves_a_repository_for_some_minutes() -> None:
    assert KEPT_S <= 600
    registry, clock = Registry(), Clock()
    async with client(registry, clock) as quay:
        assert list(await asyncio.gather(ask(quay), ask(quay), ask(quay))) == [1, 1, 1]
        assert registry.given == 1
        await ask(quay, "acme/team/nested/app")
        assert registry.given == 2
        clock.now += KEPT_S + 1
        await ask(quay)
        assert registry.given == 3
        spent = {(one.operation, one.outcome): one.requests for one in quay.meter.spent()}
    assert spent == {("v2.auth", "ok"): 3, ("referrer.list_referrers", "ok"): 5}


STALE = httpx.Response(401, headers={"content-type": "text/html"}, json={"error": "Token has expired"})


async def test_a_kept_token_that_is_refused_is_exchanged_once_more_and_no_more() -> None:
    registry = Registry()
    async with client(registry) as quay:
        await ask(quay)
        registry.refusals = [STALE]
        assert await ask(quay) == 1
        assert registry.given == 2
        registry.refusals = [STALE, STALE]
        with pytest.raises(errors.Unauthenticated):
            await ask(quay)
        assert registry.given == 3


async def test_a_repository_that_may_not_be_pulled_costs_no_second_exchange() -> None:
    refusal = replay(recording("313_"))
    registry = Registry(refusal, refusal)
    async with client(registry) as quay:
        for _ in range(2):
            with pytest.raises(errors.Forbidden, match="UNAUTHORIZED"):
                await ask(quay)
    assert registry.given == 1


AUTH_REFUSALS: list[tuple[int, dict[str, Any], type[errors.QuayError]]] = [
    (401, {"errors": [{"code": "UNAUTHORIZED", "message": "Invalid token"}]}, errors.Unauthenticated),
    (405, {"errors": [{"code": "DENIED", "message": "Namespace acme has been disabled"}]}, errors.Forbidden),
    (400, {"errors": [{"code": "NAME_INVALID", "message": "Invalid repository name"}]}, errors.NotFound),
    (200, {"token": ""}, errors.BrokenReply),
    (200, {"token": "two words"}, errors.BrokenReply),
    (200, {"access": REGISTRY_TOKEN}, errors.UnexpectedReply),
]


@pytest.mark.parametrize(("status", "body", "kind"), AUTH_REFUSALS)
async def test_what_the_exchange_ends_in_is_told_apart(
    status: int, body: dict[str, Any], kind: type[errors.QuayError]
) -> None:
    async with client(lambda _: httpx.Response(status, json=body), retries=0) as quay:
        with pytest.raises(kind) as caught:
            await ask(quay)
    assert (type(caught.value), caught.value.operation) == (kind, "v2.auth")
    assert "two words" not in str(caught.value)
    assert REGISTRY_TOKEN not in str(caught.value)


@asynccontextmanager
async def loopback(seen: list[tuple[str, str]]) -> AsyncIterator[QuayClient]:
    """A client of a real server, which gives the exchanged token back in an error."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        target, sent = head.split()[1], head.lower().split("authorization: ")[1].split("\r\n")[0]
        seen.append((target, head[head.lower().index("authorization: ") + 15 :].split("\r\n")[0]))
        if target.startswith("/v2/auth"):
            status, body = "200 OK", {"token": REGISTRY_TOKEN}
        else:
            echo = f"{REGISTRY_TOKEN} {BASIC} {TOKEN} {sent}"
            status, body = "403 Forbidden", {"errors": [{"code": "DENIED", "message": echo}]}  # type: ignore[dict-item]
        content = json.dumps(body).encode()
        head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(content)}\r\n\r\n"
        writer.write(head.encode() + content)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, QuayClient("main", SourceSettings(url=url, token=SecretStr(TOKEN), retries=0)) as quay:
        yield quay


async def test_on_the_wire_both_tokens_are_where_they_belong_and_nowhere_else(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    seen: list[tuple[str, str]] = []
    async with loopback(seen) as quay:
        with pytest.raises(errors.Forbidden) as caught:
            await ask(quay)
        said = f"{caught.value!r} {caught.value} {quay!r} {vars(quay)} {vars(quay._registry)} {caplog.text}"
        service = httpx.URL(quay.base_url).netloc.decode()
    (auth, basic), (target, bearer) = seen
    assert parse_qs(urlsplit(auth).query) == {"service": [service], "scope": ["repository:acme/web:pull"]}
    assert (basic, bearer) == (f"Basic {BASIC}", f"Bearer {REGISTRY_TOKEN}")
    assert target.startswith("/v2/acme/web/referrers/sha256")
    for secret in (TOKEN, BASIC, REGISTRY_TOKEN):
        assert secret not in said


def test_no_more_tokens_are_kept_than_may_be() -> None:
    clock = Clock()
    kept = RegistryTokens(clock)
    for number in range(MOST_KEPT + 10):
        kept.keep(f"acme/{number}", SecretStr(f"t{number}"))
    assert len(kept.tokens()) == MOST_KEPT
    assert (kept.get("acme/9"), kept.get("acme/10")) == (None, SecretStr("t10"))
    kept.drop("acme/10")
    assert kept.get("acme/10") is None
    clock.now += KEPT_S
    assert kept.get("acme/11") is None
