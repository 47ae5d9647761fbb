"""Frames as temporary tables, which statements of the ledger read from while they run. I/O: the ledger."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import polars as pl

from quayledger.warehouse.ledger import Cursor

INCOMING = "incoming"


@contextmanager
def as_table(cursor: Cursor, frame: pl.DataFrame) -> Iterator[None]:
    """The frame under the name INCOMING, for the statements within."""
    cursor.register(INCOMING, frame.to_arrow())
    try:
        yield
    finally:
        cursor.unregister(INCOMING)


def insert(cursor: Cursor, table: str, frame: pl.DataFrame) -> None:
    """Adds the frame's rows to a table that has its columns."""
    if frame.is_empty():
        return
    columns = ", ".join(frame.columns)
    with as_table(cursor, frame):
        cursor.execute(f"INSERT INTO {table} ({columns}) SELECT {columns} FROM {INCOMING}")  # noqa: S608 - our own names
