"""Show what is collected, how complete it is, and what it cost."""

from __future__ import annotations

import msgspec
from rich.markup import escape
from rich.table import Table

from quayledger import settings as settings_room
from quayledger.cli._options import AsJson, Home
from quayledger.cli._output import err, out, print_json
from quayledger.reports.inventory import coverage
from quayledger.reports.model import Report
from quayledger.reports.render import terminal as terminal_form
from quayledger.warehouse.inventory import reader as inventory_reader
from quayledger.warehouse.ledger import holder
from quayledger.warehouse.log import events
from quayledger.warehouse.snapshot import Snapshot


def command(home: Home = settings_room.DEFAULT_HOME, as_json: AsJson = False) -> None:
    """Raises NotPublished where nothing is collected yet."""
    with Snapshot.open(home) as snapshot:
        rows = events.status(snapshot).to_dicts()
        states = events.days_by_state(snapshot).to_dicts()
        registry_known = coverage.build(snapshot, coverage.InventoryCoverageParams())
        parts = inventory_reader.coverage(snapshot).to_dicts()
        published_at = snapshot.published.published_at
    for row in rows:
        row["days_by_state"] = {item["state"]: item["days"] for item in states if item["source_id"] == row["source_id"]}
    held_by = holder(home)
    if as_json:
        print_json({"as_of": published_at, "held_by": held_by, "sources": rows, "inventory": parts})
        return
    table = Table("source", "days", "by state", "events", "last event (UTC)", "requests", "last run")
    for row in rows:
        by_state = "\n".join(f"{number} {state}" for state, number in sorted(row["days_by_state"].items()))
        last = row["last_event_at"]
        table.add_row(
            escape(row["source_id"]),
            f"{row['days']:,}",
            by_state,
            f"{row['events']:,}\nof {row['expected_events'] or 0:,}",
            f"{last:%Y-%m-%d}\n{last:%H:%M:%S}" if last else "–",
            f"{row['requests']:,}",
            row["last_run_outcome"] or "–",
        )
    out.print(table)
    if parts:
        _show_table(registry_known, "coverage")
        _show_table(registry_known, "reasons")
    else:
        err.print("The inventory is empty: run `quayledger inventory sync`.")
    err.print(
        f"as of {published_at:%Y-%m-%d %H:%M:%S} UTC; "
        + (f"held by {held_by.command}, process {held_by.pid}" if held_by else "no process is collecting now")
    )


def _show_table(report: Report, name: str) -> None:
    chosen = msgspec.structs.replace(report, metrics=(), charts=(), notes=(), tables=(report.table(name),))
    out.print(terminal_form.render(chosen, width=out.width, colour=out.is_terminal), markup=False)
