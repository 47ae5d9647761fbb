"""The parts that pages are made of. Text from a registry is escaped here before it meets HTML."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from html import escape
from pathlib import Path
from typing import Any

import polars as pl
import streamlit as st
from msgspec import UNSET

from quayledger.reports import formatting
from quayledger.reports.model import Column, Metric, Note, Report, Table
from quayledger.reports.render import csv, html, json
from quayledger.reports.trust import LEVEL_COLOURS, Trust

# Text that matters less, and lines, on light and on dark ground.
MUTED = ("#5a6572", "#a3adb9")
_LINE = "rgba(128,140,155,.3)"
# Rows of a table that is drawn whole; a longer one scrolls.
MOST_SHOWN = 10
_MOST_FAULTS = 3
_NUMBERS = {"count": "localized", "ratio": "%.1f", "share": "percent", "change": "percent"}


def style() -> None:
    """The few rules that all pages share."""
    colours = [*LEVEL_COLOURS.items(), ("muted", MUTED), ("line", (_LINE, _LINE))]
    names = "".join(f"--ql-{name}:light-dark({light},{dark});" for name, (light, dark) in colours)
    st.html(f"<style>.stApp{{{names}}}\n{(Path(__file__).parent / 'style.css').read_text(encoding='utf-8')}</style>")


def shown(value: str) -> str:
    """Text from a registry for HTML: what cannot be seen is written as its code, what HTML would obey is escaped."""
    return escape(formatting.visible(value))


def plain(value: str) -> str:
    """Text from a registry for a label that Streamlit reads as Markdown: nothing in it is obeyed."""
    return "".join(f"\\{sign}" if sign in "\\`*_{}[]()#+-.!|~<>:$&" else sign for sign in formatting.visible(value))


def shortened(value: str, longest: int = 48) -> str:
    """Text from a registry for a label: what cannot be seen as its code, cut where it is long."""
    seen = formatting.visible(value)
    return seen if len(seen) <= longest else f"{seen[: longest - 1]}…"


def ignored(faults: Iterable[str]) -> None:
    """What of the address could not be used."""
    for fault in faults:
        st.html(f'<div class="ql-ignored" role="status">{shown(fault)}</div>')


def damaged_files(faults: Sequence[str]) -> None:
    """Files of closed days that are missing or damaged: every figure of their days is too low."""
    for fault in faults[:_MOST_FAULTS]:
        st.html(f'<div class="ql-damaged" role="alert">{shown(fault)}.</div>')
    if (more := len(faults) - _MOST_FAULTS) > 0:
        st.html(
            f'<div class="ql-damaged" role="alert">{formatting.plural(more, "more file")}: run quayledger verify.</div>'
        )


def badge(trust: Trust, aside: str) -> None:
    """How complete the period is, in one line, and the moment of the data."""
    st.html(
        f'<div class="ql-line"><span class="ql-badge ql-{trust.level}" data-testid="coverage-badge">'
        f'{shown(trust.text)}</span><span class="ql-dim">{shown(aside)}</span></div>'
    )


def trust_details(trust: Trust) -> None:
    """What the badge is made of."""
    rows = "".join(
        f"<tr><td>{shown(formatting.plural(one.number, one.noun))}</td><td><b>{shown(one.label)}</b></td>"
        f"<td>{shown(one.meaning)}</td></tr>"
        for one in trust.details
    )
    st.html(f'<table class="ql-states">{rows}</table>')


def notes(report_notes: Sequence[Note]) -> None:
    """The small print."""
    items = "".join(f'<li class="{note.level}">{shown(note.text)}</li>' for note in report_notes)
    with st.expander("How to read this", icon=":material/info:"):
        st.html(f'<ul class="ql-notes">{items}</ul>')


def title(said: str) -> None:
    """The heading of a chart or table."""
    st.html(f'<h2 class="ql-h">{shown(said)}</h2>')


def report_files(report: Report, whole: Callable[[], Report] | None = None) -> None:
    """The whole report as files; `whole` builds it where this one was cut for the browser."""
    make = whole or (lambda: report)
    with st.container(horizontal=True):
        for label, body, end, kind, icon in (
            ("Report as HTML", lambda: html.render(make()), "html", "text/html", "print"),
            ("Report as JSON", lambda: json.render(make()), "json", "application/json", "data_object"),
        ):
            name = f"{_file_name(report)}.{end}"
            st.download_button(label, body, name, kind, on_click="ignore", icon=f":material/{icon}:")


def csv_file(
    report: Report, table: str, whole: Callable[[], Report] | None = None, label: str = "CSV, all rows"
) -> None:
    """One table as CSV, whole and with cells that no spreadsheet obeys; `whole` builds the report where this one was cut
    for the browser."""
    make = whole or (lambda: report)
    st.download_button(
        label,
        lambda: csv.render(make(), table),
        f"{_file_name(report)}-{table}.csv",
        "text/csv",
        key=f"csv-{report.id}-{table}",
        icon=":material/download:",
        on_click="ignore",
    )


def table_file(value: Table, name: str, label: str = "CSV, all rows") -> None:
    """A table that is of no report as CSV, with cells that no spreadsheet obeys."""
    st.download_button(
        label,
        lambda: csv.render_table(value),
        f"{name}.csv",
        "text/csv",
        key=f"csv-{name}",
        icon=":material/download:",
        on_click="ignore",
    )


def _file_name(report: Report) -> str:
    return f"{report.id}-{report.period.first_day}-{report.period.last_day}"


def metrics(report: Report) -> None:
    """The report's figures side by side, each with its change and what it was before, and what they are compared
    with."""
    st.html(
        f'<div class="ql-figures">{"".join(_figure(metric) for metric in report.metrics)}</div>'
        f'<div class="ql-dim ql-compared">{shown(report.comparison)}</div>'
    )


def _figure(metric: Metric) -> str:
    tone = "ql-flat" if not metric.change else "ql-up" if metric.change > 0 else "ql-down"
    before = "" if metric.previous is None else f" from {shown(formatting.cell(metric.previous, metric.unit))}"
    return (
        f'<div class="ql-figure" data-testid="figure-{metric.name}" title="{shown(metric.explanation)}">'
        f'<div class="k">{shown(metric.label)}</div><div class="v">{shown(formatting.cell(metric.value, metric.unit))}</div>'
        f'<div class="d"><b class="{tone}">{shown(metric.change_text)}</b>{before}</div></div>'
    )


def legible(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with its texts as people may see them: nothing in them is obeyed, hidden or reordered; flags in words."""
    texts = pl.col(pl.String).map_elements(formatting.visible, return_dtype=pl.String, skip_nulls=True)
    return frame.with_columns(
        texts, pl.col(pl.Boolean).replace_strict({True: "yes", False: "no"}, return_dtype=pl.String)
    )


