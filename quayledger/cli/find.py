"""Find anything that events name.

An account, repository, tag, digest, address or client; exactly, or as a part of its name."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer
from rich.markup import escape
from rich.table import Table

from quayledger import settings as settings_room
from quayledger.cli._options import AsJson, Home
from quayledger.cli._output import err, out, print_json, warn_of_broken_files
from quayledger.reports.formatting import visible
from quayledger.warehouse.log.find import find
from quayledger.warehouse.log.former_names import account_labels, also_named, former_names, label_of
from quayledger.warehouse.snapshot import Snapshot

_LABELS = {"kind": "event kind", "ip": "IP address", "user_agent": "client"}


def command(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What to look for, whatever its case.")],
    home: Home = settings_room.DEFAULT_HOME,
    exact: Annotated[bool, typer.Option("--exact", help="Only names that are exactly TEXT.")] = False,
    limit: Annotated[int, typer.Option(min=0, metavar="N", help="Maximum number of lines (0 = all).")] = 50,
    as_json: AsJson = False,
) -> None:
    """Raises NotPublished where nothing is collected yet."""
    with Snapshot.open(home) as snapshot:
        found = find(snapshot, text, exact_only=exact, limit=limit)
        names, labels = former_names(snapshot), account_labels(snapshot)
        warn_of_broken_files(snapshot)
    if as_json:
        print_json([msgspec.to_builtins(row) for row in found.to_dicts()])
        return
    if found.is_empty():
        err.print(f"No event that is held names {escape(visible(text))!s}.")
        return
    table = Table("What", "Value", "Source", "Events", "Days", "First", "Last", box=None, pad_edge=False)
    for row in found.to_dicts():
        value = escape(visible(label_of(labels, row["value"])))
        table.add_row(
            _LABELS.get(row["field"], row["field"]),
            f"[bold]{value}[/]" if row["is_exact"] else value,
            escape(row["source_id"]),
            f"{row['events']:,}",
            f"{row['days']:,}",
            f"{row['first_at']:%Y-%m-%d %H:%M}",
            f"{row['last_at']:%Y-%m-%d %H:%M}",
        )
    out.print(table)
    for other in also_named(names, text):
        err.print(f"The same account is also held as {escape(visible(other.name))}.", soft_wrap=True)
    if limit and found.height == limit:
        err.print(f"The first {limit:,} lines; --limit 0 shows all.")
