"""List what was sent to whom, newest first: every message and every try."""

from __future__ import annotations

from typing import Annotated

import typer

from quayledger import settings as settings_room
from quayledger.cli._options import AsJson, Home
from quayledger.cli._output import out, print_json
from quayledger.cli.alerts._desk import open_desk
from quayledger.reports.desk import outbox
from quayledger.reports.formatting import moment, visible


def command(
    home: Home = settings_room.DEFAULT_HOME,
    target: Annotated[str, typer.Option(help="Only what was sent to this target.")] = "",
    limit: Annotated[int, typer.Option(min=0, metavar="N", help="Maximum number of messages (0 = all).")] = 50,
    as_json: AsJson = False,
) -> None:
    """Raises DeskError."""
    with open_desk(home) as desk:
        found = outbox.messages(desk, target, limit)
    if as_json:
        print_json(found)
        return
    for one in found:
        text = f"{moment(one.begun_at)}  {one.target:<12}  {one.state:<7}  {one.title}"
        out.print(visible(f"{text}: {one.reason}" if one.reason else text), markup=False, emoji=False)
    if not found:
        out.print("Nothing was sent yet.")
