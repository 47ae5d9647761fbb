"""The readers' room: what each Quay records in its log at all, as far as its configuration, its API and its events tell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import polars as pl

from quayledger.reports.formatting import visible
from quayledger.warehouse.catalog.recorded_kinds import Recording, gaps, recordings
from quayledger.warehouse.errors import NotPublished
from quayledger.warehouse.inventory import reader
from quayledger.warehouse.log import completeness
from quayledger.warehouse.log.events import list_sources
from quayledger.warehouse.snapshot import Snapshot

_SCHEMA = {
    "source_id": pl.String,
    "what": pl.String,
    "state": pl.String,
    "is_certain": pl.Boolean,
    "why": pl.String,
    "recorded_since": pl.Date,
    "kinds": pl.String,
}


def by_source(snapshot: Snapshot, source_ids: tuple[str, ...] = ()) -> dict[str, list[Recording]]:
    """What each source records and what not. Errors: WarehouseError."""
    kinds = completeness.kinds_seen(snapshot, source_ids)
    operations, settings = _family(snapshot, "offered_operations"), _family(snapshot, "registry_settings")
    found = {}
    for source_id in list_sources(snapshot)["source_id"].to_list():
        if source_ids and source_id not in source_ids:
            continue
        own = pl.col("source_id") == source_id
        config = settings.filter(own & (pl.col("origin") == "config")) if settings.height else settings
        found[source_id] = recordings(
            frozenset(kinds.filter(own)["kind"].to_list()),
            frozenset(operations.filter(own)["operation"].to_list()) if operations.height else frozenset(),
            _values(config) if config.height else None,
        )
    return found


def table(found: dict[str, list[Recording]]) -> pl.DataFrame:
    """One row per source and thing that may be recorded, those that are not first: source_id, what, state, is_certain (false:
    inferred), why, recorded_since (day of the change in Quay's source; null: a setting decides), kinds."""
    rows = [
        (source_id, one.what, one.state, one.is_certain, visible(one.why), one.since, ", ".join(one.kinds))
        for source_id, all_of_it in found.items()
        for one in sorted(all_of_it, key=lambda one: one.state == "recorded")
    ]
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row")


def unrecorded(snapshot: Snapshot, kinds: Sequence[str], source_ids: tuple[str, ...] = ()) -> list[str]:
    """Sentences on those of these kinds that a source does not record, or may not."""
    said = []
    for source_id, found in by_source(snapshot, source_ids).items():
        for one in gaps(found):
            concerned = [kind for kind in kinds if kind in one.kinds]
            if concerned and one.state != "not known":
                said.append(f"{', '.join(concerned)}: {one.state} ({source_id}: {visible(one.why)}).")
    return said


def _family(snapshot: Snapshot, family: str) -> pl.DataFrame:
    """What is held now; nothing where the copy is older than the family."""
    try:
        return reader.as_of(snapshot, family)
    except NotPublished:
        return pl.DataFrame()


def _values(config: pl.DataFrame) -> dict[str, Any]:
    found = {}
    for setting, value in config.select("setting", "value").iter_rows():
        try:
            found[setting] = msgspec.json.decode(value)
        except (msgspec.DecodeError, TypeError):
            continue
    return found
