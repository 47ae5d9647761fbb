"""The inventory's commands as a person and a script use them: the cost, the taking, one object, two days, rubbish."""

from __future__ import annotations

import csv
import io
import json
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from quayledger.reports.model import PREVIEW_ROWS
from quayledger.service.exit_codes import Exit
from tests.cli.conftest import Run, environment, sources


@pytest.fixture(scope="module")
def quay(start_simulator: Any) -> Any:
    return start_simulator("--events", "400", "--days", "2")


def test_the_cost_the_taking_and_what_it_tells(run: Run, quay: Any) -> None:
    asked = {"url": quay.url, "token": quay.tokens["superuser"]}
    guessed = sources(run("plan", "--inventory", "--json", **asked))
    assert guessed["access"] == "superuser"
    assert 0 < guessed["usable"] < guessed["due"]
    assert guessed["planning_requests"] == 4

    taken = run("inventory", "sync", "--json", **asked)
    assert taken.returncode == 0, taken.stderr
    first = sources(taken)
    assert guessed["due_at_least"] <= first["requests"]
    assert first["requests"] / 2 < guessed["due"] < first["requests"] * 2
    assert first["states"] == {"ok": first["looks_done"]}
    known = sources(run("plan", "--inventory", "--json", **asked))
    assert (known["due"], known["planning_requests"]) == (0, 0)
    assert known["a_day"] < first["requests"] / 3

    told = json.loads(run("status", "--json").stdout)["inventory"]
    assert {row["query"] for row in told} >= {"users", "robots", "user_permissions", "tags", "scan"}
    assert "Inventory " in run("status").stdout
    assert "roles of users and robots" in run("report", "inventory-coverage").stdout

    alice = json.loads(run("inventory", "show", "user", "alice", "--json").stdout)["report"]
    assert any(row for table in alice["tables"] if "access" in table["name"] for row in table["frame"])
    assert "alice@example.com" in run("inventory", "show", "user", "alice").stdout
    tags = run("inventory", "list", "tag", "--format", "csv").stdout
    (table,) = (
        table
        for table in json.loads(run("inventory", "list", "tag", "--json").stdout)["report"]["tables"]
        if table["total_rows"] > PREVIEW_ROWS
    )
    assert len(list(csv.DictReader(io.StringIO(tags)))) == len(table["frame"]) == table["total_rows"]
    assert (
        len(list(csv.DictReader(io.StringIO(run("inventory", "list", "tag", "--format", "csv", "--top", "7").stdout))))
        == 7
    )
    before = run("inventory", "show", "user", "alice", "--as-of", "2020-01-01")
    assert before.returncode == 0
    assert "alice@example.com" not in before.stdout

    day = f"{datetime.now(UTC):%Y-%m-%d}"
    time.sleep(1.1)
    act = {"namespace": "payments", "performer": "carol", "repository": "api"}
    quay.control("act", kind="change_repo_permission", metadata={"username": "zach", "role": "admin"}, **act)
    assert run("sync", "--from", day, env={"QUAYLEDGER_COLLECT__SETTLE_SECONDS": "0"}, **asked).returncode == 0
    again = sources(run("inventory", "sync", "--json", **asked))
    assert again["by_why"] == {"event": 1}
    assert again["requests"] == 1
    changed = run("inventory", "diff", "--from", day, "--family", "repository_permissions", "--format", "csv")
    assert "payments/api user zach" in changed.stdout
    assert "role admin" in changed.stdout
    assert "from the audit log" in changed.stdout


