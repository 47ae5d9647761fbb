"""Find anything that events name.

An account, repository, tag, digest, address or client; exactly, or as a part of its name; a digest by its
beginning, with or without `sha256:`."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer
from rich.markup import escape

from quayledger import settings as settings_room
from quayledger.cli._options import AsJson, Home
from quayledger.cli._output import err, out, print_json, warn_of_broken_files
from quayledger.reports.formatting import visible
from quayledger.reports.log.find_table import find_table
from quayledger.reports.render import terminal
from quayledger.warehouse.log.find import find
from quayledger.warehouse.log.former_names import also_named, former_names
from quayledger.warehouse.snapshot import Snapshot


def command(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What to look for, whatever its case.")],
    home: Home = settings_room.DEFAULT_HOME,
    exact: Annotated[bool, typer.Option("--exact", help="Only names that are exactly TEXT.")] = False,
    limit: Annotated[int, typer.Option(min=0, metavar="N", help="Maximum number of lines (0 = all).")] = 50,
    as_json: AsJson = False,
) -> None:
    """Raises NotPublished where nothing is collected yet."""
    with Snapshot.open(home) as snapshot:
        if as_json:
            found = find(snapshot, text, exact_only=exact, limit=limit)
        else:
            table = find_table(snapshot, text, exact_only=exact, limit=limit)
        names = former_names(snapshot)
        warn_of_broken_files(snapshot)
    if as_json:
        print_json([msgspec.to_builtins(row) for row in found.to_dicts()])
        return
    if table.frame.is_empty():
        err.print(escape(str(table.empty)), soft_wrap=True)
        return
    out.print(terminal.render_table(table, width=out.width, colour=out.is_terminal), markup=False, emoji=False, end="")
    for other in also_named(names, text):
        since = ", since it was deleted" if other.name in (table.labels or {}) else ""
        err.print(f"The same account is also held as {escape(visible(other.name))}{since}.", soft_wrap=True)
    if limit and table.frame.height == limit:
        err.print(f"The first {limit:,} lines; --limit 0 shows all.")
