"""Records for a SIEM: all valid by the compiled schema of OCSF 1.8, in the classes that people look in, each event exactly once."""

from __future__ import annotations

import csv
import json
import shutil
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pyarrow.parquet as parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from quayledger.cli._main import app
from quayledger.collector.log.normalise import DefaultNamespace, Event, event_frame, normalise
from quayledger.reports.delivery import ocsf, ocsf_files, siem
from quayledger.reports.delivery.ocsf_kinds import OCSF_KINDS
from quayledger.reports.desk import alerts
from quayledger.reports.desk.alerts import AlertState
from quayledger.reports.desk.store import Desk
from quayledger.reports.detections.model import Severity, Signal
from quayledger.settings import SettingsError, SiemSettings
from quayledger.warehouse.ledger import Ledger
from quayledger.warehouse.publish import publish
from quayledger.warehouse.snapshot import Snapshot
from tests.delivery.ocsf import checker
from tests.warehouse.sample import begin, event, store

ROOT = Path(__file__).parent.parent.parent
NOW = datetime(2026, 11, 24, 2, 30, tzinfo=UTC)
TODAY, BEFORE = date(2026, 11, 24), date(2026, 11, 20)
RECORDED = sorted((ROOT / "tests" / "recordings").glob("*superuser_logs*.json"))
KINDS = {row["kind"] for row in csv.DictReader((ROOT / "warehouse" / "seeds" / "log_kinds.csv").open(encoding="utf-8"))}


def _recorded() -> list[Event]:
    """Each distinct event that a real Quay gave."""
    rows = {json.dumps(row): row for path in RECORDED for row in json.loads(path.read_text())["body"]["logs"]}
    made = [normalise(msgspec.json.encode(row), DefaultNamespace(None, None)) for row in rows.values()]
    return [one for one in made if isinstance(one, Event)]


