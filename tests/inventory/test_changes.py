"""Changes planted in a stand-in's registry: the inventory finds all of them, what events tell at once, the rest by its rounds."""

from __future__ import annotations

import json
import time
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest

from quayledger.collector.inventory.inventory_sync import InventoryOutcome, InventoryRequest
from quayledger.reports.inventory import unlogged
from quayledger.settings import InventorySettings
from quayledger.warehouse.catalog import FAMILY, SERIES_BY_NAME
from quayledger.warehouse.catalog.event_effects import EFFECTS
from quayledger.warehouse.catalog.queries import QUERY
from quayledger.warehouse.inventory import reader
from quayledger.warehouse.snapshot import Snapshot
from tests.inventory.taking import NOW, clock, read_log, settings, take

Planted = dict[str, Any]
# Kept of manifests that a tag stands for; a manifest without a tag is nobody's.
OF_MANIFESTS = ("manifests", "manifest_labels", "referrers", "scans", "vulnerabilities")


class Stage(msgspec.Struct):
    """What the ledger tells after a step: the difference, and the newest points of each series."""

    outcome: InventoryOutcome
    found: pl.DataFrame
    points: dict[str, pl.DataFrame]
    judged: pl.DataFrame


class Story(msgspec.Struct):
    """A registry read whole, changed, and read again: by what events ask for, by the lists of a day, by a whole round."""

    planted: list[Planted]
    tagged: set[str]
    first: InventoryOutcome
    by_events: Stage
    by_day: Stage
    by_round: Stage


@pytest.fixture(scope="module")
def story(start_simulator: Any, tmp_path_factory: pytest.TempPathFactory) -> Story:
    quay = start_simulator("--events", "1500", "--days", "3", "--now", NOW)
    home = tmp_path_factory.mktemp("changes") / "ledger"
    chosen = settings(quay, inventory=InventorySettings())
    read_log(home, chosen)
    first = take(home, chosen)
    tagged = _tagged(home)
    now = clock(chosen)
    since = now()
    time.sleep(1.1)  # events tell whole seconds
    planted = quay.control("changes")
    read_log(home, chosen)
    day, whole = timedelta(days=1), InventoryRequest(everything=True)
    until = now() + timedelta(days=2)
    at_once = _stage(home, take(home, chosen), since, until)
    return Story(
        planted,
        tagged | _tagged(home),
        first,
        at_once,
        _stage(home, take(home, chosen, later=day), since, until),
        _stage(home, take(home, chosen, whole, later=day + timedelta(minutes=1)), since, until),
    )


def _tagged(home: Path) -> set[str]:
    with Snapshot.open(home) as snapshot:
        tags = reader.as_of(snapshot, "tags")
    return set(tags.filter(pl.col("ended_at").is_null())["digest"])


def _stage(home: Path, outcome: InventoryOutcome, since: datetime, until: datetime) -> Stage:
    with Snapshot.open(home) as snapshot:
        found = reader.diff(snapshot, since, until)
        points = {name: reader.series(snapshot, name) for name in SERIES_BY_NAME}
        judged = unlogged.changes(snapshot, since, until)
    return Stage(outcome, found, points, judged)


def _key(found: Any) -> str:
    told = json.loads(found) if isinstance(found, str) else found
    return json.dumps(told, sort_keys=True).replace("+00:00", "Z")


def _missing(planted: list[Planted], stage: Stage) -> list[Planted]:
    """The planted changes that the ledger does not tell of."""
    told: Counter[tuple[str, ...]] = Counter()
    for row in stage.found.iter_rows(named=True):
        told[row["family"], row["change"], _key(row["key"]), row["column"] or ""] += 1
        told[row["family"], row["change"], _key(row["key"]), ""] += 1
        if row["change"] == "renamed":
            told["renamed", row["before"], row["after"]] += 1
    return [one for one in planted if not _is_told(one, told, stage.points)]


