"""The live ledger file and its only writer; one process at a time has it open. I/O on the ledger's folder."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import stat
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
from quayledger.warehouse.duckdb_errors import is_full, translated
from quayledger.warehouse.errors import DiskFull, LedgerBusy, LedgerCorrupt, LedgerMissing, LockHolder, WarehouseError
from quayledger.warehouse.event_files import EVENT_FOLDERS, recorded_files, write_empty_files
from quayledger.warehouse.file_checks import check_touched
from quayledger.warehouse.limits import Limits, apply, connection_config, limits_of, remove_stale_spill

LIVE_NAME = "live.duckdb"
LOCK_NAME = "ledger.lock"
PUBLISHED_FOLDER = "published"
_LOCK_TRIES = 5
_LOCK_PAUSE_S = 0.04

Cursor = duckdb.DuckDBPyConnection


class Ledger:
    """The live file of a ledger, locked by this process until `close`. Thread-safe: threads read concurrently and write one
    at a time. Raises the family of `warehouse.errors`."""

    def __init__(self, home: Path, lock: int, me: LockHolder, connection: Cursor, limits: Limits | None = None) -> None:
        self.home = home
        self.since = me.since
        self._lock_fd = lock
        self._limits = limits
        self._connection = connection
        self._is_invalid = False
        self._writing = threading.RLock()
        self.ledger_id, self._commits = _identity(connection)
        self._closed = False
        self.writes = 0
        self.published_writes = -1
        self.publish_next_at = 0.0  # monotonic seconds before which no timed publication is due

    @classmethod
    def open(cls, home: Path, *, command: str, limits: Limits | None = None) -> Self:
        """Opens the ledger in `home`, or creates one; brings tables and views up to date. `command` is shown to those who
        find the ledger locked; `limits` are those of the settings unless given. Raises LedgerBusy, LedgerTooNew,
        LedgerCorrupt, LedgerMissing, DiskFull, WarehouseError."""
        with translated(home):
            _refuse_path(home)
            home.mkdir(parents=True, exist_ok=True)
            me = LockHolder(os.getpid(), socket.gethostname(), command, datetime.now(UTC))
            lock = _take_lock(home, me)
            try:
                chosen = limits or limits_of(home)
                return cls(home, lock, me, _open_live(home, chosen), chosen)
            except BaseException:
                _release_lock(lock)
                raise

    def close(self) -> None:
        """Checkpoints, closes the live file and releases the lock. Calling it twice does no harm."""
        with self._writing:
            if self._closed:
                return
            self._closed = True
            try:
                # DuckDB checkpoints as it closes; on a full disk it keeps the write-ahead log, which the next open replays.
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
        """A new connection to the live file. For the warehouse only; the caller closes it."""
        return self._connection.cursor()

    @contextmanager
    def _cursor(self) -> Iterator[Cursor]:
        """A new connection to the live file. After a fatal error, as of a checkpoint on a full disk, DuckDB refuses all work until
        the file is opened anew: that is done at the next use, so that a service goes on once there is space."""
        with translated(self.live):
            if self._is_invalid:
                self._reopen()
            with contextlib.closing(self.cursor()) as cursor:
                try:
                    yield cursor
                except (duckdb.FatalException, DiskFull):
                    self._is_invalid = True
                    raise
                except duckdb.Error as error:
                    # The error that invalidates a database need not be the fatal one that tells of it.
                    self._is_invalid |= is_full(error)
                    raise

    def _reopen(self) -> None:
        with self._writing:
            if self._is_invalid and not self._closed:
                with contextlib.suppress(duckdb.Error):
                    self._connection.close()
                self._connection = _open_live(self.home, self._limits or limits_of(self.home))
                _, self._commits = _identity(self._connection)
                self._is_invalid = False

    def rows(self, sql: str, values: Sequence[object] | dict[str, object] = ()) -> list[tuple[Any, ...]]:
        """All rows of one query; values are bound."""
        with self._cursor() as cursor:
            return cursor.execute(sql, values).fetchall()

    def frame(self, sql: str, values: Sequence[object] | dict[str, object] = ()) -> pl.DataFrame:
        """The rows of one query as a frame; values are bound, times are UTC."""
        with self._cursor() as cursor:
            return cursor.execute(sql, values).pl()

    @contextmanager
    def transaction(self) -> Iterator[Cursor]:
        """One transaction; transactions run one at a time. Commits at the end, rolls back on any error."""
        with self._writing, self._cursor() as cursor:
            cursor.execute("BEGIN")
            try:
                cursor.execute("INSERT INTO commits VALUES (?, ?)", [self.ledger_id, self._commits + 1])
                yield cursor
                cursor.execute("COMMIT")
            except BaseException:
                # A failed commit has already rolled back; the first error is the one to report.
                with contextlib.suppress(duckdb.Error):
                    cursor.execute("ROLLBACK")
                raise
            self.writes += 1
            self._commits += 1

    def trim_commits(self, cursor: Cursor) -> None:
        """Forgets all numbers of transactions but the newest. To be called where the write-ahead log is about to end."""
        cursor.execute("DELETE FROM commits WHERE number < ?", [self._commits]).fetchall()

    @contextmanager
    def quiescent(self) -> Iterator[Cursor]:
        """A cursor while nobody writes, outside a transaction: to checkpoint, and to copy the file."""
        with self._writing, self._cursor() as cursor:
            yield cursor


def holder(home: Path) -> LockHolder | None:
    """The process that has the ledger locked; None where none has, or there is no ledger."""
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
    """Takes the lock and returns its open file. `holder` locks it for a moment too, so it is tried more than once."""
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
    # Emptied first, so that the name of a process that is gone is never shown. If that fails, the lock is released all the same.
    with contextlib.suppress(OSError):
        os.ftruncate(descriptor, 0)
    os.close(descriptor)


def _read_holder(descriptor: int) -> LockHolder | None:
    try:
        return msgspec.json.decode(os.pread(descriptor, 4096, 0), type=LockHolder)
    except (msgspec.DecodeError, msgspec.ValidationError):
        return None


def _unknown_holder(descriptor: int) -> LockHolder | None:
    """Reads once more: the name is written a moment after the lock is taken, and `holder` in another process writes none."""
    time.sleep(_LOCK_PAUSE_S)
    return _read_holder(descriptor)


def _busy(home: Path, found: LockHolder | None) -> LedgerBusy:
    if found is None:
        return LedgerBusy(f"the ledger in {home} is in use by another process. Wait until it ends, then try again")
    return LedgerBusy(
        f"the ledger in {home} is in use by `{found.command}`, process {found.pid} on {found.host}, since "
        f"{found.since:%Y-%m-%d %H:%M:%S} UTC. Wait until it ends, or stop it; commands that only read need not wait",
        found,
    )


def _open_live(home: Path, limits: Limits) -> Cursor:
    live = home / LIVE_NAME
    _refuse_lost(home, live)
    remove_stale_spill(home)
    if live.exists():
        # A published copy that was put back as the live file brings its read-only mode along.
        live.chmod(live.stat().st_mode | stat.S_IWUSR)
        _check_log(home, live)
    with translated(live):
        connection = duckdb.connect(str(live), config=connection_config(home))
        try:
            connection.execute("SET GLOBAL TimeZone = 'UTC'")
            # A day is one small transaction: checkpointing every few of them, and waking threads for each, costs twice the work.
            connection.execute("SET GLOBAL wal_autocheckpoint = '256MB'")
            connection.execute("SET GLOBAL threads = 1")
            apply(connection, limits)
            migrate.migrate(connection, live)
            check_touched(home, (file.file for file in recorded_files(connection)), datetime.now(UTC))
            connection.execute("BEGIN")
            migrate.install_seeds(connection)
            migrate.install_views(connection, home)
            connection.execute("COMMIT")
            write_empty_files(connection, home)
        except BaseException:
            connection.close()
            raise
    return connection


def _identity(connection: Cursor) -> tuple[str, int]:
    """The ledger's id and the number of its newest transaction."""
    # All is fetched: a result that is still open would hold a transaction open, and no checkpoint could be made.
    ((ledger_id, number),) = connection.execute("SELECT any_value(ledger_id), max(number) FROM commits").fetchall()
    return str(ledger_id), int(number)


