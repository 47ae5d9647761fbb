"""Check that the files of closed days are what was stored.

Reads every file of events and of rollups, and compares its SHA-256 with the one on record. Changes nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import typer
from rich.markup import escape

from quayledger import settings as settings_room
from quayledger.cli._options import AsJson, Home
from quayledger.cli._output import err, out, print_json
from quayledger.reports.formatting import plural
from quayledger.service.exit_codes import Exit
from quayledger.warehouse.log.verify_files import Verified, verify_files
from quayledger.warehouse.snapshot import Snapshot


def command(home: Home = settings_room.DEFAULT_HOME, as_json: AsJson = False) -> None:
    """Exits with 8 where a file of events is missing or damaged. Raises NotPublished where nothing is collected yet."""
    with Snapshot.open(home) as snapshot, err.status("reading files"):
        found = verify_files(snapshot, datetime.now(UTC))
    if as_json:
        print_json(found.summary(home))
    else:
        _show(home, found)
    if found.faults:
        raise typer.Exit(Exit.LEDGER)


def _show(home: Path, found: Verified) -> None:
    for fault in found.faults:
        out.print(f"[red]damaged[/] {escape(fault.describe(home))}")
    for file in found.damaged_rollups:
        out.print(
            f"[yellow]rollup[/]  {escape(str(home / file))} is missing or damaged; answers come from the events themselves "
            "until the next `quayledger sync` makes it anew"
        )
    for file in found.unrecorded:
        out.print(f"[cyan]unknown[/] {escape(str(home / file))} is not on record; nothing reads it")
    out.print(
        f"{plural(found.files, 'file')} with {plural(found.events, 'event')} of closed days: "
        f"{plural(found.files - len(found.faults), 'file')} as recorded, {len(found.faults):,} missing or damaged"
    )
