"""Close an alert, with a note on how it was resolved."""

from __future__ import annotations

from quayledger import settings as settings_room
from quayledger.cli._options import Home
from quayledger.cli.alerts._desk import Note, Number, open_desk, show_line, whoami
from quayledger.collector.log.days import utc_now
from quayledger.reports.desk import alerts


def command(number: Number, note: Note, home: Home = settings_room.DEFAULT_HOME) -> None:
    """Raises BadDecision, DeskError."""
    with open_desk(home) as desk:
        show_line(alerts.set_state(desk, number, alerts.AlertState.RESOLVED, whoami(), utc_now(), note=note))
