"""What a detection rule is, what it is given, and what it returns. Values only.

A rule is a pure function over frames: the same events give the same signals, whenever and however often it runs. A signal
is one stretch of time in which one subject matched one rule; it may grow when later events arrive. Alerts, which people
work on, are made from signals elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import msgspec
import polars as pl

from quayledger.warehouse.snapshot import Snapshot

_UTC = pl.Datetime("us", "UTC")
_TEXT = pl.String()
_NUMBER = pl.Int64()
_DAY = pl.Date()


def _schema(columns: dict[str, pl.DataType]) -> pl.Schema:
    return pl.Schema(columns)


# Columns of `Inputs.events`: those of the view `events` that rules read.
EVENT_SCHEMA = _schema(
    {
        "event_id": _TEXT,
        "source_id": _TEXT,
        "occurred_at": _UTC,
        "kind": _TEXT,
        "actor": _TEXT,  # user or robot; null where Quay names nobody
        "actor_type": _TEXT,  # user | robot | token | anonymous | system
        "credential": _TEXT,
        "ip": _TEXT,
        "user_agent": _TEXT,
        "client": _TEXT,  # family of the user agent
        "namespace": _TEXT,
        "repository": _TEXT,  # without its namespace
        "tag": _TEXT,
        "digest": _TEXT,
        "metadata": _TEXT,  # JSON text
    }
)
# What is usual before the period, in two sorts of rows: per account, kind, repository and client; and per account and address, with its
# country. What a sort does not tell is null.
HISTORY_SCHEMA = _schema(
    {
        "source_id": _TEXT,
        "kind": _TEXT,  # pull_repo | push_repo; null per address
        "actor": _TEXT,
        "actor_type": _TEXT,
        "namespace": _TEXT,
        "repository": _TEXT,
        "client": _TEXT,
        "ip": _TEXT,
        "country": _TEXT,
        "first_at": _UTC,
        "last_at": _UTC,
        "events": _NUMBER,
    }
)
# One row per tag that a push or a tag change named before the period: who set it last.
TAG_SCHEMA = _schema(
    {
        "source_id": _TEXT,
        "namespace": _TEXT,
        "repository": _TEXT,
        "tag": _TEXT,
        "last_at": _UTC,
        "last_actor": _TEXT,
        "last_digest": _TEXT,
    }
)
# One row per repository that the inventory knows as private at the end of the period.
PRIVATE_SCHEMA = _schema({"source_id": _TEXT, "namespace": _TEXT, "repository": _TEXT})
# One row per source and UTC day of the period.
DAY_SCHEMA = _schema(
    {
        "source_id": _TEXT,
        "day": _DAY,
        "state": _TEXT,  # a SliceState, or `not collected`
        "stored_events": _NUMBER,
        "expected_events": _NUMBER,  # null: Quay gave no count
        "note": _TEXT,
    }
)
# One row per change that the inventory saw and no event tells of: `quayledger.reports.inventory.unlogged`.
UNLOGGED_SCHEMA = _schema(
    {
        "source_id": _TEXT,
        "space": _TEXT,  # the namespace
        "family": _TEXT,
        "object": _TEXT,
        "change": _TEXT,  # appeared | vanished | changed
        "column": _TEXT,  # null where the object appeared or vanished
        "before": _TEXT,
        "after": _TEXT,
        "after_at": _UTC,  # the reading before
        "first_seen_at": _UTC,  # the reading that found it
        "why": _TEXT,  # why Quay may have written no event; '' where nothing explains it
        "is_known": pl.Boolean(),  # whether that is known, rather than possible
    }
)


class Severity(StrEnum):
    """How urgently a person should look."""

    INFO = "info"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class Inputs(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule is given. `since` <= period < `until`, aware; `events` begin `Rule.lookback` before `since`."""

    since: datetime
    until: datetime
    events: pl.DataFrame  # EVENT_SCHEMA, oldest first
    history: pl.DataFrame = msgspec.field(default_factory=lambda: HISTORY_SCHEMA.to_frame())
    history_since: datetime | None = None  # the first moment of which the record holds anything; None: nothing is held
    tags: pl.DataFrame = msgspec.field(default_factory=lambda: TAG_SCHEMA.to_frame())
    private: pl.DataFrame = msgspec.field(default_factory=lambda: PRIVATE_SCHEMA.to_frame())
    days: pl.DataFrame = msgspec.field(default_factory=lambda: DAY_SCHEMA.to_frame())
    unlogged: pl.DataFrame = msgspec.field(default_factory=lambda: UNLOGGED_SCHEMA.to_frame())

    @property
    def period_events(self) -> pl.DataFrame:
        """The events of the period alone."""
        return self.events.filter(pl.col("occurred_at") >= self.since)

    def of(self, *kinds: str) -> pl.DataFrame:
        """The events of these kinds, lookback included."""
        return self.events.filter(pl.col("kind").is_in(kinds))

    def baseline(self, needed: timedelta) -> bool:
        """Whether the record reaches back far enough before the period to tell what is new."""
        return self.history_since is not None and self.history_since <= self.since - needed


class Signal(msgspec.Struct, frozen=True, kw_only=True):
    """One stretch in which one subject matched a rule. Times aware, UTC."""

    rule_id: str
    rule_version: int
    severity: Severity
    source_id: str
    subject: str  # who or what the signal is about; with rule and source it says which signals are one incident
    first_at: datetime
    last_at: datetime
    count: int  # events of the evidence
    event_ids: tuple[str, ...]  # the evidence, oldest first; at most MAX_EVIDENCE of `count`
    summary: str  # one sentence; names in it are the registry's text, escaped by whoever shows it
    related: tuple[str, ...] = ()  # other accounts, addresses and objects of the evidence


