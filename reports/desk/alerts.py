"""Alerts: what people work on. Made from signals, grown by later ones, changed by decisions; every change is kept.

A signal that belongs to an alert which is still open makes it grow, so that one incident is one alert. Finding the same events
again changes nothing, whatever was decided meanwhile."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import msgspec

from quayledger.reports.desk.store import Desk
from quayledger.reports.detections.model import Severity, Signal

LONGEST_SUPPRESSION = timedelta(days=366)
_MACHINE = "quayledger"


class AlertState(StrEnum):
    """Where the work on an alert stands."""

    NEW = "new"
    ACKNOWLEDGED = "acknowledged"
    IN_PROGRESS = "in progress"
    SUPPRESSED = "suppressed"
    RESOLVED = "resolved"


class BadDecision(Exception):
    """A decision that cannot be made; the text says why and what can."""


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One alert. Times aware, UTC. `events`: how many of the record belong to it; `caveat`: what of the record was incomplete
    when it was raised ('' where nothing was)."""

    alert_id: int
    rule_id: str
    rule_version: int
    source_id: str
    subject: str
    title: str
    severity: Severity
    summary: str
    first_at: datetime
    last_at: datetime
    events: int
    related: tuple[str, ...]
    state: AlertState
    owner: str
    suppressed_until: datetime | None
    caveat: str
    raised_at: datetime
    changed_at: datetime
    closed_at: datetime | None


class Change(msgspec.Struct, frozen=True):
    """One change of an alert: when (aware, UTC), who, what, from which value to which, and a note."""

    changed_at: datetime
    by_whom: str
    what: str
    old: str
    new: str
    note: str


class AlertChanges(msgspec.Struct, frozen=True):
    """What recording signals did: ids of alerts that were raised and of those that grew."""

    raised: tuple[int, ...]
    grown: tuple[int, ...]


def record(
    desk: Desk,
    signals: Iterable[Signal],
    now: datetime,
    *,
    titles: dict[str, str],
    merge_within: dict[str, timedelta],
    caveats: dict[str, str] | None = None,
) -> AlertChanges:
    """Turns signals into alerts. `titles`, `merge_within`: by rule id; `caveats`: by source id, what of the record is
    incomplete. Signals of severity info raise none. Raises DeskError."""
    raised: list[int] = []
    grown: list[int] = []
    with desk.transaction() as connection:
        for signal in signals:
            if signal.severity is Severity.INFO:
                continue
            held = _held(connection, signal, merge_within.get(signal.rule_id, timedelta()))
            if held is None:
                raised.append(
                    _raise(connection, signal, now, titles[signal.rule_id], (caveats or {}).get(signal.source_id, ""))
                )
            elif _grow(connection, held, signal, now):
                grown.append(int(held["alert_id"]))
    return AlertChanges(tuple(raised), tuple(grown))


def _held(connection: sqlite3.Connection, signal: Signal, within: timedelta) -> sqlite3.Row | None:
    """The alert that a signal belongs to: of the same rule, source and subject, and near in time. A resolved one only where the
    signal tells nothing new: what happens after a decision is a new incident."""
    rows = connection.execute(
        "SELECT * FROM alerts WHERE rule_id = ? AND source_id = ? AND subject = ? AND first_at <= ? AND last_at >= ? "
        "ORDER BY alert_id DESC",
        (
            signal.rule_id,
            signal.source_id,
            signal.subject,
            _text(signal.last_at + within),
            _text(signal.first_at - within),
        ),
    ).fetchall()
    row: sqlite3.Row
    for row in rows:
        if row["state"] != AlertState.RESOLVED:
            return row
        if not _news(connection, row["alert_id"], signal) and row["last_at"] >= _text(signal.last_at):
            return row
    return None


def _news(connection: sqlite3.Connection, alert_id: int, signal: Signal) -> list[str]:
    known = {
        event_id for (event_id,) in connection.execute("SELECT event_id FROM evidence WHERE alert_id = ?", (alert_id,))
    }
    return [event_id for event_id in signal.event_ids if event_id not in known]


