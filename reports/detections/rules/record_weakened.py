"""D22: the record itself has a gap: a day that lacks events, was not collected, or is empty where days never are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import msgspec
import polars as pl

from quayledger.reports.detections.model import (
    DAY_SCHEMA,
    EVENT_SCHEMA,
    NOON,
    Finding,
    Fixture,
    Inputs,
    Rule,
    Severity,
    example,
)


class Params(msgspec.Struct, frozen=True):
    """`usual_events`: a day without an event is strange where the days before it hold at least so many (median)."""

    usual_events: int = 100


_BAD = ("short", "truncated", "over", "unavailable", "not collected")


def detect(inputs: Inputs, params: Params) -> Iterator[Finding]:
    """One finding per source and day. Days before the first that is held at all are not gaps."""
    nothing = EVENT_SCHEMA.to_frame()
    for (source_id,), days in inputs.days.sort("day").group_by("source_id", maintain_order=True):
        begun = days.filter(pl.col("state") != "not collected")["day"].min()
        if begun is None:
            continue
        for row in days.filter(pl.col("day") >= begun, pl.col("day") >= inputs.since.date()).iter_rows(named=True):
            why = _why(row, days, params)
            end = datetime.combine(row["day"] + timedelta(days=1), time(), UTC) - timedelta(seconds=1)
            if why and end < inputs.until:
                yield Finding(
                    source_id=str(source_id),
                    subject=row["day"].isoformat(),
                    events=nothing,
                    at=end,
                    summary=f"The record of {row['day']} is weaker than it should be: {why}",
                )


def _why(row: dict[str, Any], days: pl.DataFrame, params: Params) -> str:
    day, stored, expected = row["day"], row["stored_events"], row["expected_events"]
    if row["state"] == "not collected":
        return "the day was not collected."
    if row["state"] in _BAD:
        counted = "an unknown number" if expected is None else f"{expected:,}"
        return f"{stored:,} events are held, Quay reports {counted} ({row['state']})."
    before = days.filter(pl.col("day") < day)["stored_events"].tail(14).median()
    if stored == 0 and isinstance(before, (int, float)) and before >= params.usual_events:
        return f"no event at all, where the days before had about {before:,.0f}."
    return ""


def _case(states: Sequence[tuple[str, int, int | None]]) -> Inputs:
    last = NOON.date()
    rows = [
        ("main", last - timedelta(days=len(states) - 1 - n), state, stored, expected, "")
        for n, (state, stored, expected) in enumerate(states)
    ]
    base = example([])
    return msgspec.structs.replace(
        base, since=NOON - timedelta(hours=12), days=pl.DataFrame(rows, schema=DAY_SCHEMA, orient="row")
    )


_DAY: date = NOON.date()
RULE = Rule(
    id="D22",
    name="record-weakened",
    version=1,
    title="The record is weaker than it should be",
    severity=Severity.CRITICAL,
    techniques=("T1562.008", "T1070"),
    kinds=(),
    params=Params,
    detect=detect,
    description="A closed day lacks events that Quay counts, was not collected, or is empty although days before it were not.",
    false_positives="A Quay that was switched off for the day; a source that cannot be repaired.",
    runbook="`quayledger report completeness` says what is missing and why; `quayledger sync --from DAY --to DAY` tries again. "
    "Compare Quay's log switches with what they were.",
    fixtures=(
        Fixture(
            name="short",
            inputs=lambda: _case([("verified", 900, 900), ("short", 700, 900)]),
            subjects=(_DAY.isoformat(),),
        ),
        Fixture(
            name="empty",
            inputs=lambda: _case([("verified", 900, 900)] * 5 + [("verified", 0, 0)]),
            subjects=(_DAY.isoformat(),),
        ),
        Fixture(name="quiet", inputs=lambda: _case([("verified", 3, 3)] * 5 + [("verified", 0, 0)]), subjects=()),
        Fixture(name="not begun", inputs=lambda: _case([("not collected", 0, None)]), subjects=()),
    ),
)
