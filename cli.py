"""The terminal front: `quayledger …`. The only place that prints or exits; stdout is data, stderr is narration."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from pydantic import SecretStr, ValidationError
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.prompt import Prompt
from rich.table import Table

import settings as settings_room
from collector.days import utc_now
from collector.doctor import Diagnosis, examine
from collector.importing import ask_by_mail, import_file
from collector.plan import Held, SourcePlan, plan
from collector.quay.scopes import Scope
from collector.sync import SyncRequest, choose_sources
from pages import launch
from reports import events as event_files
from reports import registry
from reports.model import Report
from reports.period import DEFAULT_PRESET, parse
from reports.render import csv as csv_form
from reports.render import html as html_form
from reports.render import json as json_form
from reports.render import terminal as terminal_form
from reports.text import visible
from service import demo, inbox, setup, telling
from service.exits import EXPECTED, Exit, exit_of
from service.work import sync_and_publish
from settings import Settings, SettingsError, SourceSettings
from warehouse import publish, reader
from warehouse.errors import LedgerBusy, NotPublished
from warehouse.ledger import Ledger, holder
from warehouse.schema import SEALED_STATES
from warehouse.snapshot import Snapshot

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False)
app = typer.Typer(
    name="quayledger",
    help="The audit ledger and usage analytics of Quay container registries.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
report_app = typer.Typer(help="Reports from what is collected.", no_args_is_help=True)
app.add_typer(report_app, name="report")
export_app = typer.Typer(help="Exports that Quay makes of its own log.", no_args_is_help=True)
app.add_typer(export_app, name="export")

_COLOURS = {"ok": "green", "note": "cyan", "warning": "yellow", "error": "red"}


class EventForm(StrEnum):
    """How events are written."""

    TABLE = "table"
    CSV = "csv"
    JSONL = "jsonl"
    QUAY = "quay"


_FILES: dict[EventForm, event_files.ExportForm] = {
    EventForm.CSV: "csv",
    EventForm.JSONL: "jsonl",
    EventForm.QUAY: "quay",
}


class ReportForm(StrEnum):
    """How a report is written."""

    TERMINAL = "terminal"
    HTML = "html"
    CSV = "csv"
    JSON = "json"


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no day of the calendar; write it as 2026-11-21") from None


Home = Annotated[Path, typer.Option("--home", envvar="QUAYLEDGER_HOME", help="The ledger's folder.", show_default=True)]
DayFrom = Annotated[
    date | None, typer.Option("--from", parser=_day, metavar="DAY", help="First UTC day, such as 2026-11-01.")
]
DayTo = Annotated[date | None, typer.Option("--to", parser=_day, metavar="DAY", help="Last UTC day, included.")]
Sources = Annotated[list[str] | None, typer.Option("--source", help="Only this source; may be repeated.")]
AsJson = Annotated[bool, typer.Option("--json", help="Data for machines, on stdout.")]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file instead of stdout.")]


@app.callback()
def root(
    home: Annotated[Path | None, typer.Option("--home", help="The ledger's folder; also after the command.")] = None,
) -> None:
    """The audit ledger and usage analytics of Quay container registries."""
    if home is not None:
        os.environ["QUAYLEDGER_HOME"] = str(home)


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
    path = setup.write_settings(home, source, tried.url, overwrite=overwrite)
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
        _json({"sources": [_diagnosis_json(item) for item in found]})
    for diagnosis in found:
        if diagnosis.error is not None:
            raise typer.Exit(exit_of(diagnosis.error))


def _show_diagnosis(diagnosis: Diagnosis) -> None:
    out.print(f"[bold]{escape(diagnosis.source_id)}[/] {escape(diagnosis.url)}")
    for check in diagnosis.checks:
        colour = _COLOURS[check.level]
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
    as_json: AsJson = False,
) -> None:
    """Say what a sync would ask, day by day, and at what cost. Asks the source for counts only."""
    request = _request(first, last, source)
    with err.status("counting"):
        plans = asyncio.run(plan(settings_room.load(home), request, _held_by(home)))
    if as_json:
        _json({"sources": [_plan_json(item) for item in plans]})
        return
    for item in plans:
        _show_plan(item)


def _held_by(home: Path) -> Callable[[str, date, date], Held]:
    """What the published copy holds; nothing where there is none yet."""

    def held(source_id: str, first: date, last: date) -> Held:
        try:
            with Snapshot.open(home) as snapshot:
                kinds = reader.kind_coverage(snapshot, first, last, (source_id,))
                days = reader.coverage(snapshot, first, last, (source_id,))
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
            answers = _sync_here(ledger, settings, request)
    except LedgerBusy as busy:
        if busy.holder is None or busy.holder.command != "serve":
            raise
        answers = _hand_over(home, request, busy)
    _end_of_sync(answers, as_json)


def _request(first: date | None, last: date | None, source: list[str] | None) -> SyncRequest:
    today = utc_now().date()
    if first is not None and last is not None and first > last:
        raise typer.BadParameter(f"--from {first} lies after --to {last}")
    if first is not None and first > today:
        raise typer.BadParameter(f"--from {first} lies in the future; today is {today} UTC")
    return SyncRequest(first, last, tuple(source or ()))


def _sync_here(ledger: Ledger, settings: Settings, request: SyncRequest) -> tuple[inbox.SourceAnswer, ...]:
    with _bars() as show:
        outcome = asyncio.run(
            _stoppable(
                lambda: sync_and_publish(
                    ledger, settings, request, command="sync", report=lambda step: show(telling.answer_of(step))
                )
            )
        )
    return telling.answers_of(outcome)


async def _stoppable(work: Callable[[], Any]) -> Any:
    """Ctrl-C and SIGTERM end a run at its next step: what has come is kept, the run is recorded as interrupted."""
    task = asyncio.ensure_future(work())
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    return await task


def _hand_over(home: Path, request: SyncRequest, busy: LedgerBusy) -> tuple[inbox.SourceAnswer, ...]:
    order = inbox.hand_over(home, request.first, request.last, request.source_ids)
    err.print("a service holds the ledger: the work is handed over to it")
    last: inbox.Answer | None = None
    with _bars() as show:
        for last in inbox.follow(home, order, lambda: holder(home) is not None):
            for item in last.sources:
                show(item)
    if last is None:
        raise busy
    if last.state == "failed":
        err.print(f"[red]{escape(last.message)}[/]")
        raise typer.Exit(last.exit_code)
    return last.sources


@contextlib.contextmanager
def _bars() -> Iterator[Callable[[inbox.SourceAnswer], None]]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[said]}"))
    tasks: dict[str, TaskID] = {}
    with Bars(*columns, TimeElapsedColumn(), console=err, transient=True, disable=not err.is_terminal) as bars:

        def show(item: inbox.SourceAnswer) -> None:
            if item.source_id not in tasks:
                tasks[item.source_id] = bars.add_task(escape(item.source_id), said="")
            said = f"{item.events_new:,} of about {item.events_expected:,} events, {item.requests:,} requests"
            bars.update(tasks[item.source_id], total=item.days_total or None, completed=item.days_done, said=said)

        yield show


def _end_of_sync(answers: tuple[inbox.SourceAnswer, ...], as_json: bool) -> None:
    for item in answers:
        days = ", ".join(f"{number} {state}" for state, number in sorted(item.states.items())) or "none"
        err.print(
            f"[bold]{escape(item.source_id)}[/]: {item.events_new:,} new events, {item.requests:,} requests; days: {days}"
        )
        for note in item.notes:
            err.print(f"  [yellow]{escape(visible(note))}[/]")
        if item.error:
            err.print(f"  [red]stopped:[/] {escape(visible(item.error))}")
    if as_json:
        _json({"sources": answers})
    code = next((item.exit_code for item in answers if item.error), 0)
    if code:
        raise typer.Exit(code)


@export_app.command(name="request")
def request_command(
    source: Annotated[str, typer.Option(help="The source to ask.")],
    scope: Annotated[str, typer.Option(help="organization:NAME, user:NAME or repository:NAMESPACE/NAME.")],
    email: Annotated[str, typer.Option(help="Who gets the file's address by mail.")],
    first: Annotated[date, typer.Option("--from", parser=_day, metavar="DAY", help="First UTC day.")],
    last: Annotated[date, typer.Option("--to", parser=_day, metavar="DAY", help="Last UTC day, included.")],
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
        _json(done)
        return
    err.print(
        f"[bold]{escape(source)}[/]: {done.rows:,} rows, {done.new_events:,} new events, {done.rejected_rows:,} rejects, "
        f"{len(done.days)} day(s)"
    )
    for day, reason in sorted(done.left_out.items()):
        err.print(f"  [yellow]{day} is left out: {escape(visible(reason))}[/]")


@app.command()
def status(home: Home = settings_room.DEFAULT_HOME, as_json: AsJson = False) -> None:
    """What is held, how complete it is, and what was spent."""
    with Snapshot.open(home) as snapshot:
        rows = reader.status(snapshot).to_dicts()
        states = reader.days_by_state(snapshot).to_dicts()
        published_at = snapshot.published.published_at
    for row in rows:
        row["days_by_state"] = {item["state"]: item["days"] for item in states if item["source_id"] == row["source_id"]}
    held_by = holder(home)
    if as_json:
        _json({"as_of": published_at, "held_by": held_by, "sources": rows})
        return
    table = Table("source", "days", "by state", "events", "last event (UTC)", "requests", "last run")
    for row in rows:
        by_state = "\n".join(f"{number} {state}" for state, number in sorted(row["days_by_state"].items()))
        last = row["last_event_at"]
        table.add_row(
            escape(row["source_id"]),
            f"{row['days']:,}",
            by_state,
            f"{row['events']:,}\nof {row['expected_events'] or 0:,}",
            f"{last:%Y-%m-%d}\n{last:%H:%M:%S}" if last else "–",
            f"{row['requests']:,}",
            row["last_run_outcome"] or "–",
        )
    out.print(table)
    err.print(
        f"as of {published_at:%Y-%m-%d %H:%M:%S} UTC; "
        + (f"held by {held_by.command}, process {held_by.pid}" if held_by else "nobody is collecting now")
    )


@app.command()
def events(
    home: Home = settings_room.DEFAULT_HOME,
    first: DayFrom = None,
    last: DayTo = None,
    source: Sources = None,
    kind: Annotated[list[str] | None, typer.Option(help="Only this kind; may be repeated.")] = None,
    namespace: Annotated[str | None, typer.Option(help="Only this organisation or user.")] = None,
    repository: Annotated[str | None, typer.Option(help="Only this repository, without its namespace.")] = None,
    actor: Annotated[str | None, typer.Option(help="Only what this user or robot did.")] = None,
    ip: Annotated[str | None, typer.Option(help="Only from this address.")] = None,
    tag: Annotated[str | None, typer.Option(help="Only this tag.")] = None,
    digest: Annotated[str | None, typer.Option(help="Only this manifest digest.")] = None,
    text: Annotated[str | None, typer.Option(help="Only where a name or the metadata holds this text.")] = None,
    limit: Annotated[int, typer.Option(min=0, help="How many at most; 0: all.")] = 100,
    form: Annotated[
        EventForm, typer.Option("--format", help="quay: the form of Quay's own log answer.")
    ] = EventForm.TABLE,
    output: Output = None,
) -> None:
    """The events that match. The newest as a table; oldest first in the other formats."""
    chosen = reader.EventFilter(
        since=_midnight(first) if first else None,
        until=_midnight(last) + timedelta(days=1) if last else None,
        source_ids=tuple(source or ()),
        kinds=tuple(kind or ()),
        namespace=namespace,
        repository=repository,
        actor=actor,
        ip=ip,
        tag=tag,
        digest=digest,
        text=text,
    )
    with Snapshot.open(home) as snapshot:
        if form is EventForm.TABLE:
            _show_events(snapshot, chosen, limit)
        else:
            _write(event_files.export(snapshot, (chosen,), _FILES[form], limit=limit), output)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _show_events(snapshot: Snapshot, chosen: reader.EventFilter, limit: int) -> None:
    frame = reader.events(snapshot, chosen, limit=limit)
    names = [name for name, _ in event_files.SHOWN]
    table = Table(*(label for _, label in event_files.SHOWN))
    for row in frame.select(names).iter_rows():
        table.add_row(*(escape(visible(_cell(value))) for value in row))
    out.print(table)
    err.print(f"{frame.height:,} of {reader.count_events(snapshot, chosen):,} events")


def _cell(value: object) -> str:
    if value is None:
        return "–"
    return f"{value:%Y-%m-%d %H:%M:%S}" if isinstance(value, datetime) else str(value)


Period = Annotated[
    str, typer.Option(help="last-30-days, this-month, previous-month, … or days such as 2026-11-01..2026-11-21.")
]
Zone = Annotated[str, typer.Option(help="IANA name of the zone whose days count.")]
Namespace = Annotated[str | None, typer.Option(help="Only this organisation or user.")]
Form = Annotated[ReportForm, typer.Option("--format", help="How it is written.")]
CsvTable = Annotated[str, typer.Option("--table", help="csv: which table; the first where it is not given.")]
Top = Annotated[int, typer.Option(min=0, max=10_000, help="Rows a table shows at most; 0: all.")]


@report_app.command()
def usage(
    home: Home = settings_room.DEFAULT_HOME,
    period: Period = DEFAULT_PRESET,
    time_zone: Zone = "UTC",
    namespace: Namespace = None,
    source: Sources = None,
    top: Top = 50,
    form: Form = ReportForm.TERMINAL,
    table: CsvTable = "",
    output: Output = None,
) -> None:
    """Usage: pulls, pushes, by whom, of what, against the period before, and how complete that is."""
    asked = parse(period, time_zone, utc_now())
    with Snapshot.open(home) as snapshot, err.status("reading"):
        built = registry.find("usage").build(
            snapshot, asked, namespace=namespace, source_ids=tuple(source or ()), top=top
        )
    _write_report(built, form, table, output)


@report_app.command()
def completeness(
    home: Home = settings_room.DEFAULT_HOME,
    period: Period = "last-90-days",
    source: Sources = None,
    top: Top = 50,
    form: Form = ReportForm.TERMINAL,
    table: CsvTable = "",
    output: Output = None,
) -> None:
    """Completeness: each day's state, every deficit by kind, repairs, and requests spent against the least there can be."""
    asked = parse(period, "UTC", utc_now())
    with Snapshot.open(home) as snapshot, err.status("reading"):
        built = registry.find("completeness").build(snapshot, asked, source_ids=tuple(source or ()), top=top)
    _write_report(built, form, table, output)


