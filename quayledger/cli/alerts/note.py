"""Add a note to an alert's history."""

from __future__ import annotations

from typing import Annotated

import typer

from quayledger import settings as settings_room
from quayledger.cli._options import Home
from quayledger.cli.alerts._desk import Number, open_desk, show_line, whoami
from quayledger.collector.log.days import utc_now
from quayledger.reports.desk import alerts


def command(
    number: Number,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="The note.")],
    home: Home = settings_room.DEFAULT_HOME,
) -> None:
    """Raises BadDecision, DeskError."""
    with open_desk(home) as desk:
        show_line(alerts.add_note(desk, number, text, whoami(), utc_now()))
