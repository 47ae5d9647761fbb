"""The client: one place for token, TLS, proxy, time-outs, retry, budget, redirects and errors. It can read, and nothing else."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

import httpx
import msgspec
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_attempt, wait_random_exponential

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
    TlsFailure,
    Unauthenticated,
    Unreachable,
)
from settings import SettingsError, SourceSettings

API = "/api/v1"
_LONGEST_WAIT_S = 60.0
_LONGEST_PAUSE_S = 900.0
_MOST_BYTES = 64 * 1024 * 1024
_RETRIED = (Unreachable, Throttled, ServerFailure, BrokenReply)
_MOST_REDIRECTS = 2
_T = TypeVar("_T")


class Reply(msgspec.Struct, frozen=True):
    """A 200 reply: JSON bytes, secrets already cut; `served_at` is the server's clock (aware UTC), None where it gave none."""

    status: int
    body: bytes
    served_at: datetime | None
    seconds: float


class Attempted(msgspec.Struct, frozen=True):
    """How often an operation was asked for a purpose with an outcome (ok | throttled | error | timeout), and what it took."""

    operation: str
    purpose: str
    outcome: str
    requests: int
    seconds: float
    received_bytes: int


class Meter:
    """Counts every attempt, repeated ones too: all of them cost the server."""

    def __init__(self) -> None:
        self._cells: dict[tuple[str, str, str], list[float]] = defaultdict(lambda: [0, 0.0, 0])
        self._latencies: list[float] = []
        self.requests = 0

    def note(self, operation: str, purpose: str, outcome: str, seconds: float, received_bytes: int) -> None:
        """One attempt ended."""
        cell = self._cells[operation, purpose, outcome]
        cell[0] += 1
        cell[1] += seconds
        cell[2] += received_bytes
        self.requests += 1
        self._latencies.append(seconds)

    def spent(self) -> list[Attempted]:
        """All attempts, summed by operation, purpose and outcome."""
        return [Attempted(*key, int(cell[0]), cell[1], int(cell[2])) for key, cell in sorted(self._cells.items())]

    def quantile(self, share: float) -> float:
        """Seconds within which this share of the attempts ended; 0 before the first."""
        ordered = sorted(self._latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


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
        """`transport`, `sleep` and `clock` are for tests. Raises SettingsError where the token or the CA file cannot be read."""
        self.source_id, self.base_url = source_id, source.url
        self.meter = Meter()
        self.budget = Budget(source.requests_per_second, clock)
        self._sleep, self._clock = sleep, clock
        self._tries = source.retries + 1
        self._chains = asyncio.Semaphore(source.chains)
        self._token = source.secret()
        self._http = httpx.AsyncClient(
            base_url=source.url,
            headers={"Accept": "application/json", "User-Agent": "quayledger"},
            timeout=source.timeout_seconds,
            transport=transport,
            verify=_trust(source),
            proxy=source.proxy,
            follow_redirects=False,
            trust_env=source.proxy is None,
        )

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

        A failed attempt is repeated, within the budget, where that may help; so is one whose reply `decode` calls broken."""
        kinds = _RETRIED if retry_server_errors else (Unreachable, Throttled)
        retrying = AsyncRetrying(
            retry=retry_if_exception_type(kinds),
            stop=stop_after_attempt(self._tries),
            wait=wait_random_exponential(multiplier=0.5, max=_LONGEST_WAIT_S),
            before_sleep=self._before_sleep,
            sleep=self._sleep,
            reraise=True,
        )
        async with self._chains:
            return await retrying(self._attempt, operation, path, params, decode, purpose)

    def _before_sleep(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, (Throttled, ServerFailure)):
            self.budget.bad()

    async def _attempt(
        self, operation: str, path: str, params: Mapping[str, str | int], decode: Callable[[Reply], _T], purpose: str
    ) -> _T:
        if wait := self.budget.reserve():
            await self._sleep(wait)
        while pause := self.budget.paused():
            await self._sleep(pause)
        began = self._clock()
        outcome, received = "error", 0
        try:
            response = await self._send(operation, f"{API}{path}", params)
            received = len(response.content)
            reply = self._read(operation, response, self._clock() - began)
            found = decode(reply)
            outcome = "ok"
        except Throttled:
            outcome = "throttled"
            raise
        except httpx.TimeoutException:
            outcome = "timeout"
            raise Unreachable(self.source_id, operation, "no reply within the time-out") from None
        except httpx.TransportError as error:
            raise self._transport_error(operation, error) from None
        except httpx.InvalidURL as error:
            raise NotAQuay(self.source_id, operation, f"the address cannot be used: {error}") from None
        finally:
            self.meter.note(operation, purpose, outcome, self._clock() - began, received)
        self.budget.good(reply.seconds)
        return found

    async def _send(self, operation: str, path: str, params: Mapping[str, str | int]) -> httpx.Response:
        """GET, following Quay's redirects for a slash; the token goes to the source's own host and nowhere else."""
        headers = {"Authorization": f"Bearer {self._token.get_secret_value()}"}
        response = await self._http.get(path, params=dict(params), headers=headers)
        for _ in range(_MOST_REDIRECTS):
            if response.status_code not in (301, 302, 307, 308):
                break
            target = response.url.join(response.headers.get("location", ""))
            own = urlsplit(self.base_url)
            if (target.scheme, target.host, target.port) != (own.scheme, own.hostname, own.port):
                raise NotAQuay(
                    self.source_id,
                    operation,
                    f"it redirects to {target.scheme}://{target.host}, where the token is not sent",
                    status=response.status_code,
                )
            response = await self._http.get(target, headers=headers)
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
        return Reply(200, redaction.redact(response.content), _served_at(response), seconds)

    def _refusal(self, operation: str, response: httpx.Response) -> QuayError:
        status, says = response.status_code, _says(response)
        if status == 429:
            self.budget.pause(_retry_after(response))
            return Throttled(self.source_id, operation, says, status=status)
        if status >= 500:
            return ServerFailure(self.source_id, operation, says, status=status)
        html = "json" not in response.headers.get("content-type", "")
        if html and (status < 400 or status == 404):
            return NotAQuay(self.source_id, operation, f"it answers with {says}", status=status)
        kinds: dict[int, type[QuayError]] = {401: Unauthenticated, 403: Forbidden, 404: NotFound}
        return kinds.get(status, BadRequest)(self.source_id, operation, says, status=status)

    def _transport_error(self, operation: str, error: httpx.TransportError) -> QuayError:
        text = str(error) or type(error).__name__
        if _is_tls(error):
            return TlsFailure(self.source_id, operation, text)
        if isinstance(error, (httpx.UnsupportedProtocol, httpx.LocalProtocolError)):
            return NotAQuay(self.source_id, operation, text)
        if isinstance(error, httpx.RemoteProtocolError):
            return BrokenReply(self.source_id, operation, text)
        return Unreachable(self.source_id, operation, text)


def decoded(client: QuayClient, operation: str, body: bytes, decode: Callable[[bytes], _T]) -> _T:
    """A body as its wire struct. Raises NotAQuay for JSON of another shape, BrokenReply for what is cut or no JSON."""
    try:
        return decode(body)
    except msgspec.ValidationError as error:
        raise NotAQuay(client.source_id, operation, f"the JSON is not what Quay answers: {error}", status=200) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BrokenReply(client.source_id, operation, f"the reply is cut or no JSON: {error}", status=200) from None


class _Error(msgspec.Struct):
    detail: str | None = None
    error_message: str | None = None
    message: Any = None
    error_type: str | None = None


def _says(response: httpx.Response) -> str:
    """What the API itself says of the error: its detail, with its type; an HTML page is only named."""
    kind = response.headers.get("content-type", "no content type").partition(";")[0]
    if "json" not in kind:
        return f"a page of {kind}" if kind else "an empty page"
    try:
        error = msgspec.json.decode(response.content, type=_Error)
    except (msgspec.DecodeError, msgspec.ValidationError):
        return "JSON that is no error of Quay's"
    said = error.detail or error.error_message or error.message
    if isinstance(said, dict):
        said = "; ".join(f"{key}: {text}" for key, text in said.items())
    told = redaction.redact_text(str(said)) if said else "no reason given"
    return f"{told} [{error.error_type}]" if error.error_type else told


def _trust(source: SourceSettings) -> ssl.SSLContext | bool:
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


def _served_at(response: httpx.Response) -> datetime | None:
    try:
        return parsedate_to_datetime(response.headers["date"]).replace(tzinfo=UTC)
    except (KeyError, ValueError, TypeError):
        return None


def _retry_after(response: httpx.Response) -> float:
    text = response.headers.get("retry-after", "")
    if text.isdigit():
        return min(float(text), _LONGEST_PAUSE_S)
    try:
        until = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return 1.0
    begin = _served_at(response) or datetime.now(UTC)
    return min(max((until.replace(tzinfo=UTC) - begin).total_seconds(), 0.0), _LONGEST_PAUSE_S)


def _is_tls(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLError) or "SSL" in str(error) or "CERTIFICATE" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False
