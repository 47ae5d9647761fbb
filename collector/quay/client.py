"""The client: one place for token, TLS, proxy, time-outs, retry, budget, redirects and errors. It can read, and nothing else."""

from __future__ import annotations

import asyncio
import re
import ssl
import time
from collections.abc import Awaitable, Callable, Generator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Self, TypeVar

import httpx
import msgspec
from pydantic import SecretStr
from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from collector.quay import redaction
from collector.quay.budget import Budget
from collector.quay.errors import (
    BadRequest,
    BrokenReply,
    Forbidden,
    NotAQuay,
    NotFound,
    QuayError,
    ServerFailure,
    Throttled,
    TimedOut,
    TlsFailure,
    Unauthenticated,
    Unreachable,
)
from collector.quay.meter import Meter
from settings import SettingsError, SourceSettings

API = "/api/v1"
_LONGEST_WAIT_S = 60.0
_LONGEST_PAUSE_S = 900.0
_MOST_BYTES = 64 * 1024 * 1024
_RETRIED = (Unreachable, Throttled, ServerFailure, BrokenReply)
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_OUTCOMES: dict[type[QuayError], str] = {Throttled: "throttled", TimedOut: "timeout"}
_MOST_REDIRECTS = 2
_TITLE = re.compile(rb"(?is)<title[^>]*>(.*?)</title>")
_T = TypeVar("_T")


class Reply(msgspec.Struct, frozen=True):
    """A 200 reply: JSON bytes, secrets already cut; `served_at` is the server's clock (aware UTC), None where it gave none."""

    status: int
    body: bytes
    served_at: datetime | None
    seconds: float


