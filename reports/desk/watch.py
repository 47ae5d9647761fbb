"""Watch: runs the rules over the days that are new or changed since the last time, and records what they find."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import msgspec
import polars as pl

from quayledger.reports.desk import alerts
from quayledger.reports.desk.store import Desk
from quayledger.reports.detections import engine, rulebook
from quayledger.reports.detections.model import Rule, Severity, Signal
from quayledger.reports.detections.rulebook import RuleBook
from quayledger.warehouse.log import changing_events, events
from quayledger.warehouse.snapshot import Snapshot

FIRST_LOOK = timedelta(days=31)  # so many days are judged when a ledger is watched for the first time
FAILED_RULE = "rule-failed"
_COMPLETE = ("verified", "repaired", "open")
# A day that is not collected this long after its end is a gap and not merely late.
_LATE = timedelta(days=1)
Short = dict[str, list[date]]


class Watched(msgspec.Struct, frozen=True):
    """What a look did: how many days were judged, and which alerts were raised or grew."""

    days: int
    recorded: alerts.AlertChanges


def watch(home: Path, now: datetime, rules: tuple[Rule, ...] | None = None) -> Watched:
    """Judges every day of the published copy that it did not judge as it is now: new days, days that grew, days that were
    repaired. What was judged before is not judged again, and nothing is alerted twice. Raises WarehouseError, DeskError."""
    book = rulebook.of_home(home) if rules is None else RuleBook(rules=rules)
    with Snapshot.open(home) as snapshot, Desk.open(home) as desk:
        due = _due(snapshot, desk, now, book)
        signals, short = _judge(snapshot, book, due)
        recorded = _record(desk, [*signals, *_broken(book, now)], now, book, short)
        with desk.transaction() as connection:
            connection.executemany(
                "INSERT INTO judged (source_id, day, mark) VALUES (?, ?, ?) "
                "ON CONFLICT (source_id, day) DO UPDATE SET mark = excluded.mark",
                [(source_id, day.isoformat(), mark) for (source_id, day), mark in due.items()],
            )
        return Watched(len(due), recorded)


def record(home: Path, done: engine.DetectionRun, book: RuleBook, now: datetime) -> alerts.AlertChanges:
    """Raises alerts for what a run over any period found; what is in the register already is not raised again. Raises DeskError."""
    with Snapshot.open(home) as snapshot, Desk.open(home) as desk:
        last = (done.until - timedelta(microseconds=1)).astimezone(UTC).date()
        states = events.coverage(snapshot, done.since.astimezone(UTC).date(), last)
        found = states.filter(~pl.col("state").is_in(_COMPLETE)).select("source_id", "day")
        short: Short = {}
        for source_id, day in found.sort("day").iter_rows():
            short.setdefault(source_id, []).append(day)
        return _record(desk, done.signals, now, book, short)


def _record(desk: Desk, signals: Iterable[Signal], now: datetime, book: RuleBook, short: Short) -> alerts.AlertChanges:
    """`short`: the days of each source whose record is incomplete; alerts with evidence of such a day say so."""
    known: list[Signal] = []
    unsure: list[Signal] = []
    for signal in signals:
        (unsure if _days_of(signal, short) else known).append(signal)
    titles = {rule.id: rule.title for rule in book.rules} | {FAILED_RULE: "A detection rule failed"}
    within = {rule.id: rule.merge_within for rule in book.rules} | {FAILED_RULE: timedelta(days=7)}
    parts = [
        alerts.record(desk, known, now, titles=titles, merge_within=within),
        *(
            alerts.record(
                desk,
                [signal],
                now,
                titles=titles,
                merge_within=within,
                caveats={signal.source_id: _caveat(_days_of(signal, short))},
            )
            for signal in unsure
        ),
    ]
    raised = (alert_id for part in parts for alert_id in part.raised)
    grown = (alert_id for part in parts for alert_id in part.grown)
    return alerts.AlertChanges(tuple(raised), tuple(dict.fromkeys(grown)))


def _days_of(signal: Signal, short: Short) -> list[date]:
    """The incomplete days among those of a signal's evidence."""
    first, last = signal.first_at.astimezone(UTC).date(), signal.last_at.astimezone(UTC).date()
    return [day for day in short.get(signal.source_id, ()) if first <= day <= last]


def _caveat(days: list[date]) -> str:
    several = "" if len(days) == 1 else f" and {len(days) - 1} more of its days"
    return f"The record of {days[0]}{several} is incomplete: there may be more to it."


def judged_days(desk: Desk) -> int:
    """How many days were judged so far. Raises DeskError."""
    return int(desk.rows("SELECT count(*) AS days FROM judged")[0]["days"])