def _log_of(live: Path) -> Path:
    return live.with_name(live.name + ".wal")


def _check_log(home: Path, live: Path) -> None:
    """Raises LedgerCorrupt where the write-ahead log beside the live file is another ledger's, or of another time of this
    one: DuckDB replays whatever lies there. The check replays it read-only, in memory, so nothing is changed."""
    log = _log_of(live)
    if not log.exists() or not log.stat().st_size:
        return
    with translated(live):
        connection = duckdb.connect(str(live), read_only=True, config=connection_config(home))
        try:
            if not connection.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = 'commits'").fetchall():
                return
            row = connection.execute(
                "SELECT count(DISTINCT ledger_id), count(*), count(DISTINCT number), max(number) - min(number) + 1, "
                "count(*) FILTER (ledger_id NOT IN (SELECT ledger_id FROM ledger_identity)) FROM commits"
            ).fetchone()
        finally:
            connection.close()
    ids, numbers, distinct, span, foreign = row or (0, 0, 0, 0, 0)
    if ids == 1 and not foreign and numbers == distinct == span:
        return
    whose = "another ledger" if foreign or ids > 1 else "another state of this ledger"
    raise LedgerCorrupt(
        f"{log} holds the newest transactions of {whose}; nothing of it was taken. What to do: move {log} to another "
        "folder and run the command again; the live file is complete without it, up to its last checkpoint"
    )


def _refuse_path(home: Path) -> None:
    # DuckDB takes what follows a `?` in a path for parameters, and puts its write-ahead log elsewhere.
    if "?" in str(home.resolve()):
        raise WarehouseError(f"DuckDB cannot use a path with a question mark: {home.resolve()}. Choose another --home")


def _refuse_lost(home: Path, live: Path) -> None:
    """Raises LedgerMissing where there are files of a ledger but no live file: a new, empty one would hide the loss."""
    if live.exists():
        return
    copies = sorted((home / PUBLISHED_FOLDER).glob("*.duckdb"))
    files = [path for folder in EVENT_FOLDERS for path in (home / folder).rglob("[!.]*.parquet")]
    if copies:
        raise LedgerMissing(
            f"{live} is missing, but there are published copies of it. Copy {copies[-1]} to {live} and run the command again"
        )
    if files:
        raise LedgerMissing(
            f"{live} is missing, but there are {len(files)} file(s) with its events in {files[0].parent}. Restore it from a "
            "backup, or choose another folder with --home"
        )
    if _log_of(live).exists():
        raise LedgerMissing(
            f"{live} is missing, but its write-ahead log {_log_of(live)} is there. Restore both from a backup, or move the "
            "log to another folder to start a new ledger"
        )
