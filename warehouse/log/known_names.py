"""The warehouse's answers about names: which kinds of events are known, and which names the held events have. Takes a
`Snapshot`. Errors: WarehouseError."""

# ruff: noqa: S608 - column names come from the constants below; every value is bound

from __future__ import annotations

from typing import Literal

from quayledger.warehouse.snapshot import Snapshot

NamedField = Literal["namespace", "repository", "actor", "tag"]
_COLUMNS: dict[NamedField, str] = {
    "namespace": "namespace",
    "repository": "repository",
    "actor": "actor",
    "tag": "tag",
}


def known_kinds(snap: Snapshot) -> tuple[str, ...]:
    """Every kind of event that this version knows or that was counted or held, by name."""
    found = snap.rows("SELECT kind FROM log_kinds UNION SELECT kind FROM mart_kind_coverage ORDER BY kind")
    return tuple(kind for (kind,) in found if kind is not None)


def names(snap: Snapshot, field: NamedField, limit: int) -> list[str]:
    """The names that held events have in a field, the most frequent first, at most `limit`."""
    column = _COLUMNS[field]
    found = snap.rows(
        f"SELECT {column} FROM events WHERE {column} IS NOT NULL GROUP BY {column} "
        f"ORDER BY count(*) DESC, {column} LIMIT $limit",
        {"limit": limit},
    )
    return [name for (name,) in found]
