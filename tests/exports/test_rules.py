"""What an export may be asked of, where its file may lie, and when one is worth while."""

from __future__ import annotations

import asyncio
import contextlib
import json
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from quayledger.collector.exports.choice import choose
from quayledger.collector.exports.download import FileLost, FileRefused, check_address, fetch, is_exported_by
from quayledger.collector.quay import errors
from quayledger.collector.quay.client import QuayClient
from quayledger.collector.quay.exports import request_export
from quayledger.collector.quay.scopes import Scope
from quayledger.settings import CallbackSettings, SourceSettings

SOURCE = SourceSettings(url="https://quay.example.com", token=SecretStr("t" * 40), retries=1)
DAY = date(2026, 11, 19)
ALLOWED = ("s3.example", "*.r2.example", "minio.lan:9000", "10.1.1.1", "[fd00::1]:9000")


RULES = CallbackSettings(allowed_storage_hosts=ALLOWED)


def check(url: str, **rules: Any) -> str:
    return check_address(url, SOURCE, CallbackSettings(allowed_storage_hosts=ALLOWED, **rules)).shown


@pytest.mark.parametrize(
    "url",
    [
        "https://quay.example.com/exportedlogs/x",
        "https://quay.example.com:443/exportedlogs/x",
        "https://s3.example/quay/x?X-Amz-Signature=1",
        "http://s3.example:8080/x",
        "https://a.b.r2.example/x",
        "http://minio.lan:9000/x",
    ],
)
def test_the_quays_own_host_and_allowed_ones_are_taken(url: str) -> None:
    assert check(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://quay.example.com/exportedlogs/x",  # not its own: another scheme
        "https://quay.example.com:8443/x",
        "https://quay.example.com.evil.example/x",
        "https://evil.example/?https://s3.example/",
        "https://s3.example@evil.example/x",
        "https://user:pw@s3.example/x",
        "https://s3.example.evil.example/x",
        "https://r2.example/x",
        "https://evilr2.example/x",
        "http://minio.lan:9001/x",
        "http://127.0.0.1/x",
        "http://10.1.1.1/x",  # allowed by name, refused as private
        "http://[::ffff:10.1.1.1]/x",
        "http://[fd00::1]:9000/x",
        "http://169.254.169.254/latest/meta-data/",
        "file:///etc/passwd",
        "ftp://s3.example/x",
        "//s3.example/x",
        "https://",
        "http://[::1",
        "http://[",
        "https://s3.example]/",
        "https://s3.example:99999999/",
        "https://s3.example:x/",
        "",
    ],
)
def test_every_other_address_is_refused(url: str) -> None:
    with pytest.raises(FileRefused) as told:
        check(url)
    assert "pw" not in str(told.value)


def test_private_addresses_are_taken_where_the_settings_say_so() -> None:
    assert check("http://10.1.1.1/x", allow_private_addresses=True)
    assert check("http://[fd00::1]:9000/x", allow_private_addresses=True)


def test_a_name_that_stands_for_a_private_address_is_refused_before_anything_is_sent() -> None:
    rules = CallbackSettings(allowed_storage_hosts=("localhost",))

    async def work() -> None:
        async for _ in fetch(check_address("http://localhost:1/x", SOURCE, rules), SOURCE, rules):
            raise AssertionError("nothing may come")

    with pytest.raises(FileRefused, match="private network"):
        asyncio.run(work())


HOSTS = st.sampled_from(["s3.example", "[::1", "[fd00::1]:9000", "a..r2.example", "x" * 70 + ".r2.example", "", "ü"])


@given(scheme=st.sampled_from(["http", "https", "ftp", ""]), host=HOSTS, tail=st.text(max_size=20))
def test_no_address_ends_in_anything_but_a_refusal(scheme: str, host: str, tail: str) -> None:
    rules = CallbackSettings(allowed_storage_hosts=("*.r2.example", "[::1", "s3.example:x"))
    source = SOURCE.model_copy(update={"timeout_seconds": 0.01})

    async def work() -> None:
        location = check_address(f"{scheme}://{host}/{tail}", source, rules)
        async for _ in fetch(location, source, rules):
            raise AssertionError("nothing may come")

    with contextlib.suppress(FileRefused, FileLost):
        asyncio.run(work())


def test_only_quays_own_exports_are_surely_its_own() -> None:
    own = "https://quay.example.com/exportedlogs/"
    source = SOURCE.model_copy(update={"url": "https://quay.example.com"})

    def is_own(url: str, export_id: str) -> bool:
        return is_exported_by(check_address(url, source, RULES), source, export_id)

    assert is_own(f"{own}e1-key", "e1")
    for url in (
        f"{own}e2-key",
        "https://quay.example.com/v2/acme/x/exportedlogs/e1-key",
        "https://s3.example/exportedlogs/e1-k",
    ):
        assert not is_own(url, "e1")


