"""What the warehouse's tests share: events, readings and ledgers in few words."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from quayledger.warehouse.ledger import Ledger
from quayledger.warehouse.log.slices import Merged, Reading, merge_reading, record_counts, set_state
from quayledger.warehouse.runs import Spent, finish_run, start_run
from quayledger.warehouse.schema import EVENT_SCHEMA, REJECT_SCHEMA, SliceState
from quayledger.warehouse.sources import CoverRow, add_cover, register_source

SOURCE = "main"
SCOPE = "superuser"
DAY = date(2026, 10, 5)
NOW = datetime(2026, 11, 24, 2, 30, tzinfo=UTC)
NO_REJECTS = pl.DataFrame(schema=REJECT_SCHEMA)


def event(second: int = 0, kind: str = "pull_repo", *, day: date = DAY, **values: Any) -> dict[str, Any]:
    """One event of a day; what is not said is null."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return {"occurred_at": midnight + timedelta(seconds=second), "kind": kind, **values}


def frame(events: Iterable[dict[str, Any]]) -> pl.DataFrame:
    """Events as a frame of EVENT_SCHEMA."""
    return pl.DataFrame(list(events), schema=EVENT_SCHEMA)


def reading(*, source_id: str = SOURCE, day: date = DAY, scope: str = SCOPE, ended_at: datetime = NOW) -> Reading:
    """A whole reading by pages."""
    return Reading(
        source_id=source_id,
        day=day,
        scope=scope,
        part="",
        method="pages",
        run_id=1,
        started_at=ended_at - timedelta(seconds=1),
        ended_at=ended_at,
        rows=0,
        requests=1,
        end_reason="end",
        complete=True,
    )


def begin(ledger: Ledger, source_id: str = SOURCE) -> None:
    """Makes a source known and covered by the whole registry's log."""
    register_source(ledger, source_id, source_id.title(), f"https://{source_id}.example.com", NOW)
    add_cover(ledger, source_id, CoverRow(1, date(2026, 1, 1), (SCOPE,), (), "found"))


def store(
    ledger: Ledger,
    events: list[dict[str, Any]],
    *,
    source_id: str = SOURCE,
    day: date = DAY,
    scope: str = SCOPE,
    rejects: pl.DataFrame = NO_REJECTS,
) -> Merged:
    """Merges one reading of a day."""
    return merge_reading(ledger, reading(source_id=source_id, day=day, scope=scope), frame(events), rejects)


def seal(ledger: Ledger, day: date, *, source_id: str = SOURCE, state: SliceState = SliceState.VERIFIED) -> None:
    """Judges a day as it is held."""
    held = ledger.rows("SELECT count(*) FROM stg_events WHERE source_id = ? AND day = ?", [source_id, day])[0][0]
    set_state(ledger, source_id, day, 1, state, expected_events=held, note="", now=NOW, counted_at=NOW)


def busy_day(day: date, number: int = 40) -> list[dict[str, Any]]:
    """Events of several kinds, accounts and clients, some of them equal."""
    agents = ("docker/24.0.7 go/go1.20", "skopeo/1.9.3", "containers/5.29.1 (github.com/containers/image)", None)
    made = []
    for index in range(number):
        robot = index % 3 == 0
        anonymous = index % 5 == 4
        made.append(
            event(
                index // 2 * 60,
                "push_repo" if index % 4 == 0 else "pull_repo",
                day=day,
                namespace="acme",
                namespace_kind="org",
                performer=None if anonymous else "acme+ci" if robot else "alice",
                performer_kind=None if anonymous else "robot" if robot else "user",
                ip=f"10.0.0.{index % 6}",
                repository=f"web{index % 2}",
                repository_namespace="acme",
                tag="latest",
                user_agent=agents[index % 4],
                metadata='{"mediaType":"application/vnd.oci.image.manifest.v1+json"}',
            )
        )
    return made


def fill(home: Path, days: Iterable[date]) -> None:
    """A ledger with a source, a run, and the same sort of day again and again, counted and sealed."""
    with Ledger.open(home, command="fill") as ledger:
        begin(ledger)
        run_id = start_run(ledger, "sync", "fill", NOW)
        for day in days:
            events = busy_day(day)
            kinds = frame(events).group_by("kind").len()
            counts = dict(zip(kinds["kind"].to_list(), kinds["len"].to_list(), strict=True))
            record_counts(ledger, run_id, SOURCE, SCOPE, {day: counts}, NOW)
            store(ledger, events, day=day)
            seal(ledger, day)
        finish_run(ledger, run_id, NOW, "done", "", [Spent(SOURCE, "listLogs", "read", "ok", 7, 1.5, 900)])
