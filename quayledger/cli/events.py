"""List events.

The newest as a table; with another --format the oldest first."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Annotated

import typer

from quayledger import settings as settings_room
from quayledger.cli._options import (
    EventFormat,
    EventsFormat,
    FromDay,
    Home,
    Namespace,
    OutputFile,
    Period,
    Sources,
    ToDay,
    days_of,
)
from quayledger.cli._output import err, out, warn_of_broken_files, write_out
from quayledger.reports.log import events_page as event_files
from quayledger.reports.log.emptiness import explain
from quayledger.reports.render import terminal
from quayledger.warehouse.log import events as reader
from quayledger.warehouse.log.former_names import account_labels
from quayledger.warehouse.snapshot import Snapshot

_FILES: dict[EventFormat, event_files.ExportForm] = {
    EventFormat.CSV: "csv",
    EventFormat.JSONL: "jsonl",
    EventFormat.QUAY: "quay",
}


def command(
    home: Home = settings_room.DEFAULT_HOME,
    first: FromDay = None,
    last: ToDay = None,
    period: Period = None,
    source: Sources = None,
    kind: Annotated[list[str] | None, typer.Option(help="Only this kind; repeatable.")] = None,
    namespace: Namespace = None,
    repository: Annotated[str | None, typer.Option(help="Only this repository, without its namespace.")] = None,
    actor: Annotated[str | None, typer.Option(help="Only this user or robot.")] = None,
    ip: Annotated[str | None, typer.Option(help="Only this IP address.")] = None,
    tag: Annotated[str | None, typer.Option(help="Only this tag.")] = None,
    digest: Annotated[str | None, typer.Option(help="Only this manifest digest.")] = None,
    text: Annotated[str | None, typer.Option(help="Only events with this text in a name or in the metadata.")] = None,
    limit: Annotated[int, typer.Option(min=0, metavar="N", help="Maximum number of events (0 = all).")] = 100,
    form: EventsFormat = EventFormat.TABLE,
    output: OutputFile = None,
) -> None:
    """Raises NotPublished where nothing is collected yet."""
    first, last = days_of(first, last, period)
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
        warn_of_broken_files(snapshot)
        if form is EventFormat.TABLE:
            _show_events(snapshot, chosen, limit)
        else:
            write_out(event_files.export(snapshot, (chosen,), _FILES[form], limit=limit), output)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _show_events(snapshot: Snapshot, chosen: reader.EventFilter, limit: int) -> None:
    frame, total = reader.events(snapshot, chosen, limit=limit), reader.count_events(snapshot, chosen)
    if not total:
        for sentence in explain(snapshot, chosen):
            err.print(sentence, markup=False, emoji=False)
        return
    table = event_files.as_table(frame, total, labels=account_labels(snapshot))
    shown = terminal.render_table(table, width=out.width, colour=out.is_terminal)
    out.print(shown, markup=False, emoji=False, end="")
