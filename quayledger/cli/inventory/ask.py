"""Ask a source what the inventory does not keep.

For example a build's log or a search. Prints JSON, stores nothing."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from quayledger import settings as settings_room
from quayledger.cli._options import Home, OneSource
from quayledger.cli._output import print_json
from quayledger.collector.inventory import on_demand
from quayledger.collector.sources import choose_sources


def command(
    question: Annotated[
        str, typer.Argument(help="build, build-logs, access, search, repositories, entity, user, …", metavar="QUESTION")
    ],
    words: Annotated[list[str] | None, typer.Argument(help="What the question is about.", metavar="WORD")] = None,
    home: Home = settings_room.DEFAULT_HOME,
    source: OneSource = "main",
) -> None:
    """Raises BadQuestion for a question that is none."""
    ((source_id, one),) = choose_sources(settings_room.load(home), (source,))
    print_json(asyncio.run(on_demand.ask(source_id, one, question, words or ())))
