"""The terminal front: setting up, looking, planning and collecting."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from pydantic import SecretStr, ValidationError
from rich.markup import escape
from rich.prompt import Prompt
from rich.table import Table

from quayledger import settings as settings_room
from quayledger.cli import inventory
from quayledger.cli.console import COLOURS, AsJson, DayFrom, DayTo, Home, Sources, as_day, err, out, print_json
from quayledger.cli.syncing import end_of_sync, sync_here, sync_there
from quayledger.collector.doctor import Diagnosis, examine
from quayledger.collector.exports.import_file import ask_by_mail, import_file
from quayledger.collector.log.days import utc_now
from quayledger.collector.plan import Held, SourcePlan, plan
from quayledger.collector.quay.scopes import Scope
from quayledger.collector.sources import choose_sources
from quayledger.collector.sync import SyncRequest
from quayledger.reports.formatting import visible
from quayledger.service import config_template
from quayledger.service.exit_codes import exit_of
from quayledger.settings import Settings, SettingsError, SourceSettings
from quayledger.warehouse import publish
from quayledger.warehouse.errors import LedgerBusy, NotPublished
from quayledger.warehouse.ledger import Ledger
from quayledger.warehouse.log import events
from quayledger.warehouse.schema import SEALED_STATES
from quayledger.warehouse.snapshot import Snapshot

app = typer.Typer()
export_app = typer.Typer(help="Exports that Quay makes of its own log.", no_args_is_help=True)
app.add_typer(export_app, name="export")


@app.command()
def init(
    home: Home = settings_room.DEFAULT_HOME,
    url: Annotated[str | None, typer.Option(help="Address of the Quay; asked for where it is not given.")] = None,
    source: Annotated[str, typer.Option(help="The source's id, for good.")] = "main",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a settings file that is there.")] = False,
    check: Annotated[bool, typer.Option("--check/--no-check", help="Ask for a token and try it.")] = True,
) -> None:
    """Write a commented quayledger.toml, and try the token without keeping it."""
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
    err.print(f"The token is not in it. Set {variable}, or put it into a file of its own and set {variable}_FILE.")
    if tried.token is not None:
        _show_diagnosis(asyncio.run(examine(source, tried)))
    err.print("Next: [bold]quayledger doctor[/], [bold]quayledger plan[/], [bold]quayledger sync[/]")


def _token(source: str) -> SecretStr | None:
    given = os.environ.get(f"QUAYLEDGER_SOURCES__{source.upper()}__TOKEN")
    asked = "OAuth token (not shown, not kept; empty: later)"
    token = (given or Prompt.ask(asked, password=True, console=err, default="") or "").strip()
    return SecretStr(token) if token else None


@app.command()
def doctor(home: Home = settings_room.DEFAULT_HOME, source: Sources = None, as_json: AsJson = False) -> None:
    """Find out what each source's token may read, propose the cover, say what is wrong."""
    settings = settings_room.load(home)
    found = []
    for source_id, one in choose_sources(settings, tuple(source or ())):
        with err.status(f"looking at {source_id}"):
            diagnosis = asyncio.run(examine(source_id, one))
        found.append(diagnosis)
        if not as_json:
            _show_diagnosis(diagnosis)
    if as_json:
        print_json({"sources": [_diagnosis_json(item) for item in found]})
    for diagnosis in found:
        if diagnosis.error is not None:
            raise typer.Exit(exit_of(diagnosis.error))


def _show_diagnosis(diagnosis: Diagnosis) -> None:
    out.print(f"[bold]{escape(diagnosis.source_id)}[/] {escape(diagnosis.url)}")
    for check in diagnosis.checks:
        colour = COLOURS[check.level]
        out.print(f"  [{colour}]{check.level:<7}[/] {escape(check.name)}: {escape(visible(check.says))}")
        if check.next_step:
            out.print(f"          → {escape(check.next_step)}")
    out.print(f"  {diagnosis.requests} requests spent")


def _diagnosis_json(diagnosis: Diagnosis) -> dict[str, Any]:
    return {
        "source_id": diagnosis.source_id,
        "url": diagnosis.url,
        "healthy": diagnosis.healthy,
        "cover": diagnosis.cover,
        "requests": diagnosis.requests,
        "checks": diagnosis.checks,
    }


