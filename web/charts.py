"""A report's charts, and the row that a click on one chooses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import altair as alt
import streamlit as st

from quayledger.reports import charts
from quayledger.reports.model import Chart
from quayledger.web import widgets

_PICK, _BRUSH = "pick", "brush"


def draw(chart: Chart, key: str) -> dict[str, Any] | None:
    """The chart, its words below it; the row that was clicked, if one was."""
    if not chart.frame.height:
        st.caption("Nothing to draw for this period.")
        return None
    picked = alt.selection_point(name=_PICK, fields=["row"], on="click", clear=False)
    event = _show(chart, charts.build(chart).add_params(picked), key, on_select="rerun", selection_mode=[_PICK])
    if chart.summary:
        st.html(f'<div class="ql-dim">{widgets.shown(chart.summary)}</div>')
    for point in event["selection"].get(_PICK, []):
        if (row := _row(chart, point.get("row"))) is not None:
            return row
    return None


def draw_brush(
    chart: Chart, key: str, height: int, on_select: Callable[[dict[str, Any], dict[str, Any]], None]
) -> None:
    """A chart over time on which a stretch can be drawn, or a bar clicked; `on_select` gets the first and the last row of it
    before the page is drawn again."""
    rows = dict(zip(charts.bucket_labels(chart), chart.frame.iter_rows(named=True), strict=True))

    def selected() -> None:
        if chosen := [rows[label] for label in _labels(st.session_state[key]["selection"]) if label in rows]:
            order = list(rows.values())
            on_select(min(chosen, key=order.index), max(chosen, key=order.index))

    drawing = charts.build(chart).properties(height=height)
    # A click has no extent: without the second parameter it would select nothing.
    drawing = drawing.add_params(
        alt.selection_interval(name=_BRUSH, encodings=["x"]),
        alt.selection_point(name=_PICK, fields=["when"], on="click", clear=False),
    )
    _show(chart, drawing, key, on_select=selected, selection_mode=[_BRUSH, _PICK])


def _labels(selection: dict[str, Any]) -> list[str]:
    brushed = selection.get(_BRUSH, {}).get("when", [])
    return [*brushed] or [str(point.get("when")) for point in selection.get(_PICK, [])]


def _row(chart: Chart, number: object) -> dict[str, Any] | None:
    if isinstance(number, int | float) and 0 <= int(number) < chart.frame.height:
        return chart.frame.row(int(number), named=True)
    return None


def _show(chart: Chart, drawing: charts.Drawing, key: str, **options: Any) -> Any:
    # The height is that of the plot alone, so that a row of cells stays as high as it is meant to be.
    drawing = drawing.properties(
        autosize=alt.AutoSizeParams(type="fit-x", contains="padding"),
        padding={"left": 0, "top": 2, "right": 0, "bottom": 3},
    )
    muted = widgets.MUTED[st.context.theme.type == "dark"]
    drawing = drawing.configure_axis(labelColor=muted, titleColor=muted).configure_legend(
        labelColor=muted, titleColor=muted
    )
    with st.container(key=f"ql-chart-{chart.kind}-{key}"):
        return st.altair_chart(drawing, key=key, alt=f"{chart.title}. {chart.summary}", **options)
