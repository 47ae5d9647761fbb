"""Judging: compares what a day holds with what its source counts, and records the verdict."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from quayledger.collector.log.backends import may_be_cut
from quayledger.collector.log.cover import cover_of
from quayledger.collector.log.source_run import SourceRun
from quayledger.collector.log.verdict import Evidence, judge
from quayledger.warehouse.log import slices
from quayledger.warehouse.log.held_parts import was_repaired
from quayledger.warehouse.schema import SliceState


def judge_day(run: SourceRun, day: date) -> None:
    """Sets the state of one day's slice from the newest counts and what is stored."""
    cover = cover_of(day, run.covers)
    if cover is None:
        return
    counts = slices.latest_counts(run.ledger, run.source_id, day, day)
    parts = {scope: _evidence(run, day, scope, counts.get((day, scope))) for scope in cover.scopes}
    held = slices.slices(run.ledger, run.source_id, day, day).get(day)
    verdict = judge(
        parts, over=run.over(day), over_at=run.over_at(day), rejected_rows=held.rejected_rows if held else 0
    )
    state, note = verdict.state, verdict.note
    if unvouched := _unvouched(run, parts):
        state, note = (
            _less(state),
            f"the source names ten kinds at most, and not {', '.join(unvouched)}; {note}".rstrip("; "),
        )
    if state is SliceState.VERIFIED and was_repaired(run.ledger, run.source_id, day):
        state = SliceState.REPAIRED
    counted = [part.counted_at for part in parts.values() if part.counted_at is not None]
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


def _unvouched(run: SourceRun, parts: Mapping[str, Evidence]) -> list[str]:
    """Kinds that are stored, but that the source's count may have left out."""
    return sorted(
        kind
        for part in parts.values()
        if part.counted is not None and may_be_cut(run, part.counted)
        for kind in part.stored.keys() - part.counted.keys()
    )


def _less(state: SliceState) -> SliceState:
    """What may be said where the count does not speak of every kind."""
    return SliceState.UNCOUNTABLE if state in (SliceState.OVER, SliceState.VERIFIED) else state


def _evidence(run: SourceRun, day: date, scope: str, counted: slices.CountRow | None) -> Evidence:
    stored = slices.held_counts(run.ledger, run.source_id, day, scope)
    refused = run.refused.get((day, scope), "")
    if counted is None:
        return Evidence(None, {}, stored, None, refused)
    return Evidence(counted.by_kind, counted.peak_by_kind, stored, counted.counted_at, refused)
