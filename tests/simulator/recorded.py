"""The recorded Quay, loaded into a stand-in: its log rows, its names as they were then, its users and their scopes."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime
from pathlib import Path

from quayledger.simulator.clock import Clock, to_us
from quayledger.simulator.quay import Config, Content, Quay
from quayledger.simulator.registry import Registry
from quayledger.simulator.table import Row
from tests.simulator import recorded_state

AFTERWARDS = datetime(2026, 11, 23, 8, 53, 40, tzinfo=UTC)
# a moment of each of the three parts of the recorded calls
BEFORE = datetime(2026, 11, 23, 8, 40, tzinfo=UTC)
MIDWAY = datetime(2026, 11, 23, 9, 5, tzinfo=UTC)
AT_LAST = datetime(2026, 11, 23, 9, 12, tzinfo=UTC)


def load(recordings: Path) -> Quay:
    """A stand-in that holds what the recorded Quay held, a moment after its last recorded call."""
    lines = list(csv.DictReader((recordings / "ground_truth_logentry3.csv").read_text(encoding="utf-8").splitlines()))
    registry = _names(lines, recordings)
    rows = [_row(registry, line) for line in lines]
    return Quay(Content(registry, (rows,)), Clock(AFTERWARDS))


def token_for(quay: Quay, user: str, scopes: str, *, expired: bool = False) -> str:
    """An access token like the one that a recorded call was made with."""
    value = f"{user}/{scopes}/{expired}"
    account = quay.registry.account(user)
    assert account is not None
    quay.registry.add_token(value, account.id, scopes.split(), 0 if expired else None)
    return value


def at(recordings: Path, moment: datetime) -> Quay:
    """A stand-in whose registry is as the recorded one was then; without its log."""
    registry = recorded_state.build(recordings)
    if moment > BEFORE:
        recorded_state.go_on(registry, recordings, moment)
    return Quay(
        Content(registry, ([],), Config(immutable_tags=False, org_mirror=False, mirror_health=True)), Clock(moment)
    )


def _names(lines: list[dict[str, str]], recordings: Path) -> Registry:
    registry = recorded_state.build(recordings)
    for line in lines:
        if registry.account(line["account"]) is None:
            registry.add_account(line["account"], "org").deleted = True
        if line["performer"] and registry.account(line["performer"]) is None:
            registry.add_account(line["performer"], "robot")
        if line["repository"] and registry.repository(line["account"], line["repository"]) is None:
            account = registry.account(line["account"])
            assert account is not None
            registry.add_repository(account.id, line["repository"])
    return registry


def _row(registry: Registry, line: dict[str, str]) -> Row:
    account, performer = registry.account(line["account"]), registry.account(line["performer"])
    repository = registry.repository(line["account"], line["repository"])
    assert account is not None
    json.loads(line["metadata_json"])
    return Row(
        to_us(datetime.fromisoformat(line["datetime"])),
        line["kind"],
        account.id,
        performer.id if performer else 0,
        repository.id if repository else 0,
        line["ip"] or None,
        line["metadata_json"].encode(),
    )
