"""List alerts, most serious first; those that are not resolved unless --all."""

from __future__ import annotations

from typing import Annotated

import typer

from quayledger import settings as settings_room
from quayledger.cli._options import AsJson, Home
from quayledger.cli._output import out, print_json
from quayledger.cli.alerts._desk import open_desk, show_line
from quayledger.collector.log.days import utc_now
from quayledger.reports.desk import alerts, watch


def command(
    home: Home = settings_room.DEFAULT_HOME,
    everything: Annotated[bool, typer.Option("--all", help="Also the resolved and suppressed ones.")] = False,
    as_json: AsJson = False,
) -> None:
    """Raises DeskError."""
    hidden = () if everything else (alerts.AlertState.RESOLVED, alerts.AlertState.SUPPRESSED)
    with open_desk(home) as desk:
        found = [one for one in alerts.list_alerts(desk, utc_now()) if one.state not in hidden]
        judged = watch.judged_days(desk)
    if as_json:
        print_json(found)
        return
    for alert in found:
        show_line(alert)
    if not found:
        out.print(
            f"No open alerts; {judged} days were judged."
            if judged
            else "No day was judged yet: run `quayledger alerts refresh`."
        )