def table(
    value: Table,
    key: str,
    *,
    none: str = "Nothing in this period.",
    opens: str = "",
    on_open: Callable[[dict[str, Any], str], None] | None = None,
    stretch: bool = True,
    order: str = "the busiest first",
) -> dict[str, Any] | None:
    """The table, or `none` said where it is empty and says nothing itself. Where it `opens` something, the first cell of a
    row is a button, and its row is given when it is clicked: a click on a header sorts, the focus of the keyboard opens
    nothing. `stretch`: across the page, else as wide as its columns; `order`: of rows that are cut off."""
    if value.note:
        st.html(f'<div class="ql-note">{shown(value.note)}</div>')
    if not value.frame.height:
        if said := none if value.empty is UNSET else value.empty:
            st.caption(said)
        return None
    columns: dict[str, Any] = {column.name: _column(value, column) for column in value.columns}
    cells = _cells(value)
    if opens:
        first = value.columns[0]
        columns[first.name] = _opener(
            first.label,
            f"{key}-open",
            first.unit,
            lambda row: on_open(value.frame.row(row, named=True), opens) if on_open else None,
        )
        cells = cells.with_columns(
            pl.col(first.name).cast(pl.String).str.replace_all(":material/", ": material/", literal=True)
        )
    # The container has the key in the page, so that style and tests can name the table.
    st.container(key=f"ql-table-{key}").dataframe(
        cells,
        hide_index=True,
        placeholder="–",
        column_config=columns,
        key=key,
        height="content" if value.frame.height <= MOST_SHOWN else 400,
        width="stretch" if stretch else "content",
    )
    if value.frame.height < value.total_rows:
        st.caption(f"{value.frame.height:,} of {value.total_rows:,} rows, {order}.")
    return value.frame.row(row, named=True) if (row := _opened(f"{key}-open")) is not None else None


