"""Give an alert to somebody."""

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
    owner: Annotated[str, typer.Argument(metavar="OWNER", help="Who works on it; '' for nobody.")],
    home: Home = settings_room.DEFAULT_HOME,
) -> None:
    """Raises BadDecision, DeskError."""
    with open_desk(home) as desk:
        show_line(alerts.assign(desk, number, owner, whoami(), utc_now()))
