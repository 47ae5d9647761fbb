"""What reports on a period have in common: the period, its coverage, and the comparison with the period before."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import msgspec
import polars as pl

from quayledger.reports import formatting
from quayledger.reports.log.coverage import Coverage, measure
from quayledger.reports.model import Chart, Encodings, Metric, Note, NoteLevel, Parameter
from quayledger.reports.period import WEEKDAYS, Bucket, Period, bucket_of, buckets, start_of_day
from quayledger.warehouse.log import events
from quayledger.warehouse.log.event_filter import EventFilter, RenamedAccount
from quayledger.warehouse.log.former_names import account_labels, former_names, now_called
from quayledger.warehouse.snapshot import Snapshot

SERIES_COLUMNS = ("pulls", "pushes", "deletes", "other", "events", "actors")
NOT_ASKED = "not asked for"
_SHOWN = 5
_METRICS = {
    "events": ("Events", "every entry of the log, of any kind"),
    "pulls": ("Pulls", "pull_repo events"),
    "pushes": ("Pushes", "push_repo events"),
    "deletes": ("Deletes", "deleted tags and repositories"),
    "actors": ("Active accounts", "distinct users and robots"),
    "namespaces": ("Active namespaces", "distinct namespaces with an event"),
    "repositories": ("Active repositories", "distinct repositories with an event"),
    "clients": ("Clients", "distinct families of client programs"),
    "ips": ("IP addresses", "distinct addresses that requests came from"),
    "builds": ("Builds", "build_dockerfile events"),
}


class PeriodView(msgspec.Struct, frozen=True):
    """A period of the ledger as a report reads it: what was asked, how complete it is, and whether it may be compared with the period
    before. `before` is None where it may not or was not asked to, and `no_change` then says why in two or three
    words."""

    snapshot: Snapshot
    period: Period
    as_of: datetime
    namespace: str | None
    source_ids: tuple[str, ...]
    coverage: Coverage
    before: Period | None
    no_change: str
    notes: tuple[Note, ...]
    renamed: tuple[RenamedAccount, ...] = ()

    def where(self, period: Period | None = None) -> EventFilter:
        """The event filter of the question, for its own period or another."""
        chosen = period or self.period
        return EventFilter(since=chosen.since, until=chosen.until, source_ids=self.source_ids, namespace=self.namespace)

    @property
    def comparison(self) -> str:
        """What changes refer to, in a sentence; empty where no comparison was asked for."""
        if self.before:
            return f"Compared with {self.before.label}."
        return "" if self.no_change == NOT_ASKED else f"No comparison: {self.no_change}."

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """What was asked for, in words."""
        return (
            Parameter("Period", self.period.label),
            Parameter("Compared with", self.before.label if self.before else f"nothing ({self.no_change})"),
            Parameter("Namespace", self.namespace or "all"),
            Parameter("Source", ", ".join(self.source_ids) or "all"),
        )


def read(
    snapshot: Snapshot,
    period: Period,
    *,
    namespace: str | None,
    source_ids: tuple[str, ...],
    compare: bool,
) -> PeriodView:
    """Measure the coverage of the period and of the one before, and decide whether a comparison would be true."""
    as_of = snapshot.published.published_at
    coverage = measure(snapshot, period, as_of, source_ids)
    before = period.compared_with(as_of)
    no_change, notes = "", [*_completeness(coverage, as_of), *damaged_files(snapshot, period, source_ids)]
    if not compare:
        no_change = NOT_ASKED
    elif not coverage.gap_free:
        has_gaps = coverage.days_missing or coverage.days_unreadable
        no_change = "this period has gaps" if has_gaps else "collection began within this period"
    elif not measure(snapshot, before, as_of, source_ids).gap_free:
        no_change = "the period before is not covered"
    if compare and no_change:
        notes.append(Note("warning", f"No change is shown because {no_change}; the difference would be misleading."))
    elif compare and as_of < period.until:
        said = f"The period is not over: it is compared with the same stretch of the period before, {before.label}."
        notes.append(Note("info", said))
    notes.append(
        Note("info", f"Days, hours and weekdays are in {period.time_zone}; completeness is judged by UTC day.")
    )
    renamed = _renamed(snapshot, source_ids)
    labels = account_labels(snapshot)
    changed = sorted({(one.old_name, one.now_called) for one in renamed if one.now_called not in labels})
    if changed:
        said = ", ".join(f"{formatting.visible(old)} → {formatting.visible(new)}" for old, new in changed[:_SHOWN])
        notes.append(Note("info", f"Renamed accounts are shown under their present name: {said}."))
    compared = None if no_change else before
    return PeriodView(
        snapshot, period, as_of, namespace, source_ids, coverage, compared, no_change, tuple(notes), renamed
    )


def _renamed(snapshot: Snapshot, source_ids: tuple[str, ...]) -> tuple[RenamedAccount, ...]:
    """The accounts that were renamed or deleted, as far as the log tells their former names."""
    found = former_names(snapshot)
    return tuple(
        RenamedAccount(one.source_id, one.former_name, now_called(found, one), one.since_at, one.until_at)
        for one in found
        if one.former_name and (not source_ids or one.source_id in source_ids)
    )


def damaged_files(snapshot: Snapshot, period: Period, source_ids: tuple[str, ...]) -> list[Note]:
    """A note for each file of the period's days that is missing or damaged: what it holds, and how to get it back."""
    first, last = period.utc_days()
    return [
        Note("warning", formatting.visible(f"{fault.describe(snapshot.home)}."))
        for fault in snapshot.faults
        if fault.file.last_day >= first
        and fault.file.first_day <= last
        and (not source_ids or fault.file.source_id in source_ids)
    ]