MAX_EVIDENCE = 500


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule returns: a signal before it is dressed with the rule's name. `severity` None: the rule's own."""

    source_id: str
    subject: str
    events: pl.DataFrame  # the evidence: EVENT_SCHEMA's event_id and occurred_at at least; may be empty
    summary: str
    severity: Severity | None = None
    related: tuple[str, ...] = ()
    at: datetime | None = None  # when, where there are no events


class Fixture(msgspec.Struct, frozen=True, kw_only=True):
    """An example that a rule must judge as said. `subjects`: of the signals it must raise, sorted; empty: none."""

    name: str
    inputs: Callable[[], Inputs]
    subjects: tuple[str, ...]


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule's declaration; `docs/detections.md` and `quayledger detect list` are made from it.

    `kinds`: without any of them in the record the rule is disabled, unless Quay is known to write them. `switches`: Quay's
    settings without which it does not write them. `merge_within`: signals of one subject closer than this are one
    incident. `allow`: parameter names that hold allow-lists."""

    id: str
    name: str
    version: int
    title: str
    severity: Severity
    techniques: tuple[str, ...]  # MITRE ATT&CK
    kinds: tuple[str, ...]
    params: type[msgspec.Struct]
    detect: Callable[[Inputs, Any], Iterable[Finding]]
    description: str
    false_positives: str
    runbook: str
    fixtures: tuple[Fixture, ...]
    context_kinds: tuple[str, ...] = ()  # also read, but their absence does not disable the rule
    switches: tuple[str, ...] = ()
    lookback: timedelta = timedelta()
    merge_within: timedelta = timedelta(hours=24)
    needs_history: timedelta = timedelta()
    uses_history: bool = False  # reads `Inputs.history` where there is one, and judges without it
    needs_inventory: bool = False
    needs_changes: bool = False  # judges what readings of the inventory found (`Inputs.unlogged`)
    # Asks the record itself instead of `detect`: of a period (aware times, half-open) and sources; none are all.
    ask: Callable[[Snapshot, datetime, datetime, Sequence[str]], Iterable[Finding]] | None = None
    origin: str = ""  # the file of a customer's rule

    @property
    def read_kinds(self) -> tuple[str, ...]:
        """The kinds of events that the rule is given."""
        return (*self.kinds, *self.context_kinds)

    def signals(self, inputs: Inputs, params: msgspec.Struct | None = None) -> list[Signal]:
        """The rule's signals that reach into the period, oldest first."""
        return self.dressed(self.detect(inputs, params or self.params()), inputs)

    def dressed(self, findings: Iterable[Finding], inputs: Inputs) -> list[Signal]:
        """Findings as signals, those that reach into the period, oldest first."""
        found = (self._signal(finding, inputs) for finding in findings)
        return sorted(
            (one for one in found if one.last_at >= inputs.since), key=lambda one: (one.first_at, one.subject)
        )

    def _signal(self, finding: Finding, inputs: Inputs) -> Signal:
        events = finding.events.sort("occurred_at", "event_id")
        moment = finding.at or inputs.until - timedelta(microseconds=1)
        return Signal(
            rule_id=self.id,
            rule_version=self.version,
            severity=finding.severity or self.severity,
            source_id=finding.source_id,
            subject=finding.subject,
            first_at=events["occurred_at"][0] if events.height else moment,
            last_at=events["occurred_at"][-1] if events.height else moment,
            count=events.height,
            event_ids=tuple(events["event_id"].head(MAX_EVIDENCE)),
            summary=finding.summary,
            related=finding.related,
        )


NOON = datetime(2026, 3, 11, 12, tzinfo=UTC)


def event(at_minutes: float, kind: str, **columns: Any) -> dict[str, Any]:
    """One event of a fixture, `at_minutes` after NOON, whose `metadata` may be a dict."""
    metadata = columns.pop("metadata", {})
    moment = NOON + timedelta(minutes=at_minutes)
    row: dict[str, Any] = dict.fromkeys(EVENT_SCHEMA.names())
    row |= {
        "source_id": "main",
        "occurred_at": moment,
        "kind": kind,
        "actor_type": "user" if "actor" in columns else "system",
    }
    return row | columns | {"metadata": msgspec.json.encode(metadata).decode()}


def example(events: Iterable[dict[str, Any]], **frames: Any) -> Inputs:
    """The inputs of a fixture: a period of a day from NOON, and what came before it in `frames`."""
    rows = [row | {"event_id": f"main-20260311-{number}"} for number, row in enumerate(events, 1)]
    frame = pl.DataFrame(rows, schema=EVENT_SCHEMA).sort("occurred_at", "event_id")
    return Inputs(since=NOON, until=NOON + timedelta(days=1), events=frame, **frames)


def history(*rows: dict[str, Any], days_before: float = 60) -> pl.DataFrame:
    """`Inputs.history` of a fixture; what a row does not say is null, its times `days_before` to a day before NOON."""
    first, last = NOON - timedelta(days=days_before), NOON - timedelta(days=1)
    known = {"source_id": "main", "actor_type": "user", "first_at": first, "last_at": last, "events": 10}
    filled = [dict.fromkeys(HISTORY_SCHEMA.names()) | known | row for row in rows]
    return pl.DataFrame(filled, schema=HISTORY_SCHEMA)
