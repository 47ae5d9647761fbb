"""A small ledger, the same at every run: twenty days of one registry, names that mean harm, one day short, one day
open."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl

from quayledger.warehouse.ledger import Ledger
from quayledger.warehouse.log.slices import Reading, merge_reading, record_counts, set_state
from quayledger.warehouse.publish import publish
from quayledger.warehouse.runs import finish_run, start_run
from quayledger.warehouse.schema import EVENT_SCHEMA, REJECT_SCHEMA, SliceState
from quayledger.warehouse.sources import CoverRow, add_cover, register_source

FIRST = date(2026, 11, 2)
LAST = date(2026, 11, 21)
NOW = datetime(2026, 11, 21, 15, 0, tzinfo=UTC)
SHORT_DAY = date(2026, 11, 15)
MISSING_PUSHES = 3
SOURCE = "main"
HOSTILE_NAMESPACE = "</script><img src=x onerror=alert(1)>"
HOSTILE_ROBOT = "=cmd|' /C calc'!A0+bot"
HOSTILE_ACTOR = "[red]eve[/red]\x1b[31m\u202e"
DOCKER = "docker/27.3.1 go/go1.22.7 os/linux arch/amd64 UpstreamClient(Docker-Client/27.3.1)"
PODMAN = "containers/5.33.0 (github.com/containers/image)"
_PLACES = (("acme", "web"), ("acme", "api"), ("globex", "base/images"), ("acme", "web"), (HOSTILE_NAMESPACE, "=1+1"))
_ACTORS = (("alice", "user"), ("acme+deploy", "robot"), (None, None), (HOSTILE_ACTOR, "user"), (HOSTILE_ROBOT, "robot"))


def events_of(day: date, until_hour: int = 24) -> pl.DataFrame:
    """The events of one day: a working day has more than a Sunday, mornings more than nights."""
    number = (day - FIRST).days
    busy = 14 if day.isoweekday() > 5 else 34 + number % 7
    rows = [_event(day, number, turn) for turn in range(busy)]
    frame = pl.DataFrame(rows, schema=EVENT_SCHEMA, orient="row").sort("occurred_at", maintain_order=True)
    return frame.filter(pl.col("occurred_at").dt.hour() < until_hour)


def _event(day: date, number: int, turn: int) -> dict[str, object]:
    namespace, repository = _PLACES[(turn * 3 + number) % len(_PLACES)]
    actor, actor_kind = _ACTORS[(turn + number) % len(_ACTORS)]
    hour = (8 + turn % 9) if turn % 4 else (turn * 5 + number) % 24
    stamp = datetime(day.year, day.month, day.day, hour, turn % 60, (turn * 7) % 60, tzinfo=UTC)
    kind = ("pull_repo", "pull_repo", "push_repo", "pull_repo", "delete_tag", "pull_repo", "build_dockerfile")[turn % 7]
    kind = {30: "org_invent_something", 31: "cancel_build"}.get(turn, kind)
    event: dict[str, object] = dict.fromkeys(EVENT_SCHEMA)
    event.update(occurred_at=stamp, kind=kind, namespace=namespace, namespace_kind="org", ip=f"198.51.100.{turn % 6}")
    event.update(performer=actor, performer_kind=actor_kind, repository=repository, repository_namespace=namespace)
    event.update(
        metadata=json.dumps(_metadata(kind, actor, actor_kind, number, turn), separators=(",", ":"), sort_keys=True)
    )
    if kind in ("pull_repo", "push_repo", "delete_tag"):
        event.update(tag=f"v1.{turn % 3}", user_agent=DOCKER if turn % 3 else PODMAN)
    return event


def _metadata(kind: str, actor: str | None, actor_kind: str | None, number: int, turn: int) -> dict[str, object]:
    found: dict[str, object] = {"username": actor} if actor else {}
    if actor_kind == "robot":
        found["is_robot"] = True
    if kind == "build_dockerfile":
        found |= {"build_id": f"build-{number}-{turn}"}
        found |= {"trigger_kind": "github"} if turn % 2 else {"is_manual": True}
    if kind == "cancel_build":
        found |= {"build_uuid": f"build-{number}-13"}
    return found


def build_ledger(home: Path, *, first: date = FIRST, last: date = LAST, skip: tuple[date, ...] = ()) -> None:
    """Fill and publish a ledger in `home`: each day read, counted and given its state, `skip` left out."""
    with Ledger.open(home, command="sample") as ledger:
        register_source(ledger, SOURCE, "Main registry", "https://quay.example.com", NOW)
        add_cover(ledger, SOURCE, CoverRow(1, first, ("superuser",), (), "first cover"))
        run_id = start_run(ledger, "sync", "sample", NOW)
        day = first
        while day <= last:
            if day not in skip:
                _store(ledger, run_id, day)
            day += timedelta(days=1)
        finish_run(ledger, run_id, NOW, "done", "", ())
        publish(ledger, keep=3, now=NOW)


def add_day(home: Path, day: date) -> None:
    """One day more in a ledger, and a new copy for readers."""
    with Ledger.open(home, command="sample") as ledger:
        run_id = start_run(ledger, "sync", "sample", NOW)
        _store(ledger, run_id, day)
        finish_run(ledger, run_id, NOW, "done", "", ())
        publish(ledger, keep=3, now=NOW)


def _store(ledger: Ledger, run_id: int, day: date) -> None:
    frame = events_of(day, 15 if day == LAST else 24)
    counts = {str(kind): int(count) for kind, count in frame.group_by("kind").len().iter_rows()}
    state = SliceState.OPEN if day == LAST else SliceState.VERIFIED
    if day == SHORT_DAY:
        counts["push_repo"] += MISSING_PUSHES
        state = SliceState.SHORT
    begin = datetime(day.year, day.month, day.day, tzinfo=UTC)
    reading = Reading(
        source_id=SOURCE,
        day=day,
        scope="superuser",
        part="",
        method="pages",
        run_id=run_id,
        started_at=begin,
        ended_at=begin + timedelta(days=1),
        rows=frame.height,
        requests=2,
        end_reason="end",
        complete=True,
    )
    record_counts(ledger, run_id, SOURCE, "superuser", {day: counts}, NOW)
    merge_reading(ledger, reading, frame, pl.DataFrame(schema=REJECT_SCHEMA))
    expected = sum(counts.values())
    set_state(ledger, SOURCE, day, 1, state, expected_events=expected, note="", now=NOW, counted_at=NOW)
