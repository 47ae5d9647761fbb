"""Counts of the events that a filter selects: over time, and by kind, account, repository and
client."""

from __future__ import annotations

import msgspec

from quayledger.reports.log import period_view
from quayledger.reports.model import Chart, Column, Table
from quayledger.reports.period import Period
from quayledger.warehouse.log import events
from quayledger.warehouse.log.events import EventFilter, UsageKey
from quayledger.warehouse.log.former_names import account_labels
from quayledger.warehouse.snapshot import Snapshot

# Key, heading, and the field of the filter that one of its values narrows.
_FACETS: tuple[tuple[UsageKey, str, str], ...] = (
    ("kind", "Kind", "kind"),
    ("actor", "User", "actor"),
    ("robot", "Robot account", "actor"),
    ("repository", "Repository", "repository"),
    ("client", "Client", "client"),
)


def histogram(snapshot: Snapshot, wanted: EventFilter, period: Period) -> Chart:
    """The events by hour, day, week or month of the period. A bucket that was not collected is null. Errors:
    WarehouseError."""
    view = period_view.read(snapshot, period, namespace=wanted.namespace, source_ids=wanted.source_ids, compare=False)
    return period_view.series(view, wanted)


def facets(snapshot: Snapshot, wanted: EventFilter, top: int) -> tuple[Table, ...]:
    """How many of the events have which kind, account, repository and client, the most frequent first: a table each (key,
    events), its `drill` the field of the filter. Errors: WarehouseError."""
    return tuple(_facet(snapshot, wanted, top, *facet) for facet in _FACETS)


def _facet(snapshot: Snapshot, wanted: EventFilter, top: int, by: UsageKey, title: str, field: str) -> Table:
    found = events.usage_counts(snapshot, wanted, by=by).select("key", "events")
    columns = (Column("key", title, "text"), Column("events", "Events"))
    labels = account_labels(snapshot) or msgspec.UNSET
    return Table(f"by_{by}", title, columns, found.head(top), found.height, field, labels=labels)
