"""Fixtures of the warehouse's tests: real ledgers in real files."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from quayledger.warehouse.ledger import Ledger
from tests.warehouse import sample


@pytest.fixture(scope="session")
def new_ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a new ledger with one source. To be copied: making one takes longer than most tests."""
    home = tmp_path_factory.mktemp("new") / "ledger"
    with Ledger.open(home, command="test") as opened:
        sample.begin(opened)
    return home


@pytest.fixture
def ledger(new_ledger: Path, tmp_path: Path) -> Iterator[Ledger]:
    """A new ledger with one source."""
    shutil.copytree(new_ledger, tmp_path / "ledger")
    with Ledger.open(tmp_path / "ledger", command="test") as opened:
        yield opened
