"""Hide an alert until a day, with a reason."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Annotated

import typer

from quayledger import settings as settings_room
from quayledger.cli._options import Home, as_day
from quayledger.cli.alerts._desk import Note, Number, open_desk, show_line, whoami
from quayledger.collector.log.days import utc_now
from quayledger.reports.desk import alerts


def command(
    number: Number,
    until: Annotated[
        date, typer.Option("--until", parser=as_day, metavar="DAY", help="Hide it until this UTC day begins.")
    ],
    note: Note,
    home: Home = settings_room.DEFAULT_HOME,
) -> None:
    """Raises BadDecision, DeskError."""
    end = datetime.combine(until, time(), UTC)
    with open_desk(home) as desk:
        show_line(alerts.suppress(desk, number, end, whoami(), utc_now(), reason=note))
