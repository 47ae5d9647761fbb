"""The judge of the detection rules: months with planted incidents and quiet months, found, missed and false by rule.

`python -m tests.detections.judge [SEED …]` judges months with these seeds (none: five) and prints the table."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import msgspec
import polars as pl

from quayledger.collector.log.normalise import DefaultNamespace, Event, event_frame, normalise
from quayledger.collector.quay.redaction import redact
from quayledger.reports.desk import alerts, watch
from quayledger.reports.desk.store import Desk
from quayledger.reports.detections import engine, rulebook
from quayledger.reports.detections.model import Severity, Signal
from quayledger.reports.detections.registry import all_rules
from quayledger.settings import config_path
from quayledger.simulator.clock import DAY_US, from_us, to_us
from quayledger.simulator.generate.attacks import SHAPES, Planted
from quayledger.simulator.generate.judged import judged
from quayledger.simulator.registry import Registry
from quayledger.simulator.render import Renderer
from quayledger.simulator.table import Table
from quayledger.warehouse.catalog import FAMILY
from quayledger.warehouse.inventory.store import FamilyRows, Fetch, record_fetches
from quayledger.warehouse.ledger import Ledger
from quayledger.warehouse.log.slices import Reading, merge_reading, set_state
from quayledger.warehouse.publish import publish
from quayledger.warehouse.runs import Spent, finish_run, start_run
from quayledger.warehouse.schema import REJECT_SCHEMA, SliceState
from quayledger.warehouse.snapshot import Snapshot
from quayledger.warehouse.sources import CoverRow, add_cover, register_source

SOURCE, SCOPE = "main", "superuser"
END = datetime(2026, 11, 1, tzinfo=UTC)
JUDGED_DAYS, BASELINE_DAYS = 30, 31
_NEAR = timedelta(hours=1)
_DAY = timedelta(days=1)
_NOWHERE = DefaultNamespace(None, None)
_FOR_INFORMATION = ("D9", "D12")
_ATTACKS_AT = {"D22": "a day that is short", "D23": "past the log", "D24": "a gap of 26 days ago"}
# What an operator of this registry would set: where it mirrors from and builds from.
SETTINGS = '[detections.rules.D21]\nallow_hosts = ["docker.io", "git.example.com"]\n'


class Score(msgspec.Struct):
    """Of one rule: how many incidents were planted, and which of them, of what shape, were missed; alerts that nothing explains; and
    signals for information only that nothing explains."""

    planted: int = 0
    missed: list[str] = []
    false: list[str] = []
    informed: int = 0


class Month(msgspec.Struct):
    """One judged month: the score by rule, events of the month, and alerts in the register."""

    seed: int
    scores: dict[str, Score]
    events: int
    alerts: int

    @property
    def recall(self) -> float:
        """Found of what was planted."""
        planted = sum(score.planted for score in self.scores.values())
        return 1 - sum(len(score.missed) for score in self.scores.values()) / planted if planted else 1.0

    @property
    def precision(self) -> float:
        """True of the alerts."""
        found = sum(score.planted - len(score.missed) for score in self.scores.values())
        false = sum(len(score.false) for score in self.scores.values())
        return found / (found + false) if found + false else 1.0


def judge(
    home: Path, seed: int, *, events: int = 30_000, shapes: int = len(SHAPES), with_register: bool = True
) -> Month:
    """Builds the ledger of a month and of the month before it, lets rules and register judge, and compares with what was planted.
    `shapes`: of each incident (0: a quiet month); `with_register`: also let the register of alerts judge, with days that come in two
    pieces."""
    judged_us = to_us(END) - JUDGED_DAYS * DAY_US
    start_us = judged_us - BASELINE_DAYS * DAY_US
    registry, rows, planted = judged(seed, events, start_us, to_us(END), judged_us, shapes=shapes)
    frame = _frame(registry, rows)
    days = frame.with_columns(pl.col("occurred_at").dt.date().alias("day")).partition_by(
        "day", as_dict=True, include_key=False
    )
    by_day = {key[0]: days[key] for key in sorted(days)}
    since = from_us(judged_us)
    late = sorted({from_us(one.begin_us).date() for one in planted})[::4] if with_register else []
    home.mkdir(parents=True, exist_ok=True)
    config_path(home).write_text(SETTINGS)
    with Ledger.open(home, command="judge") as ledger:
        _begin(ledger, by_day)
        _take_inventory(ledger, registry, since)
        if shapes:
            planted += _weaken(ledger, by_day, since)
            _slip_in(ledger, registry, since + timedelta(days=12.5))
            planted.append(_planted("D23", "platform", since + timedelta(days=12.5)))
        # Some days come in two pieces: what was planted in them is seen only when they are repaired.
        first = {day: _half(rows) if day in late else rows for day, rows in by_day.items()}
        _load(ledger, first, dict.fromkeys(late, SliceState.SHORT))
        publish(ledger, keep=1, now=END)
        if with_register:
            watch.watch(home, END)
            _load(ledger, {day: by_day[day] for day in late}, dict.fromkeys(late, SliceState.REPAIRED))
            publish(ledger, keep=1, now=END + _NEAR)
            watch.watch(home, END + _NEAR)
    planted += [_planted("D22", day.isoformat(), datetime(day.year, day.month, day.day, tzinfo=UTC)) for day in late]
    with Snapshot.open(home) as snapshot, Desk.open(home) as desk:
        done = engine.run_book(snapshot, rulebook.of_home(home), since, END)
        raised = alerts.list_alerts(desk, END + _NEAR)
    failed = [f"{one.rule.id}: {one.failure or one.disabled}" for one in done.outcomes if one.failure or one.disabled]
    assert not failed, failed
    scores = _scores(planted, done.signals, raised if with_register else None)
    number = len(raised) if with_register else sum(one.severity is not Severity.INFO for one in done.signals)
    return Month(seed, scores, sum(map(len, by_day.values())), number)


def _frame(registry: Registry, rows: Iterable[object]) -> pl.DataFrame:
    """The events as the collector makes them of what Quay shows: EVENT_SCHEMA, oldest first."""
    table, renderer = Table(rows), Renderer(registry)  # type: ignore[arg-type]
    lines = (redact(renderer.event(table, number, namespace=True)) for number in table.in_order())
    return event_frame([event for line in lines if isinstance(event := normalise(line, _NOWHERE), Event)])


def _begin(ledger: Ledger, by_day: dict[date, pl.DataFrame]) -> None:
    register_source(ledger, SOURCE, "Main", "https://quay.example.com", END)
    add_cover(ledger, SOURCE, CoverRow(1, min(by_day), (SCOPE,), (), "found"))
    run_id = start_run(ledger, "sync", "judge", END + _DAY)
    finish_run(ledger, run_id, END + _DAY, "done", "", [Spent(SOURCE, "superuser.list_logs", "read", "ok", 1, 1.0, 1)])


def _half(rows: pl.DataFrame) -> pl.DataFrame:
    """Every kind but those of everyday transfers is still missing, and half of these."""
    return rows.filter(pl.col("kind").is_in(["pull_repo", "push_repo"])).gather_every(2)


def _load(ledger: Ledger, days: dict[date, pl.DataFrame], states: dict[date, SliceState]) -> None:
    rejects = pl.DataFrame(schema=REJECT_SCHEMA)
    for day, rows in days.items():
        after = datetime(day.year, day.month, day.day, tzinfo=UTC) + 2 * _DAY
        reading = Reading(SOURCE, day, SCOPE, "", "pages", 1, after, after, rows.height, 1, "end", True)
        merge_reading(ledger, reading, rows, rejects)
        set_state(
            ledger,
            SOURCE,
            day,
            1,
            states.get(day, SliceState.VERIFIED),
            expected_events=rows.height * 2 if states.get(day) is SliceState.SHORT else rows.height,
            note="",
            now=END,
            counted_at=END,
        )


def _weaken(ledger: Ledger, by_day: dict[date, pl.DataFrame], since: datetime) -> list[Planted]:
    """Takes a quiet day out: it was never collected, and is old enough at the end of the month to be rotated away soon."""
    del ledger
    gone = (END - timedelta(days=28)).date()
    del by_day[gone]
    midnight = datetime(gone.year, gone.month, gone.day, tzinfo=UTC)
    assert midnight > since
    return [_planted("D22", gone.isoformat(), midnight), _planted("D24", SOURCE, END - _DAY)]


def _planted(rule: str, subject: str, at: datetime) -> Planted:
    moment = to_us(at)
    return Planted(rule, subject, _ATTACKS_AT[rule], moment, moment + DAY_US, (), (subject,))


def _take_inventory(ledger: Ledger, registry: Registry, at: datetime) -> None:
    _fetch(ledger, registry, at, ())


def _slip_in(ledger: Ledger, registry: Registry, at: datetime) -> None:
    """A permission that was not there at the reading before, and of which no event tells."""
    _fetch(ledger, registry, at - timedelta(hours=3), ())
    _fetch(ledger, registry, at, (("platform", "base", "user", "eve", "admin"),))


def _fetch(ledger: Ledger, registry: Registry, at: datetime, more: Sequence[tuple[str, ...]]) -> None:
    repositories = [
        (registry.namespace_of(one).name, one.name, "image", "NORMAL", one.public, "")
        for one in registry.repositories.values()
    ]
    permissions = [("platform", "base", "user", "alice", "write"), *more]
    parts = (
        FamilyRows("repositories", {}, _rows("repositories", repositories)),
        FamilyRows(
            "repository_permissions",
            {"namespace": "platform", "repository": "base"},
            _rows("repository_permissions", permissions),
        ),
    )
    run_id = start_run(ledger, "inventory", "judge", at)
    queries = ("namespace_repositories", "user_permissions")
    fetches = [
        Fetch(SOURCE, query, "platform/base", "ok", "", at, 1, 0, None, (part,))
        for query, part in zip(queries, parts, strict=True)
    ]
    record_fetches(ledger, run_id, fetches)
    spent = [Spent(SOURCE, "permission.list_user_permissions", "inventory", "ok", 1, 1.0, 1)]
    finish_run(ledger, run_id, at, "done", "", spent)


def _rows(family: str, rows: Sequence[tuple[object, ...]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=dict(FAMILY[family].schema), orient="row")


def _scores(
    planted: Sequence[Planted], signals: Sequence[Signal], raised: Sequence[alerts.Alert] | None
) -> dict[str, Score]:
    scores = {rule.id: Score() for rule in all_rules()}
    for one in planted:
        scores[one.rule].planted += 1
        # A day that was short and is whole by now is found in the register alone; what is for information only is not in it.
        found: Sequence[Signal | alerts.Alert] = signals if raised is None or one.rule in _FOR_INFORMATION else raised
        if not any(_is_of(one, each) and each.rule_id == one.rule for each in found):
            scores[one.rule].missed.append(f"{one.shape}: {one.subject} {from_us(one.begin_us):%m-%d %H:%M}")
    for signal in signals:
        if any(_explains(one, signal) for one in planted):
            continue
        score = scores.setdefault(signal.rule_id, Score())
        if signal.severity is Severity.INFO:
            score.informed += 1
        else:
            score.false.append(f"{signal.subject} {signal.first_at:%m-%d %H:%M}: {signal.summary}")
    known = {(signal.rule_id, signal.subject) for signal in signals}
    for alert in raised or ():
        # A day that was short when it was first judged is whole by now, and the rule no longer says so.
        if (alert.rule_id, alert.subject) not in known and alert.rule_id != "D22":
            scores[alert.rule_id].false.append(f"only in the register: {alert.subject}")
    return scores


def _is_of(one: Planted, signal: Signal | alerts.Alert) -> bool:
    begin, end = from_us(one.begin_us) - _NEAR, from_us(one.end_us) + _NEAR
    return signal.subject == one.subject and signal.first_at <= end and signal.last_at >= begin


def _explains(one: Planted, signal: Signal) -> bool:
    if signal.rule_id == one.rule:
        return _is_of(one, signal)
    begin, end = from_us(one.begin_us) - _NEAR, from_us(one.end_us) + _NEAR
    return (
        signal.rule_id in one.along
        and signal.first_at <= end
        and signal.last_at >= begin
        and (signal.subject in one.names or bool(set(signal.related) & set(one.names)))
    )


def table(months: Sequence[Month]) -> str:
    """The scores of months, one line per rule."""
    lines = [f"{'rule':<6}{'planted':>8}{'found':>7}{'missed':>8}{'false':>7}{'info':>7}"]
    for rule in all_rules():
        scores = [month.scores[rule.id] for month in months]
        planted, missed = sum(one.planted for one in scores), sum(len(one.missed) for one in scores)
        false, informed = sum(len(one.false) for one in scores), sum(one.informed for one in scores)
        lines.append(f"{rule.id:<6}{planted:>8}{planted - missed:>7}{missed:>8}{false:>7}{informed:>7}")
    return "\n".join(lines)


def main() -> int:
    """Prints the table of the seeds, and what was missed or false."""
    seeds = [int(text) for text in sys.argv[1:]] or [101, 102, 103, 104, 105]
    months = []
    for seed in seeds:
        for shapes in (len(SHAPES), 0):
            with tempfile.TemporaryDirectory(prefix="quayledger-judge-") as folder:
                month = judge(Path(folder), seed, shapes=shapes)
            months.append(month)
            print(
                f"seed {seed}, {'incidents' if shapes else 'quiet'}: {month.events:,} events, {month.alerts} alerts, "
                f"recall {month.recall:.2f}, precision {month.precision:.2f}",
                flush=True,
            )
            for rule_id, score in month.scores.items():
                for text in score.missed:
                    print(f"  {rule_id} missed {text}")
                for text in score.false:
                    print(f"  {rule_id} false {text}")
    print(table(months))
    planted = [month for month in months if any(score.planted for score in month.scores.values())]
    quiet = [month for month in months if month not in planted]
    events, raised = sum(month.events for month in quiet), sum(month.alerts for month in quiet)
    print(f"quiet months: {raised} alerts in {events:,} events: {raised / events * 1e5:.2f} per 100,000 events")
    return 0 if all(month.recall == 1 and month.precision >= 0.9 for month in planted) else 1


if __name__ == "__main__":
    sys.exit(main())
