"""Reports for a terminal. Nothing from a registry reaches it as markup.

A table fits any width: first its texts wrap between words, then columns are left out from the right, named below it; where
too few would stay, each row becomes a block of lines. A value is never cut."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from datetime import timedelta

import msgspec
from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table as Grid
from rich.text import Text

from quayledger.reports import formatting, states
from quayledger.reports.model import Chart, Column, Metric, Note, Report, Table
from quayledger.reports.period import WEEKDAYS

LEAST_WIDTH = 40
_LEVEL = {"good": "green", "open": "cyan", "warning": "yellow", "bad": "red"}
_LEFT_ALIGNED = ("text", "flag", "time", "day")
_GAP = 2
_LONGEST_PIECE = 24  # a text without a place to break it is broken after so many characters where the width is short
_FEW_ROWS = 3
_LEAST_COLUMNS = 3
_BARS = " ▁▂▃▄▅▆▇█"
# Where a name may be broken: after what separates its parts.
_PIECES = re.compile(r"[^\s/_+@,-]*[\s/_+@,-]?")


def render(report: Report, width: int = 100, *, colour: bool = False, rows: int | None = None) -> str:
    """The report as text of at most `width` columns (and at least LEAST_WIDTH); with ANSI colours only if asked for. `rows`: how
    many of a table (0: all; None: as many as the table means for a screen)."""
    return _text(_blocks(report, max(width, LEAST_WIDTH), rows), width, colour)


def render_table(table: Table, width: int = 100, *, colour: bool = False, rows: int | None = None) -> str:
    """One table without its title, in the same way."""
    return _text(_table(table, max(width, LEAST_WIDTH), rows), width, colour)


def _text(blocks: Iterator[RenderableType], width: int, colour: bool) -> str:
    sink = io.StringIO()
    console = Console(
        file=sink,
        width=max(width, LEAST_WIDTH),
        force_terminal=colour,
        color_system="standard" if colour else None,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
    )
    for block in blocks:
        console.print(block)
    return "\n".join(line.rstrip() for line in sink.getvalue().splitlines()) + "\n"


def _blocks(report: Report, width: int, rows: int | None) -> Iterator[RenderableType]:
    yield Text(formatting.visible(report.title), style="bold")
    for parameter in report.parameters:
        yield Text(f"{parameter.label + ':':15}", style="dim") + Text(formatting.visible(parameter.value))
    yield Text(f"{'Coverage:':15}", style="dim") + Text(report.trust.text, style=_LEVEL[report.trust.level])
    yield Text(f"{'Data as of:':15}", style="dim") + Text(formatting.moment(report.as_of))
    yield Text("")
    yield _figures(report.metrics)
    for chart in report.charts:
        yield from _chart(chart, width)
    for table in report.tables:
        yield Text("")
        yield Text(formatting.visible(table.title), style="bold")
        yield from _table(table, width, rows)
    if report.notes:
        yield Text("")
        yield _notes(report.notes)


def _table(table: Table, width: int, rows: int | None) -> Iterator[RenderableType]:
    if table.note:
        yield Padding(Text(formatting.visible(table.note), style="yellow"), (0, 0, 0, 2))
    if table.frame.height:
        shown = table.preview if rows is None else rows
        chosen = table.frame.head(shown) if shown else table.frame
        yield from _drawn(msgspec.structs.replace(table, frame=chosen), width)
        if chosen.height < table.total_rows:
            every = "" if chosen.height == table.frame.height else " --top 0 shows all; files hold all."
            yield Text(f"  {chosen.height:,} of {formatting.plural(table.total_rows, 'row')}.{every}", style="dim")
    elif table.empty != "":
        said = formatting.visible(table.empty) if table.empty else "Nothing in this period."
        yield Text(f"  {said}", style="dim")


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


def _drawn(table: Table, width: int) -> Iterator[RenderableType]:
    """The rows side by side, with as many columns as fit; one below the other where those would be too few."""
    cells = [
        [
            formatting.short_digests(formatting.cell(value, column.kind))
            for value, column in zip(row, table.columns, strict=True)
        ]
        for row in table.shown.iter_rows()
    ]
    kept = _fitting(table.columns, cells, width)
    least = len(table.columns) - 1 if table.frame.height <= _FEW_ROWS else len(table.columns) // 2
    if kept < len(table.columns) and kept < max(_LEAST_COLUMNS, least):
        yield _records(table.columns, cells)
        return
    yield _grid(table.columns[:kept], [row[:kept] for row in cells], width)
    if kept < len(table.columns):
        hidden = ", ".join(column.label for column in table.columns[kept:])
        yield Text(f"  Not shown at this width: {hidden}.", style="dim")


def _fitting(columns: Sequence[Column], cells: Sequence[Sequence[str]], width: int) -> int:
    """How many columns fit side by side, from the left."""
    used = 0
    for place, column in enumerate(columns):
        used += _least(column, [row[place] for row in cells]) + (_GAP if place else 0)
        if used > width:
            return place
    return len(columns)


def _least(column: Column, cells: Sequence[str]) -> int:
    """The narrowest that a column may be: texts break between words and parts of names, other values never."""
    label = max(map(cell_len, column.label.split()), default=1)
    if column.kind == "text":
        pieces = (cell_len(piece) for said in cells for piece in _PIECES.findall(said))
        return max(label, min(max(pieces, default=1), _LONGEST_PIECE))
    if column.kind == "time":
        return max(label, *(cell_len(part) for said in cells for part in _date_and_time(said)), 1)
    return max(label, *map(cell_len, cells), 1)


def _date_and_time(said: str) -> list[str]:
    day, _, time = said.partition(" ")
    return [day, time]


def _grid(columns: Sequence[Column], cells: Sequence[Sequence[str]], width: int) -> Grid:
    widths = _widths(columns, cells, width)
    grid = Grid(box=None, padding=(0, _GAP, 0, 0), pad_edge=False, header_style="bold")
    for column, chars in zip(columns, widths, strict=True):
        grid.add_column(_cell(column, column.label, chars), no_wrap=True, overflow="ignore", width=chars)
    grid.add_row(*(Text("─" * chars, style="dim") for chars in widths))
    for row in cells:
        grid.add_row(*(_cell(*one) for one in zip(columns, row, widths, strict=True)))
    return grid


def _cell(column: Column, said: str, width: int) -> Text:
    lines = _wrapped(said, width)
    if column.kind not in _LEFT_ALIGNED:
        lines = [" " * (width - cell_len(line)) + line for line in lines]
    return Text("\n".join(lines))


def _widths(columns: Sequence[Column], cells: Sequence[Sequence[str]], width: int) -> list[int]:
    """How wide each column is: what it needs where there is room, else at least its least; the short ones are served first."""
    every = [[row[place] for row in cells] for place in range(len(columns))]
    natural = [
        max(cell_len(column.label), *map(cell_len, said), 1) for column, said in zip(columns, every, strict=True)
    ]
    room = width - _GAP * (len(columns) - 1)
    if sum(natural) <= room:
        return natural
    widths = [_least(column, said) for column, said in zip(columns, every, strict=True)]
    left = room - sum(widths)
    wanting = sorted(range(len(columns)), key=lambda place: natural[place] - widths[place])
    for served, place in enumerate(wanting):
        more = min(natural[place] - widths[place], left // (len(wanting) - served))
        widths[place] += more
        left -= more
    return widths


def _wrapped(said: str, width: int) -> list[str]:
    """The lines of a text: broken between words and parts of names; inside a part only where it is longer than a line."""
    lines, line = list[str](), ""
    for piece in _PIECES.findall(said):
        if line and cell_len(line + piece.rstrip()) > width:
            lines.append(line.rstrip())
            line = ""
        while cell_len(piece.rstrip()) > width:
            head = _head(piece, width)
            lines.append(head)
            piece = piece[len(head) :]
        line += piece if line or piece.strip() else ""
    return [*lines, line.rstrip()] if line.strip() or not lines else lines


def _head(piece: str, width: int) -> str:
    """As much of a text as fits: at least one character."""
    used = 0
    for place, char in enumerate(piece):
        used += cell_len(char)
        if used > width and place:
            return piece[:place]
    return piece


def _records(columns: Sequence[Column], cells: Sequence[Sequence[str]]) -> Group:
    """Each row as a block of its own: label and value, without those that are not known."""
    grid = Grid(box=None, show_header=False, padding=(0, 2, 0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for row in cells:
        for column, said in zip(columns, row, strict=True):
            if said != formatting.NONE:
                grid.add_row(Text(column.label), Text(said))
        grid.add_row(Text(""), Text(""))
    return Group(grid)


def _chart(chart: Chart, width: int) -> Iterator[RenderableType]:
    if not chart.frame.height or chart.kind not in ("line", "strip", "calendar"):
        return
    yield Text("")
    if chart.kind == "line":
        values = chart.frame[chart.encodings.y[0]].to_list()
        yield Text(f"{chart.title}: {chart.encodings.labels[0].lower()}", style="bold")
        yield Text(f"{_spark(values[-width:])}  {chart.summary}")
        return
    yield Text(chart.title, style="bold")
    if chart.kind == "calendar":
        yield from _weeks(chart, width)
        return
    for source_id, days in chart.frame.group_by(chart.encodings.y[0], maintain_order=True):
        glyphs = "".join(states.GROUP[group].glyph for group in days["group"].tail(width - 20))
        yield Text(f"{glyphs}  {formatting.visible(str(source_id[0]))}")
    held = set(chart.frame["group"])
    yield _legend([f"{group.glyph} {group.label}" for group in states.GROUPS if group.name in held], width)


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
    yield _legend([f"{state.glyph} {state.name}" for state in states.held(set(chart.frame["state"]))], width)


def _legend(entries: Sequence[str], width: int) -> Text:
    """Entries that stay whole: a line breaks between two of them."""
    lines = [""]
    for entry in entries:
        if lines[-1] and cell_len(f"{lines[-1]}  {entry}") > width:
            lines.append("")
        lines[-1] = f"{lines[-1]}  {entry}".strip()
    return Text("\n".join(lines), style="dim")


def _spark(values: list[int | None]) -> str:
    """One character a bucket; a gap where nothing was collected."""
    top = max((value for value in values if value), default=0)
    return "".join("·" if value is None else _BARS[-(-value * 8 // top)] if top else _BARS[0] for value in values)
