"""The list of events: a page of them, how many there are, one as Quay gave it, and
files."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import msgspec
import polars as pl

from quayledger.reports.formatting import visible
from quayledger.reports.model import Column, Table, labelled
from quayledger.reports.period import Period, hours_of_week
from quayledger.reports.render.csv import guarded
from quayledger.warehouse.log import events, quay_json
from quayledger.warehouse.log.events import EventFilter
from quayledger.warehouse.log.former_names import account_labels
from quayledger.warehouse.snapshot import Snapshot

ExportForm = Literal["csv", "jsonl", "quay"]
PAGE_ROWS = 100
_JSON_COLUMNS = ("metadata", "extra")
# A file that the browser asks for is built in memory; the terminal writes any number.
BROWSER_EXPORT_LIMIT = 200_000
# The columns that a page of events shows, with their labels; the rest is in the event itself. The most telling first: a narrow
# screen leaves out the last ones.
SHOWN: tuple[tuple[str, str], ...] = (
    ("occurred_at", "Time"),
    ("kind", "Kind"),
    ("actor", "Account"),
    ("namespace", "Namespace"),
    ("repository", "Repository"),
    ("tag", "Tag"),
    ("ip", "IP address"),
    ("outcome", "Outcome"),
    ("client", "Client"),
    ("actor_type", "Type"),
    ("source_id", "Source"),
    ("event_id", "Event"),
)


class EventsPage(msgspec.Struct, frozen=True):
    """One page of events, newest first. `frame` has the columns of the view `events`; `number` counts from 1; `labels`: what
    people read for the UUIDs of deleted accounts."""

    frame: pl.DataFrame
    total: int
    number: int
    pages: int
    labels: Mapping[str, str] = {}

    @property
    def shown(self) -> pl.DataFrame:
        """The frame as people read it: accounts that were deleted by the name that they had."""
        named = self.frame.select("namespace", "actor", "performer", "repository_namespace")
        return self.frame.with_columns(labelled(named, self.labels))

    @property
    def first(self) -> int:
        """The running number of the page's first event; 0 where there is none."""
        return (self.number - 1) * PAGE_ROWS + 1 if self.total else 0

    @property
    def last(self) -> int:
        """The running number of the page's last event."""
        return (self.number - 1) * PAGE_ROWS + self.frame.height


def stretches(flt: EventFilter, time_zone: str, weekday: int | None, hour: int | None) -> tuple[EventFilter, ...]:
    """The filter as disjoint filters, oldest first: one, or one for each hour of that week day in its time."""
    if weekday is None or hour is None or flt.since is None or flt.until is None:
        return (flt,)
    parts = hours_of_week(Period(flt.since, flt.until, time_zone), weekday, hour)
    return tuple(msgspec.structs.replace(flt, since=part.since, until=part.until) for part in parts)


def page(snapshot: Snapshot, filters: Sequence[EventFilter], number: int = 1) -> EventsPage:
    """One page of the events that disjoint filters select; a number beyond the last page gives the last. Errors:
    WarehouseError."""
    newest_first = list(reversed(filters))
    counts = [events.count_events(snapshot, flt) for flt in newest_first]
    total = sum(counts)
    pages = max(1, -(-total // PAGE_ROWS))
    number = min(max(1, number), pages)
    skip, left, frames = (number - 1) * PAGE_ROWS, PAGE_ROWS, []
    for flt, count in zip(newest_first, counts, strict=True):
        if skip < count and left:
            frames.append(events.events(snapshot, flt, limit=left, offset=skip, newest_first=True))
            left -= frames[-1].height
        skip = max(0, skip - count)
    found = pl.concat(frames) if frames else _none(snapshot)
    return EventsPage(found, total, number, pages, account_labels(snapshot))


def _none(snapshot: Snapshot) -> pl.DataFrame:
    """No event, but every column."""
    return events.events(snapshot, EventFilter(since=None, until=None, kinds=("",)), limit=1)


def as_table(frame: pl.DataFrame, total: int, empty: str = "", labels: Mapping[str, str] | None = None) -> Table:
    """Events as a table for a screen; `total`: how many there are, of which the frame holds the newest; `empty`: what is said
    where there are none; `labels`: of deleted accounts."""
    columns = tuple(Column(name, label, "time" if name == "occurred_at" else "text") for name, label in SHOWN)
    shown = frame.select(name for name, _ in SHOWN)
    return Table("events", "Events", columns, shown, total, empty=empty, preview_rows=0, labels=labels or msgspec.UNSET)


def as_quay_gave_it(frame: pl.DataFrame) -> list[str]:
    """Each event as indented JSON in the form of Quay's log answer, secrets cut out, unseen characters as their
    codes."""
    texts = (json.dumps(json.loads(line), indent=2, ensure_ascii=False) for line in quay_json.to_quay(frame))
    return ["\n".join(visible(line) for line in text.split("\n")) for text in texts]


def export(snapshot: Snapshot, filters: Sequence[EventFilter], form: ExportForm, *, limit: int = 0) -> Iterator[bytes]:
    """The selected events, oldest first, as pieces of one file: CSV (header line, guarded cells), JSON lines of our
    columns, or JSON lines in Quay's own form. `limit` 0: all. Memory stays bounded by one batch. Errors:
    WarehouseError."""
    left = limit or -1
    first = True
    for flt in filters:
        for batch in events.event_batches(snapshot, flt):
            part = batch.head(left) if left >= 0 else batch
            yield _encode(part, form, header=first)
            first = False
            left -= part.height if left >= 0 else 0
            if left == 0:
                return
    if first and form == "csv":
        yield _encode(_none(snapshot), form, header=True)


def _as_json(row: dict[str, Any]) -> dict[str, Any]:
    """A row whose JSON columns are JSON; what does not parse stays the text that it is."""
    return {name: _parsed(value) if name in _JSON_COLUMNS else value for name, value in row.items()}


def _parsed(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return msgspec.json.decode(value)
    except msgspec.DecodeError:
        return value


def _encode(frame: pl.DataFrame, form: ExportForm, *, header: bool) -> bytes:
    if form == "quay":
        return b"".join(line.rstrip(b"\n") + b"\n" for line in quay_json.to_quay(frame))
    if form == "jsonl":
        encoder = msgspec.json.Encoder()
        return b"".join(encoder.encode(_as_json(row)) + b"\n" for row in frame.iter_rows(named=True))
    sheet = io.StringIO()
    writer = csv.writer(sheet, lineterminator="\r\n")
    if header:
        writer.writerow(frame.columns)
    writer.writerows([guarded(value) for value in row] for row in frame.iter_rows())
    return sheet.getvalue().encode()