@app.command(name="plan")
def plan_command(
    home: Home = settings_room.DEFAULT_HOME,
    first: DayFrom = None,
    last: DayTo = None,
    source: Sources = None,
    registry: Annotated[
        bool, typer.Option("--inventory", help="What `inventory sync` would ask instead, and what its rounds cost.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Say what a sync would ask, day by day, and at what cost. Asks the source for counts only."""
    if registry:
        inventory.plan(home, tuple(source or ()), as_json=as_json)
        return
    request = _request(first, last, source)
    with err.status("counting"):
        plans = asyncio.run(plan(settings_room.load(home), request, _held_by(home)))
    if as_json:
        print_json({"sources": [_plan_json(item) for item in plans]})
        return
    for item in plans:
        _show_plan(item)


def _held_by(home: Path) -> Callable[[str, date, date], Held]:
    """What the published copy holds; nothing where there is none yet."""

    def held(source_id: str, first: date, last: date) -> Held:
        try:
            with Snapshot.open(home) as snapshot:
                kinds = events.kind_coverage(snapshot, first, last, (source_id,))
                days = events.coverage(snapshot, first, last, (source_id,))
        except NotPublished:
            return Held({}, frozenset())
        stored: dict[tuple[date, str], dict[str, int]] = {}
        for row in kinds.iter_rows(named=True):
            if row["stored_count"]:
                stored.setdefault((row["day"], row["scope"]), {})[row["kind"]] = row["stored_count"]
        sealed = days.filter(days["state"].is_in([state.value for state in SEALED_STATES]))["day"].to_list()
        return Held(stored, frozenset(sealed))

    return held


def _plan_json(item: SourcePlan) -> dict[str, Any]:
    return {**msgspec.to_builtins(item), "requests": item.requests, "seconds": round(item.seconds, 1)}


def _show_plan(item: SourcePlan) -> None:
    table = Table("day", "scope", "counted", "held", "missing", "pages", title=escape(item.source_id))
    for part in item.parts:
        numbers = (part.counted_events, part.held_events, part.missing_events, part.pages)
        table.add_row(str(part.day), escape(part.scope), *(f"{number:,}" for number in numbers))
    out.print(table)
    out.print(
        f"{item.requests:,} requests ({item.count_requests} counts, {item.requests - item.count_requests:,} pages), at "
        f"{item.requests_per_second:g} a second at least {timedelta(seconds=round(item.seconds))}; "
        f"{item.sealed_days} sealed day(s) need none. This plan spent {item.planning_requests}."
    )
    out.print(f"days that are over: by {item.choice.method}, because {escape(item.choice.why)}")


@app.command()
def sync(
    home: Home = settings_room.DEFAULT_HOME,
    first: DayFrom = None,
    last: DayTo = None,
    source: Sources = None,
    as_json: AsJson = False,
) -> None:
    """Collect what is missing: count first, fetch the rest, compare, seal. Hands over where a service is running."""
    request = _request(first, last, source)
    settings = settings_room.load(home)
    choose_sources(settings, request.source_ids)
    try:
        with Ledger.open(home, command="sync") as ledger:
            answers = sync_here(ledger, settings, request)
    except LedgerBusy as busy:
        if busy.holder is None or busy.holder.command != "serve":
            raise
        answers = sync_there(home, request, busy)
    end_of_sync(answers, as_json)


def _request(first: date | None, last: date | None, source: list[str] | None) -> SyncRequest:
    today = utc_now().date()
    if first is not None and last is not None and first > last:
        raise typer.BadParameter(f"--from {first} lies after --to {last}")
    if first is not None and first > today:
        raise typer.BadParameter(f"--from {first} lies in the future; today is {today} UTC")
    return SyncRequest(first, last, tuple(source or ()))


@export_app.command(name="request")
def request_command(
    source: Annotated[str, typer.Option(help="The source to ask.")],
    scope: Annotated[str, typer.Option(help="organization:NAME, user:NAME or repository:NAMESPACE/NAME.")],
    email: Annotated[str, typer.Option(help="Who gets the file's address by mail.")],
    first: Annotated[date, typer.Option("--from", parser=as_day, metavar="DAY", help="First UTC day.")],
    last: Annotated[date, typer.Option("--to", parser=as_day, metavar="DAY", help="Last UTC day, included.")],
    home: Home = settings_room.DEFAULT_HOME,
) -> None:
    """Ask a Quay to mail the address of an export to somebody; bring the file in with `quayledger import`."""
    ((source_id, one),) = choose_sources(settings_room.load(home), (source,))
    try:
        asked = asyncio.run(ask_by_mail(source_id, one, Scope.parse(scope), first, last, email))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    out.print(f"export {asked} is asked for; the mail goes to {escape(email)}")


@app.command(name="import")
def import_command(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The export's file; may be a .gz.")],
    source: Annotated[str, typer.Option(help="The source that the file is from.")] = "main",
    home: Home = settings_room.DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Bring in an export file that came by mail or was made by hand, into any past day."""
    settings = settings_room.load(home)
    with Ledger.open(home, command="import") as ledger, err.status("reading"):
        done = import_file(ledger, settings, source, file)
        publish.publish(ledger, keep=settings.publish.keep, now=utc_now())
    if as_json:
        print_json(done)
        return
    err.print(
        f"[bold]{escape(source)}[/]: {done.rows:,} rows, {done.new_events:,} new events, {done.rejected_rows:,} rejects, "
        f"{len(done.days)} day(s)"
    )
    for day, reason in sorted(done.left_out.items()):
        err.print(f"  [yellow]{day} is left out: {escape(visible(reason))}[/]")
