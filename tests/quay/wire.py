"""A faked wire: scripted answers behind httpx's own transport, and a clock that only moves when somebody waits."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr

from quayledger.collector.quay.client import QuayClient
from quayledger.settings import SourceSettings

RECORDINGS = Path(__file__).parent.parent / "recordings"
TOKEN = "tok-0123456789abcdef"


class Clock:
    """Seconds that pass only in `sleep`."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def client(
    handler: Callable[[httpx.Request], httpx.Response], clock: Clock | None = None, **settings: Any
) -> QuayClient:
    """A client whose every request is answered by `handler`."""
    clock = clock or Clock()
    values = {"url": "https://quay.example", "token": SecretStr(TOKEN), "requests_per_second": 100, **settings}
    return QuayClient(
        "main", SourceSettings(**values), transport=httpx.MockTransport(handler), sleep=clock.sleep, clock=clock
    )


def recording(name: str) -> dict[str, Any]:
    """One recorded call: request, status, headers, body."""
    (path,) = RECORDINGS.glob(f"{name}*.json")
    return dict(json.loads(path.read_text(encoding="utf-8")))


def replay(recorded: dict[str, Any]) -> httpx.Response:
    """The recorded answer as it came."""
    kind = recorded["headers"].get("content-type", "application/json")
    headers = {key: value for key, value in recorded["headers"].items() if key in ("content-type", "location")}
    body = recorded["body"]
    content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return httpx.Response(recorded["status"], headers={**headers, "content-type": kind}, content=content)
