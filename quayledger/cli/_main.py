"""The program `quayledger`: puts the commands together; every expected error becomes one clear message and its exit code."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

import quayledger
from quayledger import cli
from quayledger.cli._tree import CONTEXT_SETTINGS, CommandGroup

SECTIONS = {
    "Set up": ("init", "key", "doctor", "plan"),
    "Collect": ("sync", "inventory", "import", "export", "serve"),
    "Read": ("status", "verify", "events", "find", "report", "detect", "alerts", "notify", "export-events", "app"),
    "Try it without a Quay": ("demo",),
}


class Root(CommandGroup):
    """All commands."""

    package = cli
    sections = SECTIONS


app = typer.Typer(
    cls=Root,
    name="quayledger",
    no_args_is_help=True,
    context_settings=CONTEXT_SETTINGS,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"quayledger {quayledger.__version__}")
        raise typer.Exit


@app.callback()
def root(
    home: Annotated[
        Path | None, typer.Option("--home", help="Folder of the ledger; may also follow the command.")
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """The audit ledger and usage analytics of Quay container registries."""
    if home is not None:
        os.environ["QUAYLEDGER_HOME"] = str(home)


def main() -> None:
    """Runs a command; every expected error becomes one clear message and its exit code."""
    try:
        app(prog_name="quayledger")
    except SystemExit:  # the usual end; without this line Python would ask the next ones, and load what they name
        raise
    except _stops():
        _say("stopped; what was collected is kept, and the next run continues from here")
        sys.exit(130)
    except BrokenPipeError:
        # The reader of our output left, as `| head` does; a second write at exit would say so once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except _expected() as error:
        from quayledger.reports.formatting import visible
        from quayledger.service.exit_codes import exit_of
        from quayledger.settings import explain_os_error

        text = explain_os_error(error) if isinstance(error, OSError) else str(error)
        _say(f"quayledger: {visible(text)}")
        sys.exit(exit_of(error))


def _stops() -> tuple[type[BaseException], ...]:
    from asyncio import CancelledError

    return KeyboardInterrupt, CancelledError


def _expected() -> tuple[type[Exception], ...]:
    """The errors that are a sentence. Imported when something fails: they live beside what raises them."""
    from quayledger.service.exit_codes import EXPECTED

    return *EXPECTED, OSError


def _say(text: str) -> None:
    typer.secho(text, err=True, fg=typer.colors.RED if text.startswith("quayledger:") else None)


if __name__ == "__main__":
    main()
