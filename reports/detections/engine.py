"""The engine: runs rules over a period, day by day, and puts signals of one incident together.

A day at a time keeps memory bounded by the busiest day and makes "new" mean new on its day; what a rule must see before the
day is loaded with it, so a burst across midnight is found whole. Running a period again gives the same incidents."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import msgspec
import polars as pl

from quayledger.reports.detections.model import (
    DAY_SCHEMA,
    EVENT_SCHEMA,
    HISTORY_SCHEMA,
    MAX_EVIDENCE,
    PRIVATE_SCHEMA,
    TAG_SCHEMA,
    UNLOGGED_SCHEMA,
    Inputs,
    Rule,
    Signal,
)
from quayledger.reports.inventory import unlogged
from quayledger.warehouse.errors import NotPublished
from quayledger.warehouse.inventory import reader as inventory
from quayledger.warehouse.log import detection_inputs, events
from quayledger.warehouse.snapshot import Snapshot

HISTORY = timedelta(days=30)
TAG_HISTORY = timedelta(days=365)
DAY_STATES = timedelta(days=45)
_DAY = timedelta(days=1)
_TAG_KINDS = {"push_repo", "create_tag", "move_tag", "revert_tag"}


class RuleOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """How one rule went. `disabled`: why it could not judge ('' where it could); `judged_since`:
    the moment from which it could, where the record was too short before; `failure`: what broke in it."""

    rule: Rule
    signals: tuple[Signal, ...] = ()
    disabled: str = ""
    judged_since: datetime | None = None
    failure: str = ""
    seconds: float = 0.0


class DetectionRun(msgspec.Struct, frozen=True, kw_only=True):
    """What rules found in a period. Times aware, UTC."""

    since: datetime
    until: datetime
    outcomes: tuple[RuleOutcome, ...]

    @property
    def signals(self) -> tuple[Signal, ...]:
        """All signals, oldest first."""
        found = (signal for outcome in self.outcomes for signal in outcome.signals)
        return tuple(sorted(found, key=lambda one: (one.first_at, one.rule_id, one.subject)))


def run(
    snapshot: Snapshot,
    rules: Sequence[Rule],
    since: datetime,
    until: datetime,
    *,
    source_ids: Sequence[str] = (),
    params: Mapping[str, msgspec.Struct] | None = None,
) -> DetectionRun:
    """Runs the rules over [since, until), aware times. `params`: by rule id, where they are not the defaults.

    A rule whose input the record does not hold is disabled and says why; one that fails is named with its failure, and
    the others go on. Raises WarehouseError."""
    absent = {rule.id: _absent(snapshot, rule, until, source_ids) for rule in rules}
    able = [rule for rule in rules if not absent[rule.id]]
    found: dict[str, list[Signal]] = {rule.id: [] for rule in able}
    failures: dict[str, str] = {}
    spent: dict[str, float] = dict.fromkeys(found, 0.0)
    for begin, end in _days(since, until):
        inputs = _inputs(snapshot, able, begin, end, source_ids)
        for rule in able:
            if rule.id in failures:
                continue
            clock = time.perf_counter()
            try:
                found[rule.id] += rule.signals(inputs[rule.id], (params or {}).get(rule.id))
            except (pl.exceptions.PolarsError, ArithmeticError, LookupError, TypeError, ValueError) as error:
                failures[rule.id] = f"{type(error).__name__}: {error}"
            spent[rule.id] += time.perf_counter() - clock
    outcomes = tuple(
        RuleOutcome(
            rule=rule,
            signals=tuple(merge(found.get(rule.id, ()), rule.merge_within)),
            disabled=absent[rule.id],
            judged_since=_judged_since(snapshot, rule, since, source_ids),
            failure=failures.get(rule.id, ""),
            seconds=spent.get(rule.id, 0.0),
        )
        for rule in rules
    )
    return DetectionRun(since=since, until=until, outcomes=outcomes)


def merge(signals: Iterable[Signal], within: timedelta) -> list[Signal]:
    """One signal per incident: of one rule, source and subject, with gaps of at most `within`. Evidence is not counted
    twice; the most serious severity and the newest sentence stay."""
    merged: list[Signal] = []
    open_: dict[tuple[str, str, str], int] = {}
    for signal in sorted(signals, key=lambda one: (one.first_at, one.last_at)):
        key = (signal.rule_id, signal.source_id, signal.subject)
        place = open_.get(key)
        if place is None or signal.first_at > merged[place].last_at + within:
            open_[key] = len(merged)
            merged.append(signal)
        else:
            merged[place] = _together(merged[place], signal)
    return sorted(merged, key=lambda one: (one.first_at, one.subject))


def _together(old: Signal, new: Signal) -> Signal:
    ranks = list(type(old.severity))
    both = tuple(dict.fromkeys((*old.event_ids, *new.event_ids)))
    shared = len(old.event_ids) + len(new.event_ids) - len(both)
    newer = new if new.last_at >= old.last_at else old
    return msgspec.structs.replace(
        newer,
        severity=max(old.severity, new.severity, key=ranks.index),
        first_at=min(old.first_at, new.first_at),
        last_at=max(old.last_at, new.last_at),
        count=old.count + new.count - shared,
        event_ids=both[:MAX_EVIDENCE],
        related=tuple(dict.fromkeys((*old.related, *new.related))),
    )


def _absent(snapshot: Snapshot, rule: Rule, until: datetime, source_ids: Sequence[str]) -> str:
    """Why the record cannot feed a rule; '' where it can."""
    if rule.switches and not detection_inputs.kinds_held(snapshot, source_ids) & set(rule.kinds):
        return f"the record holds no {' or '.join(rule.kinds)}: Quay writes it only with {', '.join(rule.switches)}"
    if rule.needs_history:
        first = detection_inputs.first_event_at(snapshot, source_ids)
        if first is None or first > until - rule.needs_history:
            days = rule.needs_history.days
            return f"it needs a record of {days} days to tell what is new"
    if rule.needs_inventory and not _private(snapshot, until, source_ids).height:
        return "the inventory knows no private repository: run `quayledger inventory sync`"
    if rule.needs_changes:
        try:
            first_read = inventory.first_read_at(snapshot, source_ids)
        except NotPublished:
            first_read = None
        if first_read is None or first_read >= until:
            return "the inventory was not read by then: run `quayledger inventory sync`"
    return ""


def _judged_since(snapshot: Snapshot, rule: Rule, since: datetime, source_ids: Sequence[str]) -> datetime | None:
    """From when a rule that compares with what was usual could judge; None: throughout."""
    first = detection_inputs.first_event_at(snapshot, source_ids) if rule.needs_history else None
    return None if first is None or first + rule.needs_history <= since else first + rule.needs_history


def _days(since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The period in pieces that end at midnight UTC."""
    begin = since.astimezone(UTC)
    while begin < until:
        midnight = begin.replace(hour=0, minute=0, second=0, microsecond=0) + _DAY
        yield begin, min(midnight, until)
        begin = midnight


