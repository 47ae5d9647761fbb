"""Make a new signing key.

The key signs the log of sealed days. Keep a copy of it outside this host; the ledger's folder never holds it. A key that is
there is never replaced: to change keys, name another file, then set seal.key_file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from quayledger import settings as settings_room
from quayledger.cli._options import Home
from quayledger.cli._output import err, out
from quayledger.settings import SettingsError
from quayledger.warehouse.seals.keys import create_key, default_key_file, new_name


def command(
    home: Home = settings_room.DEFAULT_HOME,
    file: Annotated[
        Path | None,
        typer.Option("--file", help="Where to write it (default: seal.key_file, else your configuration folder)."),
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", help="Name of the log that it signs (default: a new one).")
    ] = None,
) -> None:
    """Raises KeyUnusable where the file exists or cannot be written, SettingsError where no place for it is known."""
    configured = settings_room.load(home).seal.key_file
    path = file or configured or default_key_file(home)
    if path is None:
        raise SettingsError("there is no home folder to write the key to. Name a file with --file")
    key = create_key(path, name or new_name())
    err.print(f"[green]written[/] {escape(str(path))}", soft_wrap=True)
    if configured != path:
        err.print(f'Set it in the settings, section \\[seal]: key_file = "{escape(str(path))}"', soft_wrap=True)
    err.print("Give this public key to those who check the ledger:", soft_wrap=True)
    out.print(str(key.verifier), soft_wrap=True, highlight=False, markup=False)
