"""The commands as a person and a script use them: one ledger, from the first look to the report."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from quayledger.reports import registry
from quayledger.reports.spec import inputs
from quayledger.service import demo
from tests.cli.conftest import ROOT, Run, environment, sources

END = "2026-11-20"
RANGE = ("--from", "2026-11-16", "--to", END)


@pytest.fixture(scope="module")
def quay(start_simulator: Any) -> Any:
    return start_simulator("--events", "1200", "--days", "5", "--end", END)


def test_the_first_hour(run: Run, quay: Any, tmp_path: Path) -> None:
    token = quay.tokens["superuser"]
    asked = {"url": quay.url, "token": token}

    made = run("init", "--url", quay.url, token=token)
    assert made.returncode == 0, made.stderr
    written = (tmp_path / "ledger" / "quayledger.toml").read_text()
    assert token not in written
    assert quay.url in written
    assert run("init", "--url", quay.url, "--no-check").returncode == 3
    (key,) = (tmp_path / "config/quayledger").glob("*.key")
    assert str(key) in written
    assert run("key", "show").stdout.startswith("quayledger/")

    looked = run("doctor", "--json", **asked)
    assert looked.returncode == 0, looked.stderr
    assert sources(looked)["cover"] == ["superuser"]

    planned = sources(run("plan", *RANGE, "--json", **asked))
    synced = run("sync", *RANGE, "--json", **asked)
    assert synced.returncode == 0, synced.stderr
    assert sources(synced)["events_new"] == 1200
    verified = run("verify", "--json")
    assert verified.returncode == 0, verified.stderr
    sealed = json.loads(verified.stdout)["seals"]
    assert (sealed["events"], sealed["damages"], sealed["note"]) == (1200, [], "")
    assert planned["least_requests"] == sum(part["pages"] for part in planned["parts"]) + planned["count_requests"]
    assert planned["least_requests"] <= sources(synced)["requests"] <= planned["most_requests"]

    status = sources(run("status", "--json"))
    assert {key: status[key] for key in ("days", "events", "expected_events", "days_by_state")} == {
        "days": 5,
        "events": 1200,
        "expected_events": 1200,
        "days_by_state": {"rotated": 1, "verified": 4},
    }
    assert status["requests"] == sources(synced)["requests"]
    assert status["last_event_at"].startswith("2026-11-20T")
    shown = run("status", env={"COLUMNS": "80"})
    assert "5: 1 rotated, 4 verified" in shown.stdout
    lines = (shown.stdout + shown.stderr).splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80

    planned = sources(run("plan", *RANGE, "--json", **asked))
    assert (planned["least_requests"], planned["sealed_days"]) == (1, 4), (
        "the first day is tried again where it is named"
    )


@pytest.fixture(scope="module")
def ledger(quay: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("filled") / "ledger"
    subprocess.run(
        [sys.executable, "-m", "quayledger", "sync", *RANGE],
        env=environment(home, quay.url, quay.tokens["superuser"]),
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    return home


def test_events_in_every_format(run: Run, ledger: Path, tmp_path: Path) -> None:
    lines = run("events", "--limit", "0", "--format", "jsonl", home=ledger).stdout.splitlines()
    assert len(lines) == len({json.loads(line)["event_id"] for line in lines}) == 1200
    pushes = [line for line in lines if json.loads(line)["kind"] == "push_repo"]
    rows = list(
        csv.DictReader(
            io.StringIO(run("events", "--kind", "push_repo", "--limit", "0", "--format", "csv", home=ledger).stdout)
        )
    )
    assert [row["event_id"] for row in rows] == [json.loads(line)["event_id"] for line in pushes]
    assert len(run("events", "--limit", "7", "--format", "quay", home=ledger).stdout.splitlines()) == 7
    table = run("events", "--limit", "3", home=ledger)
    assert "3 of 1,200 rows" in table.stdout
    day = run("events", "--from", END, "--to", END, "--limit", "0", "--format", "jsonl", home=ledger).stdout
    assert {json.loads(line)["day"] for line in day.splitlines()} == {END}
    target = tmp_path / "out.jsonl"
    assert run("events", "--limit", "0", "--format", "jsonl", "-o", str(target), home=ledger).stdout == ""
    assert target.read_text().splitlines() == lines


def test_the_usage_report_says_the_same_in_every_format(run: Run, ledger: Path) -> None:
    asked = ("report", "usage", "--period", "2026-11-16..2026-11-20")
    value = json.loads(run(*asked, "--format", "json", home=ledger).stdout)["report"]
    pulls = next(metric["value"] for metric in value["metrics"] if metric["name"] == "pulls")
    lines = run("events", "--kind", "pull_repo", "--limit", "0", "--format", "jsonl", home=ledger).stdout.splitlines()
    assert pulls == len(lines) > 0
    assert f"{int(pulls):,}" in run(*asked, home=ledger).stdout
    assert f"{int(pulls):,}" in run(*asked, "--format", "html", home=ledger).stdout
    assert run(*asked, "--format", "csv", home=ledger).stdout.count("\n") > 2


def test_every_report_has_its_command(run: Run, ledger: Path) -> None:
    known = run("report", "--help").stdout
    for spec in registry.reports():
        assert f"  {spec.id} " in known
        if not any(item.required for item in inputs(spec)):
            made = run("report", spec.id, "--json", home=ledger)
            assert made.returncode == 0, made.stderr
            assert json.loads(made.stdout)["report"]["id"] == spec.id


def test_days_and_periods_are_two_ways_to_say_the_same(run: Run, ledger: Path) -> None:
    by_days = run("report", "usage", *RANGE, "--format", "csv", home=ledger)
    by_period = run("report", "usage", "--period", f"{RANGE[1]}..{END}", "--format", "csv", home=ledger)
    assert by_days.stdout == by_period.stdout != ""
    day = run("events", "--period", END, "--limit", "0", "--format", "jsonl", home=ledger).stdout
    assert (
        day == run("events", "--from", END, "--to", END, "--limit", "0", "--format", "jsonl", home=ledger).stdout != ""
    )
    both = run("report", "usage", *RANGE, "--period", "today", home=ledger)
    assert both.returncode == 2


def test_the_folder_may_be_named_before_or_after_the_command(run: Run, ledger: Path, tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    before = run("--home", str(ledger), "status", "--json", home=nowhere)
    after = run("status", "--home", str(ledger), "--json", home=nowhere)
    assert sources(before) == sources(after)


def test_a_closed_pipe_is_no_error(ledger: Path) -> None:
    command = f"{sys.executable} -m quayledger events --limit 0 --format jsonl | head -n 1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        env=environment(ledger, PYTHONPATH=str(ROOT)),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""


def test_serve_collects_takes_work_over_and_stops_cleanly(run: Run, quay: Any, tmp_path: Path) -> None:
    home = tmp_path / "ledger"
    asked = environment(home, quay.url, quay.tokens["superuser"], QUAYLEDGER_CLOCK__SYNC_EVERY_MINUTES="600")
    service = subprocess.Popen(
        [sys.executable, "-m", "quayledger", "serve", "--port", "0"],
        env=asked,
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        deadline = time.monotonic() + 60
        while run("status").returncode != 0 and time.monotonic() < deadline:
            assert service.poll() is None, service.stderr and service.stderr.read()
            time.sleep(0.3)
        synced = run("sync", *RANGE, "--json", url=quay.url, token=quay.tokens["superuser"])
        assert synced.returncode == 0, synced.stderr
        assert "it does the work" in synced.stderr
        assert sources(run("status", "--json"))["events"] == 1200
        assert json.loads(run("status", "--json").stdout)["held_by"]["command"] == "serve"
    finally:
        service.send_signal(signal.SIGTERM)
        told = service.communicate(timeout=60)[1]
    assert service.returncode == 0, told
    assert "stopped" in told
    assert "Traceback" not in told
    assert json.loads(run("status", "--json").stdout)["held_by"] is None


def test_a_killed_sync_goes_on_where_it_was(run: Run, quay: Any, tmp_path: Path) -> None:
    home = tmp_path / "ledger"
    slow = {"QUAYLEDGER_SOURCES__MAIN__REQUESTS_PER_SECOND": "15", "QUAYLEDGER_SOURCES__MAIN__CHAINS": "1"}
    asked = environment(home, quay.url, quay.tokens["superuser"]) | slow
    process = subprocess.Popen(
        [sys.executable, "-m", "quayledger", "sync", *RANGE], env=asked, cwd=tmp_path, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 60
    while not list(home.glob("landing/*/*.pages")) and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.4)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    synced = run("sync", *RANGE, "--json", url=quay.url, token=quay.tokens["superuser"])
    assert synced.returncode == 0, synced.stderr
    assert sources(run("status", "--json"))["events"] == 1200
    assert sources(run("status", "--json"))["days_by_state"] == {"rotated": 1, "verified": 4}
    assert list(home.glob("landing/*/*.pages")) == []
    assert sources(run("status", "--json"))["requests"] <= 1200 / 20 + 5 + 3 + 1


def test_the_demo_runs_anew_in_its_own_folder_and_spares_others(run: Run, tmp_path: Path) -> None:
    home = tmp_path / "shown"
    demo.fresh_home(home)
    (home / "live.duckdb").write_text("of an earlier demo")
    shown = run("demo", "--headless", "--events", "300", "--days", "3", "--home", str(home))
    assert shown.returncode == 0, shown.stderr
    assert "new events" in shown.stderr
    assert "days: 1 open, 3 verified" in shown.stderr
    assert "From a real Quay that takes" in shown.stderr
    assert "Usage" in shown.stdout
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "live.duckdb").write_text("precious")
    assert run("demo", "--headless", "--home", str(mine)).returncode == 2
    assert (mine / "live.duckdb").read_text() == "precious"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_sync_says_so_and_the_next_one_goes_on(run: Run, quay: Any, tmp_path: Path, number: int) -> None:
    home = tmp_path / "ledger"
    slow = {"QUAYLEDGER_SOURCES__MAIN__REQUESTS_PER_SECOND": "4"}
    process = subprocess.Popen(
        [sys.executable, "-m", "quayledger", "sync", *RANGE],
        env=environment(home, quay.url, quay.tokens["superuser"]) | slow,
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not list(home.glob("landing/*/*.pages")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(number)
    told = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert "the next run continues from here" in told
    assert run("sync", *RANGE, url=quay.url, token=quay.tokens["superuser"]).returncode == 0
    assert sources(run("status", "--json"))["events"] == 1200
