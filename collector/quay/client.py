"""The client: one place for token, TLS, proxy, time-outs, retry, budget, redirects and errors. It can read, and nothing else."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any, Self, TypeVar

import httpx
import msgspec
from pydantic import SecretStr
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, wait_random_exponential

from quayledger.collector.quay import redaction, refusals, registry
from quayledger.collector.quay.budget import Budget
from quayledger.collector.quay.connecting import Basic, Bearer, can_be_sent, connection, credentials, is_tls, usable
from quayledger.collector.quay.connecting import trust as trust
from quayledger.collector.quay.errors import (
    BrokenReply,
    NotAQuay,
    QuayError,
    ServerFailure,
    Throttled,
    TimedOut,
    TlsFailure,
    Unauthenticated,
    Unreachable,
)
from quayledger.collector.quay.meter import Meter
from quayledger.collector.quay.refusals import UNREADABLE
from quayledger.collector.quay.times import moment as moment
from quayledger.settings import SourceSettings

API = "/api/v1"
REGISTRY = "/v2"
REGISTRY_SIZE = "/superuser/registrysize/"
_EXPORTS = re.compile(r"/(user|organization/[^/]+|repository/[^/]+(/[^/]+)+)/exportlogs")
_LONGEST_WAIT_S = 60.0
_MOST_BYTES = 64 * 1024 * 1024
_RETRIED = (Unreachable, Throttled, ServerFailure, BrokenReply)
_OUTCOMES: dict[type[QuayError], str] = {Throttled: "throttled", TimedOut: "timeout"}
_MOST_REDIRECTS = 2
_decode_exchanged = msgspec.json.Decoder(registry.Exchanged).decode
_T = TypeVar("_T")


class Reply(msgspec.Struct, frozen=True):
    """A good reply: JSON bytes, secrets already cut; `served_at` is the server's clock (aware UTC), None where it gave none."""

    status: int
    body: bytes
    served_at: datetime | None
    seconds: float

    def __repr__(self) -> str:
        return f"Reply({self.status}, {len(self.body)} bytes)"


class _Ask(msgspec.Struct, frozen=True):
    """One request: a GET, or a POST where there is a `body`, which is sent again only where it was throttled. `good`: the
    statuses that answer it; `takes_500`: a 500 does too; `most_failures`: after so many 5xx nothing else is tried;
    `is_secret`: the reply is a secret itself, and read as it came."""

    operation: str
    purpose: str
    path: str
    params: dict[str, str | int]
    auth: httpx.Auth
    body: dict[str, str] | None = None
    good: tuple[int, ...] = (200,)
    takes_500: bool = False
    most_failures: int | None = None
    is_secret: bool = False


