"""The model of a report. A report is a value; renderers and pages show it and never compute."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

import msgspec
import polars as pl

from quayledger.reports.errors import UnknownTable
from quayledger.reports.period import Period
from quayledger.reports.trust import Trust
from quayledger.warehouse.log.former_names import label_of

ColumnKind = Literal["text", "count", "ratio", "share", "change", "bytes", "flag", "time", "day"]
ChartKind = Literal["line", "bar", "heat", "strip", "calendar", "scatter"]
NoteLevel = Literal["info", "warning"]


class Metric(msgspec.Struct, frozen=True):
    """One figure. `value` and `previous`: None is "not known". `change`: relative (0.12 = 12 % more); None where it
    cannot be told, and then `change_text` says why ("n/a", "new") or is empty where no comparison was asked for."""

    name: str
    label: str
    value: float | None
    unit: str = "count"
    previous: float | None = None
    change: float | None = None
    change_text: str = ""
    explanation: str = ""


class Column(msgspec.Struct, frozen=True):
    """One column of a table: `name` as in the frame, `label` for people. `kind` says how a value is written: share and
    change are fractions of one, flag is true or false, time is aware UTC."""

    name: str
    label: str
    kind: ColumnKind = "count"
    unit: str = ""


PREVIEW_ROWS = 50


class Table(msgspec.Struct, frozen=True):
    """Rows under declared columns. `frame` has exactly these columns. `total_rows` counts those that were there before
    the top was cut off, where that was asked for. Files hold all rows of the frame; a screen shows the first
    `preview_rows` (PREVIEW_ROWS where it is not set) and says so. `drill`: the event filter's field that a row's first column narrows ('' where it narrows
    none). `note`: what to know before the rows are read, such as why they are unknown. `empty`: what is said where there
    are no rows ('': the note says it all). `labels`: what people read for the UUIDs that Quay calls deleted accounts by; files
    for programs keep the UUIDs. What nothing sets is left out of JSON."""

    name: str
    title: str
    columns: tuple[Column, ...]
    frame: pl.DataFrame
    total_rows: int
    drill: str = ""
    note: str | msgspec.UnsetType = msgspec.UNSET
    empty: str | msgspec.UnsetType = msgspec.UNSET
    preview_rows: int | msgspec.UnsetType = msgspec.UNSET
    labels: Mapping[str, str] | msgspec.UnsetType = msgspec.UNSET

    @property
    def shown(self) -> pl.DataFrame:
        """The rows as people read them: accounts that were deleted by the name that they had, not by their UUID."""
        return labelled(self.frame, self.labels)

    @property
    def preview(self) -> int:
        """How many rows a screen shows where nothing else is asked for."""
        return PREVIEW_ROWS if self.preview_rows is msgspec.UNSET else self.preview_rows


def labelled(frame: pl.DataFrame, labels: Mapping[str, str] | msgspec.UnsetType) -> pl.DataFrame:
    """The frame with the names of deleted accounts in its texts as people read them."""
    if not labels:
        return frame
    known = dict(labels)
    return frame.with_columns(
        pl.col(pl.String).map_elements(lambda text: label_of(known, text), return_dtype=pl.String, skip_nulls=True)
    )


class Encodings(msgspec.Struct, frozen=True):
    """Which columns of a chart's frame are drawn how: `x` along, `y` upward (several: one line or stacked part each),
    `colour` for the cells of a heat map, strip or
    calendar."""

    x: str
    y: tuple[str, ...]
    colour: str = ""
    labels: tuple[str, ...] = ()


class Chart(msgspec.Struct, frozen=True):
    """One drawing. In a line chart, null is "not collected" (a gap), 0 is "nothing happened". `summary` says in words
    what it shows."""

    name: str
    title: str
    kind: ChartKind
    frame: pl.DataFrame
    encodings: Encodings
    summary: str = ""
    drill: str = ""
    labels: Mapping[str, str] | msgspec.UnsetType = msgspec.UNSET

    @property
    def shown(self) -> pl.DataFrame:
        """The rows as people read them, as of a table."""
        return labelled(self.frame, self.labels)


class Note(msgspec.Struct, frozen=True):
    """A sentence of small print that a reader needs in order to read the figures rightly."""

    level: NoteLevel
    text: str


class Parameter(msgspec.Struct, frozen=True):
    """What was asked for, in words."""

    label: str
    value: str


class Report(msgspec.Struct, frozen=True):
    """A whole report. `generated_at`, `as_of` (when the copy of the record that was read was published): aware UTC.
    `compared_with`: the period that changes refer to; None where none was asked for. `trust`: how complete it is."""

    id: str
    title: str
    generated_at: datetime
    as_of: datetime
    period: Period
    compared_with: Period | None
    parameters: tuple[Parameter, ...]
    trust: Trust
    metrics: tuple[Metric, ...]
    tables: tuple[Table, ...]
    charts: tuple[Chart, ...]
    notes: tuple[Note, ...]
    comparison: str = ""

    def table(self, name: str) -> Table:
        """The table of that name. Raises UnknownTable."""
        for table in self.tables:
            if table.name == name:
                return table
        known = ", ".join(table.name for table in self.tables) or "none"
        raise UnknownTable(f"the report {self.id} has no table {name[:60]!r}. Tables: {known}.")

    def chosen(self, name: str = "") -> Table:
        """The table of that name, or the first where none is named. Raises UnknownTable."""
        return self.table(name) if name or not self.tables else self.tables[0]

    def chart(self, name: str) -> Chart | None:
        """The chart of that name, if the report has it."""
        return next((chart for chart in self.charts if chart.name == name), None)
