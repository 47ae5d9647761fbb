"""What settings say of rules, and rules that cannot be run: each is named, and the others go on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from quayledger.reports.desk import alerts, watch
from quayledger.reports.desk.store import Desk
from quayledger.reports.detections import engine, rulebook
from quayledger.settings import config_path
from quayledger.warehouse.ledger import Ledger
from quayledger.warehouse.publish import publish
from quayledger.warehouse.runs import start_run
from tests.detections.test_engine import _failure
from tests.detections.test_sigma import GOOD
from tests.warehouse.sample import NOW, begin, seal, store


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Twenty failed log-ins on a day of four weeks ago at most, and a folder of Sigma rules of which one is broken."""
    day = (NOW.date()).replace(day=20)
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "login.yml").write_text(GOOD.replace("pull_repo", "login_failure"))
    (tmp_path / "rules" / "bad.yml").write_text(GOOD.replace("kind", "colour").replace("name: good", "name: bad"))
    with Ledger.open(tmp_path, command="fill") as ledger:
        begin(ledger)
        start_run(ledger, "sync", "fill", NOW)
        store(ledger, [_failure(day, 3_600 + n * 60) for n in range(20)], day=day)
        seal(ledger, day)
        publish(ledger, keep=1, now=NOW)
    return tmp_path


def test_settings_switch_rules_off_and_change_their_parameters() -> None:
    book = rulebook.with_settings(
        {
            "d1": {"attempts": 5, "allow_ips": ["10.0.0.1"]},
            "made-public": {"enabled": False},
            "D2": {"attemptz": 3},
            "D3": {"attempts": "many"},
            "nosuch": {},
        }
    )
    assert (book.params["D1"].attempts, book.params["D1"].allow_ips) == (5, ("10.0.0.1",))  # type: ignore[attr-defined]
    assert "settings" in book.disabled["D16"]
    assert "has no such parameter" in book.broken["D2"]
    assert "attempts" in book.broken["D3"]
    assert "no rule is called so" in book.broken["nosuch"]


def test_what_cannot_be_run_is_an_alert_and_the_others_are_run(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config_path(home).write_text('[detections]\nsigma = "rules"\n[detections.rules.D2]\nattemptz = 1\n')
    watch.watch(home, NOW)
    with Desk.open(home) as desk:
        found = {(one.rule_id, one.subject): one for one in alerts.list_alerts(desk, NOW)}
    assert found["sigma:good", "[bold]alice"].events == 20
    assert ("D1", "203.0.113.66") in found
    assert "attemptz" in found[watch.FAILED_RULE, "D2"].summary
    assert "bad.yml:6: events have no field colour" in found[watch.FAILED_RULE, "bad.yml:6"].summary
    monkeypatch.setattr(engine, "LONGEST_S", 0.0)
    config_path(home).write_text("[detections.rules.D1]\nattempts = 19\n")
    watch.watch(home, NOW)
    with Desk.open(home) as desk:
        found = {(one.rule_id, one.subject): one for one in alerts.list_alerts(desk, NOW)}
    assert "longer than 0 s" in found[watch.FAILED_RULE, "D1"].summary


def test_nothing_that_could_reach_out_is_loaded() -> None:
    asked = (
        "import sys; from quayledger.reports.detections.sigma import parse; "
        "print([name for name in sys.modules if name == 'requests' or name.startswith(('sigma.plugins', 'sigma.data', 'sigma.pipelines'))])"
    )
    shown = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


def test_lint_names_the_line_and_ends_with_1(home: Path) -> None:
    command = [sys.executable, "-m", "quayledger", "--home", str(home), "detect", "lint", str(home / "rules")]
    shown = subprocess.run(command, capture_output=True, text=True, check=False)
    assert shown.returncode == 1
    assert "bad.yml:6: events have no field colour" in shown.stdout
    assert "2 files, 1 Sigma rule, 1 problem" in shown.stdout
