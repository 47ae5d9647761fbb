"""The desk's file: `desk.sqlite` in the ledger's folder, opened by anyone who may decide, written in short transactions.

It holds what people decided and what alerts they decided on; the record itself is elsewhere and never changes because of it.
SQLite and not DuckDB, because several processes write here: the service, the pages and commands."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

FILE_NAME = "desk.sqlite"
_WAIT_S = 10.0
# One statement list per version of the file; the number of the last one is in `user_version`.
_VERSIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE alerts (
            alert_id INTEGER PRIMARY KEY, rule_id TEXT NOT NULL, rule_version INTEGER NOT NULL, source_id TEXT NOT NULL,
            subject TEXT NOT NULL, title TEXT NOT NULL, severity TEXT NOT NULL, summary TEXT NOT NULL,
            first_at TEXT NOT NULL, last_at TEXT NOT NULL, events INTEGER NOT NULL, related TEXT NOT NULL,
            state TEXT NOT NULL, owner TEXT NOT NULL, suppressed_until TEXT, caveat TEXT NOT NULL,
            raised_at TEXT NOT NULL, changed_at TEXT NOT NULL, closed_at TEXT)""",
        "CREATE INDEX alerts_subject ON alerts (rule_id, source_id, subject)",
        """CREATE TABLE evidence (alert_id INTEGER NOT NULL REFERENCES alerts, event_id TEXT NOT NULL,
            PRIMARY KEY (alert_id, event_id)) WITHOUT ROWID""",
        """CREATE TABLE changes (alert_id INTEGER NOT NULL REFERENCES alerts, changed_at TEXT NOT NULL, by_whom TEXT NOT NULL,
            what TEXT NOT NULL, old TEXT NOT NULL, new TEXT NOT NULL, note TEXT NOT NULL)""",
        "CREATE TABLE judged (source_id TEXT NOT NULL, day TEXT NOT NULL, mark TEXT NOT NULL, PRIMARY KEY (source_id, day))",
    ),
    (
        """CREATE TABLE saved_views (page TEXT NOT NULL, name TEXT NOT NULL, address TEXT NOT NULL, saved_by TEXT NOT NULL,
            saved_at TEXT NOT NULL, PRIMARY KEY (page, name))""",
        "CREATE TABLE preferences (person TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (person, name))",
    ),
    (
        "CREATE TABLE notify_marks (name TEXT PRIMARY KEY, value INTEGER NOT NULL)",
        """CREATE TABLE notify_messages (message_id INTEGER PRIMARY KEY, target TEXT NOT NULL, title TEXT NOT NULL,
            alerts INTEGER NOT NULL, state TEXT NOT NULL, begun_at TEXT NOT NULL, ended_at TEXT, reason TEXT NOT NULL)""",
        "CREATE INDEX notify_messages_target ON notify_messages (target, state)",
        """CREATE TABLE notify_items (item_id INTEGER PRIMARY KEY, target TEXT NOT NULL,
            alert_id INTEGER NOT NULL REFERENCES alerts, what TEXT NOT NULL, change_no INTEGER NOT NULL, made_at TEXT NOT NULL,
            state TEXT NOT NULL, message_id INTEGER, repeat INTEGER NOT NULL, UNIQUE (target, change_no))""",
        "CREATE INDEX notify_items_target ON notify_items (target, state)",
    ),
)


class DeskError(Exception):
    """Root of the family; each text says what happened to which file, and what to do next."""


class DeskBusy(DeskError):
    """Another program holds the file longer than this one waits."""


class DeskTooNew(DeskError):
    """The file was written by a newer version of quayledger."""


class DeskFull(DeskError):
    """The disk has no room for what was decided."""


class DeskUnreadable(DeskError):
    """The file is damaged, is no desk, or cannot be opened or written."""


class Desk:
    """The open desk. Use `with`; every change is one transaction. Not for several threads at once."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection

    @classmethod
    def open(cls, home: Path) -> Self:
        """Opens the desk of a ledger, and makes it where there is none. Raises DeskError."""
        path = home / FILE_NAME
        with _translated(path):
            connection = sqlite3.connect(path, timeout=_WAIT_S, isolation_level=None)
            try:
                connection.row_factory = sqlite3.Row
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA foreign_keys = ON")
                _upgrade(connection, path)
            except BaseException:
                connection.close()
                raise
        return cls(path, connection)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """One change: all of it or nothing. Raises DeskError."""
        with _translated(self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.rollback()
                raise
            self._connection.commit()

    def rows(self, sql: str, values: tuple[object, ...] = ()) -> list[sqlite3.Row]:
        """All rows of one query, values bound. Raises DeskError."""
        with _translated(self.path):
            return self._connection.execute(sql, values).fetchall()


def _upgrade(connection: sqlite3.Connection, path: Path) -> None:
    """Brings the file to the newest version, one version a transaction."""
    (held,) = connection.execute("PRAGMA user_version").fetchone()
    if held > len(_VERSIONS):
        raise DeskTooNew(
            f"{path} was written by a newer version of quayledger (its format is {held}, this one knows {len(_VERSIONS)}). "
            "Use that version, or move the file away to begin a new desk."
        )
    for number, statements in enumerate(_VERSIONS[held:], held + 1):
        connection.execute("BEGIN IMMEDIATE")
        try:
            # Another process may have upgraded it while this one waited.
            if connection.execute("PRAGMA user_version").fetchone()[0] < number:
                for statement in statements:
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {number}")
        except BaseException:
            connection.rollback()
            raise
        connection.commit()


@contextlib.contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        code = getattr(error, "sqlite_errorname", "")
        if code.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            raise DeskBusy(
                f"{path} is held by another program for more than {_WAIT_S:.0f} s. Close what has it open, such as a database "
                "browser, and try again; nothing was changed."
            ) from None
        if code.startswith("SQLITE_FULL"):
            raise DeskFull(
                f"{path} cannot grow: the disk is full. Make room and try again; nothing was changed."
            ) from None
        raise DeskUnreadable(
            f"{path} cannot be used: {error}. Check its permissions and its folder's; nothing was changed."
        ) from None
    except sqlite3.DatabaseError as error:
        raise DeskUnreadable(
            f"{path} is damaged or is no desk of quayledger: {error}. Move it away, with the files {path.name}-wal and "
            f"{path.name}-shm beside it, and put a backup in its place or begin anew; the record itself is not affected."
        ) from None
