"""Queries the inventory in a published copy: the answer in declared types, and a clear error where the copy is older than
the inventory."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from quayledger.warehouse.catalog import Type
from quayledger.warehouse.errors import NotPublished
from quayledger.warehouse.inventory.where import Values
from quayledger.warehouse.snapshot import Snapshot

_SINCE_VERSION = 2


def ask(snap: Snapshot, sql: str, values: Values, schema: Mapping[str, Type] | None = None) -> pl.DataFrame:
    """One query's rows, values bound; in the types of `schema`, where one is given. Raises NotPublished where the copy was
    published before there was an inventory."""
    found = snap.rows("SELECT max(version) FROM schema_migrations")
    if (found[0][0] or 0) < _SINCE_VERSION:
        raise NotPublished(
            f"{snap.published.path} was published by an older quayledger, which kept no inventory: run `quayledger sync` to "
            "publish a new copy"
        )
    frame = snap.frame(sql, values)
    return frame if schema is None else frame.select(schema.keys()).cast(pl.Schema(schema))