class _Bearer(httpx.Auth):
    """Puts the token on a request at the last moment, so that no other value holds it in clear."""

    def __init__(self, token: SecretStr) -> None:
        self._token = token

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Authorization"] = f"Bearer {self._token.get_secret_value()}"
        yield request


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
    ) -> None:
        """`transport`, `sleep` and `clock` are for tests. Raises SettingsError where the token, the CA file or the proxy
        cannot be used."""
        self.source_id, self.base_url = source_id, source.url
        self.meter = Meter()
        self.budget = Budget(source.requests_per_second, clock)
        self._sleep, self._clock = sleep, clock
        self._tries = source.retries + 1
        self._chains = asyncio.Semaphore(source.chains)
        self._token = _usable(source.secret(), source)
        self._timeout_s = source.timeout_seconds
        self._http = _http(source, _Bearer(self._token), transport)

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
    ) -> _T:
        """Reads `path` below `/api/v1` and decodes the reply. Raises QuayError.

        A failed attempt is repeated, within the budget, where that may help; so is one whose reply `decode` calls broken.
        `retry_server_errors=False` takes a 500 for an answer, as Quay gives it each time to some questions."""
        retrying = AsyncRetrying(
            retry=retry_if_exception(lambda error: _may_pass(error, retry_server_errors)),
            stop=stop_after_attempt(self._tries),
            wait=wait_random_exponential(multiplier=0.5, max=_LONGEST_WAIT_S),
            sleep=self._sleep,
            reraise=True,
        )
        async with self._chains:
            return await retrying(self._attempt, operation, path, params, decode, purpose, retry_server_errors)

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
        """The one request that is no read: asks for an export. Sent once; only one that was throttled is sent again.

        Raises QuayError, and ValueError for a path that is no export request's."""
        if not path.endswith("/exportlogs"):
            raise ValueError(f"{path} is no export request: nothing but those may be sent")
        retrying = AsyncRetrying(
            retry=retry_if_exception(lambda error: isinstance(error, Throttled)),
            stop=stop_after_attempt(self._tries),
            wait=wait_random_exponential(multiplier=0.5, max=_LONGEST_WAIT_S),
            sleep=self._sleep,
            reraise=True,
        )
        async with self._chains:
            return await retrying(self._attempt, operation, path, params, decode, purpose, False, dict(body))

    async def _attempt(
        self,
        operation: str,
        path: str,
        params: Mapping[str, str | int],
        decode: Callable[[Reply], _T],
        purpose: str,
        server_errors: bool,
        export: dict[str, str] | None = None,
    ) -> _T:
        if wait := self.budget.reserve():
            await self._sleep(wait)
        while pause := self.budget.paused():
            await self._sleep(pause)
        began = self._clock()
        outcome, received = "error", 0
        try:
            response = await self._send(operation, f"{API}{path}", params, export)
            received = len(response.content)
            reply = self._read(operation, response, self._clock() - began)
            found = decode(reply)
            outcome = "ok"
        except QuayError as error:
            outcome = _OUTCOMES.get(type(error), "error")
            if isinstance(error, (Throttled, ServerFailure, TimedOut)) and _may_pass(error, server_errors):
                self.budget.bad()
            raise
        finally:
            self.meter.note(operation, purpose, outcome, self._clock() - began, received)
        self.budget.good(reply.seconds)
        return found

    async def _send(
        self, operation: str, path: str, params: Mapping[str, str | int], export: dict[str, str] | None
    ) -> httpx.Response:
        """The whole reply to a GET, or to an export request, or the error that says why there is none."""
        try:
            async with asyncio.timeout(self._timeout_s):
                if export is not None:
                    return await self._http.post(path, params=dict(params), json=export)
                return await self._follow(operation, path, params)
        except (TimeoutError, httpx.TimeoutException):
            raise TimedOut(self.source_id, operation, f"no whole reply within {self._timeout_s:g} s") from None
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise self._transport_error(operation, error) from None
        except httpx.InvalidURL as error:
            raise NotAQuay(self.source_id, operation, f"the address cannot be used: {self._clean(error)}") from None

    async def _follow(self, operation: str, path: str, params: Mapping[str, str | int]) -> httpx.Response:
        """GET, following Quay's redirects for a slash; the token goes to the source's own host and nowhere else."""
        response = await self._http.get(path, params=dict(params))
        own = httpx.URL(self.base_url)
        for _ in range(_MOST_REDIRECTS):
            if response.status_code not in (301, 302, 307, 308):
                break
            target = response.url.join(response.headers.get("location", ""))
            if (target.scheme, target.host, target.port) != (own.scheme, own.host, own.port):
                raise NotAQuay(
                    self.source_id,
                    operation,
                    f"it redirects to {target.scheme}://{target.host}, where the token is not sent",
                    status=response.status_code,
                )
            # A proxy's redirect may leave the query out; without the dates Quay would answer for days of its own choice.
            response = await self._http.get(target if target.query else target.copy_merge_params(dict(params)))
        return response

    def _read(self, operation: str, response: httpx.Response, seconds: float) -> Reply:
        if response.status_code != 200:
            raise self._refusal(operation, response)
        kind = response.headers.get("content-type", "")
        if "json" not in kind:
            raise NotAQuay(
                self.source_id, operation, f"it answers 200 with {kind or 'no content type'}, not JSON", status=200
            )
        if len(response.content) > _MOST_BYTES:
            raise BrokenReply(self.source_id, operation, f"a reply of {len(response.content):,} bytes", status=200)
        try:
            body = redaction.redact(response.content)
        except RecursionError:
            raise BrokenReply(self.source_id, operation, "the JSON is nested too deeply", status=200) from None
        return Reply(200, body, _served_at(response), seconds)

    def _refusal(self, operation: str, response: httpx.Response) -> QuayError:
        status, says = response.status_code, self._clean(_says(response))
        if status == 429 or "retry-after" in response.headers:
            self.budget.pause(_retry_after(response))
        if status == 429:
            return Throttled(self.source_id, operation, says, status=status)
        if status >= 500:
            return ServerFailure(self.source_id, operation, says, status=status)
        html = "json" not in response.headers.get("content-type", "")
        if html and (status < 400 or status == 404):
            return NotAQuay(self.source_id, operation, f"it answers with {says}", status=status)
        kinds: dict[int, type[QuayError]] = {401: Unauthenticated, 403: Forbidden, 404: NotFound}
        return kinds.get(status, BadRequest)(self.source_id, operation, says, status=status)

    def _transport_error(self, operation: str, error: httpx.RequestError) -> QuayError:
        text = self._clean(error) or type(error).__name__
        if isinstance(error, httpx.ConnectError) and _is_tls(error):
            return TlsFailure(self.source_id, operation, text)
        if isinstance(error, (httpx.UnsupportedProtocol, httpx.LocalProtocolError)):
            return NotAQuay(self.source_id, operation, text)
        if isinstance(error, (httpx.RemoteProtocolError, httpx.DecodingError)):
            return BrokenReply(self.source_id, operation, text)
        return Unreachable(self.source_id, operation, text)

    def _clean(self, text: object) -> str:
        """Foreign text without the token, should somebody have echoed it."""
        return str(text).replace(self._token.get_secret_value(), redaction.MARK)


def decoded(client: QuayClient, operation: str, body: bytes, decode: Callable[[bytes], _T]) -> _T:
    """A body as its wire struct. Raises NotAQuay for JSON of another shape, BrokenReply for what is cut or no JSON."""
    try:
        return decode(body)
    except _UNREADABLE as error:
        if isinstance(error, msgspec.ValidationError) and (holds := _holds(body)) is not None:
            says = f"the JSON is not what Quay answers: {error}; it holds {holds}"
            raise NotAQuay(client.source_id, operation, says, status=200) from None
        raise BrokenReply(client.source_id, operation, f"the reply is cut or no JSON: {error}", status=200) from None