def event_list(
    frame: pl.DataFrame,
    columns: Sequence[tuple[str, str]],
    time_zone: str,
    key: str,
    on_open: Callable[[dict[str, Any]], None],
    height: int = 620,
) -> None:
    """A list of events; `on_open` gets the event whose time was clicked. `columns`: names and labels, the time first."""
    time = columns[0][0]
    moments = pl.col(time).dt.convert_time_zone(time_zone).dt.strftime("%Y-%m-%d %H:%M:%S")
    st.container(key=f"ql-table-{key}").dataframe(
        legible(frame.select(moments, *(name for name, _ in columns[1:]))),
        hide_index=True,
        placeholder="–",
        height="content" if frame.height <= MOST_SHOWN else height,
        key=key,
        column_config={
            time: _opener(
                f"{columns[0][1]} ({time_zone})", f"{key}-open", "", lambda row: on_open(frame.row(row, named=True))
            ),
            **{name: st.column_config.TextColumn(label) for name, label in columns[1:]},
        },
    )


def facet(
    value: Table, key: str, on_include: Callable[[str], None], on_exclude: Callable[[str], None] | None = None
) -> None:
    """The values of a field with their counts: a click on a value keeps what has it, one on the minus leaves it out."""
    if not value.frame.height:
        st.caption("" if value.empty is UNSET else value.empty)
        return
    names = value.frame["key"].to_list()
    cells = legible(value.shown).with_columns(
        pl.col("key").str.replace_all(":material/", ": material/", literal=True), pl.lit("−").alias("out")
    )
    label = value.columns[0].label
    config = {
        "key": _opener(label, f"{key}-in", f"Keep one {label.lower()}", lambda row: on_include(names[row]), width=140),
        "events": st.column_config.NumberColumn("Events", format="localized", width=62),
    }
    if on_exclude is not None:
        out = on_exclude
        config["out"] = _opener(
            "Not", f"{key}-out", f"Leave out one {label.lower()}", lambda row: out(names[row]), pinned=False
        )
    st.dataframe(
        cells,
        hide_index=True,
        column_order=[name for name in ("key", "events", "out") if name in config],
        column_config=config,
        key=key,
        row_height=28,
        height="content" if len(names) <= MOST_SHOWN else 300,
    )
    if value.frame.height < value.total_rows:
        st.caption(f"{value.frame.height:,} of {value.total_rows:,}, the most frequent first.")


def fault(said: str) -> None:
    """What could not be read or done, and what to do; the rest of the page goes on."""
    st.html(f'<div class="ql-fault" role="alert">{shown(said)}</div>')


def facts(rows: Sequence[tuple[str, str]]) -> None:
    """Names and values of one thing, one under the other."""
    lines = "".join(f"<dt>{shown(name)}</dt><dd>{shown(value)}</dd>" for name, value in rows)
    st.html(f'<dl class="ql-facts">{lines}</dl>')


def _opener(
    label: str,
    key: str,
    help_text: str,
    on_open: Callable[[int], None],
    *,
    pinned: bool = True,
    width: int | None = None,
) -> Any:
    """A column of buttons; `on_open` gets the number of the row that was clicked, before the page is drawn again."""

    def clicked() -> None:
        if (row := _opened(key)) is not None:
            on_open(row)

    return st.column_config.ButtonColumn(
        label,
        key=key,
        type="tertiary",
        alignment="left",
        pinned=pinned,
        width=width,
        help=help_text or None,
        on_click=clicked,
    )


def _opened(key: str) -> int | None:
    """The number of the row whose button was clicked just now."""
    click = st.session_state.get(key)
    return None if click is None else int(click["row"])


def _cells(value: Table) -> pl.DataFrame:
    """What the table's cells show; sizes in the unit of their column, so that they can be sorted."""
    sizes = [pl.col(column.name) / _unit(value, column)[1] for column in value.columns if column.kind == "bytes"]
    return legible(value.shown).with_columns(sizes)


def _unit(value: Table, column: Column) -> tuple[str, int]:
    """The unit in which a column's largest size is read best, and its bytes."""
    largest = int(str(value.frame[column.name].max() or 0))
    return next(((name, size) for name, size in formatting.UNITS if largest >= size), formatting.UNITS[-1])


def _column(value: Table, column: Column) -> Any:
    if column.kind == "bytes":
        unit = _unit(value, column)[0]
        form = "localized" if unit == "B" else f"%.1f {unit}"
        return st.column_config.NumberColumn(column.label, format=form, help=column.unit or None)
    if column.kind in _NUMBERS:
        return st.column_config.NumberColumn(column.label, format=_NUMBERS[column.kind], help=column.unit or None)
    if column.kind == "time":
        return st.column_config.DatetimeColumn(
            f"{column.label} (UTC)", format="YYYY-MM-DD HH:mm:ss", timezone="UTC", help=column.unit or None
        )
    if column.kind == "day":
        return st.column_config.DateColumn(column.label, format="YYYY-MM-DD", help=column.unit or None)
    return st.column_config.TextColumn(column.label, help=column.unit or None)
