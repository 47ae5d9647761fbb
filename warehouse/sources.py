"""The register of sources: their names over time, their covers, and the backend that stores their log."""

from __future__ import annotations

from datetime import date, datetime

import msgspec

from quayledger.warehouse.ledger import Ledger

UNKNOWN_BACKEND = "unknown"


class CoverRow(msgspec.Struct, frozen=True):
    """The disjoint scopes that together are a source's record from a UTC day on, and the kinds that they never show."""

    version: int
    from_day: date
    scopes: tuple[str, ...]
    hidden_kinds: tuple[str, ...]
    reason: str


def register_source(ledger: Ledger, source_id: str, name: str, url: str, now: datetime) -> None:
    """Makes the source known, or notes its new name and address; the old ones are kept in `source_names`."""
    asked = "SELECT name, url FROM sources WHERE source_id = ?"
    if ledger.rows(asked, [source_id]) == [(name, url)]:
        return
    with ledger.transaction() as cursor:
        # Asked again inside: the log and the inventory may make a new source known at the same moment.
        held = cursor.execute(asked, [source_id]).fetchall()
        if held == [(name, url)]:
            return
        if held:
            cursor.execute("UPDATE sources SET name = ?, url = ? WHERE source_id = ?", [name, url, source_id])
        else:
            cursor.execute(
                "INSERT INTO sources (source_id, name, url, backend, registered_at) VALUES (?, ?, ?, ?, ?)",
                [source_id, name, url, UNKNOWN_BACKEND, now],
            )
        cursor.execute("INSERT INTO source_names VALUES (?, ?, ?, ?)", [source_id, name, url, now])


def covers(ledger: Ledger, source_id: str) -> tuple[CoverRow, ...]:
    """All covers of a source, oldest first."""
    found = ledger.rows(
        "SELECT version, from_day, scopes, hidden_kinds, reason FROM covers WHERE source_id = ? ORDER BY version",
        [source_id],
    )
    return tuple(CoverRow(version, day, tuple(scopes), tuple(kinds), why) for version, day, scopes, kinds, why in found)


def add_cover(ledger: Ledger, source_id: str, cover: CoverRow) -> None:
    """Adds a cover. Raises ValueError unless its version is beyond all before it."""
    with ledger.transaction() as cursor:
        row = cursor.execute("SELECT max(version) FROM covers WHERE source_id = ?", [source_id]).fetchone()
        newest = row[0] if row else None
        if newest is not None and cover.version <= newest:
            raise ValueError(f"cover {cover.version} of {source_id} is not beyond {newest}, the newest one")
        cursor.execute(
            "INSERT INTO covers VALUES (?, ?, ?, ?, ?, ?)",
            [source_id, cover.version, cover.from_day, list(cover.scopes), list(cover.hidden_kinds), cover.reason],
        )


def note_backend(ledger: Ledger, source_id: str, backend: str, now: datetime) -> None:
    """Notes what stores the source's log: database, elasticsearch, splunk or unknown."""
    with ledger.transaction() as cursor:
        cursor.execute(
            "UPDATE sources SET backend = ?, backend_noted_at = ? WHERE source_id = ?", [backend, now, source_id]
        )


def backend(ledger: Ledger, source_id: str) -> str:
    """What stores the source's log, as last noted; `unknown` before that."""
    found = ledger.rows("SELECT backend FROM sources WHERE source_id = ?", [source_id])
    return str(found[0][0]) if found else UNKNOWN_BACKEND
