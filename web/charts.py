"""A report's charts, and the row that a click on one chooses."""

from __future__ import annotations

from typing import Any

import altair as alt
import streamlit as st

from quayledger.reports import charts
from quayledger.reports.model import Chart
from quayledger.web import widgets

_PICK = "pick"


def draw(chart: Chart, key: str) -> dict[str, Any] | None:
    """The chart, its words below it; the row that was clicked, if one was."""
    if not chart.frame.height:
        st.caption("Nothing to draw for this period.")
        return None
    drawing = charts.build(chart).add_params(alt.selection_point(name=_PICK, fields=["row"], on="click", clear=False))
    # The height is that of the plot alone, so that a row of cells stays as high as it is meant to be.
    drawing = drawing.properties(
        autosize=alt.AutoSizeParams(type="fit-x", contains="padding"),
        padding={"left": 0, "top": 2, "right": 0, "bottom": 3},
    )
    muted = widgets.MUTED[st.context.theme.type == "dark"]
    drawing = drawing.configure_axis(labelColor=muted).configure_legend(labelColor=muted, titleColor=muted)
    with st.container(key=f"ql-chart-{chart.kind}-{key}"):
        event = st.altair_chart(
            drawing, key=key, on_select="rerun", selection_mode=[_PICK], alt=f"{chart.title}. {chart.summary}"
        )
    if chart.summary:
        st.html(f'<div class="ql-dim">{widgets.shown(chart.summary)}</div>')
    for point in event["selection"].get(_PICK, []):
        row = point.get("row")
        if isinstance(row, int | float) and 0 <= int(row) < chart.frame.height:
            return chart.frame.row(int(row), named=True)
    return None
