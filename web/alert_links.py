"""Alerts in a short table, and the way from one to its page."""

from __future__ import annotations

from typing import Any

import msgspec

from quayledger.reports.desk.alerts import AlertState
from quayledger.reports.model import Table
from quayledger.web.url_state import go

ALERTS_PATH = "alerts"
OPEN_STATES = (AlertState.NEW, AlertState.ACKNOWLEDGED, AlertState.IN_PROGRESS)
NOT_JUDGED = "No day was judged yet. `quayledger serve` judges each new copy; `quayledger alerts refresh` does it now."
_SHORT = ("alert_id", "severity", "title", "subject", "last_at", "events", "state", "owner")


def short(table: Table) -> Table:
    """The columns of alerts that fit beside other things."""
    columns = tuple(column for column in table.columns if column.name in _SHORT)
    ordered = sorted(columns, key=lambda column: _SHORT.index(column.name))
    return msgspec.structs.replace(
        table, columns=tuple(ordered), frame=table.frame.select(column.name for column in ordered)
    )


def follow(row: dict[str, Any] | None) -> None:
    """An alert was clicked (None: not): go to it."""
    if row is not None:
        go(ALERTS_PATH, {"alert": str(row["alert_id"]), "state": "All"})
