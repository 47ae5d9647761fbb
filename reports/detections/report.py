"""The report of signals: what the detection rules find in a period, and which of them could not judge."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import msgspec
import polars as pl
from msgspec import Meta

from quayledger.reports.detections import engine, rulebook
from quayledger.reports.detections.model import Severity
from quayledger.reports.formatting import plural
from quayledger.reports.log import coverage
from quayledger.reports.model import Column, Metric, Note, Parameter, Report, Table
from quayledger.reports.spec import PeriodParam, ReportSpec, SourcesParam, TopParam
from quayledger.warehouse.snapshot import Snapshot

REPORT_ID = "signals"
TITLE = "Signals"
_SIGNALS = {
    "severity": pl.String(),
    "rule": pl.String(),
    "title": pl.String(),
    "subject": pl.String(),
    "summary": pl.String(),
    "first_at": pl.Datetime("us", "UTC"),
    "last_at": pl.Datetime("us", "UTC"),
    "events": pl.Int64(),
    "source_id": pl.String(),
    "evidence": pl.String(),
}
SIGNAL_COLUMNS = (
    Column("severity", "Severity", "text"),
    Column("rule", "Rule", "text"),
    Column("title", "What", "text"),
    Column("subject", "Subject", "text"),
    Column("summary", "Summary", "text"),
    Column("first_at", "First", "time"),
    Column("last_at", "Last", "time"),
    Column("events", "Events"),
    Column("source_id", "Source", "text"),
    Column("evidence", "Evidence (event ids)", "text"),
)
_RULES = {
    "rule": pl.String(),
    "title": pl.String(),
    "version": pl.Int64(),
    "state": pl.String(),
    "signals": pl.Int64(),
    "why": pl.String(),
}
_RANK = {severity.value: rank for rank, severity in enumerate(reversed(Severity))}


class SignalParams(msgspec.Struct, frozen=True, kw_only=True):
    """What may be asked of the report of signals."""

    period: PeriodParam
    rules: Annotated[
        tuple[str, ...],
        Meta(description="Only this rule, by id or name; may be repeated.", extra={"option": "rule"}),
    ] = ()
    sources: SourcesParam = ()
    top: TopParam = 50


def build(snapshot: Snapshot, params: SignalParams, *, now: datetime | None = None) -> Report:
    """What the rules find in a period, most serious first. `now`: when it is made (aware).

    Tables `signals` (severity, rule, title, subject, summary, first_at, last_at, events, source_id, evidence: event ids
    separated by blanks), `days` (UTC day, rule, alerts that it would have raised, signals for information) and `rules` (state: enabled,
    disabled, failed). Errors: UnknownRule, WarehouseError."""
    done, book = judge(snapshot, params)
    return shown(snapshot, params, done, book, now=now)


def judge(snapshot: Snapshot, params: SignalParams) -> tuple[engine.DetectionRun, rulebook.RuleBook]:
    """Runs the rules of the snapshot's ledger over the period. Errors: UnknownRule, WarehouseError."""
    book = rulebook.of_home(snapshot.published.path.parents[1]).chosen(*params.rules)
    period = params.period
    return engine.run_book(snapshot, book, period.since, period.until, source_ids=params.sources), book


def shown(
    snapshot: Snapshot,
    params: SignalParams,
    done: engine.DetectionRun,
    book: rulebook.RuleBook,
    *,
    now: datetime | None = None,
) -> Report:
    """The report of what was found; `build` says its tables."""
    period = params.period
    covered = coverage.measure(snapshot, period, snapshot.published.published_at, params.sources)
    signals, rules = signal_frame(done), _rules(done)
    head = signals.head(params.top) if params.top else signals
    return Report(
        id=REPORT_ID,
        title=TITLE,
        generated_at=now or datetime.now(UTC),
        as_of=snapshot.published.published_at,
        period=period,
        compared_with=None,
        parameters=(Parameter("Rules", ", ".join(params.rules) or "all"),),
        trust=covered.trust,
        metrics=_metrics(done, signals),
        tables=(_signal_table(head, signals.height, done), _day_table(signals, done), _rule_table(rules)),
        charts=(),
        notes=(*_notes(done), *(Note("warning", text) for text in rulebook.problems(book, params.rules))),
    )


