"""The way in with a token of Quay's OIDC provider: against a stand-in that checks signatures, and a provider that signs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import SecretStr

from quayledger.collector.doctor import examine
from quayledger.collector.quay import errors, logs, referrers, repositories, tags, users
from quayledger.collector.quay.client import QuayClient, rate_limit_of
from quayledger.collector.quay.credentials import OidcCredential
from quayledger.collector.quay.jwt_claims import Expected, UnusableToken, advice, read_claims
from quayledger.collector.quay.scopes import Scope
from quayledger.settings import SettingsError, SourceSettings
from tests.conftest import Simulated
from tests.quay.provider import AUDIENCE, CLIENT, SECRET, Provider, provider

DAY = date(2026, 11, 18)
NOW = 1_800_000_000.0
EVERYTHING = Scope("superuser")


@pytest.fixture(scope="module")
def quay(start_simulator: Callable[..., Simulated]) -> Simulated:
    return start_simulator("--events", "200")


@pytest.fixture
def idp(quay: Simulated) -> Iterator[Provider]:
    with provider() as found:
        quay.control("oidc", issuer=found.url, audiences=[AUDIENCE], links={"s-1": "auditor"})
        yield found


def source(quay: Simulated, idp: Provider, **more: Any) -> SourceSettings:
    values = {
        "url": quay.url,
        "auth": "oidc",
        "oidc_token_endpoint": f"{idp.url}/token",
        "oidc_client_id": CLIENT,
        "oidc_client_secret": SecretStr(SECRET),
        "retries": 0,
        "requests_per_second": 1000,
        **more,
    }
    return SourceSettings(**{key: value for key, value in values.items() if value is not None})


@asynccontextmanager
async def client(quay: Simulated, idp: Provider, **more: Any) -> AsyncIterator[QuayClient]:
    async with QuayClient("main", source(quay, idp, **more)) as opened:
        yield opened


async def one_page(opened: QuayClient) -> logs.LogPage:
    return await logs.list_logs(opened, EVERYTHING, DAY, DAY)


async def test_many_requests_cost_the_provider_one_token(quay: Simulated, idp: Provider) -> None:
    async with client(quay, idp, oidc_username="auditor", oidc_audience=AUDIENCE, oidc_scope="openid") as opened:
        await asyncio.gather(*(one_page(opened) for _ in range(20)))
        assert (await users.get_logged_in_user(opened)).username == "auditor"
    assert len(idp.given) == 1
    assert idp.forms == [{"grant_type": ["client_credentials"], "scope": ["openid"], "audience": [AUDIENCE]}]


async def test_a_token_is_renewed_at_four_fifths_of_its_life(quay: Simulated, idp: Provider) -> None:
    now = time.time()
    credential = OidcCredential("main", source(quay, idp), now=lambda: now)
    first = await credential.token()
    now += 0.79 * idp.life_s
    assert await credential.token() == first
    now += 0.02 * idp.life_s
    idp.claims = {"exp": now + idp.life_s, "iat": now}
    assert await credential.token() != first
    assert len(idp.given) == 2
    # A provider that is away for a moment costs nothing while the token lives; then it is said.
    second = await credential.token()
    idp.status = 503
    now += 0.9 * idp.life_s
    assert await credential.token() == second
    now += 0.2 * idp.life_s
    with pytest.raises(errors.ProviderFailure, match="503"):
        await credential.token()


async def test_a_refused_token_is_renewed_once_and_then_nothing_is_asked(quay: Simulated, idp: Provider) -> None:
    async with client(quay, idp) as opened:
        await one_page(opened)
        quay.control("oidc", issuer=idp.url, audiences=["another"])
        with pytest.raises(errors.Unauthenticated, match=r"Audience doesn't match.*OIDC_AUDIENCES"):
            await one_page(opened)
        assert len(idp.given) == 2
        asked = opened.meter.requests
        for _ in range(3):
            with pytest.raises(errors.BadCredential, match="Audience"):
                await one_page(opened)
        assert (opened.meter.requests, len(idp.given)) == (asked, 2)


async def test_the_registry_takes_the_providers_token_too(quay: Simulated, idp: Provider) -> None:
    """`/v2/auth` takes it as the password of `$oauthtoken`, as it takes a token of Quay's own."""
    async with client(quay, idp) as opened:
        found = await repositories.list_visible_repositories(opened)
        names = [f"{row.namespace}/{row.name}" for row in found.rows if row.kind == "image"]
        digests = {name: (await tags.list_tags(opened, name)).rows for name in names[:5]}
        name, digest = next((name, rows[0].manifest_digest) for name, rows in digests.items() if rows)
        assert digest is not None
        assert (await referrers.list_referrers(opened, name, digest)).rejected == ()
        spent = {(one.operation, one.outcome) for one in opened.meter.spent()}
        assert {("v2.auth", "ok"), ("referrer.list_referrers", "ok")} <= spent
        quay.control("oidc", issuer=idp.url, audiences=["another"])
        with pytest.raises(errors.Unauthenticated, match="Audience doesn't match"):
            await referrers.list_referrers(opened, names[-1], digest)


