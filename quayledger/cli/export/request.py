"""Ask Quay to mail a link to an export.

Load the file with `quayledger import`."""

from __future__ import annotations

import asyncio
from datetime import date
from typing import Annotated

import typer
from rich.markup import escape

from quayledger import settings as settings_room
from quayledger.cli._options import Home, as_day
from quayledger.cli._output import out
from quayledger.collector.exports.import_file import ask_by_mail
from quayledger.collector.quay.scopes import Scope
from quayledger.collector.sources import choose_sources


def command(
    source: Annotated[str, typer.Option(metavar="ID", help="The source to ask.")],
    scope: Annotated[str, typer.Option(help="organization:NAME, user:NAME or repository:NAMESPACE/NAME.")],
    email: Annotated[str, typer.Option(help="Who gets the link.")],
    first: Annotated[date, typer.Option("--from", parser=as_day, metavar="DAY", help="First UTC day.")],
    last: Annotated[date, typer.Option("--to", parser=as_day, metavar="DAY", help="Last UTC day, included.")],
    home: Home = settings_room.DEFAULT_HOME,
) -> None:
    """Raises BadParameter for a scope that is none."""
    ((source_id, one),) = choose_sources(settings_room.load(home), (source,))
    try:
        export_id = asyncio.run(ask_by_mail(source_id, one, Scope.parse(scope), first, last, email))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    out.print(f"Quay accepted export {export_id}; the mail goes to {escape(email)}.")