def _is_told(one: Planted, told: Counter[tuple[str, ...]], points: dict[str, pl.DataFrame]) -> bool:
    if one["change"] == "renamed":
        # All that goes by an account's name is renamed with it; that is told once.
        return bool(told["renamed", one["before"].partition("+")[0], one["after"].partition("+")[0]])
    if one["change"] != "measured":
        return bool(told[one["family"], one["change"], _key(one["object"]), one.get("column", "")])
    held = points[one["family"]]
    for column, value in one["object"].items():
        wanted = datetime.fromisoformat(value).date() if held.schema[column] == pl.Date else value
        held = held.filter(pl.col(column) == wanted)
    newest = held.sort("measured_at").tail(1)[one["column"]].to_list()
    after = one["after"]
    if held.schema[one["column"]] == pl.Datetime:
        newest = [at.replace(microsecond=0).isoformat() for at in newest]
    return bool(newest == [after])


def _asked_for(story: Story) -> list[Planted]:
    """The changes that a reader of the inventory can ask for."""
    return [
        one for one in story.planted if one["family"] not in OF_MANIFESTS or one["object"]["digest"] in story.tagged
    ]


def test_every_planted_change_is_found(story: Story) -> None:
    assert {one["family"] for one in story.planted} == set(FAMILY) - {"mirror_health"} | set(SERIES_BY_NAME)
    missing = _missing(_asked_for(story), story.by_round)
    assert missing == []


def test_what_an_event_tells_is_found_without_a_round(story: Story) -> None:
    told = [
        one
        for one in _asked_for(story)
        if one["logged"]
        and one["kind"] in EFFECTS
        and any(one["family"] in QUERY[query].writes for query in EFFECTS[one["kind"]].stale)
    ]
    assert len(told) > 80
    assert _missing(told, story.by_events) == []


def test_what_was_renamed_is_there_by_its_new_name_at_once(story: Story) -> None:
    """Its repositories, tags and scans are no more gone than it is."""
    gone = {(one["family"], _key(one["object"])) for one in story.planted if one["change"] == "vanished"}
    told = story.by_events.found.filter(pl.col("change") == "vanished", pl.col("certain"))
    content = told.filter(pl.col("family").is_in(["repositories", "tags", "manifests", "vulnerabilities"]))
    assert content.height > 20
    assert [row["key"] for row in content.iter_rows(named=True) if (row["family"], _key(row["key"])) not in gone] == []
    unsure = story.by_events.found.filter(pl.col("change") == "vanished", ~pl.col("certain"))
    assert unsure.filter(pl.col("family").is_in(["repositories", "tags", "manifests"])).is_empty()


def test_what_changes_cost(story: Story) -> None:
    """Events ask for a small part of what a whole round asks for; the lists of a day and scans that were not done yet for
    a handful more."""
    assert story.by_events.outcome.by_why.keys() <= {"event", "first"}
    assert story.by_events.outcome.requests < story.first.requests / 8
    assert story.by_day.outcome.by_why["round"] <= 20
    assert story.by_round.outcome.requests > story.first.requests / 2


def test_nothing_is_told_that_did_not_happen(story: Story) -> None:
    planted = {(one["family"], _key(one["object"])) for one in story.planted}
    facts = story.by_round.found.filter(pl.col("change") != "measured")
    invented = [
        (row["family"], row["object"], row["change"], row["column"])
        for row in facts.iter_rows(named=True)
        if (row["family"], _key(row["key"])) not in planted and row["change"] != "renamed"
    ]
    assert invented == []


def test_what_no_event_tells_of_is_told_apart(story: Story) -> None:
    """Only what was changed past the log is unlogged: not what came or went with a repository, team, account or organization."""
    judged = story.by_events.judged
    planted = {
        (one["family"], _key(one["object"]))
        for one in story.planted
        if not one["logged"] and one["family"] in unlogged.FAMILIES
    }
    found = judged.filter(pl.col("state") != unlogged.EXPLAINED)
    assert {(row["family"], _key(row["key"])) for row in found.iter_rows(named=True)} == planted
    assert {family for family, _ in planted} == {"repository_permissions", "team_members", "repositories", "robots"}
    assert judged.height > 10 * found.height
