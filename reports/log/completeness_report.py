"""Collection completeness: how far the ledger can be trusted, day by day, what collecting cost,
and what it cost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec
import polars as pl
from msgspec import Meta

from quayledger.reports import formatting, states
from quayledger.reports.log import costs, period_view, recording
from quayledger.reports.log.coverage import deficits, mark_unreadable, sum_known
from quayledger.reports.log.period_view import PeriodView
from quayledger.reports.model import Chart, Column, Encodings, Metric, Note, Parameter, Report, Table
from quayledger.reports.period import Period
from quayledger.reports.spec import PERIOD, ReportSpec, SourcesParam, TopParam
from quayledger.warehouse.log import completeness
from quayledger.warehouse.snapshot import Snapshot

REPORT_ID = "completeness"
TITLE = "Collection completeness"
# Rows come a little late; reading on for that long after midnight is ordinary collecting.
_LATE = timedelta(hours=1)
_PART = ("day", "source_id", "scope")


class _Found(msgspec.Struct, frozen=True):
    """What the record says of its own making."""

    parts: pl.DataFrame
    deficits: pl.DataFrame
    repairs: pl.DataFrame
    runs: pl.DataFrame
    days: pl.DataFrame
    purposes: pl.DataFrame
    fresh: pl.DataFrame
    recorded: pl.DataFrame


class CompletenessParams(msgspec.Struct, frozen=True, kw_only=True):
    """What may be asked of the completeness report. A day is complete or not as a whole: no namespace narrows it."""

    period: Annotated[Period, Meta(description=PERIOD, extra={"default": "last-90-days", "utc": True})]
    sources: SourcesParam = ()
    top: TopParam = 0


def build(snapshot: Snapshot, params: CompletenessParams, *, now: datetime | None = None) -> Report:
    """The completeness of a period, in UTC days. `now`: when it is made (aware).

    Tables `completeness` (each day, scope and kind: counted, held, state, requests, when closed), `deficits` (closed days that lack events or that nothing proves), `states`,
    `repairs`, `runs`, `spent` (by UTC day), `purposes`, `freshness`, `recorded` (what each Quay records at all); charts `calendar` (state of each UTC day) and
    `requests` (against the minimum, and those of the inventory). Errors: WarehouseError."""
    period, source_ids = params.period, params.sources
    view = period_view.read(snapshot, period, namespace=None, source_ids=source_ids, compare=False)
    found = _find(view)
    return Report(
        id=REPORT_ID,
        title=TITLE,
        generated_at=now or datetime.now(UTC),
        as_of=view.as_of,
        period=period,
        compared_with=None,
        parameters=(
            Parameter("Period", period.label),
            Parameter("Source", ", ".join(source_ids) or "all"),
        ),
        trust=view.coverage.trust,
        metrics=_metrics(view, found),
        tables=_tables(view, found, params.top),
        charts=(calendar(view), _requests(view, found)),
        notes=(*view.notes, *_notes()),
    )


def _find(view: PeriodView) -> _Found:
    first, last = view.period.utc_days()
    last = max(first, min(last, view.as_of.date()))
    stretch = (view.period.since, view.period.until, view.source_ids)
    parts = mark_unreadable(view.snapshot, completeness.completeness(view.snapshot, first, last, view.source_ids))
    spent = costs.with_minimum(completeness.run_costs(view.snapshot, *stretch))
    return _Found(
        parts=parts,
        deficits=deficits(parts),
        repairs=repairs(completeness.readings(view.snapshot, first, last, view.source_ids)),
        runs=costs.by_run(spent),
        days=costs.by_day(spent),
        purposes=costs.by_purpose(completeness.request_costs(view.snapshot, *stretch)),
        recorded=recording.table(recording.by_source(view.snapshot, view.source_ids)),
        fresh=costs.lag_minutes(completeness.freshness(view.snapshot, view.source_ids), view.as_of),
    )


def repairs(readings: pl.DataFrame) -> pl.DataFrame:
    """The rows of `warehouse.log.completeness.readings` beyond the first whole chain of pages of a (day, scope) that was over:
    read again, in parts, another way, or thrown away."""
    over = pl.col("day").cast(pl.Datetime("us")).dt.replace_time_zone("UTC") + timedelta(days=1) + _LATE
    whole = (pl.col("method") == "pages") & (pl.col("part") == "") & (pl.col("state") == "merged")
    closing = whole & (pl.col("started_at") >= over)
    first = pl.col("reading_id").filter(closing).min().over(_PART)
    return readings.filter(~whole | (closing & (pl.col("reading_id") > first)))


def calendar(view: PeriodView) -> Chart:
    """The state of each UTC day of each source, for a calendar of weeks."""
    days = [
        (d.source_id, d.day, d.state, d.group, d.stored_events, d.expected_events, d.note) for d in view.coverage.days
    ]
    schema = {
        "source_id": pl.String,
        "day": pl.Date,
        "state": pl.String,
        "group": pl.String,
        "stored_events": pl.Int64,
        "expected_events": pl.Int64,
        "note": pl.String,
    }
    frame = pl.DataFrame(days, schema=schema, orient="row").sort("source_id", "day")
    said = f"{view.coverage.text}."
    return Chart(
        "calendar", "Coverage calendar (UTC days)", "calendar", frame, Encodings("day", ("source_id",), "state"), said
    )


def _requests(view: PeriodView, found: _Found) -> Chart:
    first, last = view.period.utc_days()
    frame = costs.series(found.days, first, max(first, min(last, view.as_of.date())))
    labels = ("Minimum for the log", "Beyond the minimum", "Inventory")
    encodings = Encodings("bucket", ("minimum", "beyond", "inventory"), labels=labels)
    return Chart("requests", "Requests by UTC day", "line", frame, encodings, _spent_said(found))


def _spent_said(found: _Found) -> str:
    asked, minimum, inventory = (
        _total(found.days, name) for name in ("requests", "minimum_requests", "inventory_requests")
    )
    if not asked + inventory:
        return "No requests by runs of this period."
    log = f"{formatting.plural(asked, 'request')} for the log, at least {formatting.count(minimum)} needed"
    return f"{log}; {formatting.count(inventory)} for the inventory."


def _metrics(view: PeriodView, found: _Found) -> tuple[Metric, ...]:
    days = view.coverage
    asked, minimum = _total(found.days, "requests"), _total(found.days, "minimum_requests")
    lags = found.fresh["lag_minutes"].drop_nulls()
    return (
        Metric("days_verified", "Days verified", days.days_verified, explanation=days.text),
        _missing(view),
        Metric(
            "repairs", "Repairs", found.repairs.height, explanation="readings after the first whole one of a closed day"
        ),
        Metric("new_events", "New events", _total(found.runs, "new_events"), explanation="from runs of the period"),
        Metric("requests", "Requests for the log", asked, explanation="by runs of the period"),
        Metric("minimum_requests", "Minimum requests", minimum, explanation=costs.MINIMUM),
        Metric(
            "overhead", "Request overhead", period_view.share(asked, minimum), "ratio", explanation="requests ÷ minimum"
        ),
        Metric(
            "inventory_requests",
            "Requests for the inventory",
            _total(found.days, "inventory_requests"),
            explanation="by runs of the period",
        ),
        Metric(
            "lag", "Minutes since last reply", _highest(lags), explanation="of the source that has been silent longest"
        ),
    )


def _missing(view: PeriodView) -> Metric:
    """Events that Quay reports of closed days and that are not held: not known where no closed day was counted, and at least
    so many where some were not."""
    days = view.coverage
    unproven = days.days_missing + days.days_uncountable
    number: int | None = sum(gap.events for gap in days.missing_events)
    if not number and not days.days_verified and not days.days_short:
        number = None
    said = f"{formatting.plural(unproven, 'day')} not checked" if unproven else ""
    if days.rejected_rows:
        said = ", ".join(part for part in (said, f"{formatting.plural(days.rejected_rows, 'row')} unreadable") if part)
    return Metric("missing", "Events missing", number, change_text=said, explanation="reported by Quay for closed days")


def _highest(values: pl.Series) -> float | None:
    return None if values.is_empty() else float(str(values.max()))


def _total(frame: pl.DataFrame, name: str) -> int:
    return int(frame[name].sum() or 0)


_DAY, _SOURCE = Column("day", "UTC day", "day"), Column("source_id", "Source", "text")
_SCOPE, _KIND, _STATE = (
    Column("scope", "Scope", "text"),
    Column("kind", "Kind", "text"),
    Column("state", "State", "text"),
)
_COUNTS = (
    Column("source_count", "Reported", unit="by Quay"),
    Column("stored_count", "Held", unit="in this ledger"),
    Column("difference", "Missing", unit="reported minus held, without what could not be read"),
)
_COST = (
    Column("requests", "Requests"),
    Column("minimum_requests", "Minimum", unit="requests"),
    Column("overhead", "Overhead", "ratio", "requests ÷ minimum"),
    Column("new_events", "New events"),
    Column("closed_days", "Days closed"),
    Column("received_bytes", "Bytes"),
)
_COMPLETENESS = (
    _DAY,
    _SOURCE,
    _SCOPE,
    _KIND,
    *_COUNTS,
    _STATE,
    Column("requests", "Requests", unit="for all pages of that day and scope"),
    Column("sealed_at", "Closed", "time", "when first verified"),
)
_DEFICITS = (
    _DAY,
    _SOURCE,
    _SCOPE,
    _KIND,
    *_COUNTS[:2],
    Column("unreadable", "Unreadable", unit="rows that could not be read as events"),
    _COUNTS[2],
    _STATE,
    Column("tried_at", "Last tried", "time"),
    Column("note", "Note", "text"),
)
_STATES = (
    _SOURCE,
    _STATE,
    Column("days", "Days"),
    Column("stored_events", "Held", unit="events"),
    Column("expected_events", "Reported", unit="by Quay"),
    Column("meaning", "Meaning", "text"),
)
_REPAIRS = (
    _DAY,
    _SOURCE,
    _SCOPE,
    Column("part", "Part", "text", "empty: the whole scope"),
    Column("method", "Method", "text"),
    _STATE,
    Column("rows", "Rows"),
    Column("new_events", "New events"),
    Column("requests", "Requests"),
    Column("end_reason", "Ended", "text"),
    Column("reason", "Discarded because", "text"),
)
_RUNS = (
    Column("run_id", "Run"),
    Column("started_at", "Started", "time"),
    Column("command", "Started by", "text"),
    Column("outcome", "Outcome", "text"),
    Column("seconds", "Seconds"),
    *_COST,
    Column("message", "Message", "text"),
)
_SPENT = (_DAY, _SOURCE, *_COST[:3], Column("inventory_requests", "Inventory", unit="requests"), *_COST[3:])
_PURPOSES = (
    Column("operation", "Operation", "text"),
    Column("purpose", "Purpose", "text"),
    Column("outcome", "Outcome", "text"),
    Column("requests", "Requests"),
    Column("mean_ms", "Average, ms", unit="wait for a reply"),
    Column("received_bytes", "Bytes"),
)
_RECORDED = (
    _SOURCE,
    Column("what", "What", "text"),
    _STATE,
    Column("is_certain", "Certain", "text", "no: inferred"),
    Column("why", "How it is known", "text"),
    Column("recorded_since", "Recorded since", "day", "in Quay's source code"),
    Column("kinds", "Kinds", "text"),
)
_FRESHNESS = (
    _SOURCE,
    Column("last_event_at", "Newest event", "time"),
    Column("last_counted_at", "Last count", "time", "when Quay last reported its counts"),
    Column("last_done_at", "Last successful run", "time"),
    Column("lag_minutes", "Minutes since", unit="the last count, as of this data"),
    Column("last_run_outcome", "Last run", "text"),
    Column("rejected_rows", "Rejected rows"),
)


def _tables(view: PeriodView, found: _Found, top: int) -> tuple[Table, ...]:
    parts = found.parts.head(top) if top else found.parts
    return (
        _table("completeness", "Completeness by day, scope and kind", _COMPLETENESS, parts, found.parts.height),
        _table("deficits", "Missing or unproven", _DEFICITS, found.deficits, empty=_no_gaps(view)),
        _table("states", "Days by state", _STATES, _states(view)),
        _table("repairs", "Repairs", _REPAIRS, found.repairs, empty="No day had to be read again."),
        _table("runs", "Runs", _RUNS, found.runs, empty="No run started in this period."),
        _table("spent", "Requests by UTC day", _SPENT, found.days, empty="No run started in this period."),
        _table("purposes", "Requests by purpose", _PURPOSES, found.purposes, empty="No run started in this period."),
        _table("freshness", "Freshness", _FRESHNESS, found.fresh),
        _table("recorded", "What this Quay records", _RECORDED, found.recorded),
    )


def _table(
    name: str,
    title: str,
    columns: tuple[Column, ...],
    rows: pl.DataFrame,
    total: int | None = None,
    empty: str = "Nothing in this period.",
) -> Table:
    frame = rows.select(column.name for column in columns)
    return Table(name, title, columns, frame, frame.height if total is None else total, empty=empty)


def _no_gaps(view: PeriodView) -> str:
    """What an empty list of gaps means: only where closed days were checked does it mean that there are none."""
    days = view.coverage
    if days.days_verified:
        return "No gaps: every closed day holds as many events as Quay reports."
    return (
        "No closed day of this period has been checked yet." if days.days_total else f"Nothing to check: {days.text}."
    )


def _states(view: PeriodView) -> pl.DataFrame:
    """One row per source and state, in the order of the states' meanings."""
    order = {state.name: place for place, state in enumerate(states.STATES)}
    return (
        calendar(view)
        .frame.group_by("source_id", "state")
        .agg(pl.len().cast(pl.Int64).alias("days"), pl.col("stored_events").sum(), sum_known("expected_events"))
        .with_columns(
            pl.col("state")
            .map_elements(lambda name: states.state_of(name).meaning, return_dtype=pl.String)
            .alias("meaning"),
            pl.col("state").replace_strict(order, default=len(order), return_dtype=pl.Int64).alias("place"),
        )
        .sort("source_id", "place", "state")
    )


def _notes() -> list[Note]:
    return [
        Note(
            "info",
            "Missing: what Quay reports for a closed day and this ledger neither holds nor found unreadable. Days that are not closed yet are not "
            "listed; a count after their end decides.",
        ),
        Note("info", "Repairs are readings of a closed day after the first whole one."),
        Note("info", f"Minimum requests: {costs.MINIMUM} It covers the log only, not the inventory."),
        Note("info", "Runs and requests are those of runs that started in the period, whichever days they collected."),
    ]


SPEC = ReportSpec(
    id=REPORT_ID,
    title=TITLE,
    summary="Each UTC day's state, every event that is missing by kind, repairs, and what collecting cost.",
    audience=("compliance", "security", "operations"),
    params=CompletenessParams,
    build=build,
    page="completeness",
)
