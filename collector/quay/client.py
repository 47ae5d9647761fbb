"""The client: the one place for token, TLS, proxy, timeouts, retries, rate limit, redirects and errors. It is read-only."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Self, TypeVar

import httpx
import msgspec
from pydantic import SecretStr
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, wait_random_exponential

from quayledger.collector.quay import error_replies, jwt_claims, redaction, registry_tokens
from quayledger.collector.quay.connection import Basic, Bearer, can_be_sent, connection, credentials, is_tls
from quayledger.collector.quay.connection import trust as trust
from quayledger.collector.quay.credentials import credential_of
from quayledger.collector.quay.errors import (
    BrokenReply,
    NotAQuay,
    ProviderUnreachable,
    QuayError,
    ServerFailure,
    Throttled,
    TimedOut,
    TlsFailure,
    TooLarge,
    Unauthenticated,
    UnexpectedReply,
    Unreachable,
    WrongAccount,
)
from quayledger.collector.quay.http_reply import HttpReply, ReplyTooLarge, read_reply
from quayledger.collector.quay.lenient_json import UNREADABLE
from quayledger.collector.quay.meter import Meter
from quayledger.collector.quay.rate_limit import RateLimit
from quayledger.collector.quay.times import moment as moment
from quayledger.settings import SourceSettings

API = "/api/v1"
REGISTRY = "/v2"
REGISTRY_SIZE = "/superuser/registrysize/"
_EXPORTS = re.compile(r"/(user|organization/[^/]+|repository/[^/]+(/[^/]+)+)/exportlogs")
_LONGEST_WAIT_S = 60.0
# A Quay that answered a moment ago and is gone is being restarted, which takes a minute or two: that is waited for.
_PATIENCE_S = 180.0
_RESTARTING = frozenset({502, 503, 504})  # what a proxy answers meanwhile
_RETRIED = (Unreachable, Throttled, ServerFailure, BrokenReply)
_OUTCOMES: dict[type[QuayError], str] = {Throttled: "throttled", TimedOut: "timeout"}
_MOST_REDIRECTS = 2
_decode_token_reply = msgspec.json.Decoder(registry_tokens.TokenReply).decode
_T = TypeVar("_T")


class Reply(msgspec.Struct, frozen=True):
    """A successful reply: JSON bytes, secrets redacted; `served_at`: the server's clock (aware UTC), None if not sent."""

    status: int
    body: bytes
    served_at: datetime | None
    seconds: float

    def __repr__(self) -> str:
        return f"Reply({self.status}, {len(self.body)} bytes)"


class _Request(msgspec.Struct, frozen=True):
    """One request: a GET, or a POST if it has a `body`, which is repeated only after a 429. `good`: statuses of success;
    `takes_500`: a 500 is a final answer, not to be retried; `most_failures`: give up after so many 5xx; `is_secret`: the
    reply is a secret itself and is not redacted; `auth`: None for the source's own credential."""

    operation: str
    purpose: str
    path: str
    params: dict[str, str | int]
    auth: httpx.Auth | None = None
    body: dict[str, str] | None = None
    good: tuple[int, ...] = (200,)
    takes_500: bool = False
    most_failures: int | None = None
    is_secret: bool = False


