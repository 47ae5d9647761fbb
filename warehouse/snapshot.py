"""The warehouse's door for readers: the newest published copy, opened read-only. Nothing done here can stop collection."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import duckdb
import polars as pl

from quayledger.warehouse import migrate
from quayledger.warehouse.duckdb_errors import translated
from quayledger.warehouse.errors import LedgerMissing
from quayledger.warehouse.ledger import CONFIG, Cursor
from quayledger.warehouse.publish import Published, newest

_TRIES = 3
Values = Sequence[object] | dict[str, object]


class Snapshot:
    """One published copy, as it was when opened: later publications do not change what it answers. Use `with`."""

    def __init__(self, published: Published, connection: Cursor) -> None:
        self.published = published
        self._connection = connection

    @classmethod
    def open(cls, home: Path) -> Self:
        """Opens the newest copy. Raises NotPublished, LedgerTooNew, LedgerCorrupt, LedgerMissing."""
        for _ in range(_TRIES):
            published = newest(home)
            # Between reading the pointer and opening the file, newer publications may have removed it: look again.
            if published.path.exists():
                return cls(published, _connect(published.path))
        raise LedgerMissing(f"{published.path} is gone: run `quayledger sync` to publish a new copy")

    def close(self) -> None:
        """Closes the copy; cursors made from it are closed by their users."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def cursor(self) -> Cursor:
        """A connection of its own for one query. For the warehouse only; the caller closes it."""
        return self._connection.cursor()

    def rows(self, sql: str, values: Values = ()) -> list[tuple[Any, ...]]:
        """All rows of one query, values bound."""
        with self._asked(sql, values) as cursor:
            return cursor.fetchall()

    def frame(self, sql: str, values: Values = ()) -> pl.DataFrame:
        """One query's rows as a frame, values bound; times are UTC."""
        with self._asked(sql, values) as cursor:
            return cursor.pl()

    def batches(self, sql: str, values: Values, rows: int) -> Iterator[pl.DataFrame]:
        """One query's rows as frames of at most about `rows` rows, without holding them all."""
        with self._asked(sql, values) as cursor:
            for batch in cursor.to_arrow_reader(rows):
                frame = pl.from_arrow(batch)
                if isinstance(frame, pl.DataFrame) and frame.height:
                    yield frame

    @contextlib.contextmanager
    def _asked(self, sql: str, values: Values) -> Iterator[Cursor]:
        with translated(self.published.path), contextlib.closing(self.cursor()) as cursor:
            yield cursor.execute(sql, values)


def _connect(path: Path) -> Cursor:
    with translated(path):
        connection = duckdb.connect(str(path), read_only=True, config=dict(CONFIG))
        try:
            connection.execute("SET GLOBAL TimeZone = 'UTC'")
            migrate.refuse_newer(migrate.applied_version(connection), path)
        except BaseException:
            connection.close()
            raise
    return connection
