"""Merging: what a chain brought becomes a reading of the ledger; every way of reading does it with these."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date, datetime

from quayledger.collector.log import landing
from quayledger.collector.log.days import day_start
from quayledger.collector.log.normalise import event_frame, from_stamp_us, reject_frame
from quayledger.collector.log.page_chain import ChainResult, Key, Tally
from quayledger.collector.log.source_run import SourceRun
from quayledger.collector.quay.scopes import Scope
from quayledger.warehouse.log import slices


def tally(run: SourceRun, day: date, scope: Scope, lacking: dict[str, int], stored: dict[str, int]) -> Tally:
    """A tally that knows what is stored of one scope's part of a day."""

    def held(since_us: int) -> Counter[Key]:
        return held_key_counts(run, day, scope, since_us)

    return Tally(lacking, held if any(stored.values()) else None)


def held_key_counts(run: SourceRun, day: date, scope: Scope, since_us: int = 0) -> Counter[Key]:
    """How often each key is stored of one scope's part of a day, from a stamp on (microseconds since 1970)."""
    since = max(from_stamp_us(since_us), day_start(day))
    frame = slices.held_keys(run.ledger, run.source_id, day, scope.text, since)
    columns = [frame["occurred_at"].dt.epoch("us"), *frame.get_columns()[1:]]
    return Counter(zip(*(column.to_list() for column in columns), strict=True))


def reading_of(heading: landing.Heading, result: ChainResult, ended_at: datetime) -> slices.Reading:
    """What a chain was, for the record."""
    return slices.Reading(
        source_id=heading.source_id,
        day=heading.day,
        scope=heading.scope,
        part=heading.part,
        method="pages",
        run_id=heading.run_id,
        started_at=heading.started_at,
        ended_at=ended_at,
        rows=len(result.events) + len(result.rejects),
        requests=result.requests,
        end_reason=result.end_reason,
        complete=result.end_reason in ("filled", "held", "end"),
    )


def merge(run: SourceRun, reading: slices.Reading, result: ChainResult) -> slices.Merged:
    """Gives what a chain brought to the ledger, in one transaction."""
    return slices.merge_reading(run.ledger, reading, event_frame(result.events), reject_frame(result.rejects))


def exceeds(result: ChainResult, lacking: Mapping[str, int]) -> bool:
    """Whether a chain brought more new rows of a kind than were missing."""
    return any(number > lacking.get(kind, 0) for kind, number in result.new_by_kind.items())
