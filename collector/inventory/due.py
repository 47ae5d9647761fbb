"""The inventory's due-ness: which looks are due when, and in which order, from what is known and what events ask. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from quayledger.collector.inventory.event_effects import PATIENCE
from quayledger.collector.inventory.queries import (
    EVERYWHERE,
    LOOK,
    LookKind,
    all_in,
    all_of,
    namespace_of,
    repository_of,
)

Why = Literal["event", "first", "round"]
_DAY = timedelta(days=1)
_SLACK = timedelta(hours=1)  # a daily look is not put off because a run began a little earlier than the day before
_AGAIN_AFTER_FAILURE = timedelta(hours=1)
UNREAD = ("refused", "not_asked", "not_offered")


class Known(msgspec.Struct, frozen=True):
    """How the newest look at a target went. Times are aware UTC; `ok_at` None: never well."""

    state: str
    tried_at: datetime
    ok_at: datetime | None


class Began(msgspec.Struct, frozen=True):
    """When a target began, and a time at which it was not there yet."""

    at: datetime
    not_before: datetime


class Want(msgspec.Struct, frozen=True):
    """A look that events ask for; `caused_at`: the newest of them."""

    look: str
    target: str
    cause: str
    caused_at: datetime


class Due(msgspec.Struct, frozen=True):
    """A look to do now. `caused_at`: of the event that asks; None for the rounds. `before_at`: when the
    target was not there yet, as is known. `late`: by how much it is overdue."""

    look: str
    target: str
    why: Why
    caused_at: datetime | None = None
    before_at: datetime | None = None
    late: timedelta = timedelta(0)


class Rhythm(msgspec.Struct, frozen=True):
    """How often the rounds come. `early`: 1.0 only what is a whole period old; 0.5 what is half as old, too, so that a
    round can be spread evenly over the period."""

    period: timedelta
    early: float = 1.0


def round_due(
    kind: LookKind, target: str, known: Known | None, rhythm: Rhythm, now: datetime, began: Began | None = None
) -> Due | None:
    """The look of a round at one target, where it is due; None where it is not, or only an event asks for it. `began`:
    of a target that came after its place was first read."""
    if kind.periods is None:
        return None
    if known is None:
        return Due(kind.name, target, "first", *((began.at, began.not_before) if began else ()))
    at = _next(kind, known, rhythm)
    if at is None or at > now:
        return None
    return Due(kind.name, target, "first" if known.ok_at is None else "round", late=now - at)


def _next(kind: LookKind, known: Known, rhythm: Rhythm) -> datetime | None:
    if known.state == "failed":
        return known.tried_at + _AGAIN_AFTER_FAILURE
    if known.state in UNREAD:
        return known.tried_at + max(rhythm.period, _DAY)
    if known.state == "gone" or known.ok_at is None:
        return known.tried_at + _DAY
    if kind.once:
        return None
    return known.ok_at + (rhythm.period * kind.periods * rhythm.early if kind.periods else _DAY - _SLACK)


def wanted_due(want: Want, known: Known | None, now: datetime) -> Due | None:
    """The look that events ask for; None where a look since then told it already, or it may wait."""
    if known is not None:
        if known.state == "failed" and known.tried_at + _AGAIN_AFTER_FAILURE > now:
            return None
        if known.ok_at is not None and known.ok_at + PATIENCE.get(want.cause, timedelta(0)) > now:
            return None
    return Due(want.look, want.target, "event", want.caused_at)


def is_barred(look: str, target: str, known: Mapping[tuple[str, str], Known], period: timedelta, now: datetime) -> bool:
    """Whether a note about all targets of this look, of its namespace or repository, says that asking is of no use for now."""
    places = (EVERYWHERE, all_of(namespace_of(target)), all_in(repository_of(target)))
    notes = (known.get((look, place)) for place in places)
    return any(
        note is not None
        and note.state in UNREAD
        # Whether a feature is off is found out anew every day.
        and note.tried_at + (_DAY if note.state == "not_offered" else max(period, _DAY)) > now
        for note in notes
    )


def notes_on(look: str, target: str, known: Mapping[tuple[str, str], Known]) -> list[str]:
    """The targets of notes that speak for this one and say that it cannot be read."""
    places = (EVERYWHERE, all_of(namespace_of(target)), all_in(repository_of(target)))
    return [
        place
        for place in dict.fromkeys(places)
        if (note := known.get((look, place))) is not None and note.state in UNREAD
    ]


def in_order(due: Iterable[Due]) -> list[Due]:
    """What events ask for first, then what was never read, then the oldest; within these, wide before narrow."""
    rank = {"event": 0, "first": 1, "round": 2}
    return sorted(due, key=lambda one: (rank[one.why], LOOK[one.look].tier, -one.late, one.look, one.target))


def share_of_round(targets: Sequence[tuple[LookKind, int]], rhythm: Rhythm, tick: timedelta) -> int:
    """How many looks of the rounds one tick may do so that all of them are done once a period. `targets`: how many each
    kind has."""
    period = max(rhythm.period, tick)
    looks = sum(number / kind.periods for kind, number in targets if kind.periods and not kind.once)
    return -(-int(looks * (tick / period) * 1000) // 1000) + 1
