"""The warehouse's one writer: the live ledger, opened by one process at a time. I/O on the ledger's folder."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import duckdb
import msgspec
import polars as pl

from quayledger.warehouse import migrate
from quayledger.warehouse.duckdb_errors import translated
from quayledger.warehouse.errors import LedgerBusy, LedgerMissing, LockHolder

LIVE_NAME = "live.duckdb"
LOCK_NAME = "ledger.lock"
PUBLISHED_FOLDER = "published"
MONTHS_FOLDER = "months"
# Air-gapped hosts: an extension that is not built in is a fault to tell, never something to fetch.
CONFIG: dict[str, str] = {"autoinstall_known_extensions": "false"}
_LOCK_TRIES = 5
_LOCK_PAUSE_S = 0.04

Cursor = duckdb.DuckDBPyConnection


class Ledger:
    """The live file of a ledger, held by this process until `close`. Safe to use from several threads: they read side by
    side and write one after the other. Raises the family of `warehouse.errors`."""

    def __init__(self, home: Path, lock: int, me: LockHolder, connection: Cursor) -> None:
        self.home = home
        self.since = me.since
        self._lock_fd = lock
        self._connection = connection
        self._writing = threading.RLock()
        self._closed = False
        self.writes = 0
        self.published_writes = -1
        self.publish_next_at = 0.0  # monotonic seconds: a copy for no other reason than the time should wait until then

    @classmethod
    def open(cls, home: Path, *, command: str) -> Self:
        """Opens the ledger in `home`, or begins one; brings tables and views up to date. `command` is what others are
        told who find it busy. Raises LedgerBusy, LedgerTooNew, LedgerCorrupt, LedgerMissing, DiskFull."""
        with translated(home):
            home.mkdir(parents=True, exist_ok=True)
            me = LockHolder(os.getpid(), socket.gethostname(), command, datetime.now(UTC))
            lock = _take_lock(home, me)
            try:
                return cls(home, lock, me, _open_live(home))
            except BaseException:
                _release_lock(lock)
                raise

    def close(self) -> None:
        """Writes everything into the live file and lets others in. Harmless when called twice."""
        with self._writing:
            if self._closed:
                return
            self._closed = True
            try:
                # DuckDB checkpoints as it closes; a full disk there leaves the log, which the next open replays.
                with contextlib.suppress(duckdb.Error):
                    self._connection.close()
            finally:
                _release_lock(self._lock_fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def live(self) -> Path:
        """The live file."""
        return self.home / LIVE_NAME

    def cursor(self) -> Cursor:
        """A connection of its own to the live file. For the warehouse only; the caller closes it."""
        return self._connection.cursor()

    def rows(self, sql: str, values: Sequence[object] | dict[str, object] = ()) -> list[tuple[Any, ...]]:
        """All rows of one query, values bound."""
        with translated(self.live), contextlib.closing(self.cursor()) as cursor:
            return cursor.execute(sql, values).fetchall()

    def frame(self, sql: str, values: Sequence[object] | dict[str, object] = ()) -> pl.DataFrame:
        """One query's rows as a frame, values bound; times are UTC."""
        with translated(self.live), contextlib.closing(self.cursor()) as cursor:
            return cursor.execute(sql, values).pl()

    @contextmanager
    def transaction(self) -> Iterator[Cursor]:
        """One transaction, one at a time: all of it is kept, or, on any error, nothing."""
        with self._writing, translated(self.live), contextlib.closing(self.cursor()) as cursor:
            cursor.execute("BEGIN")
            try:
                yield cursor
                cursor.execute("COMMIT")
            except BaseException:
                # A failed commit has already rolled back; the first error is the one to tell.
                with contextlib.suppress(duckdb.Error):
                    cursor.execute("ROLLBACK")
                raise
            self.writes += 1

    @contextmanager
    def quiescent(self) -> Iterator[Cursor]:
        """A cursor while nobody writes, outside a transaction: to checkpoint, and to copy the file."""
        with self._writing, translated(self.live), contextlib.closing(self.cursor()) as cursor:
            yield cursor


def holder(home: Path) -> LockHolder | None:
    """Who holds the ledger now; None where nobody does, or there is no ledger."""
    try:
        descriptor = os.open(home / LOCK_NAME, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read_holder(descriptor) or _unknown_holder(descriptor)
    finally:
        os.close(descriptor)
    return None


def utc(moment: datetime | None) -> datetime | None:
    """A time from the ledger as an aware UTC time of the standard library."""
    return None if moment is None else moment.astimezone(UTC)


def _take_lock(home: Path, me: LockHolder) -> int:
    """The lock's open file. Whoever only looks holds it for a moment too, so a second try is worth it."""
    descriptor = os.open(home / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    for left in reversed(range(_LOCK_TRIES)):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if left:
                time.sleep(_LOCK_PAUSE_S)
                continue
            found = _read_holder(descriptor)
            os.close(descriptor)
            raise _busy(home, found) from None
        break
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, msgspec.json.encode(me), 0)
    return descriptor


def _release_lock(descriptor: int) -> None:
    # Emptying before letting go: a name left behind would be told of a process that is gone. Ends no lock if it fails.
    with contextlib.suppress(OSError):
        os.ftruncate(descriptor, 0)
    os.close(descriptor)


def _read_holder(descriptor: int) -> LockHolder | None:
    try:
        return msgspec.json.decode(os.pread(descriptor, 4096, 0), type=LockHolder)
    except (msgspec.DecodeError, msgspec.ValidationError):
        return None


def _unknown_holder(descriptor: int) -> LockHolder | None:
    """Between taking the lock and writing the name a moment passes; a mere look by another process has no name at all."""
    time.sleep(_LOCK_PAUSE_S)
    return _read_holder(descriptor)


def _busy(home: Path, found: LockHolder | None) -> LedgerBusy:
    if found is None:
        return LedgerBusy(f"the ledger in {home} is held by another process: wait for it to end, then try again")
    return LedgerBusy(
        f"the ledger in {home} is held by `{found.command}`, process {found.pid} on {found.host}, since "
        f"{found.since:%Y-%m-%d %H:%M:%S} UTC: wait for it to end, or stop it; readers need not wait",
        found,
    )


def _open_live(home: Path) -> Cursor:
    live = home / LIVE_NAME
    _refuse_lost(home, live)
    with translated(live):
        connection = duckdb.connect(str(live), config=dict(CONFIG))
        try:
            connection.execute("SET GLOBAL TimeZone = 'UTC'")
            # A day is one small transaction: checkpointing every few of them, and waking threads for each, costs twice the work.
            connection.execute("SET GLOBAL wal_autocheckpoint = '256MB'")
            connection.execute("SET GLOBAL threads = 1")
            migrate.migrate(connection, live)
            connection.execute("BEGIN")
            migrate.install_seeds(connection)
            migrate.install_views(connection, home)
            connection.execute("COMMIT")
        except BaseException:
            connection.close()
            raise
    return connection


def _refuse_lost(home: Path, live: Path) -> None:
    """A new, empty ledger beside the copies and months of an old one would hide the loss."""
    if live.exists():
        return
    copies = sorted((home / PUBLISHED_FOLDER).glob("*.duckdb"))
    months = sorted((home / MONTHS_FOLDER).glob("*/*.parquet"))
    if copies:
        raise LedgerMissing(
            f"{live} is gone, but published copies of it are there: copy {copies[-1]} to {live} and run the command again"
        )
    if months:
        raise LedgerMissing(
            f"{live} is gone, but {len(months)} file(s) of final months are in {home / MONTHS_FOLDER}: restore it from a "
            "backup, or choose another folder with --home"
        )