def signal_frame(done: engine.DetectionRun) -> pl.DataFrame:
    """The signals of a run with SIGNAL_COLUMNS, most serious first."""
    rows = [
        (
            signal.severity.value,
            outcome.rule.id,
            outcome.rule.title,
            signal.subject,
            signal.summary,
            signal.first_at,
            signal.last_at,
            signal.count,
            signal.source_id,
            " ".join(signal.event_ids),
        )
        for outcome in done.outcomes
        for signal in outcome.signals
    ]
    frame = pl.DataFrame(rows, schema=_SIGNALS, orient="row")
    ranked = frame.with_columns(rank=pl.col("severity").replace_strict(_RANK, return_dtype=pl.Int64))
    return ranked.sort("rank", "last_at", "rule", descending=[False, True, False]).drop("rank")


def _rules(done: engine.DetectionRun) -> pl.DataFrame:
    rows = [
        (
            outcome.rule.id,
            outcome.rule.title,
            outcome.rule.version,
            "failed" if outcome.failure else "disabled" if outcome.disabled else "enabled",
            None if outcome.disabled or outcome.failure else len(outcome.signals),
            outcome.failure or outcome.disabled,
        )
        for outcome in done.outcomes
    ]
    return pl.DataFrame(rows, schema=_RULES, orient="row")


def _signal_table(frame: pl.DataFrame, total: int, done: engine.DetectionRun) -> Table:
    able = sum(1 for outcome in done.outcomes if not outcome.disabled and not outcome.failure)
    empty = f"No signals from the {able} rules that could judge." if able else "No rule could judge this period."
    return Table("signals", "Signals", SIGNAL_COLUMNS, frame, total, empty=empty)


def _day_table(signals: pl.DataFrame, done: engine.DetectionRun) -> Table:
    info = pl.col("severity") == Severity.INFO.value
    frame = (
        signals.group_by(pl.col("first_at").dt.date().alias("day"), "rule", "title")
        .agg((~info).sum().cast(pl.Int64).alias("alerts"), info.sum().cast(pl.Int64).alias("information"))
        .sort("day", "rule", descending=[True, False])
        .select("day", "rule", "title", "alerts", "information")
    )
    columns = (
        Column("day", "Day", "day"),
        Column("rule", "Rule", "text"),
        Column("title", "What", "text"),
        Column("alerts", "Alerts"),
        Column("information", "For information"),
    )
    days = max(1, (done.until - done.since).days)
    return Table(
        "days", f"Raised a day, over {plural(days, 'day')}", columns, frame, frame.height, empty="Nothing on any day."
    )


def _rule_table(frame: pl.DataFrame) -> Table:
    columns = (
        Column("rule", "Rule", "text"),
        Column("title", "What", "text"),
        Column("version", "Version"),
        Column("state", "State", "text"),
        Column("signals", "Signals"),
        Column("why", "Why", "text"),
    )
    return Table("rules", "Rules", columns, frame, frame.height)


def _metrics(done: engine.DetectionRun, signals: pl.DataFrame) -> tuple[Metric, ...]:
    serious = signals.filter(pl.col("severity").is_in(["high", "critical"])).height
    off = sum(1 for outcome in done.outcomes if outcome.disabled or outcome.failure)
    return (
        Metric("signals", "Signals", signals.height),
        Metric("serious", "High or critical", serious),
        Metric("rules", "Rules that judged", len(done.outcomes) - off),
        Metric("disabled", "Rules that could not judge", off),
    )


def _notes(done: engine.DetectionRun) -> list[Note]:
    notes = [
        Note("warning", f"Rule {outcome.rule.id} failed and found nothing: {outcome.failure}")
        for outcome in done.outcomes
        if outcome.failure
    ]
    notes += [
        Note("info", f"Rule {outcome.rule.id} ({outcome.rule.title}) is disabled: {outcome.disabled}.")
        for outcome in done.outcomes
        if outcome.disabled
    ]
    notes += [
        Note(
            "info",
            f"Rule {outcome.rule.id} compares with what was usual: it could judge from {outcome.judged_since:%Y-%m-%d} on.",
        )
        for outcome in done.outcomes
        if outcome.judged_since and not outcome.disabled
    ]
    return notes


SPEC = ReportSpec(
    id=REPORT_ID,
    title=TITLE,
    summary="What the detection rules find in a period.",
    audience=("security",),
    params=SignalParams,
    build=build,
)
