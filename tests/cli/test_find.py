"""`find`, and what commands that read say of a file of closed days that is not there."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from quayledger.warehouse.ledger import Ledger
from quayledger.warehouse.log.close import close_days, event_file_list
from quayledger.warehouse.publish import publish
from tests.cli.conftest import Run
from tests.warehouse.sample import NOW, fill


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A ledger with two closed days."""
    fill(tmp_path / "ledger", [date(2026, 11, 1), date(2026, 11, 2)])
    with Ledger.open(tmp_path / "ledger", command="test") as ledger:
        assert len(close_days(ledger, NOW.date(), 10)) == 2
        publish(ledger, keep=2, now=NOW)
    return tmp_path / "ledger"


def test_find_shows_what_events_name(run: Run, home: Path) -> None:
    (row,) = json.loads(run("find", "--exact", "alice", "--json").stdout)
    assert (row["field"], row["value"], row["is_exact"], row["days"]) == ("actor", "alice", True, 2)
    shown = run("find", "WEB").stdout
    assert "acme/web0" in shown and "acme/web1" in shown
    nothing = run("find", "[red]nobody")
    assert (nothing.returncode, nothing.stdout) == (0, "")
    assert "No event that is held names [red]nobody." in nothing.stderr


@pytest.mark.parametrize("words", [("status",), ("events",), ("find", "alice"), ("report", "usage")])
def test_a_missing_file_is_named_and_the_rest_is_shown(run: Run, home: Path, words: tuple[str, ...]) -> None:
    with Ledger.open(home, command="test") as ledger:
        (first, _) = event_file_list(ledger)
    (home / first.file).unlink()
    told = run(*words)
    assert told.returncode == 0
    said = " ".join(told.stderr.split())
    assert "is missing; on record it holds 40 events of main, 2026-11-01" in said
    assert "Put it back from a backup" in said
