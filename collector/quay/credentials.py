"""The credential of a source: an OAuth application token, or a token of Quay's OIDC provider that is renewed in time. I/O.

A token of the provider costs Quay a sixteenth of the CPU of an application token, which it hashes at each request. It is kept
in memory, renewed at 80 % of its life, and once after Quay refused it; then this source is asked nothing more, because each
refused token costs the provider a request.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

import httpx
import msgspec
from pydantic import SecretStr

from quayledger.collector.quay.connection import can_be_sent, provider_connection, usable
from quayledger.collector.quay.errors import BadCredential, ProviderFailure, safe
from quayledger.collector.quay.http_reply import ReplyTooLarge, read_reply
from quayledger.collector.quay.jwt_claims import Claims, Expected, UnusableToken, read_claims
from quayledger.collector.quay.lenient_json import UNREADABLE
from quayledger.settings import SettingsError, SourceSettings

OPERATION = "oidc.token"
RENEWED_AT = 0.8  # of a token's life
_SHORTEST_LIFE_S = 5.0
_LAST_MOMENT_S, _TRIED_AGAIN_S = 5.0, 15.0


class Credential(Protocol):
    """Where the token of each request comes from. `is_verified_elsewhere`: Quay asks another server about it."""

    is_verified_elsewhere: bool

    @property
    def claims(self) -> Claims | None:
        """What the newest token says of itself; None where it says nothing, or before the first."""

    def accepted(self) -> None:
        """Quay took the token."""

    async def token(self) -> SecretStr:
        """The token to send now. Raises SettingsError, BadCredential and ProviderFailure."""

    async def renew(self, refused: SecretStr, says: str) -> bool:
        """Whether there is another token to try, after Quay refused this one with these words. Raises as `token` does."""

    def secrets(self) -> list[SecretStr]:
        """Everything that must not appear in any text."""


class StaticCredential:
    """An OAuth application token."""

    is_verified_elsewhere = False
    claims = None

    def __init__(self, token: SecretStr) -> None:
        self._token = token

    async def token(self) -> SecretStr:
        """The token."""
        return self._token

    async def renew(self, refused: SecretStr, says: str) -> bool:
        """There is no other."""
        return False

    def accepted(self) -> None:
        """Nothing to note."""

    def secrets(self) -> list[SecretStr]:
        """The token."""
        return [self._token]


class OidcCredential:
    """A token of Quay's OIDC provider: by client credentials, or from a file that is read again for each new token."""

    is_verified_elsewhere = True

    def __init__(
        self,
        source_id: str,
        source: SourceSettings,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`transport` and `now` (seconds since 1970) are for tests. Raises SettingsError where the settings do not suffice."""
        self._source_id, self._source, self._transport, self._now = source_id, source, transport, now
        self._expected = Expected(source.oidc_issuer, source.oidc_audience)
        self._lock = asyncio.Lock()
        self._token: SecretStr | None = None
        self._claims: Claims | None = None
        self._renew_at = 0.0
        self._renewed_for: SecretStr | None = None
        self._stopped: BadCredential | None = None
        if source.token_file is None:
            _check_client(source_id, source)

    @property
    def claims(self) -> Claims | None:
        """Of the newest token; None before the first."""
        return self._claims

    async def token(self) -> SecretStr:
        """The token to send now, renewed where 80 % of its life are over."""
        async with self._lock:
            if self._stopped is not None:
                raise self._stopped
            if self._token is None or self._now() >= self._renew_at:
                return await self._renew_early(self._token)
            return self._token

    async def renew(self, refused: SecretStr, says: str) -> bool:
        """Gets another token once; False where the newest one was refused too, or is the same."""
        async with self._lock:
            if self._token is not None and self._token != refused:
                return True  # somebody else got it in the meantime
            if self._renewed_for is None:
                self._renewed_for = refused
                if await self._fetch() != refused:
                    return True
            # Each refused token costs the provider a request of Quay's, so nothing more is asked.
            self._stopped = BadCredential(self._source_id, OPERATION, f"Quay refused the renewed token as well: {says}")
            return False

    def accepted(self) -> None:
        """Quay took the newest token: the next one may be renewed once as well."""
        self._renewed_for = None

    def secrets(self) -> list[SecretStr]:
        """The token and the client's secret."""
        given = [self._token, self._source.oidc_client_secret]
        return [secret for secret in given if secret is not None and secret.get_secret_value()]

    async def _renew_early(self, held: SecretStr | None) -> SecretStr:
        """A provider that is away for a moment costs nothing while the token lives."""
        try:
            return await self._fetch()
        except (BadCredential, ProviderFailure, SettingsError):
            if held is None or self._claims is None or self._now() >= self._claims.expires_at - _LAST_MOMENT_S:
                raise
            self._renew_at = self._now() + _TRIED_AGAIN_S
            return held

    async def _fetch(self) -> SecretStr:
        text = (
            self._read_file()
            if self._source.token_file is not None
            else await self._ask_provider(self._source.oidc_token_endpoint or "")
        )
        now = self._now()
        try:
            claims = read_claims(text.get_secret_value(), self._expected, now)
        except UnusableToken as error:
            raise BadCredential(self._source_id, OPERATION, f"the token cannot be used: {error}") from None
        self._token, self._claims = text, claims
        begin = min(now, max(claims.issued_at, now - (claims.expires_at - now)))
        life = max(_SHORTEST_LIFE_S, claims.expires_at - begin)
        self._renew_at = begin + RENEWED_AT * life
        return text

    def _read_file(self) -> SecretStr:
        return usable(self._source.secret(self._source_id), self._source)

    async def _ask_provider(self, endpoint: str) -> SecretStr:
        source = self._source
        secret = source.client_secret(self._source_id)
        form = {"grant_type": "client_credentials"}
        if source.oidc_scope:
            form["scope"] = source.oidc_scope
        if source.oidc_audience:
            form["audience"] = source.oidc_audience
        try:
            async with (
                asyncio.timeout(source.timeout_seconds),
                provider_connection(source, self._transport) as http,
            ):
                request = http.build_request("POST", endpoint, data=form)
                auth = httpx.BasicAuth(_form_encoded(source.oidc_client_id), _form_encoded(secret.get_secret_value()))
                reply = await read_reply(await http.send(request, auth=auth, stream=True), (200,))
        except (TimeoutError, httpx.HTTPError, httpx.InvalidURL, ReplyTooLarge) as error:
            says = str(error).replace(secret.get_secret_value(), "…") or type(error).__name__
            raise ProviderFailure(self._source_id, OPERATION, f"the provider cannot be reached: {says}") from None
        return self._token_of(reply.status_code, reply.content, secret)

    def _token_of(self, status: int, body: bytes, secret: SecretStr) -> SecretStr:
        try:
            answer = msgspec.json.decode(body, type=_Answer)
        except UNREADABLE:
            answer = _Answer()
        if status == 200 and can_be_sent(answer.access_token):
            return SecretStr(answer.access_token)
        told = " ".join(part for part in (answer.error, answer.error_description) if part) or "no reason given"
        says = safe(told.replace(secret.get_secret_value(), "…"))
        raise ProviderFailure(self._source_id, OPERATION, f"the provider gives no token: {says}", status=status)


class _Answer(msgspec.Struct):
    access_token: str = ""
    error: str = ""
    error_description: str = ""


def credential_of(source_id: str, source: SourceSettings) -> Credential:
    """The credential that the settings name. Raises SettingsError."""
    if source.auth == "oidc":
        return OidcCredential(source_id, source)
    return StaticCredential(usable(source.secret(source_id), source))


def _check_client(source_id: str, source: SourceSettings) -> None:
    endpoint = source.oidc_token_endpoint
    if endpoint is None or not source.oidc_client_id:
        raise SettingsError(
            f"sources.{source_id}: auth = oidc needs oidc_token_endpoint and oidc_client_id with a client secret, or token_file"
        )
    if not endpoint.startswith("https://") and httpx.URL(endpoint).host not in ("127.0.0.1", "::1", "localhost"):
        raise SettingsError(
            f"sources.{source_id}.oidc_token_endpoint must begin with https://, because a secret is sent to it"
        )
    source.client_secret(source_id)


def _form_encoded(text: str) -> str:
    """RFC 6749, 2.3.1: id and secret are form-encoded before they become user and password."""
    return str(httpx.QueryParams({"": text}))[1:]
