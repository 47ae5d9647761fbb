"""One scope's part of one UTC day: what the source counts of it and what is held. Loaded once, then handed from step to step."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date, datetime

import msgspec

from quayledger.collector.log.source_run import SourceRun
from quayledger.collector.quay.scopes import Scope
from quayledger.warehouse.log import slices


class ScopeDay(msgspec.Struct, frozen=True):
    """What is known of one (source, UTC day, scope), by kind. A step that changes what is held or counted returns a new one.

    `counted` None: the source gave no count. `peak`: the most it ever counted. `unavailable`: why the scope cannot be
    read on this day, '' where it can. `unusable_count`: what was wrong with the count that it gave. `rejected`: rows that were
    seen and could not be read as events; of kind None, not even that could be read."""

    source_id: str
    day: date
    scope: Scope
    counted: dict[str, int] | None
    held: dict[str, int]
    peak: dict[str, int] = {}
    counted_at: datetime | None = None
    unavailable: str = ""
    unusable_count: str = ""
    rejected: dict[str | None, int] = {}

    @property
    def lacking(self) -> dict[str, int]:
        """By kind, what the source counts beyond what is held or rejected; kinds without a deficit are left out."""
        return beyond_rejected(self.not_held, self.rejected)

    @property
    def not_held(self) -> dict[str, int]:
        """By kind, what the source counts beyond what is held: what is lacking, and what was rejected."""
        return missing(self.counted or {}, self.held)

    @property
    def rejected_events(self) -> int:
        """How many of the events that the source counts are not held because they could not be read."""
        return sum(self.not_held.values()) - sum(self.lacking.values())

    @property
    def counted_events(self) -> int:
        """Events of all kinds that the source counts."""
        return sum((self.counted or {}).values())

    @property
    def highest(self) -> dict[str, int]:
        """By kind, the most the source ever counted: what it once counted and rotated away since is no surplus."""
        counted = self.counted or {}
        kinds = counted.keys() | self.peak.keys()
        return {kind: max(counted.get(kind, 0), self.peak.get(kind, 0)) for kind in kinds}

    @property
    def expected_events(self) -> int:
        """What the source counts, and what it once counted and we hold: rotation does not shrink what was expected."""
        counted = self.counted or {}
        kinds = counted.keys() | self.peak.keys()
        return sum(max(counted.get(kind, 0), min(self.peak.get(kind, 0), self.held.get(kind, 0))) for kind in kinds)

    def after(self, merged: slices.Merged) -> ScopeDay:
        """The same after a merge."""
        return msgspec.structs.replace(self, held=merged.stored_by_kind, rejected=merged.rejected_by_kind)


def missing(counted: Mapping[str, int], held: Mapping[str, int]) -> dict[str, int]:
    """By kind, what is counted beyond what is held; kinds without a deficit are left out. Pure."""
    return {kind: number - held.get(kind, 0) for kind, number in counted.items() if number > held.get(kind, 0)}


def beyond_rejected(lacking: Mapping[str, int], rejected: Mapping[str | None, int]) -> dict[str, int]:
    """By kind, what is missing beyond the rows that could not be read. Rows of no readable kind may be any of what is missing:
    only where they are as many as all of it is it known that nothing else is. Pure."""
    left = {kind: number - rejected.get(kind, 0) for kind, number in lacking.items() if number > rejected.get(kind, 0)}
    return {} if sum(left.values()) <= rejected.get(None, 0) else left


def surplus(counted: Mapping[str, int], held: Mapping[str, int]) -> dict[str, int]:
    """By kind, what is held beyond what is counted. Pure."""
    return missing(held, counted)


def scope_days(run: SourceRun, days: Collection[date]) -> dict[date, tuple[ScopeDay, ...]]:
    """Every scope of the cover on each day, from two queries for all of them. A day without a cover has no entry."""
    if not days:
        return {}
    first, last = min(days), max(days)
    counts = slices.latest_counts(run.ledger, run.source_id, first, last)
    held = slices.held_by_day(run.ledger, run.source_id, first, last)
    rejected = slices.rejected_by_day(run.ledger, run.source_id, first, last)
    found = {}
    for day in days:
        if scopes := run.scopes(day):
            found[day] = tuple(_scope_day(run, day, scope, counts, held, rejected) for scope in scopes)
    return found


def reloaded(run: SourceRun, part: ScopeDay) -> ScopeDay:
    """The same (day, scope) as the warehouse has it now: after it was counted again, or read by somebody else."""
    counts = slices.latest_counts(run.ledger, run.source_id, part.day, part.day)
    held = slices.held_by_day(run.ledger, run.source_id, part.day, part.day)
    rejected = slices.rejected_by_day(run.ledger, run.source_id, part.day, part.day)
    return _scope_day(run, part.day, part.scope, counts, held, rejected)


def _scope_day(
    run: SourceRun,
    day: date,
    scope: Scope,
    counts: Mapping[tuple[date, str], slices.CountRow],
    held: Mapping[tuple[date, str], dict[str, int]],
    rejected: Mapping[tuple[date, str], dict[str | None, int]],
) -> ScopeDay:
    key = (day, scope.text)
    unusable = run.state.unusable_counts.get(key, "")
    counted = None if unusable else counts.get(key)
    return ScopeDay(
        source_id=run.source_id,
        day=day,
        scope=scope,
        counted=counted.by_kind if counted else None,
        held=held.get(key, {}),
        peak=counted.peak_by_kind if counted else {},
        counted_at=counted.counted_at if counted else None,
        unavailable=run.state.refused.get(key, ""),
        unusable_count=unusable,
        rejected=rejected.get(key, {}),
    )