class QuayClient:
    """A client of one source. Use it as an async context manager; any number of tasks may share it."""

    def __init__(
        self,
        source_id: str,
        source: SourceSettings,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[Any]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
        rate_limit: RateLimit | None = None,
    ) -> None:
        """`rate_limit`: shared with other clients of this source. `transport`, `sleep` and `clock` are for tests. Raises
        SettingsError if the token, the CA file or the proxy cannot be used."""
        self.source_id, self.base_url = source_id, source.url
        self.meter = Meter()
        self.rate_limit = rate_limit or rate_limit_of(source, clock)
        self._sleep, self._clock = sleep, clock
        self._tries = source.retries + 1
        self._chains = asyncio.Semaphore(source.chains)
        self._credential = credential_of(source_id, source)
        self._account = source.oidc_username if source.auth == "oidc" else ""
        self._account_lock = asyncio.Lock()
        self._registry = registry_tokens.RegistryTokens(clock)
        self._exchange_lock = asyncio.Lock()
        self._timeout_s = source.timeout_seconds
        self._http = connection(source, transport)
        self._has_answered = False
        self._served: tuple[datetime, float] | None = None

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> None:
        await self._http.__aexit__(*error)

    def __repr__(self) -> str:
        return f"QuayClient({self.source_id!r}, {self.base_url!r})"

    async def read_claims(self) -> jwt_claims.Claims | None:
        """What the provider's token says of itself, checked here; None for an application token. Asks Quay nothing.

        Raises SettingsError, BadCredential and ProviderFailure."""
        await self._credential.token()
        return self._credential.claims

    def server_now(self) -> datetime | None:
        """What the server's clock shows now (aware UTC), from the Date header of its newest reply; None before the first, and
        where it gives none."""
        if self._served is None:
            return None
        served_at, received = self._served
        try:
            return served_at + timedelta(seconds=self._clock() - received)
        except OverflowError:  # a clock at the end of the year 9999
            return None

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
        good: tuple[int, ...] = (200,),
    ) -> _T:
        """Reads `path` below `/api/v1` and decodes the reply. Raises QuayError.

        Retries failures that may be temporary, within the rate limit; a BrokenReply raised by `decode` is one of them.
        `retry_server_errors=False`: a 500 is final, because Quay always answers some requests with it; `most_failures`:
        give up after so many 5xx, where each costs the server much; `good`: statuses that carry an answer."""
        request = _Request(
            operation,
            purpose,
            f"{API}{path}",
            dict(params),
            takes_500=not retry_server_errors,
            most_failures=most_failures,
            good=good,
        )
        return await self._answer(request, decode)

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
        """Reads `path` below `/v2` and decodes the reply. The registry does not accept an API token, so it is exchanged first
        for a token to pull `repository` (`namespace/name`), as operation `v2.auth`, which is cached for some minutes.

        Raises QuayError: Forbidden if the user may not pull it, NotFound, Unauthenticated if a token is refused."""
        held = self._registry.get(repository)
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
        """Requests an export. Sent once, and again only after a 429.

        Raises QuayError, and ValueError for any path that is not an export request."""
        if not _EXPORTS.fullmatch(path):
            raise ValueError(f"{path} is not an export request; no other POST is allowed")
        request = _Request(operation, purpose, f"{API}{path}", dict(params), body=dict(body), takes_500=True)
        return await self._answer(request, decode)

    async def queue_registry_size_calculation(
        self, operation: str, path: str, *, purpose: str = "registry_size"
    ) -> bool:
        """Asks Quay to calculate the size of the registry; True if that was queued, False if it already was. Sent once, and
        again only after a 429.

        Raises QuayError, and ValueError for any other path."""
        if path != REGISTRY_SIZE:
            raise ValueError(f"{path} is not the path of the registry's size; no other POST is allowed")
        request = _Request(operation, purpose, f"{API}{path}", {}, body={}, good=(201, 202), takes_500=True)
        return await self._answer(request, lambda reply: reply.status == 201)

    async def _exchange(self, repository: str, purpose: str) -> SecretStr:
        """Exchanges the API token for a registry token that may pull one repository."""
        async with self._exchange_lock:
            if held := self._registry.get(repository):
                return held
            service = httpx.URL(self.base_url).netloc.decode()
            params: dict[str, str | int] = {"service": service, "scope": f"repository:{repository}:pull"}
            basic = Basic(await self._credential.token())
            request = _Request("v2.auth", purpose, f"{REGISTRY}/auth", params, basic, is_secret=True)
            try:
                token = await self._answer(request, self._registry_token)
            except Unauthenticated:
                raise
            except QuayError as error:
                raise registry_tokens.translate_error(error) from None
            self._registry.keep(repository, token)
            return token

    def _registry_token(self, reply: Reply) -> SecretStr:
        token = decoded(self, "v2.auth", reply.body, _decode_token_reply).token
        if not can_be_sent(token):
            raise BrokenReply(self.source_id, "v2.auth", "it returns an unusable token", status=200)
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
        request = _Request(operation, purpose, f"{REGISTRY}{path}", dict(params), Bearer(token))
        try:
            return await self._answer(request, decode)
        except QuayError as error:
            raise registry_tokens.translate_error(error) from None

    async def _answer(self, request: _Request, decode: Callable[[Reply], _T]) -> _T:
        """The decoded reply, after retries where they may help, and with another token where Quay refuses the first."""
        if request.auth is not None:
            return await self._try(request, decode)
        if self._account:
            await self._confirm_account()
        token = await self._credential.token()
        try:
            found = await self._try(_with(request, token), decode)
        except Unauthenticated as error:
            if not await self._credential.renew(token, error.says):
                raise _explained(error) from None
            token = await self._credential.token()
            try:
                found = await self._try(_with(request, token), decode)
            except Unauthenticated as again:
                await self._credential.renew(token, again.says)
                raise _explained(again) from None
        except (BrokenReply, Unreachable) as error:
            raise await self._told_apart(error) from None
        self._credential.accepted()
        return found

    async def _told_apart(self, error: QuayError) -> QuayError:
        """A connection that Quay closes on a token: whether it closes it without one as well."""
        if not self._credential.is_verified_elsewhere or isinstance(error, (TimedOut, TooLarge)):
            return error
        path = f"{API}/error/invalid_token"
        probe = _Request(
            "error.get_error_description", "probe", path, {}, _Anonymous(), takes_500=True, most_failures=1
        )
        try:
            await self._attempt(probe, lambda reply: reply.status)
        except QuayError:
            return error
        says = f"{error.says}; without a token it answers"
        return ProviderUnreachable(self.source_id, error.operation, says)

    async def _confirm_account(self) -> None:
        """Compares who Quay takes us for with who we should be, once, before anything else is asked."""
        async with self._account_lock:
            expected, self._account = self._account, ""
            if not expected:
                return
            try:
                request = _Request("user.get_logged_in_user", "probe", f"{API}/user/", {})
                name = (await self._answer(request, partial(self._decode_account, request.operation))).username
            except QuayError:
                self._account = expected
                raise
            if name != expected:
                self._account = expected
                raise WrongAccount(
                    self.source_id, request.operation, f"Quay takes the token for {name!r}, not {expected!r}"
                )

    def _decode_account(self, operation: str, reply: Reply) -> _Account:
        return decoded(self, operation, reply.body, _decode_account)

    async def _try(self, request: _Request, decode: Callable[[Reply], _T]) -> _T:
        """The decoded reply, after retries where they may help."""
        retrying = AsyncRetrying(
            retry=retry_if_exception(partial(_should_retry, request)),
            stop=partial(self._should_stop, request),
            wait=wait_random_exponential(multiplier=0.5, max=_LONGEST_WAIT_S),
            sleep=self._sleep,
            reraise=True,
        )
        async with self._chains:
            return await retrying(self._attempt, request, decode)

    def _should_stop(self, request: _Request, state: RetryCallState) -> bool:
        error = state.outcome.exception() if state.outcome else None
        is_limited = isinstance(error, ServerFailure) and request.most_failures is not None
        if self._tries > 1 and self._has_answered and _is_restart(error) and state.idle_for < _PATIENCE_S:
            return False
        return state.attempt_number >= (min(self._tries, request.most_failures or 1) if is_limited else self._tries)

    async def _attempt(self, request: _Request, decode: Callable[[Reply], _T]) -> _T:
        if wait := self.rate_limit.reserve():
            await self._sleep(wait)
        while pause := self.rate_limit.paused():
            await self._sleep(pause)
        began = self._clock()
        outcome, received = "error", 0
        try:
            with self.rate_limit.in_flight() as is_alone:
                response = await self._send(request)
                if is_alone():
                    self.rate_limit.measured(self._clock() - began)
            received = len(response.content)
            if (served_at := error_replies.served_at(response)) is not None:
                self._served = (served_at, self._clock())
            reply = self._read(request, response, self._clock() - began)
            found = decode(reply)
            outcome = "ok"
            self._has_answered = True
        except QuayError as error:
            outcome = _OUTCOMES.get(type(error), "error")
            if isinstance(error, (Throttled, ServerFailure, TimedOut)) and _is_transient(request, error):
                self.rate_limit.back_off()
            raise
        finally:
            self.meter.record(request.operation, request.purpose, outcome, self._clock() - began, received)
        self.rate_limit.succeeded(reply.seconds)
        return found

    async def _send(self, request: _Request) -> HttpReply:
        """The complete reply, or the error that explains why there is none."""
        try:
            async with asyncio.timeout(self._timeout_s):
                if request.body is not None:
                    return await self._exchange_once(request, "POST", request.path, json=request.body)
                return await self._follow(request)
        except (TimeoutError, httpx.TimeoutException):
            raise TimedOut(
                self.source_id, request.operation, f"no complete reply within {self._timeout_s:g} s"
            ) from None
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise self._transport_error(request.operation, error) from None
        except ReplyTooLarge as error:
            raise TooLarge(self.source_id, request.operation, str(error)) from None
        except httpx.InvalidURL as error:
            says = f"the address cannot be used: {self._clean(error)}"
            raise NotAQuay(self.source_id, request.operation, says) from None

    async def _exchange_once(
        self, request: _Request, method: str, address: str | httpx.URL, json: dict[str, str] | None = None
    ) -> HttpReply:
        """Sends one HTTP request and reads its reply, bounded."""
        params = request.params if isinstance(address, str) else None
        sent = self._http.build_request(method, address, params=params, json=json)
        response = await self._http.send(sent, auth=request.auth, stream=True)
        return await read_reply(response, request.good)

    async def _follow(self, request: _Request) -> HttpReply:
        """GET, following Quay's redirects to a trailing slash; the token is sent to the source's own host only."""
        response = await self._exchange_once(request, "GET", request.path)
        own = httpx.URL(self.base_url)
        for _ in range(_MOST_REDIRECTS):
            if response.status_code not in (301, 302, 307, 308):
                break
            target = response.url.join(response.headers.get("location", ""))
            if (target.scheme, target.host, target.port) != (own.scheme, own.host, own.port):
                says = f"it redirects to {target.scheme}://{target.host}; the token is not sent there"
                raise NotAQuay(self.source_id, request.operation, says, status=response.status_code)
            # A proxy's redirect may drop the query; without the dates Quay would answer for a window of its own.
            address = target if target.query else target.copy_merge_params(request.params)
            response = await self._exchange_once(request, "GET", address)
        return response

    def _read(self, request: _Request, response: HttpReply, seconds: float) -> Reply:
        status, operation = response.status_code, request.operation
        kind = response.headers.get("content-type", "")
        # An error that carries an answer is one of Quay's own; a page of a proxy is not.
        if status not in request.good or (status >= 400 and "json" not in kind):
            raise self._refusal(operation, response)
        if "json" not in kind:
            says = f"it answers {status} with {kind or 'no content type'}, not JSON"
            raise NotAQuay(self.source_id, operation, says, status=status)
        body = response.content if request.is_secret else redaction.redact(response.content)
        return Reply(status, body, error_replies.served_at(response), seconds)

    def _refusal(self, operation: str, response: HttpReply) -> QuayError:
        if response.status_code == 429 or "retry-after" in response.headers:
            self.rate_limit.pause(error_replies.retry_after(response))
        says = self._clean(error_replies.explanation(response))
        return error_replies.error_class(response)(self.source_id, operation, says, status=response.status_code)

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
        """Text from outside, without our tokens in case the server echoes one."""
        clean = str(text)
        for secret in (*self._credential.secrets(), *self._registry.tokens()):
            clean = clean.replace(secret.get_secret_value(), redaction.MARK)
            clean = clean.replace(credentials(secret).get_secret_value(), redaction.MARK)
        return clean


