"""Export events, and alerts, in a format for a SIEM (OCSF 1.8).

The oldest first, every event of the period. While `quayledger serve` runs it can also keep a folder supplied by itself: see
`siem.folder` in the settings and docs/siem.md."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from quayledger import settings as settings_room
from quayledger.cli._options import FromDay, Home, Namespace, OutputFile, Period, Sources, ToDay, days_of
from quayledger.cli._output import err, warn_of_broken_files, write_out
from quayledger.collector.log.days import utc_now
from quayledger.reports.delivery import ocsf, ocsf_files
from quayledger.reports.desk import alerts
from quayledger.reports.desk.store import Desk
from quayledger.warehouse.log import events as reader
from quayledger.warehouse.snapshot import Snapshot


class RecordFormat(StrEnum):
    """How records are written."""

    JSON_LINES = "ocsf-jsonl"
    PARQUET = "ocsf-parquet"


def command(
    home: Home = settings_room.DEFAULT_HOME,
    first: FromDay = None,
    last: ToDay = None,
    period: Period = None,
    source: Sources = None,
    namespace: Namespace = None,
    form: Annotated[RecordFormat, typer.Option("--format", help="Output format.")] = RecordFormat.JSON_LINES,
    with_alerts: Annotated[
        bool, typer.Option("--alerts", help="Then the alerts whose events reach into the period, as findings.")
    ] = False,
    output: OutputFile = None,
) -> None:
    """Raises NotPublished where nothing is collected yet."""
    first, last = days_of(first, last, period)
    if form is RecordFormat.PARQUET and output is None:
        raise typer.BadParameter("Parquet needs a file: name one with --output.")
    chosen = reader.EventFilter(
        since=_midnight(first) if first else None,
        until=_midnight(last) + timedelta(days=1) if last else None,
        source_ids=tuple(source or ()),
        namespace=namespace,
    )
    with Snapshot.open(home) as snapshot:
        warn_of_broken_files(snapshot)
        batches = _records(home, snapshot, chosen, with_alerts=with_alerts)
        if form is RecordFormat.JSON_LINES:
            write_out((ocsf_files.as_json_lines(batch) for batch in batches), output)
        elif output is not None:
            _write_parquet(batches, output)


def _records(
    home: Path, snapshot: Snapshot, chosen: reader.EventFilter, *, with_alerts: bool
) -> Iterator[Iterable[ocsf.Record]]:
    for batch in reader.event_batches(snapshot, chosen, batch_rows=20_000):
        yield ocsf.of_events(batch)
    if with_alerts:
        with Desk.open(home) as desk:
            yield [
                ocsf.of_alert(alert, 0, alert.changed_at, alerts.evidence(desk, alert.alert_id))
                for alert in alerts.list_alerts(desk, utc_now())
                if (chosen.since is None or alert.last_at >= chosen.since)
                and (chosen.until is None or alert.first_at < chosen.until)
                and (not chosen.source_ids or alert.source_id in chosen.source_ids)
            ]


def _write_parquet(batches: Iterator[Iterable[ocsf.Record]], output: Path) -> None:
    """A file that appears complete or not at all."""
    unfinished = output.with_name(f".{output.name}.unfinished")
    try:
        file = ocsf_files.open_file(unfinished, RecordFormat.PARQUET)
        for batch in batches:
            file.add(batch)
        file.close()
        unfinished.replace(output)
    finally:
        unfinished.unlink(missing_ok=True)
    err.print(f"[green]written[/] {output}", markup=False)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