class QuayClient:
    """One source. Use it as an async context manager; safe for many chains at once."""

    def __init__(
        self,
        source_id: str,
        source: SourceSettings,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[Any]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
        budget: Budget | None = None,
    ) -> None:
        """`budget`: one that is shared with another client of this source. `transport`, `sleep` and `clock` are for tests. Raises SettingsError where the token, the CA file or the proxy
        cannot be used."""
        self.source_id, self.base_url = source_id, source.url
        self.meter = Meter()
        self.budget = budget or Budget(source.requests_per_second, clock)
        self._sleep, self._clock = sleep, clock
        self._tries = source.retries + 1
        self._chains = asyncio.Semaphore(source.chains)
        self._token = usable(source.secret(), source)
        self._bearer = Bearer(self._token)
        self._registry = registry.RegistryTokens(clock)
        self._exchanging = asyncio.Lock()
        self._timeout_s = source.timeout_seconds
        self._http = connection(source, transport)

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> None:
        await self._http.__aexit__(*error)

    def __repr__(self) -> str:
        return f"QuayClient({self.source_id!r}, {self.base_url!r})"

    async def get(
        self,
        operation: str,
        path: str,
        params: Mapping[str, str | int],
        decode: Callable[[Reply], _T],
        *,
        purpose: str = "read",
        retry_server_errors: bool = True,
        most_failures: int | None = None,
    ) -> _T:
        """Reads `path` below `/api/v1` and decodes the reply. Raises QuayError.

        A failed attempt is repeated, within the budget, where that may help; so is one whose reply `decode` calls broken.
        `retry_server_errors=False` takes a 500 for an answer, as Quay gives it each time to some questions;
        `most_failures` is how many 5xx are enough, where each costs the server much."""
        ask = _Ask(
            operation,
            purpose,
            f"{API}{path}",
            dict(params),
            self._bearer,
            takes_500=not retry_server_errors,
            most_failures=most_failures,
        )
        return await self._answer(ask, decode)

    async def get_v2(
        self,
        operation: str,
        repository: str,
        path: str,
        params: Mapping[str, str | int],
        decode: Callable[[Reply], _T],
        *,
        purpose: str = "read",
    ) -> _T:
        """Reads `path` below `/v2` and decodes the reply. The registry refuses an API token, so one for pulling `repository`
        (`namespace/name`) is asked for first, as `v2.auth`, and kept for some minutes.

        Raises QuayError: Forbidden where the user may not pull it, NotFound, Unauthenticated where a token is refused."""
        held = self._registry.held(repository)
        token = held or await self._exchange(repository, purpose)
        try:
            return await self._read_v2(operation, path, params, decode, purpose, token)
        except Unauthenticated:
            self._registry.drop(repository)
            if held is None:
                raise
        token = await self._exchange(repository, purpose)
        return await self._read_v2(operation, path, params, decode, purpose, token)

    async def ask_export(
        self,
        operation: str,
        path: str,
        params: Mapping[str, str | int],
        body: Mapping[str, str],
        decode: Callable[[Reply], _T],
        *,
        purpose: str = "export",
    ) -> _T:
        """Asks for an export. Sent once; only one that was throttled is sent again.

        Raises QuayError, and ValueError for a path that is no export request's."""
        if not _EXPORTS.fullmatch(path):
            raise ValueError(f"{path} is no export request: nothing but those may be sent")
        ask = _Ask(operation, purpose, f"{API}{path}", dict(params), self._bearer, dict(body), takes_500=True)
        return await self._answer(ask, decode)

    async def queue_registry_size_calculation(
        self, operation: str, path: str, *, purpose: str = "registry_size"
    ) -> bool:
        """Asks Quay to sum the registry up; True where that was queued, False where it already was. Sent once; only one that
        was throttled is sent again.

        Raises QuayError, and ValueError for any path but the one of the registry's size."""
        if path != REGISTRY_SIZE:
            raise ValueError(f"{path} is not the registry's size: nothing else may be sent")
        ask = _Ask(operation, purpose, f"{API}{path}", {}, self._bearer, {}, good=(201, 202), takes_500=True)
        return await self._answer(ask, lambda reply: reply.status == 201)

    async def _exchange(self, repository: str, purpose: str) -> SecretStr:
        """A registry token for pulling one repository, in place of the API's."""
        async with self._exchanging:
            if held := self._registry.held(repository):
                return held
            service = httpx.URL(self.base_url).netloc.decode()
            params: dict[str, str | int] = {"service": service, "scope": f"repository:{repository}:pull"}
            ask = _Ask("v2.auth", purpose, f"{REGISTRY}/auth", params, Basic(self._token), is_secret=True)
            try:
                token = await self._answer(ask, self._exchanged)
            except Unauthenticated:
                raise
            except QuayError as error:
                raise registry.meaning(error) from None
            self._registry.keep(repository, token)
            return token

    def _exchanged(self, reply: Reply) -> SecretStr:
        token = decoded(self, "v2.auth", reply.body, _decode_exchanged).token
        if not can_be_sent(token):
            raise BrokenReply(self.source_id, "v2.auth", "the token it gives is none", status=200)
        return SecretStr(token)

    async def _read_v2(
        self,
        operation: str,
        path: str,
        params: Mapping[str, str | int],
        decode: Callable[[Reply], _T],
        purpose: str,
        token: SecretStr,
    ) -> _T:
        ask = _Ask(operation, purpose, f"{REGISTRY}{path}", dict(params), Bearer(token))
        try:
            return await self._answer(ask, decode)
        except QuayError as error:
            raise registry.meaning(error) from None

    async def _answer(self, ask: _Ask, decode: Callable[[Reply], _T]) -> _T:
        """The decoded reply to a request, tried again where that may help."""
        retrying = AsyncRetrying(
            retry=retry_if_exception(partial(_is_retried, ask)),
            stop=partial(self._is_enough, ask),
            wait=wait_random_exponential(multiplier=0.5, max=_LONGEST_WAIT_S),
            sleep=self._sleep,
            reraise=True,
        )
        async with self._chains:
            return await retrying(self._attempt, ask, decode)

    def _is_enough(self, ask: _Ask, state: RetryCallState) -> bool:
        error = state.outcome.exception() if state.outcome else None
        is_limited = isinstance(error, ServerFailure) and ask.most_failures is not None
        return state.attempt_number >= (min(self._tries, ask.most_failures or 1) if is_limited else self._tries)

    async def _attempt(self, ask: _Ask, decode: Callable[[Reply], _T]) -> _T:
        if wait := self.budget.reserve():
            await self._sleep(wait)
        while pause := self.budget.paused():
            await self._sleep(pause)
        began = self._clock()
        outcome, received = "error", 0
        try:
            response = await self._send(ask)
            received = len(response.content)
            reply = self._read(ask, response, self._clock() - began)
            found = decode(reply)
            outcome = "ok"
        except QuayError as error:
            outcome = _OUTCOMES.get(type(error), "error")
            if isinstance(error, (Throttled, ServerFailure, TimedOut)) and _may_pass(ask, error):
                self.budget.bad()
            raise
        finally:
            self.meter.note(ask.operation, ask.purpose, outcome, self._clock() - began, received)
        self.budget.good(reply.seconds)
        return found

    async def _send(self, ask: _Ask) -> httpx.Response:
        """The whole reply, or the error that says why there is none."""
        try:
            async with asyncio.timeout(self._timeout_s):
                if ask.body is not None:
                    return await self._http.post(ask.path, params=ask.params, json=ask.body, auth=ask.auth)
                return await self._follow(ask)
        except (TimeoutError, httpx.TimeoutException):
            raise TimedOut(self.source_id, ask.operation, f"no whole reply within {self._timeout_s:g} s") from None
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise self._transport_error(ask.operation, error) from None
        except httpx.InvalidURL as error:
            says = f"the address cannot be used: {self._clean(error)}"
            raise NotAQuay(self.source_id, ask.operation, says) from None

    async def _follow(self, ask: _Ask) -> httpx.Response:
        """GET, following Quay's redirects for a slash; the token goes to the source's own host and nowhere else."""
        response = await self._http.get(ask.path, params=ask.params, auth=ask.auth)
        own = httpx.URL(self.base_url)
        for _ in range(_MOST_REDIRECTS):
            if response.status_code not in (301, 302, 307, 308):
                break
            target = response.url.join(response.headers.get("location", ""))
            if (target.scheme, target.host, target.port) != (own.scheme, own.host, own.port):
                says = f"it redirects to {target.scheme}://{target.host}, where the token is not sent"
                raise NotAQuay(self.source_id, ask.operation, says, status=response.status_code)
            # A proxy's redirect may leave the query out; without the dates Quay would answer for days of its own choice.
            address = target if target.query else target.copy_merge_params(ask.params)
            response = await self._http.get(address, auth=ask.auth)
        return response

    def _read(self, ask: _Ask, response: httpx.Response, seconds: float) -> Reply:
        status, operation = response.status_code, ask.operation
        if status not in ask.good:
            raise self._refusal(operation, response)
        kind = response.headers.get("content-type", "")
        if "json" not in kind:
            says = f"it answers {status} with {kind or 'no content type'}, not JSON"
            raise NotAQuay(self.source_id, operation, says, status=status)
        if len(response.content) > _MOST_BYTES:
            raise BrokenReply(self.source_id, operation, f"a reply of {len(response.content):,} bytes", status=status)
        try:
            body = response.content if ask.is_secret else redaction.redact(response.content)
        except RecursionError:
            raise BrokenReply(self.source_id, operation, "the JSON is nested too deeply", status=status) from None
        return Reply(status, body, refusals.served_at(response), seconds)

    def _refusal(self, operation: str, response: httpx.Response) -> QuayError:
        if response.status_code == 429 or "retry-after" in response.headers:
            self.budget.pause(refusals.retry_after(response))
        says = self._clean(refusals.said(response))
        return refusals.kind_of(response)(self.source_id, operation, says, status=response.status_code)

    def _transport_error(self, operation: str, error: httpx.RequestError) -> QuayError:
        text = self._clean(error) or type(error).__name__
        if isinstance(error, httpx.ConnectError) and is_tls(error):
            return TlsFailure(self.source_id, operation, text)
        if isinstance(error, (httpx.UnsupportedProtocol, httpx.LocalProtocolError)):
            return NotAQuay(self.source_id, operation, text)
        if isinstance(error, (httpx.RemoteProtocolError, httpx.DecodingError)):
            return BrokenReply(self.source_id, operation, text)
        return Unreachable(self.source_id, operation, text)

    def _clean(self, text: object) -> str:
        """Foreign text without any of the tokens, should somebody have echoed one."""
        clean = str(text)
        for secret in (self._token, credentials(self._token), *self._registry.tokens()):
            clean = clean.replace(secret.get_secret_value(), redaction.MARK)
        return clean


