"""Names of the record found by a part of them, as a table."""

from __future__ import annotations

import msgspec
import polars as pl

from quayledger.reports.formatting import visible
from quayledger.reports.model import Column, Table
from quayledger.warehouse.log.find import find
from quayledger.warehouse.log.former_names import account_labels
from quayledger.warehouse.snapshot import Snapshot

# What people call each field that is searched.
FIELD_LABELS = {
    "actor": "Account",
    "kind": "Kind",
    "namespace": "Namespace",
    "repository": "Repository",
    "tag": "Tag",
    "digest": "Digest",
    "ip": "IP address",
    "user_agent": "User agent",
}
FIELD_OF = {label: field for field, label in FIELD_LABELS.items()}
_COLUMNS = (
    Column("value", "Name", "text"),
    Column("what", "What", "text"),
    Column("events", "Events"),
    Column("days", "Days"),
    Column("first_at", "First", "time"),
    Column("last_at", "Last", "time"),
    Column("source_id", "Source", "text"),
)


def find_table(snapshot: Snapshot, text: str, *, exact_only: bool = False, limit: int = 50) -> Table:
    """What events name that is or contains `text`, exact ones first, then the latest; `what` is one of FIELD_LABELS. `limit` 0: all. Errors: WarehouseError."""
    found = find(snapshot, text, exact_only=exact_only, limit=limit)
    frame = found.with_columns(pl.col("field").replace(FIELD_LABELS).alias("what"))
    frame = frame.select(column.name for column in _COLUMNS)
    empty = f"No event that is held names {visible(text[:100])}."
    labels = account_labels(snapshot) or msgspec.UNSET
    return Table("found", "Found", _COLUMNS, frame, frame.height, preview_rows=0, empty=empty, labels=labels)