def _store(ledger: Ledger, frame: pl.DataFrame) -> None:
    for (day,), rows in frame.group_by(pl.col("occurred_at").dt.date(), maintain_order=True):
        assert isinstance(day, date)
        store(ledger, rows.to_dicts(), day=day)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger that holds what a real Quay gave, and one event without anything of every kind that there is and of one that there
    is not yet."""
    folder = tmp_path_factory.mktemp("recorded")
    with Ledger.open(folder, command="sample") as ledger:
        begin(ledger)
        _store(ledger, event_frame(_recorded()))
        store(
            ledger, [event(n, kind, day=BEFORE) for n, kind in enumerate([*sorted(KINDS), "kind_of_2030"])], day=BEFORE
        )
        publish(ledger, keep=3, now=NOW)
    return folder


def _lines(text: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_every_kind_has_its_class_and_every_record_is_valid(home: Path, tmp_path: Path) -> None:
    assert OCSF_KINDS.keys() == KINDS, "a kind of Quay's without a class, or a class without a kind"
    target = tmp_path / "events.jsonl"
    words = [
        "export-events",
        "--home",
        str(home),
        "--output",
        str(target),
        "--from",
        "2020-01-01",
        "--to",
        "2026-11-24",
    ]
    assert CliRunner().invoke(app, words).exit_code == 0
    records = _lines(target.read_bytes())
    with Snapshot.open(home) as snapshot:
        ids = [key for (key,) in snapshot.rows("SELECT event_id FROM events")]
    assert Counter(one["metadata"]["uid"] for one in records) == Counter(ids)
    wrong = {one["metadata"]["event_code"]: checker.faults(one) for one in records if checker.faults(one)}
    assert wrong == {}
    assert {one["metadata"]["event_code"] for one in records} >= KINDS
    classes = {one["metadata"]["event_code"]: one["class_uid"] for one in records}
    looked_for = {
        **dict.fromkeys(("login_success", "login_failure", "logout_success"), 3002),
        **dict.fromkeys(("create_robot", "user_create", "user_disable"), 3001),
        **dict.fromkeys(("org_create_team", "org_add_team_member"), 3006),
        **dict.fromkeys(("change_repo_permission", "delete_repo_permission"), 3005),
        **dict.fromkeys(("create_repo", "org_create", "org_create_quota", "create_immutability_policy"), 3004),
        **dict.fromkeys(("push_repo", "pull_repo", "delete_tag", "kind_of_2030"), 6003),
    }
    assert {kind: classes[kind] for kind in looked_for} == looked_for


def test_parquet_holds_the_same(home: Path, tmp_path: Path) -> None:
    target = tmp_path / "events.parquet"
    words = [
        "export-events",
        "--home",
        str(home),
        "--format",
        "ocsf-parquet",
        "--output",
        str(target),
        "--from",
        "2020-01-01",
    ]
    assert CliRunner().invoke(app, words).exit_code == 0
    rows = [
        {**_without_nulls(row), "unmapped": json.loads(row["unmapped"])}
        for row in parquet.read_table(target).to_pylist()
    ]
    plain = CliRunner().invoke(app, ["export-events", "--home", str(home), "--from", "2020-01-01"])
    assert rows == _lines(plain.stdout_bytes)
    assert CliRunner().invoke(app, words[:-4]).exit_code == 2, "Parquet needs a file"


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nulls(one) for name, one in value.items() if one is not None}
    return [_without_nulls(one) for one in value] if isinstance(value, list) else value


def _record(given_event: dict[str, Any]) -> dict[str, Any]:
    times = pl.Datetime("us", "UTC")
    schema = {name: times if name == "occurred_at" else pl.String() for name in ocsf.OCSF_COLUMNS}
    (record,) = ocsf.of_events(pl.DataFrame([given_event], schema=schema))
    return record


def test_the_checker_refuses_what_is_wrong() -> None:
    given_event = {
        **dict.fromkeys(ocsf.OCSF_COLUMNS),
        "event_id": "main-20261120-1",
        "kind": "pull_repo",
        "source_id": "main",
    }
    right = _record({**given_event, "occurred_at": NOW, "actor_type": "system", "outcome": "success"})
    assert checker.faults(right) == []
    changes: tuple[dict[str, Any], ...] = (
        {"activity_id": 5},
        {"time": "now"},
        {"src_endpoint": {"ip": "no address"}},
        {"src_endpoint": {}},
        {"nonsense": 1},
        {"api": {}},
        {"resource": {}},
        {"class_uid": 1},
        {"metadata": {**right["metadata"], "version": "1.7.0"}},
        {"cloud": {"provider": "x"}},
    )
    for change in changes:
        assert checker.faults({**right, **change}), change


_TEXT = st.none() | st.text(max_size=20)
_EVENTS = st.fixed_dictionaries(
    {
        **dict.fromkeys(ocsf.OCSF_COLUMNS, _TEXT),
        "event_id": st.text(min_size=1, max_size=20),
        "source_id": st.just("main"),
        "kind": st.sampled_from([*sorted(KINDS), "kind_of_2030"]),
        "actor_type": st.sampled_from(["user", "robot", "token", "anonymous", "system"]),
        "outcome": st.sampled_from(["success", "failure"]),
        "occurred_at": st.integers(0, 4_000_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
        "metadata": st.none()
        | st.just("not JSON")
        | st.dictionaries(
            st.sampled_from(
                ["robot", "username", "team", "role", "repo", "message", "member", "name", "kid", "delegate_team"]
            ),
            st.none() | st.text(max_size=9) | st.integers() | st.lists(st.text(max_size=3), max_size=2) | st.booleans(),
        ).map(json.dumps),
    }
)


@given(_EVENTS)
@settings(deadline=None, max_examples=300)
def test_whatever_a_registry_says_the_record_is_valid(given_event: dict[str, Any]) -> None:
    record = _record(given_event)
    assert checker.faults(json.loads(msgspec.json.encode(record))) == []
    assert record["metadata"]["uid"] == given_event["event_id"]


def _alert(folder: Path, number: int, severity: Severity = Severity.HIGH) -> None:
    at = NOW - timedelta(hours=number)
    signal = Signal(
        rule_id="D1",
        rule_version=2,
        severity=severity,
        source_id="main",
        subject=f"subject {number}",
        first_at=at,
        last_at=at,
        count=1,
        event_ids=(f"main-20261120-{number}",),
        summary="Something.",
    )
    with Desk.open(folder) as desk:
        alerts.record(desk, [signal], NOW, titles={"D1": "Brute force"}, merge_within={})


class Folder:
    """The folder that a SIEM's shipper watches; what was in it, in the order of its files."""

    def __init__(self, home: Path, **values: Any) -> None:
        self.home, self.path = home, home.parent / "siem"
        self.settings = SiemSettings(folder=self.path, backfill_days=3660, **values)
        self.taken: list[dict[str, Any]] = []

    def write(self) -> siem.SiemWritten:
        return siem.write_new(self.home, self.settings, NOW)

    def take(self) -> list[dict[str, Any]]:
        """What a shipper finds, which it then removes."""
        for path in sorted(self.path.glob("ocsf-*")):
            self.taken += _lines(path.read_bytes())
            path.unlink()
        return self.taken

    def uids(self) -> list[str]:
        return [one["metadata"]["uid"] for one in self.take()]