def decoded(client: QuayClient, operation: str, body: bytes, decode: Callable[[bytes], _T]) -> _T:
    """A body as its wire struct. Raises NotAQuay for JSON of another shape, BrokenReply for what is cut or no JSON."""
    try:
        return decode(body)
    except UNREADABLE as error:
        if isinstance(error, msgspec.ValidationError) and (holds := _holds(body)) is not None:
            says = f"the JSON is not what Quay answers: {error}; it holds {holds}"
            raise NotAQuay(client.source_id, operation, says, status=200) from None
        raise BrokenReply(client.source_id, operation, f"the reply is cut or no JSON: {error}", status=200) from None


def _holds(body: bytes) -> str | None:
    """What a person may know another server's JSON by; None where it is no whole JSON."""
    try:
        found = msgspec.json.decode(body)
    except UNREADABLE:
        return None
    if isinstance(found, dict):
        return ", ".join(repr(key[:30]) for key in list(found)[:5]) or "nothing"
    return f"a {type(found).__name__}"


def _may_pass(ask: _Ask, error: BaseException) -> bool:
    """Whether asking again may help."""
    if isinstance(error, ServerFailure) and error.status == 500:
        return not ask.takes_500
    return isinstance(error, _RETRIED)


def _is_retried(ask: _Ask, error: BaseException) -> bool:
    """What is no read is asked a second time only where the first was turned away."""
    return _may_pass(ask, error) if ask.body is None else isinstance(error, Throttled)
