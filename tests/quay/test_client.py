"""The client's one place for everything: retry, budget, redirects, TLS, and a token that never shows."""

from __future__ import annotations

import asyncio
import logging
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import SecretStr

from quayledger.collector import doctor
from quayledger.collector.errors import NothingReadable
from quayledger.collector.quay import errors, logs
from quayledger.collector.quay.client import QuayClient
from quayledger.collector.quay.rate_limit import BURST_S, RateLimit
from quayledger.collector.quay.scopes import Scope, overlapping
from quayledger.settings import SettingsError, SourceSettings
from tests.quay.wire import TOKEN, Clock, client, recording, replay

DAY = date(2026, 11, 18)
GOOD = recording("015_superuser_logs_11_18_2026_p1")
HTML = httpx.Response(500, headers={"content-type": "text/html"}, content=b"<html>oops</html>")


async def one_page(quay: QuayClient) -> logs.LogPage:
    return await logs.list_logs(quay, Scope("superuser"), DAY, DAY)


def script(*answers: Any) -> Any:
    """Answers one after the other; an exception is raised, the last one repeats."""
    left = list(answers)

    def handler(request: httpx.Request) -> httpx.Response:
        answer: httpx.Response | Exception = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    return handler


CUT = httpx.Response(200, headers={"content-type": "application/json"}, content=b'{"start_time": "Wed')


@pytest.mark.parametrize(
    "trouble",
    [
        HTML,
        httpx.Response(502),
        httpx.Response(503, json={"message": "busy"}),
        httpx.Response(429),
        CUT,
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("slow"),
        httpx.RemoteProtocolError("cut"),
    ],
    ids=["500", "502", "503", "429", "cut", "connect", "timeout", "protocol"],
)
async def test_trouble_that_passes_is_waited_for_and_every_attempt_is_counted(trouble: Any) -> None:
    clock = Clock()
    async with client(script(trouble, trouble, replay(GOOD)), clock) as quay:
        assert len((await one_page(quay)).rows) == 20
    assert quay.meter.requests == 3
    assert len([wait for wait in clock.slept if wait > 0]) >= 2
    assert {item.outcome for item in quay.meter.spent()} - {"ok"} <= {"error", "throttled", "timeout"}


@pytest.mark.parametrize(
    ("trouble", "kind"),
    [
        (HTML, errors.ServerFailure),
        (httpx.Response(429), errors.Throttled),
        (CUT, errors.BrokenReply),
        (httpx.ConnectError("refused"), errors.Unreachable),
        (httpx.ReadTimeout("slow"), errors.Unreachable),
    ],
)
async def test_trouble_that_stays_ends_after_the_tries_that_are_set(trouble: Any, kind: type[Exception]) -> None:
    async with client(script(trouble), retries=2) as quay:
        with pytest.raises(kind):
            await one_page(quay)
    assert quay.meter.requests == 3


@pytest.mark.parametrize("away", [httpx.ConnectError("refused"), httpx.Response(502), httpx.Response(503)])
async def test_a_quay_that_is_restarted_is_waited_for(away: httpx.Response | Exception) -> None:
    clock = Clock()
    back_at = clock.now + 120

    def handler(request: httpx.Request) -> httpx.Response:
        if len(clock.slept) and clock.now < back_at:
            if isinstance(away, Exception):
                raise away
            return away
        clock.slept.append(0)
        return replay(GOOD)

    async with client(handler, clock, retries=2) as quay:
        await one_page(quay)
        assert len((await one_page(quay)).rows) == 20


async def test_a_quay_that_stays_away_ends_the_wait() -> None:
    clock = Clock()
    async with client(script(replay(GOOD), httpx.ConnectError("refused")), clock, retries=2) as quay:
        await one_page(quay)
        with pytest.raises(errors.Unreachable):
            await one_page(quay)
    assert clock.now - 1000 < 300


async def test_the_servers_clock_is_known_from_any_reply() -> None:
    clock = Clock()
    refused = httpx.Response(403, json={}, headers={"date": "Wed, 18 Nov 2026 00:00:00 GMT"})
    async with client(lambda _: refused, clock) as quay:
        assert quay.server_now() is None
        with pytest.raises(errors.Forbidden):
            await one_page(quay)
        clock.now += 60
        assert quay.server_now() == datetime(2026, 11, 18, 0, 1, tzinfo=UTC)


@pytest.mark.parametrize("name", ["128_err_bad_token", "130_err_insufficient_scope", "132_err_unknown_org"])
async def test_a_refusal_is_asked_once(name: str) -> None:
    async with client(lambda _: replay(recording(name))) as quay:
        with pytest.raises(errors.QuayError):
            await one_page(quay)
    assert quay.meter.requests == 1


async def test_a_performer_that_quay_stumbles_over_is_asked_once() -> None:
    async with client(script(HTML)) as quay:
        with pytest.raises(errors.ServerFailure):
            await logs.list_logs(quay, Scope("organization", "acme"), DAY, DAY, performer="gone")
    assert quay.meter.requests == 1


@pytest.mark.parametrize("after", ["30", "Wed, 18 Nov 2026 00:00:30 GMT"])
async def test_retry_after_pauses_every_chain(after: str) -> None:
    clock = Clock()
    headers = {"retry-after": after, "date": "Wed, 18 Nov 2026 00:00:00 GMT"}
    handler = script(httpx.Response(429, headers=headers), replay(GOOD))
    began = clock.now
    async with client(handler, clock) as quay:
        await asyncio.gather(one_page(quay), one_page(quay))
    assert clock.now - began >= 30