def _completeness(coverage: Coverage, as_of: datetime) -> list[Note]:
    parts = ", ".join(f"{formatting.count(number)} {label}" for label, number in coverage.breakdown)
    level: NoteLevel = "info" if coverage.level in ("good", "open") else "warning"
    notes = [
        Note(
            level,
            f"Completeness as of {formatting.moment(as_of)}: {coverage.text}" + (f" ({parts})." if parts else "."),
        )
    ]
    if coverage.missing_events:
        named = ", ".join(f"{formatting.visible(gap.kind)} {gap.events:,}" for gap in coverage.missing_events[:5])
        notes.append(Note("warning", f"Reported by Quay, missing here: {named}. Figures for these kinds are too low."))
    if coverage.days_uncountable:
        notes.append(
            Note(
                "warning",
                f"{formatting.plural(coverage.days_uncountable, 'day')} cannot be proven complete: Quay gave no usable "
                "count, or no older event was found there, so that it may have deleted some of these days.",
            )
        )
    if coverage.rejected_rows:
        notes.append(
            Note(
                "warning",
                f"{formatting.plural(coverage.rejected_rows, 'row')} could not be read as events and are kept separately.",
            )
        )
    notes.extend(
        Note("info", f"Not included in the logs that are read: {formatting.visible(said)}.") for said in coverage.hidden
    )
    return notes


def totals(view: PeriodView) -> tuple[dict[str, int], dict[str, int] | None]:
    """The figures of the period and of the one it is compared with (None: no comparison)."""
    now = _row(events.totals(view.snapshot, view.where()))
    return now, _row(events.totals(view.snapshot, view.where(view.before))) if view.before else None


def _row(frame: pl.DataFrame) -> dict[str, int]:
    return {name: int(value or 0) for name, value in frame.row(0, named=True).items()} if frame.height else {}


def metrics(
    view: PeriodView, names: tuple[str, ...], now: dict[str, int], before: dict[str, int] | None
) -> list[Metric]:
    """Counts with their change. Where nothing of the period was collected a count is unknown, not 0."""
    return [_metric(view, name, now, before) for name in names]