class _Account(msgspec.Struct):
    username: str


class _Anonymous(httpx.Auth):
    """No credential at all."""


_decode_account = msgspec.json.Decoder(_Account).decode


def rate_limit_of(source: SourceSettings, clock: Callable[[], float] = time.monotonic) -> RateLimit:
    """The rate limit that the settings of a source name."""
    return RateLimit(
        source.most_requests_per_second,
        clock,
        cpu_share=source.most_cpu,
        request_cpu_seconds=source.request_cpu_seconds,
    )


def _with(request: _Request, token: SecretStr) -> _Request:
    return msgspec.structs.replace(request, auth=Bearer(token))


def _explained(error: Unauthenticated) -> Unauthenticated:
    """With advice by Quay's own words, where they are those about a provider's token."""
    step = jwt_claims.advice(error.says)
    if step is None:
        return error
    return Unauthenticated(error.source_id, error.operation, error.says, status=error.status, next_step=step)


def decoded(client: QuayClient, operation: str, body: bytes, decode: Callable[[bytes], _T]) -> _T:
    """A body as its wire struct. Raises UnexpectedReply for JSON of another shape, BrokenReply for incomplete or invalid
    JSON."""
    try:
        return decode(body)
    except UNREADABLE as error:
        if isinstance(error, msgspec.ValidationError) and (holds := _describe(body)) is not None:
            says = f"unexpected JSON: {error}; it contains {holds}"
            raise UnexpectedReply(client.source_id, operation, says, status=200) from None
        raise BrokenReply(
            client.source_id, operation, f"the reply is incomplete or not valid JSON: {error}", status=200
        ) from None


def _describe(body: bytes) -> str | None:
    """A hint by which a person may recognise another server's JSON; None if it is not complete JSON."""
    try:
        found = msgspec.json.decode(body, type=dict[str, msgspec.Raw] | list[msgspec.Raw] | str | float | bool | None)
    except UNREADABLE:
        return None
    if isinstance(found, dict):
        return ", ".join(repr(key[:30]) for key in list(found)[:5]) or "nothing"
    return f"a {type(found).__name__}"


def _is_transient(request: _Request, error: BaseException) -> bool:
    """Whether a retry may help."""
    if isinstance(error, ServerFailure) and error.status == 500:
        return not request.takes_500
    return isinstance(error, _RETRIED) and not isinstance(error, TooLarge)


def _is_restart(error: BaseException | None) -> bool:
    """Whether nobody answers, or only a proxy."""
    if isinstance(error, ServerFailure):
        return error.status in _RESTARTING
    return isinstance(error, Unreachable) and not isinstance(error, TimedOut)


def _should_retry(request: _Request, error: BaseException) -> bool:
    """A request that is not a read is repeated only if the server did not accept it."""
    return _is_transient(request, error) if request.body is None else isinstance(error, Throttled)
