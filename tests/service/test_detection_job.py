"""Rules run after each sync by themselves, and nothing that befalls them holds up collection."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from quayledger.reports.desk import store, watch
from quayledger.reports.desk.store import Desk
from quayledger.settings import DetectionSettings
from tests.service.conftest import WallClock, serving, settings, wait_for


@pytest.fixture(scope="module")
def quay(start_simulator: Any) -> Any:
    return start_simulator("--events", "200", "--days", "2")


def test_a_sync_is_judged_and_a_locked_desk_stops_no_collection(
    quay: Any, tmp_path: Path, clock: WallClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "_WAIT_S", 0.05)
    chosen = settings(quay, publish_every_minutes=0.02)
    chosen = chosen.model_copy(update={"detections": DetectionSettings(run_every_minutes=0.005)})
    Desk.open(tmp_path).__exit__(None, None, None)
    blocker = sqlite3.connect(tmp_path / store.FILE_NAME, isolation_level=None)
    blocker.execute("BEGIN EXCLUSIVE")
    with serving(tmp_path, chosen, clock) as one:
        refused = wait_for(lambda: one.get("/health")[1]["jobs"]["detections"]["error"], "the desk's refusal")
        assert store.FILE_NAME in refused
        assert wait_for(one.synced_at, "a sync") > 0
        blocker.rollback()
        blocker.close()

        def judged() -> int:
            with Desk.open(tmp_path) as desk:
                return watch.judged_days(desk)

        assert wait_for(judged, "judged days") >= 2
        assert one.get("/health")[0] == 200
