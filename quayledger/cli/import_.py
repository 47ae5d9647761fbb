"""Load an export file.

A file that Quay mailed a link to, or that was made by hand. It may cover any past day."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from quayledger import settings as settings_room
from quayledger.cli._options import AsJson, Home, OneSource
from quayledger.cli._output import err, print_json
from quayledger.collector.exports.import_file import import_file
from quayledger.collector.log.days import utc_now
from quayledger.reports.formatting import visible
from quayledger.warehouse import publish
from quayledger.warehouse.ledger import Ledger
from quayledger.warehouse.log.former_names import note_former_names


def command(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The export file; may be gzipped.")],
    source: OneSource = "main",
    home: Home = settings_room.DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Raises what the file and the ledger raise."""
    settings = settings_room.load(home)
    with Ledger.open(home, command="import") as ledger, err.status("reading"):
        done = import_file(ledger, settings, source, file)
        note_former_names(ledger)
        publish.publish(ledger, keep=settings.publish.keep, now=utc_now())
    if as_json:
        print_json(done)
        return
    err.print(
        f"[bold]{escape(source)}[/]: {done.rows:,} rows, {done.new_events:,} new events, "
        f"{done.rejected_rows:,} rejected rows, {len(done.days):,} days"
    )
    for day, reason in sorted(done.left_out.items()):
        err.print(f"  [yellow]{day} is left out: {escape(visible(reason))}[/]")
