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
from quayledger.settings import Settings, SettingsError, SourceSettings


def command(
    home: Home = settings_room.DEFAULT_HOME,
    url: Annotated[str | None, typer.Option(help="Address of the Quay; asked for if missing.")] = None,
    source: Annotated[str, typer.Option(metavar="ID", help="Permanent ID of this source.")] = "main",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing settings file.")] = False,
    check: Annotated[bool, typer.Option("--check/--no-check", help="Ask for a token and try it.")] = True,
) -> None:
    """Raises SettingsError for an address or an id that cannot be used."""
    address = url or Prompt.ask("Address of the Quay", console=err)
    try:
        tried = SourceSettings(url=address, token=_token(source) if check else None)
        Settings.model_validate({"sources": {source: tried}})
    except ValidationError as error:
        raise SettingsError(
            "; ".join(f"{fault['loc'][-1]}: {fault['msg']}" for fault in error.errors(include_input=False))
        ) from None
    path = config_template.write_settings(home, source, tried.url, overwrite=overwrite)
    err.print(f"[green]written[/] {escape(str(path))}")
    variable = f"QUAYLEDGER_SOURCES__{source.upper()}__TOKEN"
    err.print(f"The file does not hold the token. Set {variable}, or {variable}_FILE to a file that holds it.")
    if tried.token is not None:
        show_diagnosis(asyncio.run(examine(source, tried)))
    err.print("Next: [bold]quayledger doctor[/], [bold]quayledger plan[/], [bold]quayledger sync[/]")


def _token(source: str) -> SecretStr | None:
    given = os.environ.get(f"QUAYLEDGER_SOURCES__{source.upper()}__TOKEN")
    prompt = "OAuth token (not shown, not stored; leave empty to skip)"
    token = (given or Prompt.ask(prompt, password=True, console=err, default="") or "").strip()
    return SecretStr(token) if token else None
