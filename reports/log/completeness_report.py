"""The readers' room: collection completeness. How far the record can be trusted, day by day, what it took to get there,
and what it cost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec
import polars as pl
from msgspec import Meta

from quayledger.reports import formatting, states
from quayledger.reports.log import costs, period_view
from quayledger.reports.log.period_view import View
from quayledger.reports.model import Chart, Column, Encodings, Metric, Note, Parameter, Report, Table
from quayledger.reports.period import Period
from quayledger.reports.spec import PERIOD, ReportSpec, SourcesParam, TopParam
from quayledger.warehouse.log import completeness
from quayledger.warehouse.snapshot import Snapshot

REPORT_ID = "completeness"
TITLE = "Collection completeness"
# Rows come a little late; reading on for that long after midnight is ordinary collecting.
_LATE = timedelta(hours=1)
_NOT_JUDGED = ("open", "provisional")
_UNPROVEN = ("uncountable", "truncated", "unavailable")
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


class CompletenessParams(msgspec.Struct, frozen=True, kw_only=True):
    """What may be asked of the completeness report. A day is complete or not as a whole: no namespace narrows it."""

    period: Annotated[Period, Meta(description=PERIOD, extra={"default": "last-90-days", "utc": True})]
    sources: SourcesParam = ()
    top: TopParam = 0


def build(snapshot: Snapshot, params: CompletenessParams, *, now: datetime | None = None) -> Report:
    """The completeness of a period, in UTC days. `now`: when it is made (aware).

    Tables `completeness` (each day, scope and kind: counted, held, state, requests, when closed), `deficits`, `states`,
    `repairs`, `runs`, `spent` (by UTC day), `purposes`, `freshness`; charts `calendar` (state of each UTC day) and
    `requests` (against the floor). Errors: WarehouseError."""
    period, source_ids = params.period, params.sources
    view = period_view.look(snapshot, period, namespace=None, source_ids=source_ids, compare=False)
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


def _find(view: View) -> _Found:
    first, last = view.period.utc_days()
    last = max(first, min(last, view.as_of.date()))
    stretch = (view.period.since, view.period.until, view.source_ids)
    parts = completeness.completeness(view.snapshot, first, last, view.source_ids)
    spent = costs.with_floor(completeness.run_costs(view.snapshot, *stretch))
    return _Found(
        parts=parts,
        deficits=deficits(parts),
        repairs=repairs(completeness.readings(view.snapshot, first, last, view.source_ids)),
        runs=costs.by_run(spent),
        days=costs.by_day(spent),
        purposes=costs.by_purpose(completeness.request_costs(view.snapshot, *stretch)),
        fresh=costs.lag_minutes(completeness.freshness(view.snapshot, view.source_ids), view.as_of),
    )


def deficits(parts: pl.DataFrame) -> pl.DataFrame:
    """The rows of `warehouse.pipeline.completeness` where a day that is over lacks events of a kind that its source counts,
    or holds more than it ever counted; and one row without a kind for each other day that nothing proves."""
    lacks = (pl.col("difference") > 0) & ~pl.col("state").is_in(_NOT_JUDGED)
    beyond = (pl.col("difference") < 0) & (pl.col("state") == "over")
    kinds = parts.filter(pl.col("in_cover") & (lacks | beyond))
    whole = (
        parts.filter(pl.col("state").is_in(_UNPROVEN))
        .group_by("source_id", "day", maintain_order=True)
        .agg(
            pl.col("scope").first(),
            pl.lit(None, pl.String).alias("kind"),
            _sum_known("source_count"),
            pl.col("stored_count").sum(),
            _sum_known("difference"),
            pl.col("state", "note", "in_cover", "requests", "counted_at", "tried_at", "sealed_at").first(),
        )
        .join(kinds, on=["source_id", "day"], how="anti")
    )
    found = pl.concat([kinds, whole.select(kinds.columns)])
    return found.sort("day", "source_id", "scope", "kind", descending=[True, False, False, False], maintain_order=True)


def _sum_known(name: str) -> pl.Expr:
    return pl.when(pl.col(name).count() > 0).then(pl.col(name).sum()).alias(name)


def repairs(readings: pl.DataFrame) -> pl.DataFrame:
    """The rows of `warehouse.pipeline.readings` beyond the first whole chain of pages of a (day, scope) that was over:
    read again, in parts, another way, or thrown away."""
    over = pl.col("day").cast(pl.Datetime("us")).dt.replace_time_zone("UTC") + timedelta(days=1) + _LATE
    whole = (pl.col("method") == "pages") & (pl.col("part") == "") & (pl.col("state") == "merged")
    closing = whole & (pl.col("started_at") >= over)
    first = pl.col("reading_id").filter(closing).min().over(_PART)
    return readings.filter(~whole | (closing & (pl.col("reading_id") > first)))


def calendar(view: View) -> Chart:
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


def _requests(view: View, found: _Found) -> Chart:
    first, last = view.period.utc_days()
    frame = costs.series(found.days, first, max(first, min(last, view.as_of.date())))
    encodings = Encodings("bucket", ("floor", "beyond"), labels=("Needed at least", "Beyond that"))
    return Chart("requests", "Requests by UTC day", "line", frame, encodings, _spent_said(found))


def _spent_said(found: _Found) -> str:
    asked, floor, inventory = (_total(found.days, name) for name in ("requests", "floor", "inventory_requests"))
    also = f"; {formatting.count(inventory)} for the inventory" if inventory else ""
    if not asked:
        return f"No requests for the log by runs of this period{also}."
    return f"{formatting.plural(asked, 'request')} for the log, at least {formatting.count(floor)} needed{also}."


def _metrics(view: View, found: _Found) -> tuple[Metric, ...]:
    days, lacking = view.coverage, found.deficits.filter(pl.col("difference") > 0)
    asked, floor = _total(found.days, "requests"), _total(found.days, "floor")
    lags = found.fresh["lag_minutes"].drop_nulls()
    return (
        Metric("days_verified", "Days verified", days.days_verified, explanation=days.text),
        Metric("missing", "Events missing", _total(lacking, "difference"), explanation="counted, not held, day over"),
        Metric("repairs", "Repairs", found.repairs.height, explanation="readings beyond the first whole one of a day"),
        Metric(
            "new_events", "New events", _total(found.runs, "new_events"), explanation="brought by runs of the period"
        ),
        Metric("requests", "Requests", asked, explanation="for the log, by runs of the period"),
        Metric(
            "inventory_requests",
            "Inventory requests",
            _total(found.days, "inventory_requests"),
            explanation="for the registry's inventory, by runs of the period",
        ),
        Metric("floor", "Floor", floor, explanation=costs.FLOOR_SAID),
        Metric("ratio", "Spent per needed", period_view.share(asked, floor), "ratio", explanation="requests per floor"),
        Metric("lag", "Lag in minutes", _highest(lags), explanation="since the answer of the source longest silent"),
    )


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
    Column("source_count", "Counted", unit="by the source"),
    Column("stored_count", "Held", unit="in the record"),
    Column("difference", "Differs", unit="counted less held"),
)
_COST = (
    Column("requests", "Requests"),
    Column("floor", "Floor"),
    Column("ratio", "Ratio", "ratio", "requests per floor"),
    Column("new_events", "New events"),
    Column("closed_days", "Days closed"),
    Column("received_bytes", "Bytes"),
)
_INVENTORY = Column("inventory_requests", "Inventory requests", unit="for the registry's inventory")
_COMPLETENESS = (
    _DAY,
    _SOURCE,
    _SCOPE,
    _KIND,
    *_COUNTS,
    _STATE,
    Column("requests", "Requests", unit="for all pages of that day and scope"),
    Column("sealed_at", "Closed", "time", "when first found complete"),
)
_DEFICITS = (
    _DAY,
    _SOURCE,
    _SCOPE,
    _KIND,
    *_COUNTS,
    _STATE,
    Column("tried_at", "Last tried", "time"),
    Column("note", "Note", "text"),
)
_STATES = (
    _SOURCE,
    _STATE,
    Column("days", "Days"),
    Column("stored_events", "Held"),
    Column("expected_events", "Counted"),
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
    Column("reason", "Thrown away as it", "text"),
)
_RUNS = (
    Column("run_id", "Run"),
    Column("started_at", "Begun", "time"),
    Column("command", "By", "text"),
    Column("outcome", "Outcome", "text"),
    Column("seconds", "Seconds"),
    *_COST,
    Column("message", "Message", "text"),
)
_PURPOSES = (
    Column("operation", "Operation", "text"),
    Column("purpose", "Purpose", "text"),
    Column("outcome", "Outcome", "text"),
    Column("requests", "Requests"),
    Column("mean_seconds", "Seconds each", "ratio", "on average"),
    Column("received_bytes", "Bytes"),
)
_FRESHNESS = (
    _SOURCE,
    Column("last_event_at", "Newest event", "time"),
    Column("last_counted_at", "Last answer", "time", "when the source last said what it holds"),
    Column("last_done_at", "Last faultless run", "time"),
    Column("lag_minutes", "Lag, minutes", unit="from the last answer to the copy of the record"),
    Column("last_run_outcome", "Last run", "text"),
    Column("rejected_rows", "Rejected rows"),
)


def _tables(view: View, found: _Found, top: int) -> tuple[Table, ...]:
    parts = found.parts.head(top) if top else found.parts
    return (
        _table("completeness", "Completeness by day, scope and kind", _COMPLETENESS, parts, found.parts.height),
        _table("deficits", "Deficits", _DEFICITS, found.deficits),
        _table("states", "Days by state", _STATES, _states(view)),
        _table("repairs", "Repairs", _REPAIRS, found.repairs),
        _table("runs", "Runs", _RUNS, found.runs),
        _table("spent", "Requests by UTC day", (_DAY, _SOURCE, *_COST, _INVENTORY), found.days),
        _table("purposes", "Requests by purpose", _PURPOSES, found.purposes),
        _table("freshness", "Freshness", _FRESHNESS, found.fresh),
    )


def _table(name: str, title: str, columns: tuple[Column, ...], rows: pl.DataFrame, total: int | None = None) -> Table:
    frame = rows.select(column.name for column in columns)
    return Table(name, title, columns, frame, frame.height if total is None else total)


def _states(view: View) -> pl.DataFrame:
    """One row per source and state, in the order of the states' meanings."""
    order = {state.name: place for place, state in enumerate(states.STATES)}
    return (
        calendar(view)
        .frame.group_by("source_id", "state")
        .agg(pl.len().cast(pl.Int64).alias("days"), pl.col("stored_events").sum(), _sum_known("expected_events"))
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
            "A deficit is what a source counts of a day that is over, and the record does not hold. Days that are not "
            "closed yet are not listed; a count after their end decides.",
        ),
        Note("info", "Repairs are readings beyond the first whole one after a day was over."),
        Note(
            "info", "Requests by day and their ratio are of the log; runs over the registry are listed among the runs."
        ),
        Note("info", costs.FLOOR_SAID),
        Note("info", "Runs and requests are those of runs begun in the period, whatever days they were about."),
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
