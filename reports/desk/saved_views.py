"""Saved views: the address of a page with its filters, under a name, for everybody who reads this ledger."""

from __future__ import annotations

import sqlite3
from datetime import datetime

import msgspec

from quayledger.reports.desk.store import Desk

LONGEST_NAME = 80
_LONGEST_ADDRESS = 8_000


class BadView(Exception):
    """A view that cannot be saved; the text says why."""


class SavedView(msgspec.Struct, frozen=True):
    """One view. `address`: the query of the page's address, without `?`; `saved_at`: aware, UTC."""

    page: str
    name: str
    address: str
    saved_by: str
    saved_at: datetime


def save_view(desk: Desk, page: str, name: str, address: str, by_whom: str, now: datetime) -> SavedView:
    """Saves a view, in place of the one of that name if there is one. Raises BadView, DeskError."""
    name = " ".join(name.split())
    if not 0 < len(name) <= LONGEST_NAME:
        raise BadView(f"Give the view a name of 1 to {LONGEST_NAME} characters.")
    if len(address) > _LONGEST_ADDRESS:
        raise BadView("The view has too many filters to be saved.")
    with desk.transaction() as connection:
        connection.execute(
            "INSERT INTO saved_views (page, name, address, saved_by, saved_at) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (page, name) DO UPDATE SET address = excluded.address, saved_by = excluded.saved_by, "
            "saved_at = excluded.saved_at",
            (page, name, address, by_whom, now.isoformat()),
        )
    return SavedView(page, name, address, by_whom, now)


def list_views(desk: Desk, page: str) -> list[SavedView]:
    """The views of a page, by name. Raises DeskError."""
    rows = desk.rows("SELECT * FROM saved_views WHERE page = ? ORDER BY lower(name), name", (page,))
    return [_view(row) for row in rows]


def remove_view(desk: Desk, page: str, name: str) -> None:
    """Removes a view; none of that name is no error. Raises DeskError."""
    with desk.transaction() as connection:
        connection.execute("DELETE FROM saved_views WHERE page = ? AND name = ?", (page, name))


def _view(row: sqlite3.Row) -> SavedView:
    return SavedView(row["page"], row["name"], row["address"], row["saved_by"], datetime.fromisoformat(row["saved_at"]))
