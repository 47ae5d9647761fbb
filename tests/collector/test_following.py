"""Following an open day: a source that loses rows is looked at again before more than a page of them has come."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from quayledger.collector.log.follow_rate import rows_per_second, seconds_to_next_read
from quayledger.collector.log.normalise import Event


def event(stamp_s: float) -> Event:
    return Event(int(stamp_s * 1_000_000), "pull_repo", *[None] * 12)


def test_the_newest_page_says_how_fast_rows_come() -> None:
    assert rows_per_second([event(100 - number / 2) for number in range(60)]) == 2.0
    assert rows_per_second([event(5), event(5)]) == 0.0
    assert rows_per_second([]) == 0.0


@given(st.floats(0.001, 100), st.floats(0.1, 100))
def test_at_most_a_page_arrives_unless_the_budget_forbids(rows: float, budget: float) -> None:
    seconds = seconds_to_next_read(rows, budget)
    assert seconds * rows <= 20 or seconds == 4 / budget
    assert 2 / seconds <= budget / 2 + 1e-9
