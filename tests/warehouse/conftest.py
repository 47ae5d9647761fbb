"""Fixtures of the warehouse's tests: real ledgers in real files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from quayledger.warehouse.ledger import Ledger
from tests.warehouse import sample


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """A new ledger with one source."""
    with Ledger.open(tmp_path / "ledger", command="test") as opened:
        sample.begin(opened)
        yield opened