def _raise(connection: sqlite3.Connection, signal: Signal, now: datetime, title: str, caveat: str) -> int:
    cursor = connection.execute(
        "INSERT INTO alerts (rule_id, rule_version, source_id, subject, title, severity, summary, first_at, last_at, events, "
        "related, state, owner, caveat, raised_at, changed_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '', ?, ?, ?)",
        (
            signal.rule_id,
            signal.rule_version,
            signal.source_id,
            signal.subject,
            title,
            signal.severity.value,
            signal.summary,
            _text(signal.first_at),
            _text(signal.last_at),
            signal.count,
            json.dumps(signal.related),
            AlertState.NEW.value,
            caveat,
            _text(now),
            _text(now),
        ),
    )
    alert_id = int(cursor.lastrowid or 0)
    _keep_evidence(connection, alert_id, signal.event_ids)
    _log(connection, alert_id, now, _MACHINE, "raised", "", signal.severity.value, "")
    return alert_id


def _grow(connection: sqlite3.Connection, held: sqlite3.Row, signal: Signal, now: datetime) -> bool:
    """Adds what is new; says whether anything was."""
    alert_id, news = int(held["alert_id"]), _news(connection, held["alert_id"], signal)
    first, last = min(held["first_at"], _text(signal.first_at)), max(held["last_at"], _text(signal.last_at))
    severity = max(Severity(held["severity"]), signal.severity, key=list(Severity).index)
    events = max(int(held["events"]), signal.count)
    same = (held["first_at"], held["last_at"], held["events"], held["severity"]) == (
        first,
        last,
        events,
        severity.value,
    )
    if same and not news:
        return False
    related = tuple(dict.fromkeys((*json.loads(held["related"]), *signal.related)))
    connection.execute(
        "UPDATE alerts SET first_at = ?, last_at = ?, events = ?, severity = ?, summary = ?, related = ?, changed_at = ? "
        "WHERE alert_id = ?",
        (first, last, events, severity.value, signal.summary, json.dumps(related), _text(now), alert_id),
    )
    _keep_evidence(connection, alert_id, news)
    _log(connection, alert_id, now, _MACHINE, "grew", str(held["events"]), str(events), "")
    if severity.value != held["severity"]:
        _log(connection, alert_id, now, _MACHINE, "severity", held["severity"], severity.value, "")
    return True


def _keep_evidence(connection: sqlite3.Connection, alert_id: int, event_ids: Iterable[str]) -> None:
    connection.executemany(
        "INSERT OR IGNORE INTO evidence (alert_id, event_id) VALUES (?, ?)", [(alert_id, one) for one in event_ids]
    )


def list_alerts(desk: Desk, now: datetime, *, states: Sequence[AlertState] = ()) -> list[Alert]:
    """The alerts in these states (none: all), most serious first, then newest. A suppression that has run out counts as
    new. Raises DeskError."""
    found = [_alert(row, now) for row in desk.rows("SELECT * FROM alerts ORDER BY last_at DESC, alert_id DESC")]
    rank = list(Severity)
    chosen = [alert for alert in found if not states or alert.state in states]
    return sorted(chosen, key=lambda alert: -rank.index(alert.severity))


def find_alert(desk: Desk, alert_id: int, now: datetime) -> Alert:
    """One alert. Raises BadDecision where there is none of that number."""
    rows = desk.rows("SELECT * FROM alerts WHERE alert_id = ?", (alert_id,))
    if not rows:
        raise BadDecision(f"There is no alert {alert_id}. `quayledger alerts list --all` shows all alerts.")
    return _alert(rows[0], now)


def evidence(desk: Desk, alert_id: int) -> tuple[str, ...]:
    """The ids of an alert's events. Raises DeskError."""
    rows = desk.rows("SELECT event_id FROM evidence WHERE alert_id = ? ORDER BY event_id", (alert_id,))
    return tuple(row["event_id"] for row in rows)


def history(desk: Desk, alert_id: int) -> list[Change]:
    """Every change of an alert, oldest first. Raises DeskError."""
    rows = desk.rows("SELECT * FROM changes WHERE alert_id = ? ORDER BY rowid", (alert_id,))
    return [
        Change(_moment(row["changed_at"]), row["by_whom"], row["what"], row["old"], row["new"], row["note"])
        for row in rows
    ]


def last_change(desk: Desk) -> int:
    """The running number of the last change of any alert; 0 where there is none. Raises DeskError."""
    return int(desk.rows("SELECT coalesce(max(rowid), 0) AS number FROM changes")[0]["number"])


