"""The newest published copy, opened read-only. Nothing that a reader does with it can stop collection."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import duckdb
import polars as pl

from quayledger.warehouse import migrate
from quayledger.warehouse.duckdb_errors import is_damage, translated
from quayledger.warehouse.errors import LedgerCorrupt, LedgerMissing, TookTooLong
from quayledger.warehouse.event_files import (
    SIDECAR_SUFFIXES,
    EventFile,
    FileFault,
    RollupPiece,
    current_rules,
    find_faults,
    has_rollups,
    is_whole,
    recorded_files,
    recorded_sidecars,
    set_views,
    with_kinds,
)
from quayledger.warehouse.file_checks import check_touched, compute_digests
from quayledger.warehouse.ledger import Cursor
from quayledger.warehouse.limits import Limits, apply, connection_config, limits_of
from quayledger.warehouse.publish import Published, is_intact, newest
from quayledger.warehouse.rollup_joins import RollupJoin, recorded_joins, rollup_pieces

_TRIES = 3
_DAMAGED_ROLLUPS = (
    "a rollup of closed days turned out to be damaged. Ask again: the answer then comes from the events themselves; "
    "`quayledger serve` and `quayledger sync` make the rollup anew"
)
_Answer = TypeVar("_Answer")
Values = Sequence[object] | dict[str, object]


class Snapshot:
    """One published copy, as it was when opened: later publications do not change what it answers. Use `with`."""

    def __init__(self, published: Published, connection: Cursor, home: Path | None = None) -> None:
        """`home`: where this reader finds the files of closed days; None: where the copy's views say they are."""
        self.published = published
        self.home = home or published.path.parent
        self._connection = connection
        self._seconds: float | None = None
        self.files = recorded_files(connection) if home else []
        # What the copy calls current is what the version that made it knew, which need not be ours.
        self.rules = current_rules(connection) if self.files else ""
        self._sidecars = recorded_sidecars(connection) if self.files else {}
        self.faults: list[FileFault] = []
        self.whole_files: set[EventFile] = set()
        self.rolled_files: set[EventFile] = set()
        self._joins = recorded_joins(connection) if self.files else []
        self._has_unfiled: bool | None = None
        self._look_at_files(datetime.now(UTC), all_files=False)

    def check_files(self, now: datetime) -> None:
        """Reads every file of closed days and its rollups; afterwards `faults`, `whole_files` and `rolled_files` are certain."""
        self._look_at_files(now, all_files=True)

    def is_whole(self, sidecar: Path) -> bool:
        """Whether a file of rollups is there and not known to be damaged."""
        return is_whole(self.home, sidecar, self._sidecars, self._checks)

    def _look_at_files(self, now: datetime, *, all_files: bool) -> None:
        """Which files can be used: those that are as on record. `all_files`: also those that nobody touched since their digest was
        found right are read."""
        paths = [file.file for file in self.files] + [Path(sidecar) for sidecar in self._sidecars]
        checks = compute_digests(self.home, paths, now)[0] if all_files else check_touched(self.home, paths, now)
        self._checks = checks
        self.faults = with_kinds(self._connection, find_faults(self.home, self.files, checks))
        faulty = {fault.file for fault in self.faults}
        self.whole_files = {file for file in self.files if file not in faulty}
        self.rolled_files = {
            file for file in self.whole_files if has_rollups(self.home, file, self.rules, self._sidecars, checks)
        }

    @classmethod
    def open(cls, home: Path, limits: Limits | None = None) -> Self:
        """Opens the newest copy, by default within the limits of the settings in `home`. Raises NotPublished, LedgerTooNew,
        LedgerCorrupt (damaged, or changed since it was published), LedgerMissing, LedgerBusy (open elsewhere for writing)."""
        for _ in range(_TRIES):
            published = newest(home)
            # Between reading the pointer and opening the file, newer publications may have removed it: look again.
            if published.path.exists():
                return cls(published, _connect(home, published, limits or limits_of(home)), home)
        raise LedgerMissing(f"{published.path} is gone: run `quayledger sync` to publish a new copy")

    def close(self) -> None:
        """Closes the copy. Callers close the cursors they took."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def cursor(self, files: Sequence[EventFile] | None = None) -> Cursor:
        """A new connection for one query. For the warehouse only; the caller closes it. `files`: the only ones among
        `self.files` whose events the query can concern (see `files_between`); None: all."""
        cursor = self._connection.cursor()
        if self.files:
            needed = [file for file in (self.files if files is None else files) if file in self.whole_files]
            set_views(cursor, self.home, self.files, self.rules, needed)
        return cursor

    def files_between(self, first: date | None, last: date | None) -> list[EventFile]:
        """The files that may hold events of the UTC days from `first` to `last`; None: no limit."""
        return [
            file
            for file in self.files
            if (first is None or file.last_day >= first) and (last is None or file.first_day <= last)
        ]

    def pieces(self, files: Sequence[EventFile]) -> tuple[RollupPiece, ...]:
        """The rollups that cover rolled files, few of them: those of days that are joined stand for them."""
        return rollup_pieces(
            self.home, files, self.rolled_files, [join for join in self._joins if self._is_usable(join)]
        )

    def _is_usable(self, join: RollupJoin) -> bool:
        return all(self.is_whole(join.beside(suffix)) for suffix in SIDECAR_SUFFIXES)

    @property
    def has_unfiled_events(self) -> bool:
        """Whether any event is outside of files that are rolled up: in the live file, late, or in a file of an older version."""
        if self._has_unfiled is None:
            found = self.rows("SELECT 1 FROM stg_uninterpreted_events LIMIT 1")
            self._has_unfiled = bool(found)
        return self._has_unfiled

    def rows(self, sql: str, values: Values = (), files: Sequence[EventFile] | None = None) -> list[tuple[Any, ...]]:
        """All rows of one query; values are bound."""
        return self._answer(sql, values, files, lambda cursor: cursor.fetchall())

    def frame(self, sql: str, values: Values = (), files: Sequence[EventFile] | None = None) -> pl.DataFrame:
        """The rows of one query as a frame; values are bound, times are UTC."""
        return self._answer(sql, values, files, lambda cursor: cursor.pl())

    def batches(
        self, sql: str, values: Values, rows: int, files: Sequence[EventFile] | None = None
    ) -> Iterator[pl.DataFrame]:
        """The rows of one query as frames of at most about `rows` rows, without holding them all."""
        with self._asked(sql, values, files) as cursor:
            for batch in cursor.to_arrow_reader(rows):
                frame = pl.from_arrow(batch)
                if isinstance(frame, pl.DataFrame) and frame.height:
                    yield frame

    def read(self, take: Callable[[], _Answer]) -> _Answer:
        """One answer from files of rollups that are not read by DuckDB."""
        try:
            return take()
        except (OSError, pl.exceptions.ComputeError) as error:
            self.check_files(datetime.now(UTC))
            raise LedgerCorrupt(_DAMAGED_ROLLUPS) from error

    def _answer(
        self, sql: str, values: Values, files: Sequence[EventFile] | None, take: Callable[[Cursor], _Answer]
    ) -> _Answer:
        """One answer. Where a file turns out to be damaged it is left out, and the question asked once more."""
        try:
            with self._asked(sql, values, files) as cursor:
                return take(cursor)
        except (LedgerCorrupt, LedgerMissing, duckdb.Error) as error:
            if isinstance(error, duckdb.Error) and not is_damage(error):
                raise
            before = (self.whole_files, self.rolled_files)
            self.check_files(datetime.now(UTC))
            if before[0] == self.whole_files:
                if before[1] != self.rolled_files:
                    raise LedgerCorrupt(_DAMAGED_ROLLUPS) from error
                raise
        with self._asked(sql, values, files) as cursor:
            return take(cursor)

    @contextlib.contextmanager
    def limited(self, seconds: float) -> Iterator[None]:
        """Each question that is asked within may take so long, or raises TookTooLong. For one thread."""
        before, self._seconds = self._seconds, seconds
        try:
            yield
        finally:
            self._seconds = before

    @contextlib.contextmanager
    def _asked(self, sql: str, values: Values, files: Sequence[EventFile] | None) -> Iterator[Cursor]:
        with translated(self.published.path), contextlib.closing(self.cursor(files)) as cursor:
            if self._seconds is None:
                yield cursor.execute(sql, values)
                return
            timer = threading.Timer(self._seconds, cursor.interrupt)
            timer.daemon = True
            timer.start()
            try:
                yield cursor.execute(sql, values)
            except duckdb.InterruptException:
                raise TookTooLong(f"the question took longer than {self._seconds:g} s") from None
            finally:
                timer.cancel()


def _connect(home: Path, published: Published, limits: Limits) -> Cursor:
    path = published.path
    if not is_intact(published):
        raise LedgerCorrupt(
            f"{path} was changed after it was published (its SHA-256 differs from the record, or a .wal lies beside it). "
            "Run `quayledger sync` to publish a new copy, and open copies read-only"
        )
    with translated(path):
        connection = duckdb.connect(str(path), read_only=True, config=connection_config(home))
        try:
            apply(connection, limits)
            connection.execute("SET GLOBAL TimeZone = 'UTC'")
            # Files never change, and what is asked of them needs their footers again and again.
            connection.execute("SET GLOBAL parquet_metadata_cache = true")
            migrate.refuse_newer(migrate.applied_version(connection), path)
        except BaseException:
            connection.close()
            raise
    return connection
