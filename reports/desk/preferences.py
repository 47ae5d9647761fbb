"""Preferences: what the pages keep for a person, such as the columns of a list."""

from __future__ import annotations

from quayledger.reports.desk.store import Desk


def read_preference(desk: Desk, person: str, name: str) -> str | None:
    """What is kept under a name for a person; None where nothing is. Raises DeskError."""
    rows = desk.rows("SELECT value FROM preferences WHERE person = ? AND name = ?", (person, name))
    return rows[0]["value"] if rows else None


def keep_preference(desk: Desk, person: str, name: str, value: str) -> None:
    """Keeps a value, in place of the one before. Raises DeskError."""
    with desk.transaction() as connection:
        connection.execute(
            "INSERT INTO preferences (person, name, value) VALUES (?, ?, ?) "
            "ON CONFLICT (person, name) DO UPDATE SET value = excluded.value",
            (person, name, value),
        )
