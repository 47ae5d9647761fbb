"""The readers' room: reports for a terminal. Rich draws tables into a string; nothing from a registry reaches it as
markup."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import timedelta

from rich import box
from rich.cells import cell_len
from rich.console import Console, JustifyMethod, RenderableType
from rich.padding import Padding
from rich.table import Table as Grid
from rich.text import Text

from quayledger.reports import formatting, states
from quayledger.reports.model import Chart, Metric, Note, Report, Table
from quayledger.reports.period import WEEKDAYS

_LEVEL = {"good": "green", "open": "cyan", "warning": "yellow", "bad": "red"}
_TEXTUAL = ("text", "flag", "time", "day")
_NAMES = ("text", "time")  # what may be broken where the width is short
_LEAST = 6
_MOST_CRAMPED = 4
_MOST_BEYOND = 8  # what the columns can still be squeezed by before numbers are broken
_BARS = " ▁▂▃▄▅▆▇█"


def render(report: Report, width: int = 100, *, colour: bool = False) -> str:
    """The report as text of at most `width` columns; with ANSI colours only if asked for."""
    sink = io.StringIO()
    console = Console(
        file=sink,
        width=max(width, 40),
        force_terminal=colour,
        color_system="standard" if colour else None,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
    )
    for block in _blocks(report, console.width):
        console.print(block)
    return "\n".join(line.rstrip() for line in sink.getvalue().splitlines()) + "\n"


def _blocks(report: Report, width: int) -> Iterator[RenderableType]:
    yield Text(formatting.visible(report.title), style="bold")
    for parameter in report.parameters:
        yield Text(f"{parameter.label + ':':15}", style="dim") + Text(formatting.visible(parameter.value))
    yield Text(f"{'Coverage:':15}", style="dim") + Text(report.trust.text, style=_LEVEL[report.trust.level])
    yield Text("")
    yield _figures(report.metrics)
    for chart in report.charts:
        yield from _chart(chart, width)
    for table in report.tables:
        yield Text("")
        yield Text(formatting.visible(table.title), style="bold")
        yield from _table(table, width)
    yield Text("")
    yield _notes(report.notes)


def _table(table: Table, width: int) -> Iterator[RenderableType]:
    if table.note:
        yield Padding(Text(formatting.visible(table.note), style="yellow"), (0, 0, 0, 2))
    if table.frame.height:
        yield _drawn(table, width)
    elif table.empty != "":
        yield Text(f"  {formatting.visible(table.empty) if table.empty else 'nothing in this period'}", style="dim")


def _notes(notes: tuple[Note, ...]) -> Grid:
    grid = Grid(box=None, show_header=False, padding=(0, 1, 0, 0))
    for note in notes:
        mark, style = ("!", "yellow") if note.level == "warning" else ("·", "dim")
        grid.add_row(
            Text(mark, style=style), Text(formatting.short_digests(formatting.visible(note.text)), style=style)
        )
    return grid


def _figures(metrics: tuple[Metric, ...]) -> Grid:
    grid = Grid(box=None, show_header=False, padding=(0, 3, 0, 0))
    grid.add_column()
    grid.add_column(justify="right")
    grid.add_column(justify="right")
    grid.add_column(style="dim")
    for metric in metrics:
        before = f"before: {formatting.cell(metric.previous, metric.unit)}" if metric.previous is not None else ""
        row = (formatting.visible(metric.label), formatting.cell(metric.value, metric.unit), metric.change_text, before)
        grid.add_row(*(Text(said) for said in row))
    return grid


def _drawn(table: Table, width: int) -> Grid:
    """The rows side by side; one below the other where too many columns would be broken into pieces."""
    rows = [
        [
            formatting.short_digests(formatting.cell(value, column.kind))
            for value, column in zip(row, table.columns, strict=True)
        ]
        for row in table.frame.iter_rows()
    ]
    widths = _widths(table, rows, width)
    cramped = [
        chars for column, chars in zip(table.columns, widths, strict=True) if chars <= _LEAST and column.kind in _NAMES
    ]
    beyond = sum(widths) + 3 * len(widths) + 1 - width
    is_too_wide = beyond > _MOST_BEYOND or (beyond > 0 and len(cramped) > _MOST_CRAMPED)
    return _records(table, rows) if is_too_wide else _grid(table, rows, widths)


def _grid(table: Table, rows: list[list[str]], widths: list[int]) -> Grid:
    grid = Grid(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    for column, chars in zip(table.columns, widths, strict=True):
        justify: JustifyMethod = "left" if column.kind in _TEXTUAL else "right"
        grid.add_column(Text(column.label), justify=justify, overflow="fold", width=chars)
    for row in rows:
        grid.add_row(*(Text(said) for said in row))
    return grid


def _records(table: Table, rows: list[list[str]]) -> Grid:
    """Each row as a block of its own: label and value, without those that are not known."""
    grid = Grid(box=None, show_header=False, padding=(0, 2, 0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for row in rows:
        for column, said in zip(table.columns, row, strict=True):
            if said != formatting.NONE:
                grid.add_row(Text(column.label), Text(said))
        grid.add_row(Text(""), Text(""))
    return grid


def _widths(table: Table, rows: list[list[str]], width: int) -> list[int]:
    """How wide each column is. Numbers and days are never broken; where the width is short, labels break at words, then names
    anywhere."""
    widest = [max((cell_len(row[place]) for row in rows), default=1) for place in range(len(table.columns))]
    labels = [column.label for column in table.columns]
    room = width - 3 * len(labels) - 1
    natural = [max(cell_len(label), chars) for label, chars in zip(labels, widest, strict=True)]
    if sum(natural) <= room:
        return natural
    least = [max(chars, *map(cell_len, label.split())) for label, chars in zip(labels, widest, strict=True)]
    names = [place for place, column in enumerate(table.columns) if column.kind in _NAMES]
    left = room - sum(chars for place, chars in enumerate(least) if place not in names)
    # The short ones get all they need, the long ones what is left.
    for served, place in enumerate(sorted(names, key=natural.__getitem__)):
        least[place] = max(_LEAST, min(natural[place], left // (len(names) - served)))
        left -= least[place]
    return least


def _chart(chart: Chart, width: int) -> Iterator[RenderableType]:
    if chart.kind == "line" and chart.frame.height:
        values = chart.frame[chart.encodings.y[0]].to_list()
        yield Text("")
        yield Text(f"{chart.title}: {chart.encodings.labels[0].lower()}", style="bold")
        yield Text(f"{_spark(values)}  {chart.summary}")
    elif chart.kind == "strip" and chart.frame.height:
        yield Text("")
        yield Text(chart.title, style="bold")
        for source_id, days in chart.frame.group_by(chart.encodings.y[0], maintain_order=True):
            yield Text(
                "".join(states.GROUP[group].glyph for group in days["group"])
                + f"  {formatting.visible(str(source_id[0]))}"
            )
        yield Text("  ".join(f"{group.glyph} {group.label}" for group in states.GROUPS), style="dim")
    elif chart.kind == "calendar" and chart.frame.height:
        yield Text("")
        yield Text(chart.title, style="bold")
        yield from _weeks(chart, width)


def _weeks(chart: Chart, width: int) -> Iterator[RenderableType]:
    """A block of weeks for each source, the newest that fit: weeks along, Monday above Sunday."""
    for source_id, days in chart.frame.group_by("source_id", maintain_order=True):
        known = {row["day"]: states.state_of(row["state"]).glyph for row in days.iter_rows(named=True)}
        first, last = min(known), max(known)
        monday = max(first - timedelta(days=first.weekday()), last - timedelta(days=last.weekday() + 7 * (width - 8)))
        weeks = [monday + timedelta(days=7 * week) for week in range((last - monday).days // 7 + 1)]
        yield Text(f"{formatting.visible(str(source_id[0]))}, from the week of {monday}")
        for place, name in enumerate(WEEKDAYS):
            cells = "".join(known.get(week + timedelta(days=place), " ") for week in weeks)
            yield Text(f"  {name}  {cells}")
    held = states.held(set(chart.frame["state"]))
    yield Text("  ".join(f"{state.glyph} {state.name}" for state in held), style="dim")


def _spark(values: list[int | None]) -> str:
    """One character a bucket; a gap where nothing was collected."""
    top = max((value for value in values if value), default=0)
    return "".join("·" if value is None else _BARS[-(-value * 8 // top)] if top else _BARS[0] for value in values)
