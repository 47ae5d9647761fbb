"""Known names: which kinds of events are known, and which names the held events have. Takes a
`Snapshot`. Errors: WarehouseError."""

# ruff: noqa: S608 - column names come from the constants below; every value is bound

from __future__ import annotations

from typing import Literal

from quayledger.warehouse.log.rollups import find_rollups, raw_relation
from quayledger.warehouse.log.seen import FIELDS, NAMES_SECTION
from quayledger.warehouse.snapshot import Snapshot

NamedField = Literal["namespace", "repository", "actor", "tag", "ip", "user_agent"]


def known_kinds(snap: Snapshot) -> tuple[str, ...]:
    """Every kind of event that this version knows or that was counted or held, by name."""
    found = snap.rows("SELECT kind FROM log_kinds UNION SELECT kind FROM mart_kind_coverage ORDER BY kind")
    return tuple(kind for (kind,) in found if kind is not None)


def names(snap: Snapshot, field: NamedField, limit: int) -> list[str]:
    """The names that held events have in a field, the most frequent first, at most `limit`; repositories as
    `namespace/name`."""
    name, rollups = FIELDS[field], find_rollups(snap, None, None)
    # Where too little is indexed, everything is read.
    raw, values = ("events", {}) if rollups is None else raw_relation(snap, rollups, "*", "true")
    held = f"SELECT {name} AS value, count(*) AS events FROM {raw} AS raw WHERE {name} IS NOT NULL GROUP BY ALL"
    if rollups is not None:
        held += f" UNION ALL SELECT value, events FROM read_parquet($seen_files) WHERE section = {NAMES_SECTION} AND field = $field"
        values |= {"seen_files": [str(piece.seen) for piece in rollups.pieces], "field": field}
    sql = f"SELECT value FROM ({held}) AS held GROUP BY value ORDER BY sum(events) DESC, value LIMIT $limit"
    return [value for (value,) in snap.rows(sql, values | {"limit": limit}, None if rollups is None else rollups.files)]