def _write_report(built: Report, form: ReportForm, table: str, output: Path | None) -> None:
    match form:
        case ReportForm.TERMINAL:
            text = terminal_form.render(built, width=out.width, colour=out.is_terminal and output is None)
        case ReportForm.HTML:
            text = html_form.render(built)
        case ReportForm.CSV:
            text = csv_form.render(built, table)
        case ReportForm.JSON:
            text = json_form.render(built)
    _write(iter([text.encode()]), output)


@app.command(name="app")
def app_command(
    home: Home = settings_room.DEFAULT_HOME,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="0: any free port.")] = None,
    address: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
) -> None:
    """Open the pages in a browser's reach; Ctrl-C ends it."""
    chosen = settings_room.load(home).app
    raise typer.Exit(_run_app(home, address or chosen.address, chosen.port if port is None else port))


def _run_app(home: Path, address: str, port: int) -> int:
    port = port or launch.free_port(address)
    process = subprocess.Popen(launch.command(home, address, port), stdout=subprocess.DEVNULL)
    err.print(f"the pages are at [bold]http://{address}:{port}[/] (Ctrl-C ends)")
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    while True:
        try:
            return max(0, process.wait())
        except KeyboardInterrupt:
            process.terminate()


@app.command()
def serve(
    home: Home = settings_room.DEFAULT_HOME,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Answer /health on this port; 0: any free one.")
    ] = None,
    address: Annotated[str, typer.Option(help="Address for --port.")] = "127.0.0.1",
) -> None:
    """Collect on a schedule until stopped; `sync` in another terminal hands its work over."""
    from service import clock  # the scheduler and its job store are slow to import, and no other command needs them

    settings = settings_room.load(home)
    choose_sources(settings, ())
    logging.basicConfig(
        stream=sys.stderr, level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(message)s"
    )
    logging.Formatter.converter = time.gmtime
    for noisy in ("apscheduler", "httpx", "httpcore"):
        logging.getLogger(noisy).setLevel(logging.WARNING)

    def stop_on_signal(service: clock.Service) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: service.stop())

    clock.open_and_serve(home, settings, stop_on_signal, address=address, port=port)