def asked(
    answer: dict[str, Any], scope: Scope, first: date = DAY, last: date = DAY, **told: str
) -> tuple[str, list[httpx.Request]]:
    requests: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(answer["status"], json=answer["body"], headers={"content-type": "application/json"})

    async def work() -> str:
        async with QuayClient("main", SOURCE, transport=httpx.MockTransport(handle)) as client:
            return await request_export(client, scope, first, last, **told)

    return asyncio.run(work()), requests


@pytest.mark.parametrize(
    ("number", "scope"),
    [(158, Scope("organization", "acme")), (159, Scope("repository", "acme/web")), (160, Scope("user", "alice"))],
)
def test_an_export_is_asked_for_as_recorded(recordings: Path, number: int, scope: Scope) -> None:
    recorded = json.loads(next(recordings.glob(f"{number}_*.json")).read_bytes())
    export_id, (request,) = asked(recorded, scope, callback_url="https://hooks.example/ok")
    assert export_id == recorded["body"]["export_id"]
    told = recorded["request"]
    assert (request.method, request.url.path, dict(request.url.params)) == ("POST", told["path"], told["query"])
    assert json.loads(request.content) == told["body"]
    assert request.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("number", "kind", "says"),
    [
        (152, errors.BadRequest, "application/json"),
        (153, errors.BadRequest, "Invalid callback URL"),
        (154, errors.BadRequest, "Invalid callback e-mail"),
        (155, errors.BadRequest, "Invalid time span"),
        (156, errors.Forbidden, "Unauthorized"),
        (157, errors.NotFound, "Not Found"),
        (303, errors.Forbidden, "Unauthorized"),
    ],
)
def test_refusals_are_told_in_quays_words(recordings: Path, number: int, kind: type[Exception], says: str) -> None:
    recorded = json.loads(next(recordings.glob(f"{number}_*.json")).read_bytes())
    with pytest.raises(kind, match=says):
        asked(recorded, Scope("organization", "acme"), callback_url="https://hooks.example/ok")


def test_an_export_is_sent_once_whatever_the_server_answers() -> None:
    requests = 0

    def handle(request: httpx.Request) -> httpx.Response:
        nonlocal requests
        requests += 1
        return httpx.Response(502, text="bad gateway")

    async def work() -> None:
        async with QuayClient("main", SOURCE, transport=httpx.MockTransport(handle)) as client:
            await request_export(client, Scope("organization", "acme"), DAY, DAY, callback_email="a@b.example")

    with pytest.raises(errors.ServerFailure):
        asyncio.run(work())
    assert requests == 1


def test_nothing_but_an_export_request_can_be_sent() -> None:
    async def work(path: str) -> None:
        async with QuayClient("main", SOURCE, transport=httpx.MockTransport(lambda _: httpx.Response(200))) as client:
            await client.ask_export("x", path, {}, {}, lambda reply: reply)

    for path in ("/organization/acme", "/organization/acme/exportlogs/../team", "/organization/acme/exportlogs?x="):
        with pytest.raises(ValueError, match="no other POST"):
            asyncio.run(work(path))


@pytest.mark.parametrize(
    ("scope", "told", "last"),
    [
        (Scope("superuser"), {"callback_url": "https://hooks.example"}, DAY),
        (Scope("organization", "acme"), {}, DAY),
        (Scope("organization", "acme"), {"callback_url": "https://hooks.example"}, date(2026, 11, 18)),
    ],
)
def test_an_export_that_cannot_work_is_never_asked_for(scope: Scope, told: dict[str, str], last: date) -> None:
    with pytest.raises(ValueError, match=r"export|range"):
        asked({"status": 200, "body": {}}, scope, DAY, last, **told)


@pytest.mark.parametrize(
    ("mode", "more", "method", "why"),
    [
        ("off", {"pages": 9_999}, "pages", "exports are off"),
        ("repair", {"pages": 9_999}, "pages", "what pages cannot bring"),
        ("repair", {"pages": 2, "fell_short": True}, "export", "could not bring"),
        ("prefer", {"pages": 21}, "export", "1 export against 21 pages"),
        ("prefer", {"pages": 20}, "pages", "20 pages against 1 export"),
        ("prefer", {"pages": 50, "counts": 40}, "pages", "50 pages against 1 export and 40 counts"),
        ("prefer", {"pages": 9_999, "is_over": False}, "pages", "over"),
        ("prefer", {"pages": 9_999, "refused": "the last file was cut off"}, "pages", "cut off"),
        ("prefer", {"pages": 9_999, "exports": 0}, "pages", "nothing of it"),
    ],
)
def test_pages_or_an_export_by_cost_and_why(mode: Any, more: dict[str, Any], method: str, why: str) -> None:
    choice = choose(mode, **{"exports": 1, **more})
    assert choice.method == method and why in choice.why
