"""The engine: runs rules over a period, day by day, and puts signals of one incident together.

A day at a time keeps memory bounded by the busiest day and makes "new" mean new on its day; what a rule must see before the
day is loaded with it, so a burst across midnight is found whole. Running a period again gives the same incidents."""

from __future__ import annotations

import contextlib
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
from quayledger.reports.detections.rulebook import RuleBook
from quayledger.reports.inventory import unlogged
from quayledger.warehouse.errors import NotPublished, TookTooLong
from quayledger.warehouse.inventory import reader as inventory
from quayledger.warehouse.log import detection_inputs, events
from quayledger.warehouse.snapshot import Snapshot

HISTORY = timedelta(days=30)
TAG_HISTORY = timedelta(days=90)
DAY_STATES = timedelta(days=45)
LONGEST_S = 60.0  # a rule that takes longer over one day is not run any more
_DAY = timedelta(days=1)
_TRANSFERS = {"pull_repo", "push_repo"}
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
    disabled: Mapping[str, str] | None = None,
    broken: Mapping[str, str] | None = None,
) -> DetectionRun:
    """Runs the rules over [since, until), aware times. By rule id: `params`, where they are not the defaults; `disabled`, why a
    rule is not to run; `broken`, why it cannot.

    A rule whose input the record does not hold is disabled and says why; one that fails is named with its failure, and
    the others go on. Raises WarehouseError."""
    held = _held(snapshot, rules, since, until, source_ids)
    absent = {rule.id: (disabled or {}).get(rule.id) or _absent(rule, held, until) for rule in rules}
    able = [rule for rule in rules if not absent[rule.id]]
    found: dict[str, list[Signal]] = {rule.id: [] for rule in able}
    failures = {rule.id: text for rule in able if (text := (broken or {}).get(rule.id))}
    spent: dict[str, float] = dict.fromkeys(found, 0.0)
    for begin, end in _days(since, until) if able else ():
        inputs = _inputs(snapshot, able, held, begin, end, source_ids)
        for rule in able:
            if rule.id in failures:
                continue
            clock = time.perf_counter()
            try:
                found[rule.id] += _signals(snapshot, rule, inputs[rule.id], (params or {}).get(rule.id), source_ids)
            except (pl.exceptions.PolarsError, ArithmeticError, LookupError, TypeError, ValueError) as error:
                failures[rule.id] = f"{type(error).__name__}: {error}"
            except TookTooLong as error:
                failures[rule.id] = f"{error} on {begin:%Y-%m-%d}; what came after was not judged"
            taken = time.perf_counter() - clock
            spent[rule.id] += taken
            if taken > LONGEST_S and rule.id not in failures:
                failures[rule.id] = (
                    f"it took {taken:.0f} s on {begin:%Y-%m-%d}, longer than {LONGEST_S:.0f} s; what came after was not judged"
                )
    outcomes = tuple(
        RuleOutcome(
            rule=rule,
            signals=tuple(merge(found.get(rule.id, ()), rule.merge_within)),
            disabled=absent[rule.id],
            judged_since=_judged_since(rule, held.first_event_at, since),
            failure=failures.get(rule.id, ""),
            seconds=spent.get(rule.id, 0.0),
        )
        for rule in rules
    )
    return DetectionRun(since=since, until=until, outcomes=outcomes)


def run_book(
    snapshot: Snapshot, book: RuleBook, since: datetime, until: datetime, *, source_ids: Sequence[str] = ()
) -> DetectionRun:
    """`run` with the rules of an installation, as its settings have them."""
    return run(
        snapshot,
        book.rules,
        since,
        until,
        source_ids=source_ids,
        params=book.params,
        disabled=book.disabled,
        broken=book.broken,
    )


def _signals(
    snapshot: Snapshot, rule: Rule, inputs: Inputs, params: msgspec.Struct | None, source_ids: Sequence[str]
) -> list[Signal]:
    if rule.ask is None:
        return rule.signals(inputs, params)
    with snapshot.limited(LONGEST_S):
        return rule.dressed(rule.ask(snapshot, inputs.since, inputs.until, source_ids), inputs)


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


class _Held(msgspec.Struct, frozen=True):
    """What is asked once for a whole run. `private`: the stretches in which repositories were private; `read_at`: when the
    inventory was read first."""

    kinds: set[str]
    first_event_at: datetime | None
    private: pl.DataFrame
    read_at: datetime | None
    days: pl.DataFrame
    unlogged: pl.DataFrame