@app.command(name="demo")
def demo_command(
    home: Home = Path("demo-ledger"),
    headless: Annotated[bool, typer.Option("--headless", help="Do the work, print a summary, open no pages.")] = False,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the pages; 0: any free one.")] = 8501,
    number: Annotated[int, typer.Option("--events", min=1, help="Events of the stand-in Quay.")] = 24_000,
    days: Annotated[int, typer.Option(min=1, max=365, help="Days that they lie in.")] = 62,
    seed: Annotated[int, typer.Option(help="Another seed, another registry.")] = 7,
) -> None:
    """The whole way without a Quay: collect from a stand-in, report on it, show the pages."""
    demo.fresh_home(home)
    with err.status("starting a stand-in Quay"):
        quay = contextlib.ExitStack()
        standing = quay.enter_context(demo.stand_in(number, days, seed))
    with quay:
        err.print(f"a stand-in Quay listens at {standing.url}")
        with Ledger.open(home, command="demo") as ledger:
            answers = _sync_here(ledger, demo.demo_settings(standing, days), SyncRequest())
        _end_of_sync(answers, as_json=False)
        with Snapshot.open(home) as snapshot:
            built = registry.find("usage").build(snapshot, parse(DEFAULT_PRESET, "UTC", utc_now()), top=5)
        out.print(terminal_form.render(built, width=out.width, colour=out.is_terminal), markup=False)
        if headless:
            return
    raise typer.Exit(_run_app(home, "127.0.0.1", port))


def _json(value: object) -> None:
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")


def _write(pieces: Iterator[bytes], output: Path | None) -> None:
    """To the file, complete or not at all, or to stdout."""
    if output is None:
        for piece in pieces:
            sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
        return
    unfinished = output.with_name(f".{output.name}.{os.getpid()}")
    try:
        with unfinished.open("wb") as file:
            file.writelines(pieces)
        unfinished.replace(output)
    finally:
        unfinished.unlink(missing_ok=True)
    err.print(f"[green]written[/] {escape(str(output))}")


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
