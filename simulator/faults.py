"""The simulator's faults: what can be made to go wrong on the wire, how often, and what was counted."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter, deque
from typing import Any

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from quayledger.simulator.clock import Clock, http_date
from quayledger.simulator.field_faults import FieldFault, spoilt

# What can go wrong; `--fault-rate` spreads over those of the first tuple.
USUAL = ("throttle", "throttle_retry_after", "error", "bad_gateway", "unavailable", "gateway_timeout", "drop", "cut")
NASTY = ("wrong_json", "first_page_again", "html_200")
KINDS = USUAL + NASTY
CONTROL_PATH = "/__simulator__/"
_STATUS = {
    "throttle": 429,
    "throttle_retry_after": 429,
    "error": 500,
    "bad_gateway": 502,
    "unavailable": 503,
    "gateway_timeout": 504,
}
_TITLES = {
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Time-out",
}
Samples = deque[float]


class Plan(msgspec.Struct, frozen=True):
    """The faults in force. `rates`: probability by kind. `only`: a part of the paths that are struck. `times`: how many
    faults at most. `lanes`: how many requests the imposed latency lets through side by side (0: all). `fields`: what is
    wrong within the answers of single operations, in all of them."""

    rates: dict[str, float] = {}
    only: str = "/api/"
    times: int | None = None
    retry_after_seconds: int = 1
    latency_ms: float = 0.0
    lanes: int = 0
    fields: tuple[FieldFault, ...] = ()

    def __post_init__(self) -> None:
        unknown = set(self.rates) - set(KINDS)
        if unknown:
            raise ValueError(f"no such fault: {', '.join(sorted(unknown))}; there are {', '.join(KINDS)}")


class Faults:
    """Decides by the plan, in an order that the seed fixes."""

    def __init__(self, seed: int = 0) -> None:
        self.plan = Plan()
        self.struck = 0
        self._random = random.Random(seed)
        self._lanes: asyncio.Semaphore | None = None

    def follow(self, plan: Plan) -> None:
        """Puts another plan in force."""
        self.plan, self.struck = plan, 0
        self._lanes = asyncio.Semaphore(plan.lanes) if plan.lanes else None

    def draw(self, path: str) -> str | None:
        """The fault that this request gets, if any."""
        plan = self.plan
        if not plan.rates or plan.only not in path or (plan.times is not None and self.struck >= plan.times):
            return None
        drawn = self._random.random()
        for kind, rate in plan.rates.items():
            drawn -= rate
            if drawn < 0:
                self.struck += 1
                return kind
        return None

    async def delay(self) -> None:
        """Waits as long as the plan says."""
        if not self.plan.latency_ms:
            return
        if self._lanes is None:
            await asyncio.sleep(self.plan.latency_ms / 1000)
            return
        async with self._lanes:
            await asyncio.sleep(self.plan.latency_ms / 1000)


class Stats:
    """Requests by path family, operation and status, faults, and the quantiles of how long they took."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, int]] = Counter()
        self.operations: Counter[tuple[str, int]] = Counter()
        self.faults: Counter[str] = Counter()
        self._service: Samples = deque(maxlen=20_000)
        self._imposed: Samples = deque(maxlen=20_000)

    def clear(self) -> None:
        """Forgets everything."""
        for held in (self.requests, self.operations, self.faults, self._service, self._imposed):
            held.clear()

    def note(self, family: str, operation: str, status: int, service_seconds: float, imposed_seconds: float) -> None:
        """One answered request; status 0: the connection was dropped; `operation` '': it was not looked at."""
        self.requests[family, status] += 1
        self.operations[operation, status] += 1
        self._service.append(service_seconds)
        self._imposed.append(imposed_seconds)

    def report(self) -> dict[str, Any]:
        """As the control call gives it; times in milliseconds."""
        return {
            "requests": [{"family": f, "status": s, "count": n} for (f, s), n in sorted(self.requests.items())],
            "operations": [{"operation": o, "status": s, "count": n} for (o, s), n in sorted(self.operations.items())],
            "total": sum(self.requests.values()),
            "faults": dict(self.faults),
            "service_ms": _quantiles(self._service),
            "imposed_latency_ms": _quantiles(self._imposed),
        }


def family(path: str) -> str:
    """What kind of operation a path is: its fixed words, names left out."""
    parts = path.removeprefix("/api/v1").strip("/").split("/")
    if parts[0] in ("organization", "repository") and len(parts) > 1:
        last = parts[-1] if parts[-1] in ("logs", "aggregatelogs", "exportlogs") else ""
        return "/".join((parts[0], "{name}", last)).rstrip("/")
    return "/".join(parts)


