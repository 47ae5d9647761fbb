"""The next runs of a running service, as text and as a table. Pure."""

from __future__ import annotations

from datetime import datetime

import msgspec
import polars as pl

from quayledger.reports import formatting
from quayledger.reports.model import Column, Table
from quayledger.warehouse.service_status import ServiceStatus

_JOBS = {
    "sync": "collects what is missing",
    "publish": "gives readers a new copy",
    "close": "counts and closes the days that are over",
}
_COLUMNS = (
    Column("job", "Job", "text"),
    Column("does", "What it does", "text"),
    Column("next_at", "Next", "time"),
    Column("minutes", "In minutes"),
)
_NOBODY = "No service runs on this ledger, so nothing is collected by itself: `quayledger serve` starts one."


class NextRuns(msgspec.Struct, frozen=True):
    """What is said of the service; `table` (job, does, next_at, minutes) is None where none runs."""

    said: str
    table: Table | None


def schedule(status: ServiceStatus | None, now: datetime) -> NextRuns:
    """The jobs of a status, the next one first; one that is due has 0 minutes left. `now`: aware."""
    if status is None:
        return NextRuns(_NOBODY, None)
    rows = [
        (job, _JOBS.get(job, ""), when, max(0, round((when - now).total_seconds() / 60)))
        for job, when in sorted(status.next_runs.items(), key=lambda item: (item[1], item[0]))
    ]
    schema: dict[str, pl.DataType | type[pl.DataType]] = {
        "job": pl.String,
        "does": pl.String,
        "next_at": pl.Datetime("us", "UTC"),
        "minutes": pl.Int64,
    }
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    doing = "A job runs now." if status.busy else "It waits for its next job."
    said = f"A service runs on this ledger since {formatting.moment(status.since)} (process {status.pid}). {doing}"
    return NextRuns(said, Table("next_runs", "Next runs", _COLUMNS, frame, frame.height))
