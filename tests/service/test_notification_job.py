"""The service tells of an alert by itself, soon after it was raised; a target that is away makes it say so and stops nothing else."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from quayledger.reports.desk import alerts
from quayledger.reports.desk.store import Desk
from quayledger.service import due_times, scheduler
from quayledger.settings import DetectionSettings, NotifyTarget, SiemSettings
from tests.delivery.conftest import Webhook, webhook
from tests.service.conftest import WallClock, serving, settings, wait_for

__all__ = ["webhook"]


def _findings(home: Path) -> set[str]:
    """The alerts that were written for a SIEM."""
    lines = [line for path in (home / "siem").glob("ocsf-*.jsonl") for line in path.read_text().splitlines()]
    records = [json.loads(line) for line in lines]
    return {one["finding_info"]["uid"] for one in records if one["class_uid"] == 2004}


@pytest.fixture(scope="module")
def quay(start_simulator: Any) -> Any:
    return start_simulator("--events", "100", "--days", "2")


def test_an_alert_is_told_of_once_the_target_is_back(
    quay: Any, tmp_path: Path, clock: WallClock, webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (due_times, scheduler):
        monkeypatch.setattr(module, "NOTIFY_EVERY", timedelta(seconds=0.2))
    chosen = settings(quay, publish_every_minutes=0.02).model_copy(
        update={
            "detections": DetectionSettings(run_every_minutes=0.005),
            "notify": {"ops": NotifyTarget(target_url=SecretStr(webhook.url))},
            "siem": SiemSettings(folder=tmp_path / "siem", run_every_minutes=0.005),
        }
    )
    webhook.status = 500
    with serving(tmp_path, chosen, clock) as one:
        refused = wait_for(lambda: one.get("/health")[1]["jobs"]["notifications"]["error"], "the target's refusal")
        assert refused.startswith("ops: ")
        assert "T0KEN" not in refused
        webhook.status = 200
        clock.offset = timedelta(minutes=5)
        with Desk.open(tmp_path) as desk:
            wanted = {f"(alert {one.alert_id})" for one in alerts.list_alerts(desk, clock()) if one.severity != "low"}
        wait_for(lambda: len(webhook.posts) >= len(wanted), "the notifications")
        wait_for(lambda: len(_findings(tmp_path)) >= len(wanted), "the findings for a SIEM")
    assert sorted(post["title"][post["title"].index("(") :] for post in webhook.posts) == sorted(wanted)