async def test_a_slash_is_followed_and_nothing_else_gets_the_token() -> None:
    asked: list[tuple[str, str | None]] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append((str(request.url.copy_with(query=None)), request.headers.get("authorization")))
        if not request.url.path.endswith("/"):
            return httpx.Response(308, headers={"location": f"{request.url.path}/?{request.url.query.decode()}"})
        return replay(GOOD)

    async with client(handler) as quay:
        await one_page(quay)
    assert [url for url, _ in asked] == [
        "https://quay.example/api/v1/superuser/logs",
        "https://quay.example/api/v1/superuser/logs/",
    ]
    for target in (
        "https://elsewhere.example/",
        "http://quay.example/api/v1/superuser/logs",
        "https://quay.example:444/",
    ):
        asked.clear()

        def away(request: httpx.Request, target: str = target) -> httpx.Response:
            asked.append((str(request.url), None))
            return httpx.Response(302, headers={"location": target})

        async with client(away) as quay:
            with pytest.raises(errors.NotAQuay, match="not sent"):
                await one_page(quay)
        assert len(asked) == 1


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, headers={"content-type": "text/html"}, content=b"<html>login</html>"),
        httpx.Response(200, json={"hello": "world"}),
        httpx.Response(200, json=[1, 2]),
        httpx.Response(404, headers={"content-type": "text/html"}, content=b"<html>no</html>"),
    ],
    ids=["html", "other json", "list", "html 404"],
)
async def test_what_is_no_quay_is_said(answer: httpx.Response) -> None:
    async with client(lambda _: answer, retries=0) as quay:
        with pytest.raises(errors.NotAQuay, match=r"(?i)check the address"):
            await one_page(quay)


async def test_the_token_is_in_no_error_log_or_text(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    echo = httpx.Response(403, json={"detail": f"Bearer {TOKEN} may not", "error_type": "x"})
    async with client(lambda _: echo) as quay:
        with pytest.raises(errors.Forbidden) as caught:
            await one_page(quay)
    said = f"{caught.value!r} {caught.value} {quay!r} {vars(quay)} {caplog.text}"
    assert TOKEN not in said


def test_scopes_are_read_back_and_overlaps_found() -> None:
    texts = ("superuser", "organization:acme", "user:alice", "repository:acme/team/app")
    assert [Scope.parse(text).text for text in texts] == list(texts)
    for text in ("", "organization", "superuser:x", "repository:acme", "user:a/b", "repository:/x", "group:x"):
        with pytest.raises(ValueError, match="no scope"):
            Scope.parse(text)
    organization, own, web = Scope("organization", "acme"), Scope("user", "alice"), Scope("repository", "acme/web")
    assert overlapping((organization, own)) is None
    assert overlapping((own, organization, web)) == (organization, web)
    assert overlapping((Scope("superuser"), own)) is not None
    assert overlapping((web, Scope("repository", "acme/api"))) is None


def test_a_budget_keeps_its_average_and_saves_up_only_a_little() -> None:
    clock = Clock()
    budget = RateLimit(2.0, clock)
    began = clock.now
    for _ in range(200):
        clock.now += budget.reserve()
    assert 200 / (clock.now - began + BURST_S) <= 2.0 + 0.05
    clock.now += 3600
    free = 0
    while budget.reserve() == 0:
        free += 1
    assert free == 2 * BURST_S


def test_a_budget_gives_way_and_comes_back() -> None:
    clock = Clock()
    budget = RateLimit(8.0, clock)
    for _ in range(10):
        budget.back_off()
    assert budget.rate == 0.5
    for _ in range(30):
        budget.succeeded(0.2)
    assert budget.rate == 8.0
    for _ in range(40):
        budget.succeeded(2.0)
    assert budget.rate < 8.0


@pytest.fixture(scope="module")
def self_signed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "own.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
def tls_server(self_signed: Path) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = replay(GOOD)
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield f"https://localhost:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def source(url: str, **more: Any) -> SourceSettings:
    return SourceSettings(url=url, token=SecretStr(TOKEN), retries=0, requests_per_second=100, **more)


async def test_tls_is_checked_against_the_own_authority_or_refused(tls_server: str, self_signed: Path) -> None:
    async with QuayClient("main", source(tls_server)) as quay:
        with pytest.raises(errors.TlsFailure, match="ca_file"):
            await one_page(quay)
    for trust in ({"ca_file": self_signed}, {"verify_tls": False}):
        async with QuayClient("main", source(tls_server, **trust)) as quay:
            assert len((await one_page(quay)).rows) == 20


def test_a_ca_file_that_is_none_is_said(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nonsense")
    for name in ("ca.pem", "missing.pem"):
        with pytest.raises(SettingsError, match="PEM"):
            QuayClient("main", source("https://quay.example", ca_file=tmp_path / name))


async def test_nobody_listening_is_unreachable() -> None:
    async with QuayClient("main", source("http://127.0.0.1:9")) as quay:
        with pytest.raises(errors.Unreachable, match=r"(?i)check the address"):
            await one_page(quay)


async def test_the_doctor_goes_on_where_the_api_reference_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/discovery"):
            return httpx.Response(404, headers={"content-type": "text/html"}, content=b"<title>Not here</title>")
        if request.url.path.endswith("/user/"):
            return replay(recording("271_user_noscope_401"))
        return httpx.Response(403, json={"detail": "Unauthorized"})

    monkeypatch.setattr(doctor, "QuayClient", lambda *_: client(answer, retries=0))
    diagnosis = await doctor.examine("main", source("https://quay.example"))
    levels = {check.name: check.level for check in diagnosis.checks}
    assert levels["address"] == "note"
    assert isinstance(diagnosis.error, NothingReadable)
    # A good token without `user:read` is not called unknown or expired.
    assert "expired" not in str(diagnosis.error)
    assert "user:read" in str(diagnosis.error)