def changed_since(desk: Desk, change: int) -> tuple[dict[int, tuple[int, datetime]], int]:
    """The alerts that changed after the change of that running number: by alert, the number and time (aware) of its last
    change; and the last number there is. Raises DeskError."""
    last = last_change(desk)
    rows = desk.rows(
        "SELECT alert_id, rowid AS number, changed_at FROM changes WHERE rowid > ? AND rowid <= ? ORDER BY rowid",
        (change, last),
    )
    return {row["alert_id"]: (row["number"], _moment(row["changed_at"])) for row in rows}, last


def set_state(desk: Desk, alert_id: int, state: AlertState, by_whom: str, now: datetime, *, note: str = "") -> Alert:
    """Acknowledge, begin work on, resolve or reopen (`new`) an alert. Raises BadDecision, DeskError."""
    if state is AlertState.SUPPRESSED:
        raise BadDecision("A suppression needs an end and a reason.")
    if state is AlertState.RESOLVED and not note.strip():
        raise BadDecision("Say in a note how the alert was resolved.")
    closed = _text(now) if state is AlertState.RESOLVED else None
    return _change(desk, alert_id, by_whom, now, note, ("state", state.value), suppressed_until=None, closed_at=closed)


def suppress(desk: Desk, alert_id: int, until: datetime, by_whom: str, now: datetime, *, reason: str) -> Alert:
    """Hides an alert until a moment (aware), with a reason. Raises BadDecision for no reason, no future, or for ever."""
    if not reason.strip():
        raise BadDecision("A suppression needs a reason.")
    if not now < until <= now + LONGEST_SUPPRESSION:
        raise BadDecision(f"A suppression ends in the future, at most {LONGEST_SUPPRESSION.days} days from now.")
    suppressed = ("state", AlertState.SUPPRESSED.value)
    return _change(desk, alert_id, by_whom, now, reason, suppressed, suppressed_until=_text(until), closed_at=None)


def assign(desk: Desk, alert_id: int, owner: str, by_whom: str, now: datetime) -> Alert:
    """Gives an alert to somebody; '' to nobody. Raises BadDecision, DeskError."""
    return _change(desk, alert_id, by_whom, now, "", ("owner", owner))


def add_note(desk: Desk, alert_id: int, note: str, by_whom: str, now: datetime) -> Alert:
    """Adds a note to an alert's history. Raises BadDecision, DeskError."""
    if not note.strip():
        raise BadDecision("The note is empty.")
    with desk.transaction() as connection:
        find_alert(desk, alert_id, now)
        _log(connection, alert_id, now, by_whom, "note", "", "", note)
    return find_alert(desk, alert_id, now)


def _change(
    desk: Desk, alert_id: int, by_whom: str, now: datetime, note: str, change: tuple[str, str], **more: str | None
) -> Alert:
    column, value = change
    with desk.transaction() as connection:
        held = find_alert(desk, alert_id, now)
        old = str(getattr(held, column))
        sets = ", ".join(f"{name} = ?" for name in (column, *more, "changed_at"))
        connection.execute(
            f"UPDATE alerts SET {sets} WHERE alert_id = ?",  # noqa: S608 -- column names are this module's own
            (value, *more.values(), _text(now), alert_id),
        )
        _log(connection, alert_id, now, by_whom, column, old, value, note)
    return find_alert(desk, alert_id, now)


def _log(
    connection: sqlite3.Connection, alert_id: int, now: datetime, by_whom: str, what: str, old: str, new: str, note: str
) -> None:
    connection.execute(
        "INSERT INTO changes (alert_id, changed_at, by_whom, what, old, new, note) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (alert_id, _text(now), by_whom, what, old, new, note),
    )


def _alert(row: sqlite3.Row, now: datetime) -> Alert:
    values: dict[str, Any] = dict(row)
    for name in ("first_at", "last_at", "raised_at", "changed_at"):
        values[name] = _moment(values[name])
    for name in ("suppressed_until", "closed_at"):
        values[name] = _moment(values[name]) if values[name] else None
    values["related"] = tuple(json.loads(values["related"]))
    values["severity"], values["state"] = Severity(values["severity"]), AlertState(values["state"])
    if values["state"] is AlertState.SUPPRESSED and values["suppressed_until"] <= now:
        values["state"] = AlertState.NEW
    return Alert(**values)


def _text(moment: datetime) -> str:
    """Sorts as it is: UTC, always with microseconds."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
