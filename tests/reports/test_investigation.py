"""The report on one thing: what it was seen with, what is new about it, and names that mean something else or nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from quayledger.reports.detections import backtest
from quayledger.reports.errors import BadParameter
from quayledger.reports.model import Report
from quayledger.reports.period import parse
from quayledger.reports.security import investigation
from quayledger.reports.security.investigation import InvestigateKind, InvestigateParams, kind_of_text
from quayledger.warehouse.log import events
from quayledger.warehouse.log.events import EventFilter
from quayledger.warehouse.snapshot import Snapshot
from tests.reports.sample import NOW

PERIOD = parse("2026-11-12..2026-11-21", "UTC", NOW)


def _report(snapshot: Snapshot, kind: InvestigateKind, name: str) -> Report:
    return investigation.build(snapshot, InvestigateParams(kind=kind, name=name, period=PERIOD), now=NOW)


@pytest.mark.parametrize(
    ("kind", "name", "where"),
    [
        ("user", "alice", {"actor": "alice"}),
        ("robot", "acme+deploy", {"actor": "acme+deploy"}),
        ("ip", "198.51.100.2", {"ip": "198.51.100.2"}),
        ("ip", "198.51.100.0/24", {"ip": "198.51.100.0/24"}),
        ("repository", "acme/web", {"repository": "acme/web"}),
        ("tag", "acme/web:v1.1", {"repository": "acme/web", "tag": "v1.1"}),
        ("tag", "v1.1", {"tag": "v1.1"}),
    ],
)
def test_every_number_is_that_of_the_events(
    snapshot: Snapshot, kind: InvestigateKind, name: str, where: dict[str, Any]
) -> None:
    report = _report(snapshot, kind, name)
    held = events.events(snapshot, EventFilter(since=PERIOD.since, until=PERIOD.until, **where), limit=0)
    assert held.height > 5
    assert report.metrics[0].value == held.height
    assert report.table("events").total_rows == held.height
    assert int(report.charts[0].frame["events"].sum()) == held.height
    kinds = {row["value"]: row["events"] for row in report.table("kind").frame.to_dicts()}
    assert kinds == dict(held.group_by("kind").len().iter_rows())
    whole = events.events(snapshot, EventFilter(**where), limit=0)
    assert report.table("seen").frame["occurred_at"].to_list() == [
        whole["occurred_at"].min(),
        whole["occurred_at"].max(),
    ]
    if kind in ("user", "robot"):
        addresses = report.table("network").frame.to_dicts()
        assert [(row["network"], row["events"]) for row in addresses] == [("198.51.100.0/24", held["ip"].count())]
        assert name not in report.table("shared").frame["value"].to_list()


def test_nothing_is_new_where_the_days_before_are_not_known(snapshot: Snapshot) -> None:
    everything = InvestigateParams(kind="user", name="alice", period=parse("2026-11", "UTC", NOW))
    assert investigation.build(snapshot, everything, now=NOW).table("new").frame.is_empty()


def test_a_name_that_nothing_has_is_said(snapshot: Snapshot) -> None:
    report = _report(snapshot, "user", "nosuch' OR 1=1 --")
    assert report.table("seen").empty == "The record holds no event of it, in any period."
    assert not any(table.frame.height for table in report.tables)
    with pytest.raises(BadParameter, match="Say which user: alice"):
        _report(snapshot, "user", "  ")


def test_what_a_name_most_likely_is() -> None:
    texts = ("198.51.100.7", "2001:db8::/32", "sha256:ab", "acme/web", "acme/web:v1", "acme+ci", "alice", " ")
    assert [kind_of_text(text) for text in texts] == [
        *("ip", "ip", "digest", "repository", "tag", "robot", "user"),
        None,
    ]


def test_a_back_test_counts_every_day_and_records_nothing(snapshot: Snapshot) -> None:
    params = backtest.BacktestParams(rule="D16", period=PERIOD)
    report = backtest.build(snapshot, params, now=NOW)
    assert report.charts[0].frame.height == 10
    assert report.tables[0].total_rows == int(report.charts[0].frame["signals"].sum())


def test_a_back_test_judges_as_the_settings_say(
    snapshot: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tmp_path / "quayledger.toml"
    settings.write_text("[detections.rules.D14]\nenabled = false\n", encoding="utf-8")
    monkeypatch.setenv("QUAYLEDGER_CONFIG", str(settings))
    off = backtest.build(snapshot, backtest.BacktestParams(rule="D14", period=PERIOD), now=NOW)
    assert off.metrics[0].value is None
    assert off.tables[0].empty == "switched off in the settings"
