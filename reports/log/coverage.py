"""The readers' room: coverage. How much of a period the record can vouch for, from the states of the UTC days it
touches."""

from __future__ import annotations

from datetime import date, datetime

import msgspec
import polars as pl

from quayledger.reports.period import Period
from quayledger.reports.states import GROUPS, WORST_FIRST, held, state_of
from quayledger.reports.trust import Detail, Level, Trust
from quayledger.warehouse.log import events as reader
from quayledger.warehouse.snapshot import Snapshot

MISSING = "reported by Quay, missing here"
# A log of a user's own never shows these; Quay writes them to one account only, but a reader has to know.
_USER_SCOPE_HIDES = "service keys (service_key_*)"


class Shortfall(msgspec.Struct, frozen=True):
    """Events of one kind that the source counts and that are not held."""

    kind: str
    events: int


class DayState(msgspec.Struct, frozen=True):
    """One UTC day of one source. `expected_events` is None where the source was not counted."""

    source_id: str
    day: date
    state: str
    group: str
    stored_events: int
    expected_events: int | None
    note: str


class Coverage(msgspec.Struct, frozen=True):
    """How complete a period is. A day has the worst state of the sources asked for. Days are UTC days up to the moment
    the record was published: days to come are no gap. `rejected_rows`: rows that could not be read as events (kept
    aside)."""

    days_total: int
    days_verified: int
    days_open: int
    days_uncountable: int
    days_short: int
    days_missing: int
    sources: int
    rejected_rows: int
    missing_events: tuple[Shortfall, ...]
    days: tuple[DayState, ...]
    hidden: tuple[str, ...]
    text: str
    level: Level

    @property
    def gap_free(self) -> bool:
        """True where every day was collected, whatever its proof: figures may be compared."""
        return self.days_total > 0 and not self.days_missing

    @property
    def breakdown(self) -> tuple[tuple[str, int], ...]:
        """How many days are in which group, in words, those that are not empty."""
        counts = (self.days_verified, self.days_open, self.days_uncountable, self.days_short, self.days_missing)
        return tuple((group.label, count) for group, count in zip(GROUPS, counts, strict=True) if count)

    @property
    def trust(self) -> Trust:
        """How far the period can be relied on: its days by state, and the events that are missing by kind."""
        days: dict[str, int] = {}
        for day in self.days:
            days[day.state] = days.get(day.state, 0) + 1
        noun = "UTC day" if self.sources < 2 else "UTC day of a source"
        by_state = [Detail(days[state.name], noun, state.name, state.meaning) for state in held(set(days))]
        missing = [Detail(gap.events, "event", gap.kind, MISSING) for gap in self.missing_events]
        rejected = [Detail(self.rejected_rows, "row", "rejected", "could not be read as an event; kept aside")]
        return Trust(self.text, self.level, (*by_state, *missing, *(rejected if self.rejected_rows else [])))


def measure(snapshot: Snapshot, period: Period, as_of: datetime, source_ids: tuple[str, ...] = ()) -> Coverage:
    """The coverage of a period in the published record; `as_of` bounds it (aware UTC). Empty `source_ids`: all
    sources."""
    first, last = period.utc_days()
    last = min(last, as_of.date())
    if last < first:
        return summarise(pl.DataFrame(), pl.DataFrame(), ())
    states = reader.coverage(snapshot, first, last, source_ids)
    kinds = reader.kind_coverage(snapshot, first, last, source_ids)
    return summarise(states, kinds, _hidden(kinds))


def summarise(states: pl.DataFrame, kinds: pl.DataFrame, hidden: tuple[str, ...]) -> Coverage:
    """Coverage from the frames of `reader.coverage` and `reader.kind_coverage`. Pure."""
    days = tuple(_day_state(row) for row in states.iter_rows(named=True))
    worst: dict[date, int] = {}
    for day in days:
        worst[day.day] = min(worst.get(day.day, len(WORST_FIRST)), WORST_FIRST.index(day.group))
    groups = [WORST_FIRST[rank] for rank in worst.values()]
    counts = {group.name: groups.count(group.name) for group in GROUPS}
    return Coverage(
        days_total=len(groups),
        days_verified=counts["verified"],
        days_open=counts["open"],
        days_uncountable=counts["uncountable"],
        days_short=counts["short"],
        days_missing=counts["missing"],
        sources=len({day.source_id for day in days}),
        rejected_rows=int(states["rejected_rows"].sum()) if days else 0,
        missing_events=_shortfalls(kinds),
        days=days,
        hidden=hidden,
        text=_text(counts, len(groups)),
        level=_level(counts, len(groups)),
    )


def _day_state(row: dict[str, object]) -> DayState:
    state = str(row["state"])
    expected = row["expected_events"]
    return DayState(
        source_id=str(row["source_id"]),
        day=row["day"] if isinstance(row["day"], date) else date.fromisoformat(str(row["day"])),
        state=state,
        group=state_of(state).group,
        stored_events=int(str(row["stored_events"] or 0)),
        expected_events=None if expected is None else int(str(expected)),
        note=str(row["note"] or ""),
    )


def _shortfalls(kinds: pl.DataFrame) -> tuple[Shortfall, ...]:
    if kinds.is_empty():
        return ()
    missing = (
        kinds.filter(pl.col("source_count") > pl.col("stored_count"))
        .group_by("kind")
        .agg((pl.col("source_count") - pl.col("stored_count")).sum().alias("events"))
        .sort("events", "kind", descending=[True, False])
    )
    return tuple(Shortfall(kind, int(events)) for kind, events in missing.iter_rows())


def _hidden(kinds: pl.DataFrame) -> tuple[str, ...]:
    """What the endpoints of the cover never show, known from the scopes that were counted."""
    if kinds.is_empty():
        return ()
    scopes = kinds["scope"].unique().sort()
    return tuple(f"{scope}: {_USER_SCOPE_HIDES}" for scope in scopes if scope.startswith("user:"))


def _text(counts: dict[str, int], total: int) -> str:
    if not total:
        return "no day of this period has been collected"
    return f"{counts['verified']:,} of {total:,} {'day' if total == 1 else 'days'} verified"


def _level(counts: dict[str, int], total: int) -> Level:
    if not total or counts["missing"]:
        return "bad"
    if counts["short"] or counts["uncountable"]:
        return "warning"
    return "open" if counts["open"] else "good"
