"""Readings: stores what a chain of pages brought as a reading of the ledger; every way of reading pages ends here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime

from quayledger.collector.log import landing
from quayledger.collector.log.days import day_start
from quayledger.collector.log.normalise import event_frame, from_stamp_us, reject_frame
from quayledger.collector.log.page_chain import ChainResult, EventKey, Tally
from quayledger.collector.log.scope_day import ScopeDay
from quayledger.collector.log.source_run import SourceRun
from quayledger.warehouse.log import slices


def tally_of(run: SourceRun, part: ScopeDay, wanted: dict[str, int]) -> Tally:
    """A tally for a chain that is to bring `wanted`, and that recognises the rows of the part that are held."""

    def held_since(stamp_us: int) -> Counter[EventKey]:
        return held_key_counts(run, part, stamp_us)

    return Tally(wanted, held_since if any(part.held.values()) else None)


def held_key_counts(run: SourceRun, part: ScopeDay, since_us: int = 0) -> Counter[EventKey]:
    """How often each key is held of one scope's part of a day, from a stamp on (microseconds since 1970)."""
    since = max(from_stamp_us(since_us), day_start(part.day))
    frame = slices.held_keys(run.ledger, run.source_id, part.day, part.scope.text, since)
    columns = [frame["occurred_at"].dt.epoch("us"), *frame.get_columns()[1:]]
    return Counter(zip(*(column.to_list() for column in columns), strict=True))


def reading_of(header: landing.ChainHeader, result: ChainResult, ended_at: datetime) -> slices.Reading:
    """What a chain was, for the record."""
    return slices.Reading(
        source_id=header.source_id,
        day=header.day,
        scope=header.scope,
        part=header.part,
        method="pages",
        run_id=header.run_id,
        started_at=header.started_at,
        ended_at=ended_at,
        rows=len(result.events) + len(result.rejects),
        requests=result.requests,
        end_reason=result.end_reason,
        complete=result.end_reason in ("filled", "held", "end"),
    )


def merge_chain(run: SourceRun, reading: slices.Reading, result: ChainResult) -> slices.Merged:
    """Gives what a chain brought to the ledger, in one transaction."""
    return slices.merge_reading(run.ledger, reading, event_frame(result.events), reject_frame(result.rejects))


def exceeds(result: ChainResult, lacking: Mapping[str, int]) -> bool:
    """Whether a chain brought more new rows of a kind than were missing."""
    return any(number > lacking.get(kind, 0) for kind, number in result.new_by_kind.items())
