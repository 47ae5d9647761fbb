"""Send a test message to a target, or to all of them.

Sent at once, whatever the hour. Ends with an error if a target did not take it."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape

from quayledger import settings as settings_room
from quayledger.cli._options import Home
from quayledger.cli._output import err, out
from quayledger.collector.log.days import utc_now
from quayledger.reports.delivery import deliver
from quayledger.reports.delivery.notify_targets import NotTaken, chosen_targets
from quayledger.reports.formatting import visible


def command(
    target: Annotated[list[str] | None, typer.Argument(metavar="TARGET", help="Ids of targets; none: all.")] = None,
    home: Home = settings_room.DEFAULT_HOME,
) -> None:
    """Raises UnknownTarget, NotTaken, DeskError."""
    settings = settings_room.load(home)
    failed = []
    for target_id in chosen_targets(settings, target or ()):
        with err.status(f"sending to {target_id}"):
            failure = deliver.send_test(home, settings, target_id, utc_now)
        if failure:
            failed.append(target_id)
            err.print(f"[red]failed[/] {escape(target_id)}: {escape(visible(failure))}")
        else:
            out.print(f"[green]sent[/] {escape(target_id)}")
    if failed:
        raise NotTaken(f"{len(failed)} of the targets did not take the message: {', '.join(failed)}.")