async def test_a_token_that_one_renewal_mends_is_no_error(quay: Simulated, idp: Provider) -> None:
    async with client(quay, idp) as opened:
        for kid in ("two", "three"):
            await one_page(opened)
            idp.key, idp.kid = rsa.generate_private_key(65537, 2048), kid
            quay.control("oidc", issuer=idp.url, audiences=[AUDIENCE], links={"s-1": "auditor"})
            await one_page(opened)
    assert len(idp.given) == 3


@pytest.mark.parametrize(
    ("login", "claims", "says"),
    [
        ({"audiences": ["x"]}, {}, "Audience doesn't match"),
        ({"issuer": "https://other.example"}, {}, "Issuer .* not configured.*OIDC_SERVER"),
        ({"allowed_clients": ["y"]}, {"azp": "z"}, "Client 'z' is not in the allowed clients list"),
        ({"links": {}}, {}, "User creation is disabled.*Create the account"),
    ],
)
async def test_quays_refusals_are_said_in_its_words_with_advice(
    quay: Simulated, idp: Provider, login: dict[str, Any], claims: dict[str, Any], says: str
) -> None:
    quay.control("oidc", **{"issuer": idp.url, "audiences": [AUDIENCE], "links": {"s-1": "auditor"}, **login})
    idp.claims = claims
    async with client(quay, idp) as opened:
        with pytest.raises(errors.Unauthenticated, match=says):
            await one_page(opened)


async def test_an_account_that_quay_made_up_is_noticed_before_anything_is_read(quay: Simulated, idp: Provider) -> None:
    quay.control("oidc", issuer=idp.url, audiences=[AUDIENCE], user_creation=True)
    async with client(quay, idp, oidc_username="auditor") as opened:
        for _ in range(2):
            with pytest.raises(errors.WrongAccount, match=r"'auditor0', not 'auditor'"):
                await one_page(opened)
        assert {item.operation for item in opened.meter.spent()} == {"user.get_logged_in_user"}


async def test_a_provider_that_quay_cannot_reach_is_no_network_fault(quay: Simulated, idp: Provider) -> None:
    async with client(quay, idp) as opened:
        quay.control("oidc", issuer="http://127.0.0.1:9", audiences=[AUDIENCE])
        idp.claims = {"iss": "http://127.0.0.1:9"}
        with pytest.raises(errors.ProviderUnreachable, match="without a token it answers"):
            await one_page(opened)
    async with client(quay, idp, url="http://127.0.0.1:9") as opened:
        with pytest.raises(errors.Unreachable) as caught:
            await one_page(opened)
        assert not isinstance(caught.value, errors.ProviderUnreachable)


async def test_a_provider_that_cannot_be_reached_from_here_is_said(quay: Simulated, idp: Provider) -> None:
    async with client(quay, idp, oidc_token_endpoint="http://127.0.0.1:9/token") as opened:
        with pytest.raises(errors.ProviderFailure, match="cannot be reached"):
            await one_page(opened)
        assert opened.meter.requests == 0
    async with client(quay, idp, oidc_client_secret=SecretStr("wrong-secret-1")) as opened:
        with pytest.raises(errors.ProviderFailure, match="invalid_client") as caught:
            await one_page(opened)
        assert "wrong-secret-1" not in f"{caught.value} {caught.value!r}"


