"""Known names: which kinds of events are known, and which names the held events have. Takes a
`Snapshot`. Errors: WarehouseError."""

# ruff: noqa: S608 - column names come from the constants below; every value is bound

from __future__ import annotations

from typing import Literal

from quayledger.warehouse.log.rollups import seen_files
from quayledger.warehouse.log.seen import FIELDS
from quayledger.warehouse.snapshot import Snapshot

NamedField = Literal["namespace", "repository", "actor", "tag", "ip", "user_agent"]


def known_kinds(snap: Snapshot) -> tuple[str, ...]:
    """Every kind of event that this version knows or that was counted or held, by name."""
    found = snap.rows("SELECT kind FROM log_kinds UNION SELECT kind FROM mart_kind_coverage ORDER BY kind")
    return tuple(kind for (kind,) in found if kind is not None)


def names(snap: Snapshot, field: NamedField, limit: int) -> list[str]:
    """The names that held events have in a field, the most frequent first, at most `limit`; repositories as
    `namespace/name`."""
    name, files = FIELDS[field], seen_files(snap, None, None)
    # Where not all is indexed, everything is read.
    relation = "events" if files is None else "stg_interpreted_events"
    held = f"SELECT {name} AS value, count(*) AS events FROM {relation} WHERE {name} IS NOT NULL GROUP BY ALL"
    if files:
        held += " UNION ALL SELECT value, events FROM read_parquet($seen_files) WHERE field = $field"
    values: dict[str, object] = {"limit": limit} | ({"seen_files": files, "field": field} if files else {})
    sql = f"SELECT value FROM ({held}) AS held GROUP BY value ORDER BY sum(events) DESC, value LIMIT $limit"
    return [value for (value,) in snap.rows(sql, values, None if files is None else [])]
