"""Coverage: how much of a period the ledger is known to hold in full, from the states of the UTC days it
touches."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta

import msgspec
import polars as pl

from quayledger.reports import states
from quayledger.reports.formatting import plural
from quayledger.reports.period import Period, day_label
from quayledger.reports.trust import Detail, Level, Trust
from quayledger.warehouse.log import completeness
from quayledger.warehouse.log import events as reader
from quayledger.warehouse.snapshot import Snapshot

MISSING = "reported by Quay, missing here"
_NOT_JUDGED = ("open", "provisional", states.BEFORE_START)
_UNPROVEN = ("uncountable", "truncated", "unavailable", "excluded", states.NOT_COLLECTED)
# A log of a user's own never shows these; Quay writes them to one account only, but a reader has to know.
_USER_SCOPE_HIDES = "service keys (service_key_*)"


class Shortfall(msgspec.Struct, frozen=True):
    """Events of one kind that Quay reports of closed days and that are not held."""

    kind: str
    events: int


class DayState(msgspec.Struct, frozen=True):
    """One UTC day of one source. `expected_events` is None where the source was not counted, and while the day is open: more
    events come after a count."""

    source_id: str
    day: date
    state: str
    group: str
    stored_events: int
    expected_events: int | None
    note: str


class Coverage(msgspec.Struct, frozen=True):
    """How complete a period is. A day has the worst state of the sources asked for. Days are UTC days up to the moment
    the copy was published: days to come are no gap; those before the record begins are `days_before` and not in
    `days_total`. `rejected_rows`: rows that could not be read as events (kept separately)."""

    days_total: int
    days_verified: int
    days_open: int
    days_uncountable: int
    days_short: int
    days_unreadable: int
    days_missing: int
    days_before: int
    sources: int
    rejected_rows: int
    missing_events: tuple[Shortfall, ...]
    days: tuple[DayState, ...]
    hidden: tuple[str, ...]
    text: str
    level: Level

    @property
    def gap_free(self) -> bool:
        """True where every day of every source was collected, whatever its proof: figures may be compared."""
        return self.days_total > 0 and not any(day.group in ("unreadable", "missing", "before") for day in self.days)

    @property
    def breakdown(self) -> tuple[tuple[str, int], ...]:
        """How many days are in which group, in words, those that are not empty."""
        counts = (
            *(self.days_verified, self.days_open, self.days_uncountable, self.days_short),
            *(self.days_unreadable, self.days_missing, self.days_before),
        )
        return tuple((group.label, count) for group, count in zip(states.GROUPS, counts, strict=True) if count)

    @property
    def trust(self) -> Trust:
        """How far the period can be relied on: its days by state, and the events that are missing by kind."""
        days: dict[str, int] = {}
        for day in self.days:
            days[day.state] = days.get(day.state, 0) + 1
        noun = "UTC day" if self.sources < 2 else "source day"
        by_state = [Detail(days[state.name], noun, state.name, state.meaning) for state in states.held(set(days))]
        missing = [Detail(gap.events, "event", gap.kind, MISSING) for gap in self.missing_events]
        rejected = [Detail(self.rejected_rows, "row", "rejected", "could not be read as an event; kept separately")]
        return Trust(self.text, self.level, (*by_state, *missing, *(rejected if self.rejected_rows else [])))


def measure(snapshot: Snapshot, period: Period, as_of: datetime, source_ids: tuple[str, ...] = ()) -> Coverage:
    """The coverage of a period in the published copy; `as_of` bounds it (aware UTC). Empty `source_ids`: all
    sources."""
    first, last = period.utc_days()
    last = min(last, as_of.date())
    if last < first:
        return summarise(pl.DataFrame(), pl.DataFrame(), ())
    held = mark_unreadable(snapshot, reader.coverage(snapshot, first, last, source_ids))
    parts = completeness.completeness(snapshot, first, last, source_ids)
    return summarise(held, deficits(parts), _hidden(parts))


def mark_unreadable(snapshot: Snapshot, days: pl.DataFrame) -> pl.DataFrame:
    """Rows of UTC days (source_id, day, state, note) with the state of those whose file of events is missing or damaged,
    whatever they were found to be when they were closed."""
    for fault in snapshot.faults:
        file = fault.file
        inside = (pl.col("source_id") == file.source_id) & pl.col("day").is_between(file.first_day, file.last_day)
        lost = inside & ~pl.col("state").is_in([states.NOT_COLLECTED, states.BEFORE_START])
        days = days.with_columns(
            pl.when(lost).then(pl.lit(states.UNREADABLE)).otherwise(pl.col("state")).alias("state"),
            pl.when(lost).then(pl.lit(f"{file.file} is {fault.fault}")).otherwise(pl.col("note")).alias("note"),
        )
    return days


def deficits(parts: pl.DataFrame) -> pl.DataFrame:
    """The rows of `warehouse.log.completeness.completeness` where a day that is over lacks events of a kind that Quay counts,
    or holds more than it ever counted, or could not read some; and one row without a kind for each other day that nothing proves."""
    lacks = (pl.col("difference") > 0) & ~pl.col("state").is_in(_NOT_JUDGED)
    beyond = (pl.col("difference") < 0) & (pl.col("state") == "over")
    unreadable = (pl.col("unreadable") > 0) & ~pl.col("state").is_in(_NOT_JUDGED)
    kinds = parts.filter(pl.col("in_cover") & (lacks | beyond | unreadable))
    whole = (
        parts.filter(pl.col("state").is_in(_UNPROVEN))
        .group_by("source_id", "day", maintain_order=True)
        .agg(
            pl.col("scope").first(),
            pl.lit(None, pl.String).alias("kind"),
            sum_known("source_count"),
            pl.col("stored_count").sum(),
            sum_known("unreadable"),
            sum_known("difference"),
            pl.col("state", "note", "in_cover", "requests", "counted_at", "tried_at", "sealed_at").first(),
        )
        .join(kinds, on=["source_id", "day"], how="anti")
    )
    found = pl.concat([kinds, whole.select(kinds.columns)])
    return found.sort("day", "source_id", "scope", "kind", descending=[True, False, False, False], maintain_order=True)


def sum_known(name: str) -> pl.Expr:
    """The sum of what is known; null where nothing is."""
    return pl.when(pl.col(name).count() > 0).then(pl.col(name).sum()).alias(name)


def summarise(held: pl.DataFrame, lacking: pl.DataFrame, hidden: tuple[str, ...]) -> Coverage:
    """Coverage from the frames of `warehouse.log.events.coverage` and of `deficits`. Pure."""
    days = tuple(_day_state(row) for row in held.iter_rows(named=True))
    worst: dict[date, int] = {}
    for day in days:
        worst[day.day] = min(worst.get(day.day, len(states.WORST_FIRST)), states.WORST_FIRST.index(day.group))
    groups = [states.WORST_FIRST[rank] for rank in worst.values()]
    counts = {group.name: groups.count(group.name) for group in states.GROUPS}
    total = len(groups) - counts["before"]
    return Coverage(
        days_total=total,
        days_verified=counts["verified"],
        days_open=counts["open"],
        days_uncountable=counts["uncountable"],
        days_short=counts["short"],
        days_unreadable=counts["unreadable"],
        days_missing=counts["missing"],
        days_before=counts["before"],
        sources=len({day.source_id for day in days}),
        rejected_rows=int(held["rejected_rows"].sum()) if days else 0,
        missing_events=_shortfalls(lacking),
        days=days,
        hidden=hidden,
        text=_text(counts, total, worst),
        level=_level(counts, total),
    )


def _day_state(row: dict[str, object]) -> DayState:
    state = states.state_of(str(row["state"]))
    expected = None if state.group == "open" else row["expected_events"]
    return DayState(
        source_id=str(row["source_id"]),
        day=row["day"] if isinstance(row["day"], date) else date.fromisoformat(str(row["day"])),
        state=state.name,
        group=state.group,
        stored_events=int(str(row["stored_events"] or 0)),
        expected_events=None if expected is None else int(str(expected)),
        note=str(row["note"] or ""),
    )


def _shortfalls(lacking: pl.DataFrame) -> tuple[Shortfall, ...]:
    if lacking.is_empty():
        return ()
    missing = (
        lacking.filter(pl.col("difference") > 0)
        .group_by("kind")
        .agg(pl.col("difference").sum().alias("events"))
        .sort("events", "kind", descending=[True, False])
    )
    return tuple(Shortfall(kind or "any kind", int(events)) for kind, events in missing.iter_rows())


def _hidden(parts: pl.DataFrame) -> tuple[str, ...]:
    """What the endpoints of the cover never show, known from the scopes that were counted."""
    scopes = parts["scope"].drop_nulls().unique().sort()
    return tuple(f"{scope}: {_USER_SCOPE_HIDES}" for scope in scopes if scope.startswith("user:"))


def _text(counts: dict[str, int], total: int, days: Iterable[date]) -> str:
    if not total:
        return "before collection began" if counts["before"] else "no day of this period has been collected"
    said = f"{counts['verified']:,} of {plural(total, 'day')} verified"
    if counts["unreadable"]:
        said += f", {counts['unreadable']:,} in a missing or damaged file"
    if not counts["before"]:
        return said
    began = min(days) + timedelta(days=counts["before"])
    return f"{said} since collection began on {day_label(began)}"


def _level(counts: dict[str, int], total: int) -> Level:
    if not total or counts["missing"] or counts["unreadable"]:
        return "bad"
    if counts["short"] or counts["uncountable"]:
        return "warning"
    return "open" if counts["open"] else "good"