def _metric(view: PeriodView, name: str, now: dict[str, int], before: dict[str, int] | None) -> Metric:
    label, explanation = _METRICS[name]
    if unknown(view):
        return Metric(name, label, None, change_text="n/a", explanation=explanation)
    value = now.get(name, 0)
    if before is None:
        return Metric(name, label, value, change_text=_no_change(view), explanation=explanation)
    relative, said = change(value, before.get(name, 0))
    return Metric(name, label, value, "count", before.get(name, 0), relative, said, explanation)


def anonymous(view: PeriodView, now: dict[str, int], before: dict[str, int] | None) -> Metric:
    """The share of pulls without an account; its change is in percentage points, not relative."""
    name, label, explanation = "anonymous_share", "Anonymous pulls", "share of pulls without an account"
    value = share(now.get("anonymous_pulls", 0), now.get("pulls", 0))
    if unknown(view) or before is None:
        said = "n/a" if unknown(view) else _no_change(view)
        return Metric(name, label, None if unknown(view) else value, "share", change_text=said, explanation=explanation)
    previous = share(before.get("anonymous_pulls", 0), before.get("pulls", 0))
    if value is None or previous is None:
        return Metric(name, label, value, "share", previous, None, "n/a", explanation)
    points = round((value - previous) * 100, 1) + 0.0
    said = f"{points:+.1f} pts".replace("-", "−") if points else "±0 pts"
    return Metric(name, label, value, "share", previous, value - previous, said, explanation)


def _no_change(view: PeriodView) -> str:
    return "" if view.no_change == NOT_ASKED else "n/a"


def unknown(view: PeriodView) -> bool:
    """True where no day of the period was collected: its figures are not 0 but not known."""
    return view.coverage.days_total == view.coverage.days_missing + view.coverage.days_unreadable


def change(now: float, before: float) -> tuple[float | None, str]:
    """The relative change and how it is said: `new` where there was nothing before."""
    if before:
        relative = (now - before) / before
        return relative, formatting.change(relative)
    return (None, "new") if now else (0.0, formatting.change(0.0))


def unknown_kinds(now: dict[str, int]) -> list[Note]:
    """A note where the record holds kinds of events that this version has no word for."""
    number = now.get("unknown_kinds", 0)
    if not number:
        return []
    said = f"{formatting.plural(number, 'kind')} of event unknown to this version; such events count as other events."
    return [Note("warning", said)]


def share(part: float, whole: float) -> float | None:
    """A fraction of one; None of nothing."""
    return part / whole if whole else None


def series(view: PeriodView, wanted: EventFilter | None = None) -> Chart:
    """Pulls, pushes, deletes and other events by bucket; of those that `wanted` selects, where it is given. A bucket without events is 0 where its days were collected,
    else null."""
    bucket = bucket_of(view.period)
    spine = _spine(view, bucket)
    found = events.usage_series(view.snapshot, wanted or view.where(), time_zone=view.period.time_zone, bucket=bucket)
    values = [pl.col(name).cast(pl.Int64) for name in SERIES_COLUMNS]
    found = found.select(pl.col("bucket").cast(pl.Datetime("us")), *values)
    filled = [
        pl.when(pl.col("covered")).then(pl.col(name).fill_null(0)).otherwise(pl.col(name)).alias(name)
        for name in SERIES_COLUMNS
    ]
    frame = spine.join(found, on="bucket", how="left", maintain_order="left").select("bucket", *filled)
    return Chart(
        "series",
        f"Activity by {bucket}",
        "line",
        frame,
        Encodings("bucket", ("pulls", "pushes", "deletes", "other"), labels=("Pulls", "Pushes", "Deletes", "Other")),
        _peak(frame, bucket),
        "bucket",
    )


def _spine(view: PeriodView, bucket: Bucket) -> pl.DataFrame:
    gaps = uncollected(view.coverage)
    rows = [
        (label, not _all_in(stretch, gaps))
        for label, stretch in buckets(view.period, bucket)
        if stretch.since <= view.as_of
    ]
    return pl.DataFrame(rows, schema={"bucket": pl.Datetime("us"), "covered": pl.Boolean}, orient="row")


