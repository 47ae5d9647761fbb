"""The verdict: the state of a day, from what the source counts and what is held. Pure.

A state never says more than is known: where the count proves nothing, the day is not called verified.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime

import msgspec

from quayledger.collector.log.scope_day import ScopeDay, beyond_rejected, missing, surplus
from quayledger.warehouse.schema import SliceState

_MOST_NAMED = 6
# Rotation deletes the oldest rows, and the count falls with them: only an older row proves that a count is whole.
_PROVEN_BY_COUNT = frozenset({SliceState.VERIFIED, SliceState.WITH_REJECTS, SliceState.OVER})


class Verdict(msgspec.Struct, frozen=True):
    """A state, the number that the source vouches for, and the small print."""

    state: SliceState
    expected_events: int | None
    note: str


def judge(
    parts: Sequence[ScopeDay],
    *,
    over: bool,
    over_at: datetime,
    rejected_rows: int,
    has_older_rows: bool = True,
    looked_back_to: date | None = None,
    unreadable: str = "",
) -> Verdict:
    """The state of a day made of `parts`, one a scope of its cover. `over_at`: when the day, with its grace, ended or will end.
    `has_older_rows`: the source holds a row of an earlier day, so that nothing of this one was rotated away. `looked_back_to`: since when it
    holds none. `unreadable`: what a repair could not get at, for the note of a day that stays short."""
    unavailable = [f"{part.scope.text}: {part.unavailable}" for part in parts if part.unavailable]
    uncounted = [part.scope for part in parts if part.counted is None and not part.unavailable]
    short = _by_kind(parts, lambda part: part.lacking)
    beyond = _by_kind(parts, lambda part: surplus(part.highest, part.held) if part.counted is not None else {})
    gone = _by_kind(parts, lambda part: surplus(part.counted, part.held) if part.counted is not None else {})
    cut = _by_kind(parts, _cut)
    rejected = sum(part.rejected_events for part in parts if not part.unavailable)
    notes = ["; ".join(unavailable)] if unavailable else []
    notes += _unusable(parts)
    if short:
        notes.append(f"missing {_named(short)}")
        if unreadable:
            notes.append(unreadable)
    if beyond:
        notes.append(f"more than the source counts: {_named(beyond)}")
    elif gone:
        notes.append(f"no longer held at the source: {_named(gone)}")
    if cut and not short:
        notes.append(f"rotated away at the source before it was read: {_named(cut)}")
    expected = None if uncounted or unavailable else sum(part.expected_events for part in parts)
    state = _state(
        parts,
        over=over,
        over_at=over_at,
        flags=(bool(unavailable), bool(uncounted), bool(short), bool(cut), bool(beyond), bool(rejected)),
    )
    if state is SliceState.WITH_REJECTS:
        notes.append(f"complete but for {_rows(rejected)} that could not be read")
    elif rejected_rows:
        notes.append(f"{_rows(rejected_rows)} could not be read as events (see the rejected rows)")
    if state in _PROVEN_BY_COUNT and not has_older_rows:
        state = SliceState.ROTATED
        notes.insert(0, _rotated(parts, looked_back_to))
    return Verdict(state, expected, "; ".join(notes))


def _unusable(parts: Sequence[ScopeDay]) -> list[str]:
    found = [f"{part.scope.text}: {part.unusable_count}" for part in parts if part.unusable_count]
    return [f"the source gave no usable count ({'; '.join(found)})"] if found else []


def _cut(part: ScopeDay) -> dict[str, int]:
    """By kind, what the source once counted and that was neither held nor seen."""
    return {} if part.counted is None else beyond_rejected(missing(part.peak, part.held), part.rejected)


def _rows(number: int) -> str:
    return f"{number:,} {'row' if number == 1 else 'rows'}"


def _rotated(parts: Sequence[ScopeDay], looked_back_to: date | None) -> str:
    since = f" back to {looked_back_to}" if looked_back_to else ""
    if any(part.counted for part in parts):
        return f"the source holds no older event{since}, so events of this day may have been rotated away"
    return (
        f"no event at the source on this day or before it{since}: what it held of this day may have been rotated away"
    )


def _state(
    parts: Sequence[ScopeDay], *, over: bool, over_at: datetime, flags: tuple[bool, bool, bool, bool, bool, bool]
) -> SliceState:
    unavailable, uncounted, short, cut, beyond, rejected = flags
    if unavailable:
        return SliceState.UNAVAILABLE
    if not over:
        return SliceState.OPEN
    if uncounted:
        return SliceState.UNCOUNTABLE
    if any(part.counted_at is None or part.counted_at < over_at for part in parts):
        return SliceState.PROVISIONAL
    if short:
        return SliceState.SHORT
    if cut:
        return SliceState.TRUNCATED
    if beyond:
        return SliceState.OVER
    return SliceState.WITH_REJECTS if rejected else SliceState.VERIFIED


def _by_kind(parts: Sequence[ScopeDay], pick: Callable[[ScopeDay], dict[str, int]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for part in parts:
        for kind, number in pick(part).items():
            found[kind] = found.get(kind, 0) + number
    return found


def _named(numbers: Mapping[str, int]) -> str:
    """`pull_repo 3, push_repo 1`, the largest first."""
    ordered = sorted(numbers.items(), key=lambda item: (-item[1], item[0]))
    named = ", ".join(f"{kind} {number}" for kind, number in ordered[:_MOST_NAMED])
    rest = ordered[_MOST_NAMED:]
    return named + (
        f" and {len(rest)} more {'kind' if len(rest) == 1 else 'kinds'}, {sum(number for _, number in rest)} events in all"
        if rest
        else ""
    )
