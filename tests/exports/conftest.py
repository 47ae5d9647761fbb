"""Fixtures of the export tests: a run on a stand-in Quay with a receiver of its own, step by step."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import SecretStr

from quayledger.collector.exports.ask import Outcome, export_days
from quayledger.collector.log.counts import count, find_older_rows
from quayledger.collector.log.days import utc_now
from quayledger.collector.log.judging import judge_day
from quayledger.collector.log.settle_cover import settle_cover
from quayledger.collector.log.source_run import SourceRun
from quayledger.collector.quay.client import QuayClient
from quayledger.service import callback_server
from quayledger.settings import CallbackSettings, CollectSettings, Settings, SourceSettings
from quayledger.warehouse import runs, sources
from quayledger.warehouse.ledger import Ledger
from quayledger.warehouse.log import slices


def settings(
    url: str,
    token: str,
    *,
    exports: Literal["off", "repair", "prefer"] = "prefer",
    scopes: tuple[str, ...] = (),
    **callbacks: Any,
) -> Settings:
    source = SourceSettings(
        url=url, token=SecretStr(token), requests_per_second=1000, chains=4, retries=1, scopes=scopes, exports=exports
    )
    usual = {"port": 0, "allowed_storage_hosts": ("localhost",), "allow_private_addresses": True, "retry_seconds": 0.5}
    return Settings.model_construct().model_copy(
        update={
            "sources": {"main": source},
            "collect": CollectSettings(settle_seconds=0),
            "callbacks": CallbackSettings(**{**usual, **callbacks}),
        }
    )


class Bench:
    """One ledger and one source: counts, exports and judges days."""

    def __init__(self, home: Path, chosen: Settings) -> None:
        self.home, self.settings = home, chosen
        self.notes: list[str] = []
        self.alerts: list[str] = []

    def export(self, *days: date, fell_short: bool = True, named: bool = False) -> list[Outcome]:
        with (
            Ledger.open(self.home, command="test") as ledger,
            callback_server.open_callbacks(self.settings) as callbacks,
        ):

            async def work() -> list[Outcome]:
                source = self.settings.sources["main"]
                run_id = runs.start_run(ledger, "sync", "test", utc_now())
                async with QuayClient("main", source) as client:
                    run = SourceRun(
                        ledger,
                        self.settings,
                        "main",
                        source,
                        client,
                        run_id,
                        report=lambda stage, day: self.alerts.append(run.state.alert),
                        days_named=named,
                    )
                    sources.register_source(ledger, "main", "main", source.url, utc_now())
                    await settle_cover(run, min(days))
                    await count(run, days)
                    await find_older_rows(run, days)
                    found = await export_days(run, callbacks, days, fell_short=fell_short)
                    for day in days:
                        judge_day(run, day)
                    self.notes = run.state.notes
                return found

            return asyncio.run(work())

    def state(self, day: date) -> slices.SliceRow:
        with Ledger.open(self.home, command="test") as ledger:
            return slices.slices(ledger, "main", day, day)[day]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    yield lambda *args, **more: Bench(tmp_path / "ledger", settings(*args, **more))
