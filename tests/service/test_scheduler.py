"""The service goes on: whatever the clock, the disk, the folder or a fault of its own does."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sqlite3
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from quayledger.service import inbox, scheduler
from quayledger.warehouse import publish, runs
from quayledger.warehouse.errors import DiskFull
from quayledger.warehouse.ledger import Ledger, holder
from tests.cli.conftest import ROOT, environment
from tests.service.conftest import Serving, WallClock, serving, settings, wait_for

YEAR = timedelta(days=365)


@pytest.fixture(scope="module")
def quay(start_simulator: Any) -> Any:
    return start_simulator("--events", "200", "--days", "2")


def synced(one: Serving, after: float = 0.0) -> float:
    """Waits for a sync that succeeds after a moment, and gives when it did (monotonic seconds)."""
    found: float = wait_for(lambda: (at := one.synced_at()) > after + 0.2 and at, "a sync that succeeds")
    return found


def order_sync(home: Path) -> inbox.Answer:
    """Hands a sync over as a command does, and gives the last answer."""
    service = holder(home)
    assert service is not None
    return list(inbox.follow(home, inbox.hand_over(home, None, None, ()), service))[-1]


def test_a_start_with_a_clock_two_years_ahead_leaves_nothing_in_the_future(
    quay: Any, tmp_path: Path, clock: WallClock
) -> None:
    clock.offset = 2 * YEAR
    with serving(tmp_path, settings(quay), clock) as one:
        synced(one)
    clock.offset = timedelta(0)
    with serving(tmp_path, settings(quay), clock) as one:
        synced(one)
        assert one.get("/health")[0] == 200
        assert max(one.get("/health")[1]["next_runs"].values()) < (clock() + timedelta(days=2)).isoformat()


def test_a_clock_that_jumps_is_noticed_and_the_jobs_run_again(
    quay: Any, tmp_path: Path, clock: WallClock, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "quayledger"), serving(tmp_path, settings(quay), clock) as one:
        at = synced(one)
        for offset in (YEAR, timedelta(0)):
            clock.offset = offset
            at = synced(one, after=at)
            assert order_sync(tmp_path).state == "done"
        assert one.get("/health")[1]["status"] == "ok"
    assert [record.message.split(";")[0] for record in caplog.records if "clock was set" in record.message] == [
        "the clock was set by +365 days, 0:00:00",
        "the clock was set by -365 days, 0:00:00",
    ]


def test_a_job_store_of_an_earlier_version_is_of_no_account(quay: Any, tmp_path: Path, clock: WallClock) -> None:
    path = tmp_path / "clock.sqlite"
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as locked:
        locked.execute("CREATE TABLE apscheduler_jobs (id, next_run_time, job_state)")
        locked.execute("INSERT INTO apscheduler_jobs VALUES ('sync', 4e9, X'00')")
        locked.execute("BEGIN EXCLUSIVE")
        with serving(tmp_path, settings(quay), clock) as one:
            synced(one)
            assert order_sync(tmp_path).state == "done"


def test_a_disk_that_is_full_for_a_moment_delays_work_and_ends_nothing(
    quay: Any, tmp_path: Path, clock: WallClock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    full = True
    write = inbox._write

    def write_when_there_is_space(path: Path, content: bytes) -> None:
        if full and ".answer." in path.name:
            raise OSError(28, os.strerror(28), str(path))
        write(path, content)

    def publish_when_there_is_space(*args: Any, **more: Any) -> Any:
        if full:
            raise DiskFull("no space is left")
        return published(*args, **more)

    published = publish.publish
    monkeypatch.setattr(inbox, "_write", write_when_there_is_space)
    monkeypatch.setattr(publish, "publish", publish_when_there_is_space)
    with caplog.at_level(logging.ERROR, "quayledger"), serving(tmp_path, settings(quay), clock) as one:
        failing = wait_for(lambda: one.get("/health")[1]["jobs"]["sync"]["error"], "a sync that fails")
        assert failing == "no space is left"
        assert one.get("/health")[1]["status"] == "degraded"
        service = holder(tmp_path)
        assert service is not None
        followed = inbox.follow(tmp_path, inbox.hand_over(tmp_path, None, None, ()), service)
        wait_for(lambda: "answers: No space left" in caplog.text, "an answer that cannot be written")
        full = False
        answer = list(followed)[-1]
        assert (answer.state, answer.message, answer.exit_code) == ("failed", "no space is left", 9)
        assert order_sync(tmp_path).state == "done"
    assert caplog.text.count("answers: No space left") == 1  # not at every turn of the loop


def test_a_fault_of_its_own_is_logged_and_the_next_work_is_done(
    quay: Any, tmp_path: Path, clock: WallClock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fault(*args: Any, **more: Any) -> Any:
        raise ZeroDivisionError("a bug")

    with caplog.at_level(logging.INFO, "quayledger"), serving(tmp_path, settings(quay), clock) as one:
        synced(one)
        with monkeypatch.context() as broken:
            broken.setattr(scheduler, "sync_and_publish", fault)
            broken.setattr(inbox, "waiting", lambda home: 1 / 0)
            wait_for(lambda: "inbox: a fault" in caplog.text, "a poll that fails")
            broken.setattr(inbox, "waiting", inbox_waiting)
            answer = order_sync(tmp_path)
            assert (answer.state, answer.exit_code) == ("failed", 1)
            assert "fault of quayledger's own (ZeroDivisionError)" in answer.message
        assert order_sync(tmp_path).state == "done"
        assert one.get("/live") == (200, {"status": "ok", "problems": []})
    assert "inbox: works again" in caplog.text


inbox_waiting = inbox.waiting


def test_a_scheduler_that_ended_is_unhealthy_and_gives_no_sign_of_life(
    quay: Any, tmp_path: Path, clock: WallClock
) -> None:
    with serving(tmp_path, settings(quay), clock) as one:
        synced(one)
        one.service._scheduler._event.set()
        one.service._scheduler.state = 0  # what its thread looks at in each turn
        status, body = wait_for(
            lambda: (found := one.get("/health"))[0] == 503 and found, "a health that tells of the scheduler"
        )
        assert (status, body["status"], body["problems"]) == (503, "unhealthy", ["the scheduler's thread has ended"])
        assert one.get("/live")[0] == 503
        order = inbox.hand_over(tmp_path, None, None, ())
        service = holder(tmp_path)
        assert service is not None
        with pytest.raises(inbox.NoAnswer):
            list(inbox.follow(tmp_path, order, service, patience_s=6))
        one.service._scheduler.state = 1


def test_killed_at_work_it_goes_on_at_once_when_it_serves_again(quay: Any, tmp_path: Path, clock: WallClock) -> None:
    home = tmp_path / "ledger"
    slow = {"QUAYLEDGER_SOURCES__MAIN__REQUESTS_PER_SECOND": "2", "QUAYLEDGER_INVENTORY__ENABLED": "false"}
    asked = environment(home, quay.url, quay.tokens["superuser"]) | slow
    process = subprocess.Popen(
        [sys.executable, "-m", "quayledger", "serve"], env=asked, cwd=ROOT, stderr=subprocess.DEVNULL
    )
    wait_for(lambda: list(home.glob("landing/*/*.pages")), "a sync at work")
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    with Ledger.open(home, command="test") as ledger:
        assert runs.last_start(ledger, "sync") is None
    with serving(home, settings(quay), clock) as one:
        synced(one)