def test_questions_on_demand(run: Run, quay: Any) -> None:
    asked = {"url": quay.url, "token": quay.tokens["superuser"]}
    answer = json.loads(run("inventory", "ask", "access", "payments/api", "carol", **asked).stdout)
    assert answer["rows"] == ["admin"]
    assert json.loads(run("inventory", "ask", "user", "alice", **asked).stdout)["username"] == "alice"
    unknown = run("inventory", "ask", "weather", **asked)
    assert (unknown.returncode, "there are build" in unknown.stderr) == (Exit.USAGE, True)
    few = run("inventory", "ask", "access", "payments/api", **asked)
    assert (few.returncode, "wants" in few.stderr) == (Exit.USAGE, True)
    nobody = run("inventory", "ask", "user", "nobody-at-all", **asked)
    assert (nobody.returncode, "Traceback" in nobody.stderr) == (Exit.REPLY, False)


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("inventory", "show", "user", "alice"), Exit.NOTHING_YET, "quayledger"),
        (("inventory", "diff", "--from", "2026-13-01"), Exit.USAGE, "is not a date"),
        (("inventory", "diff", "--from", "2026-11-20", "--to", "2026-11-01"), Exit.USAGE, "is after"),
        (("inventory", "sync", "--requests", "0"), Exit.USAGE, "--requests"),
        (("inventory", "sync", "--source", "elsewhere"), Exit.USAGE, "elsewhere"),
    ],
)
def test_rubbish_gets_a_word_and_its_code(run: Run, quay: Any, words: tuple[str, ...], code: Exit, says: str) -> None:
    done = run(*words, url=quay.url, token=quay.tokens["superuser"])
    assert done.returncode == code, done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_an_object_that_is_not_there_brings_the_nearest_names(run: Run, quay: Any) -> None:
    asked = {"url": quay.url, "token": quay.tokens["superuser"]}
    assert run("inventory", "sync", "--requests", "40", **asked).returncode == 0
    missed = run("inventory", "show", "user", "alcie")
    assert (missed.returncode, "alice" in missed.stderr) == (Exit.USAGE, True)
    listed = run("inventory", "list", "organisation", "--by", "size_bytes", "--format", "csv")
    assert listed.returncode == 0, listed.stderr
    rows = list(csv.DictReader(io.StringIO(listed.stdout)))
    sizes = [int(row["size_bytes"]) for row in rows if row["size_bytes"]]
    assert "platform" in {row["name"] for row in rows}
    assert sizes == sorted(sizes, reverse=True)
    unsorted = run("inventory", "list", "organisation", "--by", "beauty")
    assert (unsorted.returncode, "size_bytes" in unsorted.stderr) == (Exit.USAGE, True)
    wrong = run("inventory", "show", "teapot", "alice")
    assert (wrong.returncode, "repository" in wrong.stderr) == (Exit.USAGE, True)
    refused = run("inventory", "sync", url=quay.url, token="nonsense")
    assert refused.returncode == Exit.REFUSED


def test_serve_takes_the_inventory_beside_the_log_and_takes_work_over(run: Run, quay: Any, tmp_path: Path) -> None:
    home = tmp_path / "ledger"
    rare = {
        "QUAYLEDGER_CLOCK__SYNC_EVERY_MINUTES": "600",
        "QUAYLEDGER_INVENTORY__RUN_EVERY_MINUTES": "600",
        "QUAYLEDGER_INVENTORY__LEAVE_OUT": "scan,manifest,labels,referrers",
    }
    asked = environment(home, quay.url, quay.tokens["superuser"], **rare)
    service = subprocess.Popen(
        [sys.executable, "-m", "quayledger", "serve"], env=asked, cwd=tmp_path, stderr=subprocess.PIPE, text=True
    )
    try:
        deadline = time.monotonic() + 90
        while not _is_read(run) and time.monotonic() < deadline:
            assert service.poll() is None
            time.sleep(0.5)
        handed = run("inventory", "sync", "--json", url=quay.url, token=quay.tokens["superuser"])
        assert handed.returncode == 0, handed.stderr
        assert "it does the work" in handed.stderr
        assert sources(handed)["states"] in ({}, {"ok": sources(handed)["looks_done"]})
    finally:
        service.send_signal(signal.SIGTERM)
        told = service.communicate(timeout=60)[1]
    assert service.returncode == 0, told
    assert "inventory:" in told
    assert "Traceback" not in told
    status = json.loads(run("status", "--json").stdout)
    assert status["sources"][0]["events"] > 0
    assert status["held_by"] is None


def _is_read(run: Run) -> bool:
    shown = run("status", "--json")
    if shown.returncode:
        return False
    told = json.loads(shown.stdout)
    reads = {row["query"]: row for row in told["inventory"]}
    return bool(told["sources"][0]["events"]) and "tags" in reads


def test_days_are_utc_and_the_last_one_is_included(run: Run, quay: Any) -> None:
    asked = {"url": quay.url, "token": quay.tokens["superuser"]}
    assert run("inventory", "sync", "--requests", "20", **asked).returncode == 0
    tomorrow = f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%d}"
    done = run("inventory", "diff", "--from", "2026-11-01", "--to", tomorrow, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["report"]["period"]
