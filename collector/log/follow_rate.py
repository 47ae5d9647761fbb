"""Follow rate: how soon an open day is read again, where paging loses rows. Pure, but for one query of the ledger.

A page cannot lose rows within itself. On a source that stamps whole seconds, up to twenty new rows a read are safe, more are
not; so the next read comes when about that many will have arrived, as far as the budget allows.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from quayledger.collector.log.normalise import Event
from quayledger.collector.log.source_run import SourceRun
from quayledger.collector.quay.logs import PAGE_ROWS
from quayledger.warehouse.log.held_parts import lost_rows_since

_MARGIN = 0.8
_READ_REQUESTS = 2  # a count and a page
_MEMORY = timedelta(days=7)


def rows_per_second(newest: Sequence[Event]) -> float:
    """How fast rows arrived in the newest page of a chain; 0 where that cannot be told."""
    page = newest[:PAGE_ROWS]
    span_s = (page[0].occurred_at - page[-1].occurred_at) / 1_000_000 if page else 0.0
    return (len(page) - 1) / span_s if span_s > 0 else 0.0


def seconds_to_next_read(rows_a_second: float, requests_per_second: float) -> float:
    """When about a page of rows will have arrived, but no sooner than half the budget allows."""
    soonest = 2 * _READ_REQUESTS / requests_per_second
    return max(soonest, _MARGIN * PAGE_ROWS / rows_a_second)


def follow_interval(run: SourceRun) -> float | None:
    """Seconds until the open day should be read again; None: the schedule is enough, because the source loses nothing."""
    progress = run.state.progress
    if progress.open_rows_per_second <= 0:
        return None
    loses = progress.open_rows_lost > 0 or lost_rows_since(run.ledger, run.source_id, run.now().date() - _MEMORY)
    return seconds_to_next_read(progress.open_rows_per_second, run.source.expected_rate) if loses else None
