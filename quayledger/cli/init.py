"""Write a settings file and try the token.

The file, quayledger.toml in the folder of the ledger, lists every setting as a comment. The token is not stored."""

from __future__ import annotations

import asyncio
import os
from typing import Annotated

import typer
from pydantic import SecretStr, ValidationError
from rich.markup import escape
from rich.prompt import Prompt

from quayledger import settings as settings_room
from quayledger.cli._options import Home
from quayledger.cli._output import err
from quayledger.cli.doctor import show_diagnosis
from quayledger.collector.doctor import examine
from quayledger.service import config_template
from quayledger.service.exit_codes import exit_of
from quayledger.settings import SettingsError, SourceSettings, check_source_id, said_by, variable_of
from quayledger.warehouse.seals.keys import create_key, default_key_file, new_name


def command(
    home: Home = settings_room.DEFAULT_HOME,
    url: Annotated[str | None, typer.Option(help="Address of the Quay; asked for if missing.")] = None,
    source: Annotated[str, typer.Option(metavar="ID", help="Permanent ID of this source.")] = "main",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing settings file.")] = False,
    check: Annotated[bool, typer.Option("--check/--no-check", help="Ask for a token and try it.")] = True,
    key: Annotated[bool, typer.Option("--key/--no-key", help="Make the key that signs the log of sealed days.")] = True,
) -> None:
    """Raises SettingsError for an address or an id that cannot be used; exits with the code of what `doctor` finds wrong."""
    address = url or Prompt.ask("Address of the Quay", console=err)
    try:
        tried = SourceSettings(url=address, token=_token(source) if check else None)
        check_source_id(source)
    except ValidationError as error:
        faults = error.errors(include_input=False, include_url=False)
        raise SettingsError("; ".join(f"{fault['loc'][-1]}: {said_by(fault['msg'])}" for fault in faults)) from None
    except ValueError as error:
        raise SettingsError(str(error)) from None
    key_file = default_key_file(home) if key else None
    path = config_template.write_settings(home, source, tried.url, overwrite=overwrite, key_file=key_file)
    err.print(f"[green]written[/] {escape(str(path))}", soft_wrap=True)
    if key_file is not None and not key_file.exists():
        create_key(key_file, new_name())
        err.print(
            f"[green]written[/] {escape(str(key_file))}, the key that signs the log of sealed days: keep a copy of it elsewhere",
            soft_wrap=True,
        )
    variable = variable_of(source, "token")
    err.print(
        f"The file does not hold the token. Set {variable}, or {variable}_FILE to the name of a file that holds it.",
        soft_wrap=True,
    )
    if tried.token is not None:
        diagnosis = asyncio.run(examine(source, tried))
        show_diagnosis(diagnosis)
        if diagnosis.error is not None:
            err.print("[red]The source cannot be read yet.[/] Mend the above, then run [bold]quayledger doctor[/].")
            raise typer.Exit(exit_of(diagnosis.error))
    err.print("Next: [bold]quayledger doctor[/], [bold]quayledger plan[/], [bold]quayledger sync[/]")


def _token(source: str) -> SecretStr | None:
    given = os.environ.get(variable_of(source, "token"))
    prompt = "OAuth token (not shown, not stored; leave empty to skip)"
    token = (given or Prompt.ask(prompt, password=True, console=err, default="") or "").strip()
    return SecretStr(token) if token else None
