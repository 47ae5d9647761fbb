"""A desk that is locked, full, from a newer version or no desk: a sentence, an exit code, and nothing that was decided is lost."""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from quayledger.cli._main import app
from quayledger.reports.delivery import deliver
from quayledger.reports.desk import alerts, outbox, store
from quayledger.reports.desk.store import FILE_NAME, Desk, DeskFull
from quayledger.service.exit_codes import Exit, exit_of
from quayledger.settings import NotifyTarget, Settings
from tests.desk.test_alerts import TITLES, WITHIN, _signal
from tests.warehouse.sample import NOW


@pytest.fixture
def home(tmp_path: Path) -> Path:
    with Desk.open(tmp_path) as desk:
        alerts.record(desk, [_signal(0, 20)], NOW, titles=TITLES, merge_within=WITHIN)
    return tmp_path


@contextlib.contextmanager
def _locked(home: Path) -> Iterator[None]:
    other = sqlite3.connect(home / FILE_NAME, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        other.rollback()
        other.close()


def _run(home: Path, *words: str) -> tuple[Exit, str]:
    """A command's exit code and what it says, as the program gives them."""
    result = CliRunner().invoke(app, [*words, "--home", str(home)])
    if result.exception is None or isinstance(result.exception, SystemExit):
        return Exit(result.exit_code), result.output
    return exit_of(result.exception), str(result.exception)


def _owners(home: Path) -> list[str]:
    with Desk.open(home) as desk:
        return [alert.owner for alert in alerts.list_alerts(desk, NOW)]


def test_a_locked_desk_is_busy_and_takes_the_decision_later(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "_WAIT_S", 0.05)
    with _locked(home):
        code, told = _run(home, "alerts", "assign", "1", "bob")
    assert (code, "held by another program" in told) == (Exit.BUSY, True)
    assert _owners(home) == [""]
    assert _run(home, "alerts", "assign", "1", "bob")[0] is Exit.DONE
    assert _owners(home) == ["bob"]


def test_a_full_disk_keeps_what_was_decided_before(home: Path) -> None:
    with Desk.open(home) as desk:
        (pages,) = desk.rows("PRAGMA page_count")
        desk.rows(f"PRAGMA max_page_count = {pages[0]}")
        with pytest.raises(DeskFull, match="disk is full") as full:
            alerts.add_note(desk, 1, "x" * 100_000, "alice", NOW)
        assert exit_of(full.value) is Exit.DISK_FULL
        desk.rows("PRAGMA max_page_count = 1000000")
        alerts.assign(desk, 1, "bob", "alice", NOW)
        assert [one.what for one in alerts.history(desk, 1)] == ["raised", "owner"]


def test_a_desk_of_a_newer_version_is_refused_untouched(home: Path) -> None:
    path = home / FILE_NAME
    with contextlib.closing(sqlite3.connect(path)) as newer:
        newer.execute("PRAGMA user_version = 99")
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    for words in (("alerts", "list"), ("alerts", "assign", "1", "bob"), ("notify", "list")):
        code, told = _run(home, *words)
        assert (code, "newer version" in told) == (Exit.LEDGER, True), words
    assert hashlib.sha256(path.read_bytes()).hexdigest() == before


def test_what_is_no_desk_is_refused_untouched(home: Path) -> None:
    for left in home.glob(f"{FILE_NAME}*"):
        left.unlink()
    (home / FILE_NAME).write_bytes(b"no database" * 200)
    code, told = _run(home, "alerts", "list")
    assert (code, "Move it away" in told) == (Exit.LEDGER, True)
    assert (home / FILE_NAME).read_bytes() == b"no database" * 200


def test_no_news_is_lost_while_the_desk_is_locked(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "_WAIT_S", 0.05)
    settings = Settings(notify={"ops": NotifyTarget()})
    deliver.begin(home, settings)
    with Desk.open(home) as desk:
        alerts.record(desk, [_signal(5000, 5001)], NOW, titles=TITLES, merge_within=WITHIN)
    with _locked(home), pytest.raises(store.DeskBusy):
        deliver.deliver(home, settings, lambda: NOW)
    with Desk.open(home) as desk:
        fresh, _ = outbox.fresh_news(desk)
    assert [(one.alert_id, one.what) for one in fresh] == [(2, "raised")]
