"""The verdict: what may be said of a slice, from what the source counts and what is held. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

import msgspec

from quayledger.warehouse.schema import SliceState

_MOST_NAMED = 6


class Evidence(msgspec.Struct, frozen=True):
    """All that is known of one part of a day: by kind, what the source counts, ever counted at most, and what is stored."""

    counted: dict[str, int] | None  # None: the source gave no count
    peak: dict[str, int]
    stored: dict[str, int]
    counted_at: datetime | None
    unavailable: str = ""  # why the source would not say


class Verdict(msgspec.Struct, frozen=True):
    """A state, the number that the source vouches for, and the small print."""

    state: SliceState
    expected_events: int | None
    note: str


def missing(counted: Mapping[str, int], stored: Mapping[str, int]) -> dict[str, int]:
    """By kind, what the source counts beyond what is stored; kinds without a deficit are left out."""
    return {kind: number - stored.get(kind, 0) for kind, number in counted.items() if number > stored.get(kind, 0)}


def surplus(counted: Mapping[str, int], stored: Mapping[str, int]) -> dict[str, int]:
    """By kind, what is stored beyond what the source counts."""
    return missing(stored, counted)


def judge(parts: Mapping[str, Evidence], *, over: bool, over_at: datetime, rejected_rows: int) -> Verdict:
    """The state of a day made of `parts` (by scope). `over_at`: when the day, with its grace, ended or will end."""
    unavailable = [f"{scope}: {part.unavailable}" for scope, part in parts.items() if part.unavailable]
    uncounted = [scope for scope, part in parts.items() if part.counted is None and not part.unavailable]
    short = _by_scope(parts, lambda part: missing(part.counted or {}, part.stored))
    beyond = _by_scope(parts, lambda part: surplus(_highest(part), part.stored) if part.counted is not None else {})
    gone = _by_scope(parts, lambda part: surplus(part.counted, part.stored) if part.counted is not None else {})
    cut = _by_scope(parts, lambda part: missing(part.peak, part.stored) if part.counted is not None else {})
    notes = []
    if unavailable:
        notes.append("; ".join(unavailable))
    if short:
        notes.append(f"missing {_named(short)}")
    if beyond:
        notes.append(f"more than the source counts: {_named(beyond)}")
    elif gone:
        notes.append(f"no longer held at the source: {_named(gone)}")
    if cut and not short:
        notes.append(f"rotated away at the source before it was read: {_named(cut)}")
    if rejected_rows:
        notes.append(f"{rejected_rows} row(s) could not be read, see the rejects")
    expected = None if uncounted or unavailable else sum(_expected(part) for part in parts.values())
    state = _state(
        parts,
        over=over,
        over_at=over_at,
        flags=(bool(unavailable), bool(uncounted), bool(short), bool(cut), bool(beyond)),
    )
    return Verdict(state, expected, "; ".join(notes))


def _state(
    parts: Mapping[str, Evidence], *, over: bool, over_at: datetime, flags: tuple[bool, bool, bool, bool, bool]
) -> SliceState:
    unavailable, uncounted, short, cut, beyond = flags
    if unavailable:
        return SliceState.UNAVAILABLE
    if not over:
        return SliceState.OPEN
    if uncounted:
        return SliceState.UNCOUNTABLE
    if any(part.counted_at is None or part.counted_at < over_at for part in parts.values()):
        return SliceState.PROVISIONAL
    if short:
        return SliceState.SHORT
    if cut:
        return SliceState.TRUNCATED
    return SliceState.OVER if beyond else SliceState.VERIFIED


def _highest(part: Evidence) -> dict[str, int]:
    counted = part.counted or {}
    return {kind: max(counted.get(kind, 0), part.peak.get(kind, 0)) for kind in counted.keys() | part.peak.keys()}


def _expected(part: Evidence) -> int:
    """What the source counts, and what it once counted and we hold: rotation does not shrink what was expected."""
    counted = part.counted or {}
    kinds = counted.keys() | part.peak.keys()
    return sum(max(counted.get(kind, 0), min(part.peak.get(kind, 0), part.stored.get(kind, 0))) for kind in kinds)


def _by_scope(parts: Mapping[str, Evidence], pick: Callable[[Evidence], dict[str, int]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for part in parts.values():
        for kind, number in pick(part).items():
            found[kind] = found.get(kind, 0) + number
    return found


def _named(numbers: Mapping[str, int]) -> str:
    """`pull_repo 3, push_repo 1`, the largest first."""
    ordered = sorted(numbers.items(), key=lambda item: (-item[1], item[0]))
    named = ", ".join(f"{kind} {number}" for kind, number in ordered[:_MOST_NAMED])
    rest = ordered[_MOST_NAMED:]
    return named + (f" and {len(rest)} more kind(s), {sum(number for _, number in rest)} in all" if rest else "")