def uncollected(coverage: Coverage) -> frozenset[date]:
    """UTC days of which no source has events to show: not collected, or in a file that is missing or damaged."""
    held = {day.day for day in coverage.days if day.group not in ("unreadable", "missing", "before")}
    return frozenset(day.day for day in coverage.days if day.day not in held)


def _all_in(stretch: Period, gaps: frozenset[date]) -> bool:
    first, last = stretch.utc_days()
    return all(first + timedelta(days=step) in gaps for step in range((last - first).days + 1))


def _peak(frame: pl.DataFrame, bucket: Bucket) -> str:
    known = frame.drop_nulls("events")
    if known.is_empty() or not known["events"].max():
        return "No events in this period."
    top = known.sort("events", "bucket", descending=[True, False]).row(0, named=True)
    when = f"{top['bucket']:%Y-%m-%d %H:%M}" if bucket == "hour" else f"{top['bucket']:%Y-%m-%d}"
    return f"Busiest {bucket}: {when} with {formatting.plural(top['events'], 'event')}."


def heat(view: PeriodView) -> Chart:
    """Events by week day (Monday is 1) and hour of the period's time zone; null where no such day was collected."""
    found = events.heat(view.snapshot, view.where(), time_zone=view.period.time_zone)
    cells = pl.DataFrame(
        [(weekday, hour) for weekday in range(1, 8) for hour in range(24)],
        schema={"weekday": pl.Int64, "hour": pl.Int64},
        orient="row",
    )
    found = found.select(
        pl.col("weekday").cast(pl.Int64), pl.col("hour").cast(pl.Int64), pl.col("events").cast(pl.Int64)
    )
    known = pl.col("weekday").is_in(sorted(_weekdays(view)))
    frame = cells.join(found, on=["weekday", "hour"], how="left", maintain_order="left").with_columns(
        pl.when(known).then(pl.col("events").fill_null(0)).otherwise(pl.col("events")).alias("events")
    )
    if frame["events"].null_count() == frame.height:
        frame = frame.clear()
    title = f"Events by weekday and hour ({view.period.time_zone})"
    return Chart("heat", title, "heat", frame, Encodings("hour", ("weekday",), "events"), _hottest(frame), "weekday")


def _weekdays(view: PeriodView) -> set[int]:
    gaps, found, day = uncollected(view.coverage), set[int](), view.period.first_day
    while day <= view.period.last_day and len(found) < 7:
        stretch = Period(
            start_of_day(day, view.period.time_zone), start_of_day(day + timedelta(days=1), view.period.time_zone)
        )
        if stretch.since <= view.as_of and not _all_in(stretch, gaps):
            found.add(day.isoweekday())
        day += timedelta(days=1)
    return found


def _hottest(frame: pl.DataFrame) -> str:
    known = frame.drop_nulls("events")
    if known.is_empty() or not known["events"].max():
        return "No events in this period."
    top = known.sort("events", "weekday", "hour", descending=[True, False, False]).row(0, named=True)
    return f"Busiest hour: {WEEKDAYS[top['weekday'] - 1]} {top['hour']:02d}:00 with {formatting.plural(top['events'], 'event')}."


def strip(view: PeriodView) -> Chart:
    """The state of each UTC day of each source."""
    rows = [
        (day.source_id, day.day, day.state, day.group, day.stored_events, day.expected_events)
        for day in view.coverage.days
    ]
    schema = {
        "source_id": pl.String,
        "day": pl.Date,
        "state": pl.String,
        "group": pl.String,
        "stored_events": pl.Int64,
        "expected_events": pl.Int64,
    }
    frame = pl.DataFrame(rows, schema=schema, orient="row").sort("source_id", "day")
    return Chart(
        "coverage",
        "Coverage by UTC day",
        "strip",
        frame,
        Encodings("day", ("source_id",), "state"),
        view.coverage.text + ".",
    )
