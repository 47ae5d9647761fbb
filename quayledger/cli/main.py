"""The terminal front: `quayledger …`. Puts the commands together; stdout is data, stderr is narration."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from quayledger.cli import collecting, inventory, reading, serving
from quayledger.cli.console import err
from quayledger.reports.formatting import visible
from quayledger.service.exit_codes import EXPECTED, Exit, exit_of

app = typer.Typer(
    name="quayledger",
    help="The audit ledger and usage analytics of Quay container registries.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for family in (collecting, reading, serving):
    app.add_typer(family.app)
app.add_typer(inventory.app, name="inventory")


@app.callback()
def root(
    home: Annotated[Path | None, typer.Option("--home", help="The ledger's folder; also after the command.")] = None,
) -> None:
    """The audit ledger and usage analytics of Quay container registries."""
    if home is not None:
        os.environ["QUAYLEDGER_HOME"] = str(home)


def main() -> None:
    """Runs a command; every expected error becomes one clear message and its exit code."""
    try:
        app()
    except EXPECTED as error:
        err.print(f"[red]quayledger:[/] {escape(visible(str(error)))}")
        sys.exit(exit_of(error))
    except (KeyboardInterrupt, asyncio.CancelledError):
        err.print("stopped; what was collected is kept, and the next run goes on from here")
        sys.exit(Exit.INTERRUPTED)
    except BrokenPipeError:
        # The reader of our output left, as `| head` does; a second write at exit would say so once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(Exit.DONE)
    except OSError as error:
        err.print(f"[red]quayledger:[/] {escape(visible(str(error)))}")
        sys.exit(exit_of(error))


if __name__ == "__main__":
    main()
