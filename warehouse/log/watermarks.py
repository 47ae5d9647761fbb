"""Watermarks of open days: how far a day was read while it was not over, so that its rows are not requested twice.

Paging may skip rows, and reading the same list again does not bring them: they are left to a repair, at once or when the day
is over. So the next read wants only what came since.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta

from quayledger.warehouse.ledger import Ledger

_KEPT = timedelta(days=2)  # a day's grace ends within the next one


def watermark(ledger: Ledger, source_id: str, day: date, scope: str) -> dict[str, int] | None:
    """By kind, how many of the counted events of one (day, scope) earlier reads account for; None: the day was never read
    through, so any part of it may lack events."""
    found = ledger.rows(
        "SELECT kind, events FROM open_days WHERE source_id = ? AND day = ? AND scope = ?", [source_id, day, scope]
    )
    return {kind: events for kind, events in found if kind} if found else None


def set_watermark(
    ledger: Ledger, source_id: str, day: date, scope: str, by_kind: Mapping[str, int], now: datetime
) -> None:
    """Records that one (day, scope) was read through, and how many events of each kind that accounts for. Watermarks of days
    that are long over are dropped."""
    with ledger.transaction() as cursor:
        cursor.execute(
            "DELETE FROM open_days WHERE source_id = ? AND (day < ? OR (day = ? AND scope = ?))",
            [source_id, day - _KEPT, day, scope],
        )
        for kind, events in {**by_kind, "": 0}.items():
            cursor.execute(
                "INSERT INTO open_days VALUES (?, ?, ?, ?, ?, ?)", [source_id, day, scope, kind, events, now]
            )


def clear_watermark(ledger: Ledger, source_id: str, day: date, scope: str) -> None:
    """Drops the watermark of one (day, scope): a chain was cut off, and what it did not reach may be anywhere."""
    with ledger.transaction() as cursor:
        cursor.execute("DELETE FROM open_days WHERE source_id = ? AND day = ? AND scope = ?", [source_id, day, scope])