@pytest.fixture
def folder(home: Path, tmp_path: Path) -> Iterator[Folder]:
    yield Folder(Path(shutil.copytree(home, tmp_path / "ledger")))


def _ids(home: Path) -> Counter[str]:
    with Snapshot.open(home) as snapshot:
        return Counter(key for (key,) in snapshot.rows("SELECT event_id FROM events"))


def test_late_rows_and_changed_alerts_follow_each_once(folder: Folder) -> None:
    _alert(folder.home, 1)
    first = folder.write()
    assert (first.files, first.alerts) == (1, 1)
    assert folder.write() == siem.SiemWritten()
    with Ledger.open(folder.home, command="sample") as ledger:
        rows = [event(n, "pull_repo", day=BEFORE) for n in range(5000, 5003)]
        store(ledger, rows, day=BEFORE)
        store(ledger, [event(1, "push_repo", day=TODAY)], day=TODAY)
        publish(ledger, keep=3, now=NOW)
    with Desk.open(folder.home) as desk:
        alerts.set_state(desk, 1, AlertState.ACKNOWLEDGED, "alice", NOW)
        alerts.set_state(desk, 1, AlertState.RESOLVED, "alice", NOW, note="ours")
    second = folder.write()
    assert (second.files, second.events, second.alerts) == (1, 4, 1)
    told = folder.take()
    findings = [one for one in told if one["class_uid"] == 2004]
    assert [(one["activity_id"], one["status_id"], one["severity_id"]) for one in findings] == [(1, 1, 4), (3, 4, 4)]
    assert [checker.faults(one) for one in told if checker.faults(one)] == []
    assert Counter(one["metadata"]["uid"] for one in told if one["class_uid"] != 2004) == _ids(folder.home)
    assert findings[0]["finding_info"]["uid"] == findings[1]["finding_info"]["uid"] == "alert-1"


def test_an_end_at_any_step_loses_nothing_and_doubles_nothing(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each step onto the disk fails once, before and after it was done; the shipper takes away what it finds in between."""
    monkeypatch.setattr(siem, "ROWS_PER_FILE", 1)
    ends = 0
    replace, close = Path.replace, ocsf_files.open_file

    def dying(step: int, *, after: bool) -> Any:
        done = 0

        def replace_and_die(self: Path, target: Path) -> Path:
            nonlocal done
            done += 1
            if done == step and not after:
                raise KeyboardInterrupt
            moved = replace(self, target)
            if done == step:
                raise KeyboardInterrupt
            return moved

        return replace_and_die

    for step in range(1, 7):
        for after in (False, True):
            monkeypatch.setattr(Path, "replace", dying(step, after=after))
            try:
                folder.write()
            except KeyboardInterrupt:
                ends += 1
            monkeypatch.setattr(Path, "replace", replace)
            folder.take()

    class Cut:
        def __init__(self, path: Path, form: str) -> None:
            self.file = close(path, form)
            self.add = self.file.add

        def close(self) -> None:
            raise KeyboardInterrupt

    _alert(folder.home, 3)
    monkeypatch.setattr(siem, "open_file", Cut)
    with pytest.raises(KeyboardInterrupt):
        folder.write()
    monkeypatch.setattr(siem, "open_file", close)
    folder.write()
    uids = folder.uids()
    assert ends >= 6
    assert Counter(one for one in uids if not one.startswith("alert-")) == _ids(folder.home)
    assert [one for one in uids if one.startswith("alert-")] == ["alert-1-1"]
    assert [path.name for path in folder.path.glob(".ocsf-*")] == []


def test_a_folder_of_another_ledger_or_with_a_foreign_position_is_refused(folder: Folder, tmp_path: Path) -> None:
    folder.write()
    other = tmp_path / "other"
    with Ledger.open(other, command="sample") as ledger:
        begin(ledger)
        publish(ledger, keep=3, now=NOW)
    with pytest.raises(SettingsError, match="another ledger"):
        siem.write_new(other, folder.settings, NOW)
    (folder.path / ".position.json").write_text("{}")
    with pytest.raises(SettingsError, match="is not a position"):
        folder.write()


def test_a_missing_file_of_closed_days_is_written_when_it_is_back(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(siem, "is_whole", lambda _snapshot, _source, day: day != BEFORE)
    folder.write()
    monkeypatch.undo()
    assert len(folder.uids()) < _ids(folder.home).total()
    folder.write()
    assert Counter(folder.uids()) == _ids(folder.home)