def _held(
    snapshot: Snapshot, rules: Sequence[Rule], since: datetime, until: datetime, source_ids: Sequence[str]
) -> _Held:
    last = (until - timedelta(microseconds=1)).date()
    days = events.coverage(snapshot, (since - DAY_STATES).date(), last, tuple(source_ids))
    private, read_at = PRIVATE_SCHEMA.to_frame(), None
    changes = UNLOGGED_SCHEMA.to_frame()
    with contextlib.suppress(NotPublished):
        if any(rule.needs_inventory for rule in rules):
            private = inventory.history(snapshot, "repositories", source_ids=source_ids, where={"is_public": False})
        if any(rule.needs_changes for rule in rules):
            read_at = inventory.first_read_at(snapshot, source_ids)
            found = unlogged.changes(snapshot, since, until, source_ids=source_ids)
            changes = found.filter(pl.col("state") == unlogged.UNLOGGED).select(UNLOGGED_SCHEMA.names())
    return _Held(
        kinds=detection_inputs.kinds_held(snapshot, source_ids),
        first_event_at=detection_inputs.first_event_at(snapshot, source_ids),
        private=private,
        read_at=read_at,
        days=days.select(DAY_SCHEMA.names()),
        unlogged=changes,
    )


def _absent(rule: Rule, held: _Held, until: datetime) -> str:
    """Why the record cannot feed a rule; '' where it can."""
    if rule.switches and not held.kinds & set(rule.kinds):
        return f"the record holds no {' or '.join(rule.kinds)}: Quay writes it only with {', '.join(rule.switches)}"
    if rule.needs_history and (held.first_event_at is None or held.first_event_at > until - rule.needs_history):
        return f"it needs a record of {rule.needs_history.days} days to tell what is new"
    if rule.needs_inventory and not _private(held, until).height:
        return "the inventory knows no private repository: run `quayledger inventory sync`"
    if rule.needs_changes and (held.read_at is None or held.read_at >= until):
        return "the inventory was not read by then: run `quayledger inventory sync`"
    return ""


def _judged_since(rule: Rule, first: datetime | None, since: datetime) -> datetime | None:
    """From when a rule that compares with what was usual could judge; None: throughout."""
    if not rule.needs_history or first is None or first + rule.needs_history <= since:
        return None
    return first + rule.needs_history


def _days(since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The period in pieces that end at midnight UTC."""
    begin = since.astimezone(UTC)
    while begin < until:
        midnight = begin.replace(hour=0, minute=0, second=0, microsecond=0) + _DAY
        yield begin, min(midnight, until)
        begin = midnight


def _inputs(
    snapshot: Snapshot, rules: Sequence[Rule], held: _Held, since: datetime, until: datetime, source_ids: Sequence[str]
) -> dict[str, Inputs]:
    """What each rule is given for one day: shared frames, cut to the rule's own lookback."""
    everything = _events(snapshot, rules, since, until, source_ids)
    history = HISTORY_SCHEMA.to_frame()
    if any(rule.needs_history or rule.uses_history for rule in rules):
        history = detection_inputs.usual_transfers(snapshot, since - HISTORY, since, source_ids)
    now = everything.filter(pl.col("occurred_at") >= since, pl.col("kind").is_in(_TAG_KINDS))
    tags = now.select("namespace", "repository", "tag").drop_nulls().unique()
    before = TAG_SCHEMA.to_frame()
    if tags.height and any(set(rule.kinds) >= _TAG_KINDS for rule in rules):
        before = detection_inputs.tags_before(snapshot, tags, since - TAG_HISTORY, since, source_ids)
    last = (until - timedelta(microseconds=1)).date()
    shared = Inputs(
        since=since,
        until=until,
        events=everything,
        history=history,
        history_since=held.first_event_at,
        tags=before,
        private=_private(held, until),
        days=held.days.filter(pl.col("day").is_between((since - DAY_STATES).date(), last)),
        unlogged=held.unlogged.filter(pl.col("first_seen_at") >= since, pl.col("first_seen_at") < until),
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


def _events(
    snapshot: Snapshot, rules: Sequence[Rule], since: datetime, until: datetime, source_ids: Sequence[str]
) -> pl.DataFrame:
    """The events that any of the rules reads, each kind from as far back as a rule looks for it: two questions, since transfers
    are most of a log and few rules look far back for them."""
    lookbacks: dict[str, timedelta] = {}
    for rule in rules:
        for kind in rule.read_kinds:
            lookbacks[kind] = max(lookbacks.get(kind, timedelta()), rule.lookback)
    parts = [EVENT_SCHEMA.to_frame()]
    for kinds in (set(lookbacks) & _TRANSFERS, set(lookbacks) - _TRANSFERS):
        if kinds:
            begin = since - max(lookbacks[kind] for kind in kinds)
            parts.append(detection_inputs.events_of_kinds(snapshot, sorted(kinds), begin, until, source_ids))
    return pl.concat(part.select(EVENT_SCHEMA.names()) for part in parts).sort("occurred_at", "event_id")


def _private(held: _Held, at: datetime) -> pl.DataFrame:
    """The private repositories as the inventory knows them at a moment; none where it was never read."""
    if "to_at" not in held.private.columns:
        return held.private
    known = held.private.filter(pl.col("from_at") <= at, pl.col("to_at").is_null() | (pl.col("to_at") > at))
    return known.select(PRIVATE_SCHEMA.names())
