"""The verdict on a day: every state that the ledger may claim, and what it takes to claim it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from quayledger.collector.log.scope_day import ScopeDay, missing
from quayledger.collector.log.verdict import Verdict, judge
from quayledger.collector.quay.scopes import Scope
from quayledger.warehouse.schema import SliceState

OVER_AT = datetime(2026, 11, 22, 0, 30, tzinfo=UTC)
LATER = OVER_AT + timedelta(hours=1)


def part(
    counted: dict[str, int] | None,
    stored: dict[str, int],
    *,
    peak: dict[str, int] | None = None,
    at: datetime = LATER,
    unavailable: str = "",
    rejected: dict[str | None, int] | None = None,
) -> ScopeDay:
    scope, day = Scope("organization", "acme"), date(2026, 11, 21)
    return ScopeDay(
        "main", day, scope, counted, stored, peak or counted or {}, at, unavailable, rejected=rejected or {}
    )


def verdict(*parts: ScopeDay, over: bool = True, rejected: int = 0) -> Verdict:
    return judge(parts, over=over, over_at=OVER_AT, rejected_rows=rejected)


@pytest.mark.parametrize(
    ("evidence", "over", "state", "expected"),
    [
        (part({"pull_repo": 3}, {"pull_repo": 3}), True, SliceState.VERIFIED, 3),
        (part({}, {}), True, SliceState.VERIFIED, 0),
        (part({"pull_repo": 3}, {"pull_repo": 3}), False, SliceState.OPEN, 3),
        (part({"pull_repo": 3}, {"pull_repo": 3}, at=OVER_AT - timedelta(seconds=1)), True, SliceState.PROVISIONAL, 3),
        (part({"pull_repo": 3}, {"pull_repo": 1}), True, SliceState.SHORT, 3),
        (part({"pull_repo": 3}, {"pull_repo": 2}, rejected={"pull_repo": 1}), True, SliceState.WITH_REJECTS, 3),
        (part({"pull_repo": 3}, {"pull_repo": 2}, rejected={"pull_repo": 7}), True, SliceState.WITH_REJECTS, 3),
        # More is missing than was rejected, or something else.
        (part({"pull_repo": 3}, {"pull_repo": 1}, rejected={"pull_repo": 1}), True, SliceState.SHORT, 3),
        (part({"pull_repo": 3}, {"pull_repo": 2}, rejected={"push_repo": 1}), True, SliceState.SHORT, 3),
        # Of no readable kind: only as many as all that is missing are known to be all of it.
        (part({"a": 3, "b": 1}, {"a": 2}, rejected={None: 2}), True, SliceState.WITH_REJECTS, 4),
        (part({"a": 3, "b": 1}, {"a": 2}, rejected={None: 1}), True, SliceState.SHORT, 4),
        (part({"a": 3, "b": 1}, {"a": 2}, rejected={None: 1, "b": 1}), True, SliceState.WITH_REJECTS, 4),
        (part({"pull_repo": 3}, {"pull_repo": 3}, rejected={"pull_repo": 1}), True, SliceState.VERIFIED, 3),
        (
            part({"pull_repo": 3}, {"pull_repo": 2}, peak={"pull_repo": 3}, rejected={"pull_repo": 1}),
            True,
            SliceState.WITH_REJECTS,
            3,
        ),
        (part({"pull_repo": 3}, {"pull_repo": 5}), True, SliceState.OVER, 3),
        (part({"pull_repo": 3}, {"pull_repo": 5}, peak={"pull_repo": 5}), True, SliceState.VERIFIED, 5),
        (part({"pull_repo": 3}, {"pull_repo": 3}, peak={"pull_repo": 9}), True, SliceState.TRUNCATED, 3),
        (part(None, {"pull_repo": 1}), True, SliceState.UNCOUNTABLE, None),
        (part(None, {}, unavailable="403"), True, SliceState.UNAVAILABLE, None),
    ],
)
def test_states(evidence: ScopeDay, over: bool, state: SliceState, expected: int | None) -> None:
    found = verdict(evidence, over=over)
    assert (found.state, found.expected_events) == (state, expected)


def test_kinds_are_compared_one_by_one_not_by_their_sum() -> None:
    found = verdict(part({"pull_repo": 3, "push_repo": 1}, {"pull_repo": 4}))
    assert found.state is SliceState.SHORT
    assert "missing push_repo 1" in found.note
    assert "more than the source counts: pull_repo 1" in found.note


def test_one_part_that_cannot_be_read_marks_the_day() -> None:
    found = verdict(part({"pull_repo": 3}, {"pull_repo": 3}), part(None, {}, unavailable="403: Unauthorized"))
    assert found.state is SliceState.UNAVAILABLE
    assert "403: Unauthorized" in found.note


def test_rejected_rows_are_said() -> None:
    found = verdict(part({"pull_repo": 3}, {"pull_repo": 2}), rejected=1)
    assert found.state is SliceState.SHORT
    assert "1 row could not be read" in found.note
    found = verdict(part({"pull_repo": 9}, {"pull_repo": 7}, rejected={"pull_repo": 2}), rejected=2)
    assert found.note == "complete but for 2 rows that could not be read"


def test_missing_names_only_deficits() -> None:
    assert missing({"a": 3, "b": 1, "c": 2}, {"a": 1, "b": 1, "c": 5}) == {"a": 2}
