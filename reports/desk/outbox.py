"""The outbox: what has to be told to whom, and what was sent when with which result. Kept in the desk, so that it survives.

An alert that is raised, reopened or becomes more severe is put in once for each target that takes it, in the transaction that
moves the mark of what was looked through. A message that was begun and of which nobody knows whether it arrived (the process
died) is sent again and says so: each is told at least once, and twice only after such an end."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import msgspec

from quayledger.reports.desk.store import Desk

_SEEN = "changes_seen"


class News(msgspec.Struct, frozen=True):
    """One change of an alert that is worth telling. `what`: raised | severity | reopened."""

    alert_id: int
    what: str
    new: str
    change_no: int


class OutboxItem(msgspec.Struct, frozen=True):
    """What a target has to be told. `made_at`: when it became known (aware); `is_repeat`: it was being sent when the process
    ended, so it may have arrived."""

    item_id: int
    target: str
    alert_id: int
    what: str
    made_at: datetime
    is_repeat: bool


class SentMessage(msgspec.Struct, frozen=True):
    """One message, or one try to send it. `state`: sending | sent | failed | unknown (the process ended meanwhile).
    Times are aware UTC."""

    message_id: int
    target: str
    title: str
    alerts: int
    state: str
    begun_at: datetime
    ended_at: datetime | None
    reason: str


class TargetState(msgspec.Struct, frozen=True):
    """How it stands with a target. `waiting`: what it has to be told; `failures`: in a row since the last success."""

    waiting: int
    sent: int
    failures: int
    last: SentMessage | None
    last_sent_at: datetime | None

    @property
    def reason(self) -> str:
        """Why the last try failed; '' where it did not."""
        return self.last.reason if self.last is not None and self.last.state == "failed" else ""


def begin(desk: Desk) -> None:
    """Marks where telling begins: alerts from before the first target was set are not told of. Raises DeskError."""
    with desk.transaction() as connection:
        connection.execute(
            "INSERT OR IGNORE INTO notify_marks (name, value) SELECT ?, coalesce(max(rowid), 0) FROM changes", (_SEEN,)
        )


def fresh_news(desk: Desk) -> tuple[list[News], int]:
    """What is worth telling and was not looked through yet, in order, and the mark to move to. Raises DeskError."""
    (last,) = desk.rows("SELECT coalesce(max(rowid), 0) AS number FROM changes")
    rows = desk.rows(
        "SELECT rowid AS change_no, alert_id, what, new FROM changes "
        "WHERE rowid > (SELECT value FROM notify_marks WHERE name = ?) AND rowid <= ? "
        "AND (what IN ('raised', 'severity') OR (what = 'state' AND new = 'new')) ORDER BY rowid",
        (_SEEN, last["number"]),
    )
    told = [
        News(row["alert_id"], "reopened" if row["what"] == "state" else row["what"], row["new"], row["change_no"])
        for row in rows
    ]
    return told, last["number"]


def enqueue(desk: Desk, told: Sequence[tuple[str, News]], mark: int, now: datetime) -> int:
    """Puts news into the outbox of targets (target, news) and moves the mark, in one step. Returns how many were put in: what
    is there already is not put in again. Raises DeskError."""
    with desk.transaction() as connection:
        made = connection.executemany(
            "INSERT OR IGNORE INTO notify_items (target, alert_id, what, change_no, made_at, state, repeat) "
            "VALUES (?, ?, ?, ?, ?, 'waiting', 0)",
            [(target, news.alert_id, news.what, news.change_no, now.isoformat()) for target, news in told],
        ).rowcount
        connection.execute("UPDATE notify_marks SET value = max(value, ?) WHERE name = ?", (mark, _SEEN))
    return max(made, 0)


def waiting(desk: Desk, target: str) -> list[OutboxItem]:
    """What a target has to be told, in order. Raises DeskError."""
    rows = desk.rows("SELECT * FROM notify_items WHERE target = ? AND state = 'waiting' ORDER BY item_id", (target,))
    return [
        OutboxItem(
            row["item_id"],
            row["target"],
            row["alert_id"],
            row["what"],
            datetime.fromisoformat(row["made_at"]),
            bool(row["repeat"]),
        )
        for row in rows
    ]


def claim(desk: Desk, target: str, title: str, items: Sequence[OutboxItem], now: datetime) -> int:
    """Writes down that these are being sent now. Returns the number of the message. Raises DeskError."""
    with desk.transaction() as connection:
        message_id = _begin_message(connection, target, title, len({item.alert_id for item in items}), now)
        connection.executemany(
            "UPDATE notify_items SET state = 'sending', message_id = ? WHERE item_id = ?",
            [(message_id, item.item_id) for item in items],
        )
    return message_id


def settle(desk: Desk, message_id: int, now: datetime, failure: str) -> None:
    """Writes down how a message ended; `failure` '': it was taken. What failed waits again. Raises DeskError."""
    with desk.transaction() as connection:
        connection.execute(
            "UPDATE notify_messages SET state = ?, ended_at = ?, reason = ? WHERE message_id = ?",
            ("failed" if failure else "sent", now.isoformat(), failure, message_id),
        )
        connection.execute(
            "UPDATE notify_items SET state = ? WHERE message_id = ?", ("waiting" if failure else "sent", message_id)
        )


def skip(desk: Desk, items: Sequence[OutboxItem]) -> None:
    """Takes out what need not be told any more: the alert was dealt with meanwhile. Raises DeskError."""
    with desk.transaction() as connection:
        connection.executemany(
            "UPDATE notify_items SET state = 'skipped' WHERE item_id = ?", [(item.item_id,) for item in items]
        )


def release_interrupted(desk: Desk, now: datetime) -> int:
    """Lets what was being sent when a process ended wait again. For the only sender there is. Raises DeskError."""
    with desk.transaction() as connection:
        connection.execute("UPDATE notify_items SET state = 'waiting', repeat = 1 WHERE state = 'sending'")
        return connection.execute(
            "UPDATE notify_messages SET state = 'unknown', ended_at = ?, reason = ? WHERE state = 'sending'",
            (now.isoformat(), "stopped while it was being sent: it may have arrived, and is sent again"),
        ).rowcount


def record_test(desk: Desk, target: str, title: str, begun_at: datetime, ended_at: datetime, failure: str) -> None:
    """Writes down a test message. Raises DeskError."""
    with desk.transaction() as connection:
        message_id = _begin_message(connection, target, title, 0, begun_at)
        connection.execute(
            "UPDATE notify_messages SET state = ?, ended_at = ?, reason = ? WHERE message_id = ?",
            ("failed" if failure else "sent", ended_at.isoformat(), failure, message_id),
        )


def _begin_message(connection: sqlite3.Connection, target: str, title: str, alerts: int, now: datetime) -> int:
    cursor = connection.execute(
        "INSERT INTO notify_messages (target, title, alerts, state, begun_at, reason) VALUES (?, ?, ?, 'sending', ?, '')",
        (target, title, alerts, now.isoformat()),
    )
    return int(cursor.lastrowid or 0)


def messages(desk: Desk, target: str = "", limit: int = 50) -> list[SentMessage]:
    """What was sent, or tried, newest first; `target` '': to all; `limit` 0: all. Raises DeskError."""
    rows = desk.rows(
        "SELECT * FROM notify_messages WHERE ? IN ('', target) ORDER BY message_id DESC LIMIT ?", (target, limit or -1)
    )
    return [_message(row) for row in rows]


def target_state(desk: Desk, target: str) -> TargetState:
    """How it stands with one target. Test messages count as messages. Raises DeskError."""
    (counts,) = desk.rows(
        "SELECT count(*) FILTER (WHERE state IN ('waiting', 'sending')) AS waiting, "
        "count(*) FILTER (WHERE state = 'sent') AS sent FROM notify_items WHERE target = ?",
        (target,),
    )
    last = messages(desk, target, 1)
    (ended,) = desk.rows(
        "SELECT max(message_id) AS number, max(ended_at) AS ended_at FROM notify_messages WHERE target = ? AND state = 'sent'",
        (target,),
    )
    (failed,) = desk.rows(
        "SELECT count(*) AS number FROM notify_messages WHERE target = ? AND state = 'failed' AND message_id > ?",
        (target, ended["number"] or 0),
    )
    sent_at = datetime.fromisoformat(ended["ended_at"]) if ended["ended_at"] else None
    return TargetState(counts["waiting"], counts["sent"], failed["number"], last[0] if last else None, sent_at)


def targets_waiting(desk: Desk) -> set[str]:
    """The targets for which something waits, whether they are still set or not. Raises DeskError."""
    return {row["target"] for row in desk.rows("SELECT DISTINCT target FROM notify_items WHERE state = 'waiting'")}


def may_try(desk: Desk, target: str, now: datetime, retry_after: Callable[[int], timedelta]) -> bool:
    """Whether the wait after the last failures is over. A clock that was set back does not lengthen it. Raises DeskError."""
    state = target_state(desk, target)
    if not state.failures or state.last is None or state.last.ended_at is None:
        return True
    waited = now - state.last.ended_at
    return waited >= retry_after(state.failures) or waited < timedelta(0)


def _message(row: sqlite3.Row) -> SentMessage:
    ended = row["ended_at"]
    return SentMessage(
        row["message_id"],
        row["target"],
        row["title"],
        row["alerts"],
        row["state"],
        datetime.fromisoformat(row["begun_at"]),
        datetime.fromisoformat(ended) if ended else None,
        row["reason"],
    )
