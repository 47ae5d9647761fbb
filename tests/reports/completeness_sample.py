"""A ledger with something of everything that the pipeline can be in: two registries, every state, repairs, a reading
thrown away, runs that went well, fell short, failed and were cut off."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Literal

import polars as pl

from quayledger.warehouse.ledger import Ledger
from quayledger.warehouse.log.slices import Reading, merge_reading, record_counts, record_void, set_state
from quayledger.warehouse.publish import publish
from quayledger.warehouse.runs import Spent, finish_run, start_run
from quayledger.warehouse.schema import REJECT_SCHEMA, SliceState
from quayledger.warehouse.sources import CoverRow, add_cover, register_source
from tests.reports.sample import HOSTILE_NAMESPACE, NOW, events_of

Method = Literal["pages", "export", "file"]
MAIN, EDGE = "main", "edge"
SCOPE = "superuser"
FIRST, LAST = date(2026, 11, 7), date(2026, 11, 21)
REPAIRED, SHORT, VOID, OVER, UNAVAILABLE, EMPTY = (date(2026, 11, number) for number in (9, 11, 12, 13, 14, 15))
UNCOUNTABLE, TRUNCATED, ROTATED, EXCLUDED, PROVISIONAL = (date(2026, 11, number) for number in (16, 7, 8, 17, 20))
WITH_REJECTS = date(2026, 11, 10)
MISSING = 5
STATES = {
    TRUNCATED: SliceState.TRUNCATED,
    ROTATED: SliceState.ROTATED,
    REPAIRED: SliceState.REPAIRED,
    WITH_REJECTS: SliceState.WITH_REJECTS,
    SHORT: SliceState.SHORT,
    OVER: SliceState.OVER,
    UNAVAILABLE: SliceState.UNAVAILABLE,
    UNCOUNTABLE: SliceState.UNCOUNTABLE,
    EXCLUDED: SliceState.EXCLUDED,
    PROVISIONAL: SliceState.PROVISIONAL,
    LAST: SliceState.OPEN,
}
_NOTES = {
    WITH_REJECTS: "complete but for 1 row that could not be read",
    SHORT: f"missing pull_repo {MISSING}",
    OVER: "more than the source counts: push_repo 1",
    UNAVAILABLE: f"superuser: 403, {HOSTILE_NAMESPACE}",
    ROTATED: "the source holds no older event, so events of this day may have been rotated away",
    EXCLUDED: "left out by the settings",
}
_FAILURE = "edge: the token was refused (401): set a new one\x1b[31m"


def build_pipeline_ledger(home: Path) -> None:
    """Fill and publish the ledger in `home`. The days of `edge` before the 18th were never collected."""
    with Ledger.open(home, command="sample") as ledger:
        for source_id, first in ((MAIN, FIRST), (EDGE, date(2026, 11, 18))):
            register_source(ledger, source_id, source_id, f"https://{source_id}.example.com", NOW)
            add_cover(ledger, source_id, CoverRow(1, first, (SCOPE,), (), "first cover"))
        backfill = _Run(ledger, datetime(2026, 11, 19, 0, 40, tzinfo=UTC))
        for number in range(7, 19):
            backfill.day(MAIN, date(2026, 11, number))
        backfill.day(EDGE, date(2026, 11, 18))
        backfill.end("done", "", _spent(MAIN, 26, throttled=2), _spent(EDGE, 4))
        repair = _Run(ledger, datetime(2026, 11, 20, 0, 40, tzinfo=UTC))
        repair.day(MAIN, date(2026, 11, 19))
        repair.again(MAIN, REPAIRED, "namespace=acme", "export")
        repair.void(MAIN, VOID)
        repair.end("incomplete", _FAILURE, _spent(MAIN, 9), _spent(EDGE, 1, outcome="error"))
        cut_off = _Run(ledger, datetime(2026, 11, 20, 12, 0, tzinfo=UTC))
        cut_off.end("interrupted", "its process ended without a word")
        last = _Run(ledger, datetime(2026, 11, 21, 14, 30, tzinfo=UTC))
        last.day(MAIN, PROVISIONAL)
        last.day(MAIN, LAST)
        last.end("done", "", _spent(MAIN, 6), _spent(EDGE, 1))
        start_run(ledger, "sync", "serve", NOW - timedelta(minutes=1))
        publish(ledger, keep=3, now=NOW)


def _spent(source_id: str, reads: int, *, throttled: int = 0, outcome: str = "ok") -> list[Spent]:
    """One count and as many pages; some told to wait."""
    rows = [
        Spent(source_id, "getAggregateLogs", "count", outcome, 1, 0.4, 900),
        Spent(source_id, "listLogs", "read", "ok", reads - 1, 0.25 * (reads - 1), 21_000 * (reads - 1)),
        Spent(source_id, "listLogs", "read", "throttled", throttled, 0.05 * throttled, 0),
    ]
    return [row for row in rows if row.requests]


class _Run:
    """A run and what it did."""

    def __init__(self, ledger: Ledger, began: datetime) -> None:
        self._ledger, self._began = ledger, began
        self._id = start_run(ledger, "sync", "serve", began)

    def end(self, outcome: str, message: str, *spent: list[Spent]) -> None:
        rows = [row for rows in spent for row in rows]
        finish_run(self._ledger, self._id, self._began + timedelta(minutes=4), outcome, message, rows)

    def day(self, source_id: str, day: date) -> None:
        """Count, read and judge one day as its state wants it."""
        state = STATES.get(day, SliceState.VERIFIED)
        frame = events_of(day, 15 if day == LAST else 24)
        frame = frame.clear() if day == EMPTY else frame
        if state in (SliceState.UNAVAILABLE, SliceState.EXCLUDED):
            self._judge(source_id, day, state, None)
            return
        counts = {str(kind): int(number) for kind, number in frame.group_by("kind").len().iter_rows()}
        changed = {SHORT: ("pull_repo", MISSING), OVER: ("push_repo", -1), WITH_REJECTS: ("pull_repo", 1)}.get(day)
        if changed:
            counts[changed[0]] += changed[1]
        if state is not SliceState.UNCOUNTABLE:
            record_counts(self._ledger, self._id, source_id, SCOPE, {day: counts}, self._began + timedelta(minutes=1))
        kept = frame.head(frame.height - 4) if day == REPAIRED else frame
        if frame.height:
            reading = self._reading(source_id, day, rows=kept.height)
            merge_reading(self._ledger, reading, kept, _rejects(day))
        self._judge(source_id, day, SliceState.SHORT if day == REPAIRED else state, sum(counts.values()))

    def again(self, source_id: str, day: date, part: str, method: Method) -> None:
        """Read the day another way, and find it complete."""
        frame = events_of(day)
        reading = self._reading(source_id, day, part=part, method=method, rows=frame.height)
        merge_reading(self._ledger, reading, frame, pl.DataFrame(schema=REJECT_SCHEMA))
        self._judge(source_id, day, STATES[day], frame.height)

    def void(self, source_id: str, day: date) -> None:
        """Read the day again and throw the reading away."""
        record_void(self._ledger, self._reading(source_id, day, rows=99), "brought more than the source counts")

    def _reading(self, source_id: str, day: date, *, rows: int, part: str = "", method: Method = "pages") -> Reading:
        began = self._began + timedelta(minutes=2)
        ended = began + timedelta(seconds=40)
        requests = 1 if method == "export" else -(-rows // 20)
        return Reading(
            source_id, day, SCOPE, part, method, self._id, began, ended, rows, requests, "filled", complete=True
        )

    def _judge(self, source_id: str, day: date, state: SliceState, expected: int | None) -> None:
        expected = None if state is SliceState.UNCOUNTABLE else expected
        at = self._began + timedelta(minutes=3)
        note = _NOTES.get(day, "")
        counted_at = None if expected is None else self._began + timedelta(minutes=1)
        set_state(
            self._ledger, source_id, day, 1, state, expected_events=expected, note=note, now=at, counted_at=counted_at
        )


def _rejects(day: date) -> pl.DataFrame:
    rows = [{"kind": "pull_repo", "reason": "no time", "raw": "{}"}] if day in (PROVISIONAL, WITH_REJECTS) else []
    return pl.DataFrame(rows, schema=REJECT_SCHEMA)