def _inputs(
    snapshot: Snapshot, rules: Sequence[Rule], since: datetime, until: datetime, source_ids: Sequence[str]
) -> dict[str, Inputs]:
    """What each rule is given for one day: shared frames, cut to the rule's own lookback."""
    longest: dict[timedelta, set[str]] = {}
    for rule in rules:
        longest.setdefault(rule.lookback, set()).update(rule.read_kinds)
    frames = [
        detection_inputs.events_of_kinds(snapshot, sorted(kinds), since - lookback, until, source_ids)
        for lookback, kinds in longest.items()
    ]
    loaded = pl.concat(frames).unique("event_id").sort("occurred_at", "event_id") if frames else None
    everything = EVENT_SCHEMA.to_frame() if loaded is None else loaded.select(EVENT_SCHEMA.names())
    history = HISTORY_SCHEMA.to_frame()
    if any(rule.needs_history for rule in rules):
        history = detection_inputs.usual_transfers(snapshot, since - HISTORY, since, source_ids)
    now = everything.filter(pl.col("occurred_at") >= since, pl.col("kind").is_in(_TAG_KINDS))
    tags = now.select("namespace", "repository", "tag").drop_nulls().unique()
    before = TAG_SCHEMA.to_frame()
    if tags.height and any(set(rule.kinds) >= _TAG_KINDS for rule in rules):
        before = detection_inputs.tags_before(snapshot, tags, since - TAG_HISTORY, since, source_ids)
    shared = Inputs(
        since=since,
        until=until,
        events=everything,
        history=history,
        history_since=detection_inputs.first_event_at(snapshot, source_ids),
        tags=before,
        private=_private(snapshot, until, source_ids),
        days=_day_states(snapshot, since, until, source_ids),
        unlogged=_unlogged(snapshot, rules, since, until, source_ids),
    )
    return {
        rule.id: msgspec.structs.replace(
            shared,
            events=everything.filter(
                pl.col("occurred_at") >= since - rule.lookback, pl.col("kind").is_in(rule.read_kinds)
            ),
        )
        for rule in rules
    }


def _unlogged(
    snapshot: Snapshot, rules: Sequence[Rule], since: datetime, until: datetime, source_ids: Sequence[str]
) -> pl.DataFrame:
    """What readings of the period found changed, of which the complete log says nothing; none where no rule asks for it."""
    if not any(rule.needs_changes for rule in rules):
        return UNLOGGED_SCHEMA.to_frame()
    try:
        found = unlogged.changes(snapshot, since, until, source_ids=source_ids)
    except NotPublished:
        return UNLOGGED_SCHEMA.to_frame()
    return found.filter(pl.col("state") == unlogged.UNLOGGED).select(UNLOGGED_SCHEMA.names())


def _private(snapshot: Snapshot, at: datetime, source_ids: Sequence[str]) -> pl.DataFrame:
    """The private repositories as the inventory knows them at a moment; none where it was never read."""
    try:
        known = inventory.as_of(snapshot, "repositories", at, source_ids=source_ids, where={"is_public": False})
    except NotPublished:
        return PRIVATE_SCHEMA.to_frame()
    return known.select(PRIVATE_SCHEMA.names())


def _day_states(snapshot: Snapshot, since: datetime, until: datetime, source_ids: Sequence[str]) -> pl.DataFrame:
    """The states of the days from DAY_STATES before to the last of the period."""
    last = (until - timedelta(microseconds=1)).date()
    frame = events.coverage(snapshot, (since - DAY_STATES).date(), last, tuple(source_ids))
    return frame.select(DAY_SCHEMA.names())
