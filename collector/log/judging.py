"""Judging: compares the events held of a day with Quay's count, and records the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from quayledger.collector.log.backends import may_omit_kinds
from quayledger.collector.log.cover import cover_of
from quayledger.collector.log.scope_day import ScopeDay, scope_days
from quayledger.collector.log.source_run import SourceRun
from quayledger.collector.log.verdict import judge
from quayledger.warehouse.log import repairs, slices
from quayledger.warehouse.log.held_parts import was_repaired
from quayledger.warehouse.schema import SEALED_STATES, SliceState

_PROVEN_BY_COUNT = (SliceState.OVER, SliceState.VERIFIED, SliceState.WITH_REJECTS)


def judge_day(run: SourceRun, day: date, parts: Sequence[ScopeDay] | None = None) -> None:
    """Sets the state of one day's slice. `parts`: what is known of each scope of its cover; None: as the warehouse has it."""
    cover = cover_of(day, run.state.covers)
    if cover is None:
        return
    if parts is None:
        parts = scope_days(run, [day]).get(day, ())
    row = slices.slices(run.ledger, run.source_id, day, day).get(day)
    verdict = judge(
        parts,
        over=run.is_over(day),
        over_at=run.over_at(day),
        rejected_rows=row.rejected_rows if row else 0,
        looked_back_to=run.state.looked_back_to,
        has_older_rows=_has_older_rows(run, day) or _was_sealed(row, cover.version),
        unreadable=repairs.reason(run.ledger, run.source_id, day),
    )
    state, note = verdict.state, verdict.note
    if unproven := _kinds_beyond_the_count(run, parts):
        state = _without_proof(state)
        note = f"the source names ten kinds at most, and not {', '.join(unproven)}; {note}".rstrip("; ")
    if state is SliceState.VERIFIED and was_repaired(run.ledger, run.source_id, day):
        state = SliceState.REPAIRED
    counted = [part.counted_at for part in parts if part.counted_at is not None]
    slices.set_state(
        run.ledger,
        run.source_id,
        day,
        cover.version,
        state,
        expected_events=verdict.expected_events,
        note=note,
        now=run.now(),
        counted_at=min(counted) if counted else None,
    )


def _has_older_rows(run: SourceRun, day: date) -> bool:
    """Whether this run saw the source count a row of an earlier day. An older count proves nothing: rotation may have come
    that far since."""
    oldest = run.state.oldest_counted_day
    return oldest is not None and oldest < day


def _was_sealed(row: slices.SliceRow | None, cover_version: int) -> bool:
    """Whether the day was proven before, which rotation cannot take back."""
    return row is not None and row.state in SEALED_STATES and row.cover_version == cover_version


def _kinds_beyond_the_count(run: SourceRun, parts: Sequence[ScopeDay]) -> list[str]:
    """Kinds that are held, but that the source's count may have left out."""
    return sorted(
        kind
        for part in parts
        if part.counted is not None and may_omit_kinds(run, part.counted)
        for kind in part.held.keys() - part.counted.keys()
    )


def _without_proof(state: SliceState) -> SliceState:
    """The state where the count does not cover every kind."""
    return SliceState.UNCOUNTABLE if state in _PROVEN_BY_COUNT else state