class Wire:
    """The outermost ASGI layer: clock header, latency, faults, counting. Control calls pass untouched."""

    def __init__(self, app: ASGIApp, faults: Faults, clock: Clock, stats: Stats) -> None:
        self._app, self._faults, self._clock, self._stats = app, faults, clock, stats

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http" or scope["path"].startswith(CONTROL_PATH):
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        await self._faults.delay()
        imposed = time.perf_counter() - began
        fault = self._faults.draw(scope["path"])
        if fault is not None:
            self._stats.faults[fault] += 1
        work_began = time.perf_counter()
        status = await self._answer(fault, scope, receive, send)
        operation = scope.get("operation", "")
        self._stats.note(family(scope["path"]), operation, status, time.perf_counter() - work_began, imposed)

    async def _answer(self, fault: str | None, scope: Scope, receive: Receive, send: Send) -> int:
        if fault == "drop":
            await _hang_up(send)
            return 0
        if fault in _STATUS:
            status, headers, body = self._refusal(fault)
        else:
            asked = scope
            if fault == "first_page_again":
                asked = {**scope, "query_string": _without_token(scope["query_string"])}
            wire: dict[str, bool] = {}
            asked["state_of_wire"] = wire
            status, headers, body = await _collect(self._app, asked, receive)
            if wire.get("hangs_up"):
                await _hang_up(send)
                return 0
            scope["operation"] = asked.get("operation", "")
            if self._faults.plan.fields and status == 200:
                body = spoilt(body, scope["operation"], self._faults.plan.fields)
        if fault == "html_200":
            headers, body = [(b"content-type", b"text/html")], b"<html><body>maintenance</body></html>"
        elif fault == "wrong_json":
            body = b'{"unexpected": [' + body[:40].replace(b"{", b"[") + b"]}"
        sent = body[: len(body) // 2] if fault == "cut" else body
        headers = [h for h in headers if h[0] != b"content-length"]
        headers += [
            (b"content-length", str(len(body)).encode()),
            (b"date", http_date(self._clock.now_us()).encode()),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": sent, "more_body": fault == "cut"})
        if fault == "cut":
            await _hang_up(send)
        return status

    def _refusal(self, fault: str) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        status = _STATUS[fault]
        title = f"{status} {_TITLES[status]}"
        headers = [(b"content-type", b"text/html")]
        if fault == "throttle_retry_after":
            headers.append((b"retry-after", str(self._faults.plan.retry_after_seconds).encode()))
        page = f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n"
        return status, headers, (page + "<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n").encode()


async def _collect(app: ASGIApp, scope: Scope, receive: Receive) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """The whole answer of the inner app."""
    status, headers, chunks = 500, [], []

    async def keep(message: Message) -> None:
        nonlocal status, headers
        if message["type"] == "http.response.start":
            status, headers = message["status"], list(message["headers"])
        elif message["type"] == "http.response.body":
            chunks.append(message.get("body", b""))

    await app(scope, receive, keep)
    return status, headers, b"".join(chunks)


async def _hang_up(send: Send) -> None:
    """Closes the client's connection after what was sent. The server's `send` is bound to the object that holds it."""
    cycle = send.__self__  # type: ignore[attr-defined]
    cycle.transport.close()
    while not cycle.disconnected:  # noqa: ASYNC110 - there is no event to wait for
        await asyncio.sleep(0.001)


def _without_token(query: bytes) -> bytes:
    return b"&".join(part for part in query.split(b"&") if not part.startswith((b"next_page=", b"page=")))


def _quantiles(samples: Samples) -> dict[str, float]:
    ordered = sorted(samples)
    if not ordered:
        return {"p50": 0.0, "p95": 0.0}
    at = {name: ordered[min(len(ordered) - 1, int(len(ordered) * q))] for name, q in (("p50", 0.5), ("p95", 0.95))}
    return {name: round(value * 1000, 3) for name, value in at.items()}


def spread(rate: float) -> dict[str, float]:
    """`--fault-rate` as rates: the usual faults in equal parts. Raises ValueError outside 0..1."""
    if not 0 <= rate <= 1:
        raise ValueError(f"a rate is between 0 and 1, not {json.dumps(rate)}")
    return {kind: rate / len(USUAL) for kind in USUAL} if rate else {}