def _holds(body: bytes) -> str | None:
    """What a person may know another server's JSON by; None where it is no whole JSON."""
    try:
        found = msgspec.json.decode(body)
    except _UNREADABLE:
        return None
    if isinstance(found, dict):
        return ", ".join(repr(key[:30]) for key in list(found)[:5]) or "nothing"
    return f"a {type(found).__name__}"


class _Error(msgspec.Struct):
    detail: Any = None
    error_message: Any = None
    message: Any = None
    error_type: Any = None


def _says(response: httpx.Response) -> str:
    """What the API itself says of the error: its detail, with its type; an HTML page is only named."""
    kind = response.headers.get("content-type", "no content type").partition(";")[0]
    if "json" not in kind:
        return _page(kind, response)
    try:
        error = msgspec.json.decode(response.content, type=_Error)
    except _UNREADABLE:
        return "JSON that is no error of Quay's"
    said = error.detail or error.error_message or error.message
    if isinstance(said, dict):
        said = "; ".join(f"{key}: {text}" for key, text in said.items())
    told = redaction.redact_text(str(said)) if said else "no reason given"
    return f"{told} [{error.error_type}]" if error.error_type else told


def _page(kind: str, response: httpx.Response) -> str:
    title = _TITLE.search(response.content[:4096])
    named = " ".join(title[1].decode("utf-8", "replace").split()) if title else ""
    return f"a page of {kind}" + (f", titled {named[:80]!r}" if named else "")


def _may_pass(error: BaseException, server_errors: bool) -> bool:
    """Whether asking again may help."""
    if isinstance(error, ServerFailure) and error.status == 500:
        return server_errors
    return isinstance(error, _RETRIED)


def _usable(token: SecretStr, source: SourceSettings) -> SecretStr:
    """The token, where a header can carry it: what cannot would be told in clear by the error of the library below."""
    text = token.get_secret_value()
    if text.isascii() and text.isprintable() and " " not in text:
        return token
    raise SettingsError(
        f"the token of {source.url} holds a space, a line break or a character that no token has: set it anew"
    )


def _http(source: SourceSettings, bearer: _Bearer, transport: httpx.AsyncBaseTransport | None) -> httpx.AsyncClient:
    trusted = trust(source)
    try:
        return httpx.AsyncClient(
            auth=bearer,
            base_url=source.url,
            headers={"Accept": "application/json", "User-Agent": "quayledger"},
            timeout=source.timeout_seconds,
            transport=transport,
            verify=trusted,
            proxy=source.proxy,
            follow_redirects=False,
        )
    except (ValueError, ImportError, httpx.InvalidURL):
        raise SettingsError(
            f"the proxy for {source.url} cannot be used: check `proxy`, or HTTPS_PROXY, HTTP_PROXY and ALL_PROXY; "
            "it must be an http:// or https:// address"
        ) from None


def trust(source: SourceSettings) -> ssl.SSLContext | bool:
    """What certificates a connection on a source's behalf accepts. Raises SettingsError."""
    if not source.verify_tls:
        return False
    if source.ca_file is None:
        return True
    try:
        return ssl.create_default_context(cafile=str(source.ca_file))
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(
            f"ca_file {source.ca_file} of {source.url} cannot be used ({error}): name a PEM file with certificates"
        ) from None


def moment(text: str) -> datetime:
    """A time of RFC 2822 as aware UTC; "-0000" is UTC too. Raises ValueError."""
    try:
        parsed = parsedate_to_datetime(text)
        return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except (TypeError, IndexError, OverflowError):
        raise ValueError(f"{text!r} is no time of RFC 2822") from None


def _served_at(response: httpx.Response) -> datetime | None:
    try:
        return moment(response.headers["date"])
    except (KeyError, ValueError):
        return None


def _retry_after(response: httpx.Response) -> float:
    text = response.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), _LONGEST_PAUSE_S)
    try:
        until = moment(text)
    except ValueError:
        return 1.0
    begin = _served_at(response) or datetime.now(UTC)
    return min(max((until - begin).total_seconds(), 0.0), _LONGEST_PAUSE_S)


def _is_tls(error: BaseException | None) -> bool:
    """Whether TLS was spoken and refused; a connection that just ends is none of its faults."""
    while error is not None:
        if "EOF" in str(error):
            return False
        if isinstance(error, ssl.SSLError) or "SSL" in str(error) or "CERTIFICATE" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False
