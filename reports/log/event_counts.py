"""Counts of the events that a filter selects: over time, and by the values of a field."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import polars as pl

from quayledger.reports.log import period_view
from quayledger.reports.model import Chart, Column, Table
from quayledger.reports.period import Period
from quayledger.warehouse.log import events
from quayledger.warehouse.log.events import CountedField, EventFilter
from quayledger.warehouse.log.former_names import account_labels
from quayledger.warehouse.snapshot import Snapshot

# Each field that events are counted by, and what people call it.
FACETS: dict[CountedField, str] = {
    "kind": "Kind",
    "category": "Category",
    "outcome": "Outcome",
    "actor": "Account",
    "actor_type": "Account type",
    "namespace": "Namespace",
    "repository": "Repository",
    "client": "Client",
    "ip": "IP address",
    "tag": "Tag",
    "credential": "Credential",
}


def histogram(snapshot: Snapshot, wanted: EventFilter, period: Period) -> Chart:
    """The events by hour, day, week or month of the period. A bucket that was not collected is null. Errors:
    WarehouseError."""
    view = period_view.read(snapshot, period, namespace=wanted.namespace, source_ids=wanted.source_ids, compare=False)
    return period_view.series(view, wanted)


def facets(snapshot: Snapshot, wanted: EventFilter, fields: Sequence[CountedField], top: int) -> tuple[Table, ...]:
    """How many of the events have which value of each field, the most frequent first: a table each (key, events), its `drill`
    the field. Errors: WarehouseError."""
    found = events.value_counts(snapshot, wanted, fields, limit=top)
    labels = account_labels(snapshot)
    return tuple(_facet(found.filter(pl.col("field") == field), field, labels) for field in fields)


def _facet(rows: pl.DataFrame, field: CountedField, labels: dict[str, str]) -> Table:
    columns = (Column("key", FACETS[field], "text"), Column("events", "Events"))
    frame = rows.select(pl.col("value").alias("key"), "events")
    total = int(rows["distinct"][0]) if rows.height else 0
    empty = f"{FACETS[field]}: none."
    return Table(
        f"by_{field}", FACETS[field], columns, frame, total, field, empty=empty, labels=labels or msgspec.UNSET
    )
