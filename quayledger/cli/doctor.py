"""Check each source: connection, token, permissions, clock.

Says what the token may read, what it cannot see, and what to do about it."""

from __future__ import annotations

import asyncio
from typing import Any

import typer
from rich.markup import escape

from quayledger import settings as settings_room
from quayledger.cli._options import AsJson, Home, Sources
from quayledger.cli._output import COLOURS, err, out, print_json
from quayledger.collector.doctor import Diagnosis, examine
from quayledger.collector.sources import choose_sources
from quayledger.reports.formatting import visible
from quayledger.service.exit_codes import exit_of


def command(home: Home = settings_room.DEFAULT_HOME, source: Sources = None, as_json: AsJson = False) -> None:
    """Exits with the code of the first source that cannot be read."""
    settings = settings_room.load(home)
    found = []
    for source_id, one in choose_sources(settings, tuple(source or ())):
        with err.status(f"examining {source_id}"):
            reads_config = "log_config" in settings.inventory.extra
            diagnosis = asyncio.run(examine(source_id, one, settings.callbacks, reads_config=reads_config))
        found.append(diagnosis)
        if not as_json:
            show_diagnosis(diagnosis)
    if as_json:
        print_json({"sources": [_diagnosis_json(item) for item in found]})
    for diagnosis in found:
        if diagnosis.error is not None:
            raise typer.Exit(exit_of(diagnosis.error))


def show_diagnosis(diagnosis: Diagnosis) -> None:
    """Prints each check with its next step."""
    out.print(f"[bold]{escape(diagnosis.source_id)}[/] {escape(diagnosis.url)}")
    for check in diagnosis.checks:
        colour = COLOURS[check.level]
        out.print(f"  [{colour}]{check.level:<7}[/] {escape(check.name)}: {escape(visible(check.says))}")
        if check.next_step:
            out.print(f"          → {escape(check.next_step)}")
    out.print(f"  {diagnosis.requests} requests made")


def _diagnosis_json(diagnosis: Diagnosis) -> dict[str, Any]:
    return {
        "source_id": diagnosis.source_id,
        "url": diagnosis.url,
        "healthy": diagnosis.healthy,
        "cover": diagnosis.cover,
        "requests": diagnosis.requests,
        "checks": diagnosis.checks,
    }