async def test_a_token_file_is_read_again_for_each_new_token(quay: Simulated, idp: Provider, tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(idp.token())
    file = {"token_file": path, "oidc_token_endpoint": None, "oidc_client_id": "", "oidc_client_secret": None}
    async with client(quay, idp, **file) as opened:
        await one_page(opened)
        # The old one is refused from now on; the new one is in the file already.
        idp.key, idp.kid = rsa.generate_private_key(65537, 2048), "two"
        quay.control("oidc", issuer=idp.url, audiences=[AUDIENCE], links={"s-1": "auditor"})
        path.write_text(idp.token())
        await one_page(opened)
        path.write_text("no token at all")
    async with client(quay, idp, **file) as opened:
        with pytest.raises(SettingsError, match="only the token"):
            await one_page(opened)
    assert idp.forms == []


GOOD = {"iss": "https://idp.example", "aud": ["quay", "x"], "sub": "s", "exp": NOW + 60, "iat": NOW}


@pytest.mark.parametrize(
    ("header", "claims", "says"),
    [
        ({"typ": None}, {}, "no typ"),
        ({"typ": "JOSE"}, {}, "no typ"),
        ({"alg": "ES256"}, {}, "RS256"),
        ({"kid": None}, {}, "kid"),
        ({}, {"sub": None}, "sub"),
        ({}, {"iss": None}, "iss"),
        ({}, {"aud": None}, "aud"),
        ({}, {"aud": [7]}, "aud"),
        ({}, {"aud": "account"}, "oidc_audience"),
        ({}, {"iss": "https://else.example"}, "oidc_issuer"),
        ({}, {"exp": NOW - 31}, "expired"),
        ({}, {"exp": None}, "exp"),
        ({}, {"exp": True}, "exp"),
        ({}, {"exp": float("inf")}, "exp|decoded"),
        ({}, {"iat": None}, "iat"),
        ({}, {"iat": NOW + 31}, "future"),
    ],
)
def test_what_quay_would_refuse_is_said_before_it_is_asked(
    header: dict[str, Any], claims: dict[str, Any], says: str
) -> None:
    idp = Provider()
    idp.header, idp.claims = header, {**GOOD, **claims}
    token = idp.token(NOW)
    with pytest.raises(UnusableToken, match=says) as caught:
        read_claims(token, Expected("https://idp.example", "quay"), NOW)
    assert token not in str(caught.value)


def test_a_good_token_says_whose_it_is() -> None:
    idp = Provider()
    idp.claims, idp.header = {**GOOD, "preferred_username": None}, {"typ": "at+jwt"}
    claims = read_claims(idp.token(NOW), Expected("https://idp.example", "quay"), NOW + 29)
    assert (claims.account, claims.audiences, claims.expires_at) == ("s", ("quay", "x"), NOW + 60)
    idp.claims["preferred_username"] = "auditor"
    assert read_claims(idp.token(NOW), Expected(), NOW).account == "auditor"


@pytest.mark.parametrize("token", ["", "abc", "a.b", "a.b.c", "!.!.!", "e30.e30.x", "a.b.c.d", "x" * 70_000])
def test_what_is_no_jwt_is_said(token: str) -> None:
    with pytest.raises(UnusableToken):
        read_claims(token, Expected(), NOW)


def test_advice_is_given_where_the_words_are_known() -> None:
    assert advice("Signature has expired")
    assert advice("Requires authentication") is None


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"oidc_token_endpoint": None}, "oidc_token_endpoint"),
        ({"oidc_client_id": ""}, "oidc_client_id"),
        ({"oidc_client_secret": None}, "OIDC_CLIENT_SECRET"),
        ({"oidc_token_endpoint": "http://idp.example/token"}, "https://"),
    ],
)
def test_settings_that_do_not_suffice_are_said(more: dict[str, Any], says: str) -> None:
    values = {
        "url": "https://quay.example",
        "auth": "oidc",
        "oidc_token_endpoint": "https://idp.example/token",
        "oidc_client_id": "x",
        "oidc_client_secret": SecretStr("y"),
        **more,
    }
    with pytest.raises(SettingsError, match=says):
        QuayClient("main", SourceSettings(**{key: value for key, value in values.items() if value is not None}))


def test_the_limit_is_the_cpu_of_the_source() -> None:
    now = 0.0

    def rate(seconds: float, **settings: Any) -> float:
        limit = rate_limit_of(SourceSettings(url="https://quay.example", **settings), lambda: now)
        for _ in range(60):
            with limit.in_flight() as is_alone:
                assert is_alone()
                with limit.in_flight() as is_other_alone:
                    assert not is_other_alone()
            limit.measured(seconds)
            limit.succeeded(seconds)
        return limit.rate

    assert rate(0.25) == 1.0
    assert rate(0.5) == 0.5
    assert rate(0.1) == 1.0
    assert rate(0.0125, auth="oidc") == 20.0
    assert rate(0.0125, auth="oidc", requests_per_second=5.0) == 5.0
    assert rate(0.25, cpu_share=0.125) == 0.5
    assert rate(0.25, requests_per_second=3.0) == 3.0
    assert rate(0.25, requests_per_second=3.0, cpu_share=0.5) == 2.0
    assert SourceSettings(url="https://quay.example").expected_rate == 1.0
    assert round(SourceSettings(url="https://quay.example", auth="oidc").expected_rate, 1) == 16.7


async def test_the_doctor_explains_what_is_wrong(quay: Simulated, idp: Provider) -> None:
    good = await examine("main", source(quay, idp, oidc_username="auditor"))
    assert good.error is None
    checks = {check.name: check for check in good.checks}
    assert "auditor" in checks["account"].says
    assert checks["account"].level == "ok"
    assert "OIDC" in checks["credential"].says
    unnamed = await examine("main", source(quay, idp))
    assert "oidc_username" in {check.name: check for check in unnamed.checks}["account"].next_step
    idp.header = {"typ": None}
    bad = await examine("main", source(quay, idp))
    assert isinstance(bad.error, errors.BadCredential)
    assert bad.requests == 0
    assert "typ" in bad.checks[-1].says
