"""Due times: which queries are due when, and in which order, from what was read when and what events made stale. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from quayledger.warehouse.catalog import QUERY, Query
from quayledger.warehouse.catalog.event_effects import EFFECTS, Effect
from quayledger.warehouse.catalog.queries import (
    EVERYWHERE,
    all_in,
    all_of,
    namespace_of,
    repository_of,
)
from quayledger.warehouse.inventory.store import Stale

Why = Literal["event", "first", "round"]
_DAY = timedelta(days=1)
_SLACK = timedelta(hours=1)  # a daily query is not put off because a run began a little earlier than the day before
_AGAIN_AFTER_FAILURE = timedelta(hours=1)
_NO_EFFECT = Effect(kind="", stale=())  # of a kind that this version does not know any more
UNREAD = ("refused", "not_asked", "not_offered")


class LastFetch(msgspec.Struct, frozen=True):
    """How the newest fetch of a target went. Times are aware UTC; `ok_at` None: it never succeeded."""

    state: str
    tried_at: datetime
    ok_at: datetime | None


class Birth(msgspec.Struct, frozen=True):
    """When a tag began to stand for a target, and a time at which it did not. `before`: what the tag stood for before, the
    newest first, with the time since when: as far back as anything waits for a tag to settle."""

    at: datetime
    not_before: datetime
    before: tuple[tuple[str, datetime], ...] = ()

    def waits_since(self, query: str, known: Mapping[tuple[str, str], LastFetch]) -> datetime:
        """Since when the tag waits to be read: a tag that is moved again and again is not put off each time anew."""
        since = self.at
        for target, began in self.before:
            if (query, target) in known:
                break
            since = began
        return since


class Due(msgspec.Struct, frozen=True):
    """A query to send now. `caused_at`: of the event that made it stale; None for the rounds. `before_at`: when the
    target was not there yet, as is known. `late`: by how much it is overdue."""

    query: str
    target: str
    why: Why
    caused_at: datetime | None = None
    before_at: datetime | None = None
    late: timedelta = timedelta(0)


class Refresh(msgspec.Struct, frozen=True):
    """How often the rounds come. `early`: 1.0 only what is a whole period old; 0.5 what is half as old, too, so that a
    round can be spread evenly over the period."""

    period: timedelta
    early: float = 1.0


def round_due(
    query: Query, target: str, known: LastFetch | None, refresh: Refresh, now: datetime, began: Birth | None = None
) -> Due | None:
    """The query of a round for one target, where it is due; None where it is not, or only an event asks for it. `began`:
    of a target that came after its place was first read."""
    if query.periods is None:
        return None
    if known is None:
        return Due(query.name, target, "first", *((began.at, began.not_before) if began else ()))
    at = _next(query, known, refresh)
    if at is None or at > now:
        return None
    return Due(query.name, target, "first" if known.ok_at is None else "round", late=now - at)


def _next(query: Query, known: LastFetch, refresh: Refresh) -> datetime | None:
    if known.state == "failed":
        return known.tried_at + _AGAIN_AFTER_FAILURE
    if known.state in UNREAD:
        return known.tried_at + max(refresh.period, _DAY)
    if known.state == "gone" or known.ok_at is None:
        return known.tried_at + _DAY
    if query.once:
        return None
    return known.ok_at + (refresh.period * query.periods * refresh.early if query.periods else _DAY - _SLACK)


def stale_due(stale: Stale, known: LastFetch | None, now: datetime) -> Due | None:
    """The query that events made stale; None where it may wait."""
    if known is not None:
        if known.state == "failed" and known.tried_at + _AGAIN_AFTER_FAILURE > now:
            return None
        if known.ok_at is not None and known.ok_at + EFFECTS.get(stale.cause, _NO_EFFECT).patience > now:
            return None
    return Due(stale.query, stale.target, "event", stale.caused_at)


def is_barred(
    query: str, target: str, known: Mapping[tuple[str, str], LastFetch], period: timedelta, now: datetime
) -> bool:
    """Whether a note about all targets of this query, of its namespace or repository, says that asking is of no use for now."""
    places = (EVERYWHERE, all_of(namespace_of(target)), all_in(repository_of(target)))
    notes = (known.get((query, place)) for place in places)
    return any(
        note is not None
        and note.state in UNREAD
        # Whether a feature is off is found out anew every day.
        and note.tried_at + (_DAY if note.state == "not_offered" else max(period, _DAY)) > now
        for note in notes
    )


def notes_on(query: str, target: str, known: Mapping[tuple[str, str], LastFetch]) -> list[str]:
    """The targets of notes that speak for this one and say that it cannot be read."""
    places = (EVERYWHERE, all_of(namespace_of(target)), all_in(repository_of(target)))
    return [
        place
        for place in dict.fromkeys(places)
        if (note := known.get((query, place))) is not None and note.state in UNREAD
    ]


def in_order(due: Iterable[Due]) -> list[Due]:
    """What events ask for first, then what was never read, then the oldest; within these, wide before narrow."""
    rank = {"event": 0, "first": 1, "round": 2}
    return sorted(due, key=lambda one: (rank[one.why], QUERY[one.query].tier, -one.late, one.query, one.target))


def share_of_round(targets: Sequence[tuple[Query, int]], refresh: Refresh, tick: timedelta) -> int:
    """How many queries of the rounds one tick may do so that all of them are done once a period. `targets`: how many each
    query has."""
    period = max(refresh.period, tick)
    queries = sum(number / query.periods for query, number in targets if query.periods and not query.once)
    return -(-int(queries * (tick / period) * 1000) // 1000) + 1
