"""Fixtures of the reports' tests: one published ledger for all of them, opened as any reader opens it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from quayledger.reports.period import Period, parse
from quayledger.warehouse.snapshot import Snapshot
from tests.reports.sample import NOW, build_ledger


@pytest.fixture(scope="session")
def ledger_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("ledger")
    build_ledger(home)
    return home


@pytest.fixture
def snapshot(ledger_home: Path) -> Iterator[Snapshot]:
    with Snapshot.open(ledger_home) as opened:
        yield opened


@pytest.fixture
def period() -> Period:
    """Nine days that end today, and as many before them that are covered too."""
    return parse("last-9-days", "Europe/Berlin", NOW)
