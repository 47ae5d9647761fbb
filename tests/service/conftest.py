"""What the service's tests share: a service that runs in a thread of this process, whose wall clock the test sets."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import apscheduler.schedulers.base as apscheduler_base
import apscheduler.triggers.date as apscheduler_date
import pytest
from pydantic import SecretStr

from quayledger.service.http_server import HttpServer, health_routes
from quayledger.service.scheduler import Service
from quayledger.settings import (
    ClockSettings,
    CollectSettings,
    DetectionSettings,
    InventorySettings,
    Settings,
    SourceSettings,
)
from quayledger.warehouse.ledger import Ledger

PATIENCE_S = 60.0


class WallClock:
    """The time of day as this process sees it: the true one and `offset`."""

    def __init__(self) -> None:
        self.offset = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.offset


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> WallClock:
    """A wall clock that the test sets, for the service (`now`) and for APScheduler, which asks the system's."""
    wall = WallClock()

    class Shifted(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) + wall.offset

    for module in (apscheduler_base, apscheduler_date):
        monkeypatch.setattr(module, "datetime", Shifted)
    return wall


def settings(quay: Any, **schedule: Any) -> Settings:
    """Settings of a service that reads the log of a stand-in, and nothing else unless asked."""
    source = SourceSettings(
        url=quay.url, token=SecretStr(quay.tokens["superuser"]), requests_per_second=1000, retries=0
    )
    usual = {"sync_every_minutes": 600, "publish_every_minutes": 600}
    return Settings.model_construct().model_copy(
        update={
            "sources": {"main": source},
            "collect": CollectSettings(settle_seconds=0, backfill_days=3),
            "clock": ClockSettings(**{**usual, **schedule}),
            "inventory": InventorySettings(enabled=False),
            "detections": DetectionSettings(enabled=False),
        }
    )


class Serving:
    """A service that runs."""

    def __init__(self, service: Service, port: int) -> None:
        self.service, self._port = service, port

    def get(self, path: str) -> tuple[int, dict[str, Any]]:
        """Status and body of an answer of its HTTP server."""
        try:
            with urlopen(f"http://127.0.0.1:{self._port}{path}", timeout=10) as reply:
                return reply.status, json.load(reply)
        except HTTPError as error:
            return error.code, json.load(error)

    def synced_at(self) -> float:
        """When the last sync succeeded, in monotonic seconds; 0 where none did."""
        since = self.get("/health")[1]["jobs"]["sync"]["seconds_since_success"]
        return 0.0 if since is None else time.monotonic() - since


@contextlib.contextmanager
def serving(home: Path, chosen: Settings, clock: WallClock) -> Iterator[Serving]:
    """Serves while the context lasts, and ends as SIGTERM ends it."""
    with Ledger.open(home, command="serve") as ledger:
        service = Service(ledger, chosen, now=clock)
        routes = health_routes(service.is_working, service.is_alive)
        thread = threading.Thread(target=service.run)
        with HttpServer("127.0.0.1", 0, routes, setting="the test") as server:
            thread.start()
            try:
                yield Serving(service, server.port)
            finally:
                service.stop()
                thread.join(PATIENCE_S)
    assert not thread.is_alive()


def wait_for(condition: Callable[[], Any], what: str) -> Any:
    """The first true value of a condition."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError(f"waited in vain: {what}")
