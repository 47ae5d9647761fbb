"""Back-test: what one rule would have raised in a past period, day by day. Nothing is recorded."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import Annotated

import msgspec
import polars as pl
from msgspec import Meta

from quayledger.reports.detections import engine, rulebook
from quayledger.reports.detections.report import SIGNAL_COLUMNS, SignalParams, judge, signal_frame
from quayledger.reports.log import coverage
from quayledger.reports.model import Chart, Encodings, Metric, Note, Parameter, Report, Table
from quayledger.reports.period import Period
from quayledger.reports.spec import PeriodParam, ReportSpec, SourcesParam, TopParam
from quayledger.warehouse.snapshot import Snapshot

REPORT_ID = "backtest"
TITLE = "Back-test of a rule"
# Of one rule, whose alerts can be told apart without their events.
_COLUMNS = tuple(column for column in SIGNAL_COLUMNS if column.name not in ("rule", "title", "evidence"))


class BacktestParams(msgspec.Struct, frozen=True, kw_only=True):
    """What may be asked of a back-test."""

    rule: Annotated[str, Meta(description="The rule, by id or name.")]
    period: PeriodParam
    sources: SourcesParam = ()
    top: TopParam = 0


def build(snapshot: Snapshot, params: BacktestParams, *, now: datetime | None = None) -> Report:
    """What the rule would have raised in the period, with the parameters that the settings give it. `now`: when it is made (aware).

    Table `signals` (one row per incident, the latest first), chart `series` (signals by the UTC day of their first event).
    Errors: UnknownRule, WarehouseError."""
    period = params.period
    done, book = judge(snapshot, SignalParams(period=period, rules=(params.rule,), sources=params.sources))
    (outcome,) = done.outcomes
    rule = outcome.rule
    frame = (
        signal_frame(done)
        .select(column.name for column in _COLUMNS)
        .sort("last_at", "subject", descending=[True, False])
    )
    per_day = _per_day(frame, period, snapshot.published.published_at)
    able = not (outcome.disabled or outcome.failure)
    empty = "The rule would have raised nothing." if able else outcome.failure or outcome.disabled
    shown = frame.head(params.top) if params.top else frame
    return Report(
        id=REPORT_ID,
        title=f"{TITLE}: {rule.id} {rule.title}",
        generated_at=now or datetime.now(UTC),
        as_of=snapshot.published.published_at,
        period=period,
        compared_with=None,
        parameters=(Parameter("Rule", f"{rule.id} {rule.title}, version {rule.version}"),),
        trust=coverage.measure(snapshot, period, snapshot.published.published_at, params.sources).trust,
        metrics=_metrics(frame, per_day, able=able),
        tables=(Table("signals", "Would have been raised", _COLUMNS, shown, frame.height, empty=empty),),
        charts=(_chart(per_day),),
        notes=(*_notes(outcome), *(Note("warning", text) for text in rulebook.problems(book, (rule.id,)))),
    )


def _per_day(frame: pl.DataFrame, period: Period, as_of: datetime) -> pl.DataFrame:
    """One row per UTC day of the period that is not in the future: bucket, signals."""
    first, last = period.utc_days()
    last = max(first, min(last, as_of.date()))
    days = pl.DataFrame({"bucket": pl.date_range(first, last, eager=True)})
    counted = frame.group_by(pl.col("first_at").dt.date().alias("bucket")).agg(pl.len().cast(pl.Int64).alias("signals"))
    joined = days.join(counted, on="bucket", how="left", maintain_order="left").with_columns(
        pl.col("signals").fill_null(0)
    )
    return joined.with_columns(pl.col("bucket").dt.combine(time()))


def _chart(per_day: pl.DataFrame) -> Chart:
    busiest = per_day.sort("signals", "bucket", descending=[True, False]).row(0, named=True)
    said = f"Most on one day: {busiest['signals']} on {busiest['bucket']:%Y-%m-%d}." if busiest["signals"] else ""
    codes = Encodings("bucket", ("signals",), labels=("Signals",))
    return Chart("series", "Signals by UTC day", "line", per_day, codes, said)


def _metrics(frame: pl.DataFrame, per_day: pl.DataFrame, *, able: bool) -> tuple[Metric, ...]:
    """Not known where the rule could not judge."""
    if not able:
        return tuple(
            Metric(name, label, None) for name, label in (("signals", "Signals"), ("per_day", "Signals a day"))
        )
    number = frame.height
    return (
        Metric("signals", "Signals", number),
        Metric("per_day", "Signals a day", number / per_day.height, "ratio", explanation="the mean of the period"),
        Metric("most", "Most on one day", int(str(per_day["signals"].max() or 0))),
        Metric("subjects", "Subjects", frame["subject"].n_unique()),
    )


def _notes(outcome: engine.RuleOutcome) -> list[Note]:
    rule = outcome.rule
    notes = [Note("info", "A back-test raises no alert and changes none.")]
    if outcome.failure:
        notes.insert(0, Note("warning", f"The rule failed and judged nothing: {outcome.failure}"))
    if outcome.disabled:
        notes.insert(0, Note("warning", f"The rule could not judge: {outcome.disabled}."))
    if outcome.judged_since and not outcome.disabled:
        notes.append(
            Note("info", f"It compares with what was usual and could judge from {outcome.judged_since:%Y-%m-%d} on.")
        )
    return [*notes, Note("info", rule.description), Note("info", f"False positives: {rule.false_positives}")]


SPEC = ReportSpec(
    id=REPORT_ID,
    title=TITLE,
    summary="What one detection rule would have raised in a past period, day by day.",
    audience=("security",),
    params=BacktestParams,
    build=build,
    page="alerts",
)
