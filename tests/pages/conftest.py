"""Fixtures of the pages' tests: one published ledger, the same as the reports have."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.reports.sample import build_ledger


@pytest.fixture(scope="session")
def ledger_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("pages-ledger")
    build_ledger(home)
    return home