def _due(snapshot: Snapshot, desk: Desk, now: datetime, book: RuleBook) -> dict[tuple[str, date], str]:
    """The days to judge, with the mark of how they are held and by which rules they are judged."""
    # Another rule, version or parameter judges anew.
    told = (
        [f"{rule.id}.{rule.version}" for rule in book.rules],
        sorted(map(str, book.params.values())),
        dict(book.disabled),
    )
    versions = zlib.crc32(repr(told).encode())
    last = now.astimezone(UTC).date()
    readings = _readings(snapshot) if any(rule.needs_changes for rule in book.rules) else {}
    states = events.coverage(snapshot, (now - FIRST_LOOK).astimezone(UTC).date(), last)
    held = {(row["source_id"], row["day"]): row["mark"] for row in desk.rows("SELECT source_id, day, mark FROM judged")}
    marks: dict[tuple[str, date], str] = {}
    is_held = ~pl.col("state").is_in([events.NOT_COLLECTED, events.BEFORE_START])
    begun = pl.col("day").filter(is_held).min().over("source_id")
    gap = (pl.col("day") > begun) & (pl.col("day") < (now - _LATE).astimezone(UTC).date())
    wanted = states.filter(is_held | gap.fill_null(value=False))
    for row in wanted.iter_rows(named=True):
        mark = f"{row['state']} {row['stored_events']} {versions:08x}{readings.get((row['source_id'], row['day']), '')}"
        marks[row["source_id"], row["day"]] = mark
    changed = [(source, day) for (source, day), mark in marks.items() if held.get((source, day.isoformat())) != mark]
    # What a day lacked until it was repaired may be the first half of what ended on the days after it.
    reach = max((rule.lookback for rule in book.rules), default=timedelta())
    after = range(-(-reach // timedelta(days=1)) + 1)
    due = {(source, day + timedelta(days=n)) for source, day in changed for n in after}
    return {key: mark for key, mark in marks.items() if key in due}


def _readings(snapshot: Snapshot) -> dict[tuple[str, date], str]:
    """Of each day on which the inventory was read, the newest run that did, and whether the log was read since: with either,
    what changed without an event may be another."""
    return {
        (row["source_id"], row["day"]): f" {row['run_id']}{'' if row['is_log_read'] else '-'}"
        for row in changing_events.inventory_runs(snapshot).iter_rows(named=True)
    }


def _judge(snapshot: Snapshot, book: RuleBook, due: dict[tuple[str, date], str]) -> tuple[list[Signal], Short]:
    """The signals of the days, and which of them are incomplete."""
    signals: list[Signal] = []
    short: Short = {}
    for source_id in sorted({source for source, _ in due}):
        days = sorted(day for source, day in due if source == source_id)
        short[source_id] = [day for day in days if due[source_id, day].split()[0] not in _COMPLETE]
        for first, last in _stretches(days):
            since = datetime.combine(first, time(), UTC)
            until = datetime.combine(last + timedelta(days=1), time(), UTC)
            done = engine.run_book(snapshot, book, since, until, source_ids=(source_id,))
            signals += done.signals
            signals += [_failed(outcome, source_id, until) for outcome in done.outcomes if outcome.failure]
    return signals, short


def _broken(book: RuleBook, now: datetime) -> list[Signal]:
    """Rules of the customer's folder and settings that cannot be used: somebody relies on them. Said once a day."""
    moment = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    told = {f"settings of {name}": text for name, text in book.broken.items() if name not in {r.id for r in book.rules}}
    told |= {f"{one.path.name}:{one.line}": f"A Sigma rule cannot be judged: {one}" for one in book.sigma.problems}
    return [_problem("", subject, text, moment) for subject, text in told.items()]


def _failed(outcome: engine.RuleOutcome, source_id: str, until: datetime) -> Signal:
    said = f"Rule {outcome.rule.id} ({outcome.rule.title}) failed and judged nothing: {outcome.failure}"
    return _problem(source_id, outcome.rule.id, said, until - timedelta(microseconds=1))


def _problem(source_id: str, subject: str, summary: str, moment: datetime) -> Signal:
    return Signal(
        rule_id=FAILED_RULE,
        rule_version=1,
        severity=Severity.MEDIUM,
        source_id=source_id,
        subject=subject,
        first_at=moment,
        last_at=moment,
        count=0,
        event_ids=(),
        summary=summary,
    )


def _stretches(days: list[date]) -> list[tuple[date, date]]:
    """Days that follow each other, as inclusive stretches."""
    found: list[tuple[date, date]] = []
    for day in days:
        if found and day - found[-1][1] == timedelta(days=1):
            found[-1] = (found[-1][0], day)
        else:
            found.append((day, day))
    return found
