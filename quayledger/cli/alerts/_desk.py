"""What the commands on alerts share."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Annotated

import typer

from quayledger.cli._output import out
from quayledger.reports.desk.alerts import Alert
from quayledger.reports.desk.store import Desk
from quayledger.reports.formatting import visible
from quayledger.warehouse.errors import LedgerMissing

Number = Annotated[int, typer.Argument(metavar="ALERT", help="The number of the alert.")]
Note = Annotated[str, typer.Option("--note", metavar="TEXT", help="Why, for those who read it later.")]


def open_desk(home: Path) -> Desk:
    """The desk of an existing ledger's folder. Raises LedgerMissing, DeskError."""
    if not home.is_dir():
        raise LedgerMissing(
            f"There is no ledger in {home}: name its folder with --home, or run `quayledger sync` first."
        )
    return Desk.open(home)


def whoami() -> str:
    """Who decides: the account of the operating system."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def show_line(alert: Alert) -> None:
    """One alert on one line."""
    owner = f"  owner {visible(alert.owner)}" if alert.owner else ""
    text = f"{alert.alert_id:>5}  {alert.severity.value:<8}  {alert.state.value:<12}  {alert.rule_id:<4} {visible(alert.summary)}{owner}"
    out.print(text, markup=False, emoji=False)
