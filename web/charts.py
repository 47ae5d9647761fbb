"""The browser front: a report's charts in Altair. Every mark carries the running number of its row, which a click gives
back."""

from __future__ import annotations

from typing import Any

import altair as alt
import polars as pl
import streamlit as st

from quayledger.reports.formatting import visible
from quayledger.reports.log.coverage import GROUP_LABELS, GROUPS, STATE_COLOURS
from quayledger.reports.log.period_view import WEEKDAYS
from quayledger.reports.model import Chart
from quayledger.web import widgets

_PALETTE = ["#3b7dc4", "#e08a1e", "#c0405c", "#8794a3"]
_STATES = {
    "verified": "#3f9b68",
    "open": "#6ea3d8",
    "uncountable": "#8a94a0",
    "short": "#dd9a2b",
    "missing": "rgba(128,140,155,0.3)",
}
_PICK = "pick"
_NUMBERED_WEEKS = 40  # more than these have no room for the day of the month
_INK = {"not collected": "#8a94a0", **dict.fromkeys(("open", "repaired", "short"), "#1b2430")}
_LEGEND = alt.Legend(orient="top", offset=6, padding=0)


def draw(chart: Chart, key: str) -> dict[str, Any] | None:
    """The chart, its words below it; the row that was clicked, if one was."""
    if not chart.frame.height:
        st.caption("Nothing to draw for this period.")
        return None
    drawing = {"line": _series, "bar": _bars, "heat": _heat, "strip": _strip, "calendar": _calendar}[chart.kind](chart)
    drawing = drawing.add_params(alt.selection_point(name=_PICK, fields=["row"], on="click", clear=False))
    # The height is that of the plot alone, so that a row of cells stays as high as it is meant to be.
    drawing = drawing.properties(
        autosize=alt.AutoSizeParams(type="fit-x", contains="padding"),
        padding={"left": 0, "top": 2, "right": 0, "bottom": 3},
    )
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


def _series(chart: Chart) -> alt.Chart:
    """Stacked bars, one a bucket: they can be hit with a mouse, and a day that was not collected has none."""
    codes = chart.encodings
    hours = chart.title.endswith("hour")
    names = dict(zip(codes.y, codes.labels, strict=True))
    frame = (
        chart.frame.with_row_index("row")
        .with_columns(pl.col(codes.x).dt.strftime(_date(chart.frame[codes.x], hours)).alias("when"))
        .unpivot(list(codes.y), index=["row", "when"], variable_name="what", value_name="number")
        .with_columns(
            pl.col("what").replace(names),
            pl.col("what").replace_strict({n: i for i, n in enumerate(codes.y)}).alias("rank"),
        )
        .with_columns(pl.col("row").cast(pl.Int64))
    )
    drawing: alt.Chart = (
        alt.Chart(frame, height=190)
        .mark_bar(cursor="pointer")
        .encode(
            alt.X(
                "when:O",
                title=None,
                # All buckets, as one without a value would be left out of the axis.
                scale=alt.Scale(domain=frame["when"].unique(maintain_order=True).to_list()),
                axis=alt.Axis(labelAngle=0, labelOverlap="greedy", ticks=False, labelSeparation=12),
            ),
            alt.Y("number:Q", title=None, axis=alt.Axis(format=",d", tickMinStep=1, tickCount=5)),
            alt.Color(
                "what:N",
                title=None,
                sort=None,
                scale=alt.Scale(domain=list(names.values()), range=_PALETTE),
                legend=_LEGEND,
            ),
            order=alt.Order("rank:Q"),
            tooltip=[
                alt.Tooltip("when:O", title="When"),
                alt.Tooltip("what:N", title="What"),
                alt.Tooltip("number:Q", title="Events", format=",d"),
            ],
        )
    )
    return drawing


def _date(days: pl.Series, hours: bool = False) -> str:
    """How a day is written along an axis: with its year only where there is more than one."""
    if hours:
        return "%d %b %H:00"
    return "%d %b" if days.dt.year().n_unique() == 1 else "%d %b %Y"


def _bars(chart: Chart) -> alt.Chart:
    codes = chart.encodings
    names = dict(zip(codes.y, codes.labels, strict=True))
    frame = (
        chart.frame.with_row_index("row")
        .with_columns(
            pl.col("row").cast(pl.Int64), pl.col(codes.x).map_elements(visible, return_dtype=pl.String).alias("name")
        )
        .unpivot(list(codes.y), index=["row", "name"], variable_name="what", value_name="number")
        .with_columns(pl.col("what").replace(names))
    )
    drawing: alt.Chart = (
        alt.Chart(frame, height=alt.Step(26))
        .mark_bar(cursor="pointer")
        .encode(
            alt.Y(
                "name:N",
                sort=None,
                title=None,
                axis=alt.Axis(labelLimit=260, labelOverlap=False, ticks=False, domain=False),
            ),
            alt.X("number:Q", title=None, axis=alt.Axis(format=",d", tickMinStep=1, tickCount=5)),
            alt.Color(
                "what:N",
                title=None,
                sort=None,
                scale=alt.Scale(domain=list(names.values()), range=_PALETTE),
                legend=_LEGEND,
            ),
            tooltip=[
                alt.Tooltip("name:N", title="Name"),
                alt.Tooltip("what:N", title="What"),
                alt.Tooltip("number:Q", title="Events", format=",d"),
            ],
        )
    )
    return drawing


def _heat(chart: Chart) -> alt.Chart:
    frame = chart.frame.with_row_index("row").with_columns(
        pl.col("row").cast(pl.Int64),
        pl.col("weekday").replace_strict(dict(enumerate(WEEKDAYS, 1)), return_dtype=pl.String).alias("day"),
        pl.format("{}:00", pl.col("hour").cast(pl.String).str.zfill(2)).alias("time"),
    )
    drawing: alt.Chart = (
        alt.Chart(frame, height=alt.Step(25))
        .mark_rect(cursor="pointer", cornerRadius=2)
        .encode(
            alt.X(
                "time:O",
                title=None,
                axis=alt.Axis(labelAngle=0, labelOverlap="greedy", ticks=False, domain=False),
                scale=alt.Scale(paddingInner=0.06),
            ),
            alt.Y(
                "day:O",
                sort=list(WEEKDAYS),
                title=None,
                axis=alt.Axis(ticks=False, domain=False),
                scale=alt.Scale(paddingInner=0.06),
            ),
            alt.Color(
                "events:Q",
                title="Events",
                scale=alt.Scale(type="sqrt", range=["rgba(59,125,196,0.07)", "rgba(59,125,196,1)"]),
                legend=alt.Legend(orient="right", format=",d", gradientLength=140),
            ),
            tooltip=[
                alt.Tooltip("day:O", title="Day"),
                alt.Tooltip("time:O", title="From"),
                alt.Tooltip("events:Q", title="Events", format=",d"),
            ],
        )
    )
    return drawing


def _strip(chart: Chart) -> alt.Chart:
    frame = chart.frame.with_row_index("row").with_columns(
        pl.col("row").cast(pl.Int64),
        pl.col("day").dt.strftime(_date(chart.frame["day"])).alias("when"),
        pl.col("group").replace_strict(GROUP_LABELS, return_dtype=pl.String).alias("label"),
        pl.col("source_id").map_elements(visible, return_dtype=pl.String).alias("source"),
    )
    labels = [GROUP_LABELS[group] for group in GROUPS]
    drawing: alt.Chart = (
        alt.Chart(frame, height=alt.Step(30))
        .mark_rect(cursor="pointer", cornerRadius=2)
        .encode(
            alt.X(
                "when:O",
                sort=None,
                title=None,
                axis=alt.Axis(labelAngle=0, labelOverlap="greedy", ticks=False, domain=False),
                scale=alt.Scale(paddingInner=0.12),
            ),
            alt.Y(
                "source:N",
                title=None,
                axis=alt.Axis(ticks=False, domain=False, labelLimit=160),
                scale=alt.Scale(paddingInner=0.2),
            ),
            alt.Color(
                "label:N",
                title=None,
                scale=alt.Scale(domain=labels, range=[_STATES[group] for group in GROUPS]),
                legend=_LEGEND,
            ),
            tooltip=[
                alt.Tooltip("when:O", title="UTC day"),
                alt.Tooltip("state:N", title="State"),
                alt.Tooltip("stored_events:Q", title="Held", format=",d"),
                alt.Tooltip("expected_events:Q", title="Counted by the source", format=",d"),
            ],
        )
    )
    return drawing


def _calendar(chart: Chart) -> alt.Chart | alt.LayerChart:
    """Weeks along, Monday above Sunday, a block for each source."""
    weekday = pl.col("day").dt.weekday()
    several = chart.frame["source_id"].n_unique() > 1
    name = pl.col("source_id").map_elements(visible, return_dtype=pl.String)
    day_name = weekday.replace_strict(dict(enumerate(WEEKDAYS, 1)), return_dtype=pl.String)
    frame = chart.frame.with_row_index("row").with_columns(
        pl.col("row").cast(pl.Int64),
        pl.col("day").dt.truncate("1w").dt.strftime("%d %b %Y").alias("week"),
        (pl.concat_str(name, pl.lit(" · "), day_name) if several else day_name).alias("line"),
        pl.col("day").dt.strftime("%a %d %b %Y").alias("when"),
        pl.col("day").dt.day().cast(pl.Int64).alias("number"),
        name.alias("source"),
        pl.col("note").map_elements(visible, return_dtype=pl.String),
    )
    lines = frame.sort("source_id", weekday)["line"].unique(maintain_order=True).to_list()
    weeks = frame.sort("day")["week"].unique(maintain_order=True).to_list()
    held = [state for state in STATE_COLOURS if state in set(frame["state"])]
    base = alt.Chart(frame, height=alt.Step(19)).encode(
        alt.X(
            "week:O",
            title=None,
            sort=weeks,
            axis=alt.Axis(labelAngle=0, labelOverlap="greedy", ticks=False, domain=False, labelSeparation=12),
            scale=alt.Scale(paddingInner=0.06),
        ),
        alt.Y(
            "line:N",
            title=None,
            sort=lines,
            axis=alt.Axis(ticks=False, domain=False, labelLimit=180, labelOverlap=False, labelFlush=False),
            scale=alt.Scale(paddingInner=0.1),
        ),
        tooltip=[
            alt.Tooltip("when:N", title="UTC day"),
            alt.Tooltip("source:N", title="Source"),
            alt.Tooltip("state:N", title="State"),
            alt.Tooltip("stored_events:Q", title="Held", format=",d"),
            alt.Tooltip("expected_events:Q", title="Counted by the source", format=",d"),
            alt.Tooltip("note:N", title="Note"),
        ],
    )
    colours = alt.Scale(domain=held, range=[STATE_COLOURS[state] for state in held])
    legend = alt.Legend(orient="top", offset=6, padding=0, columns=len(held))
    cells: alt.Chart = base.mark_rect(cursor="pointer", cornerRadius=2).encode(
        alt.Color("state:N", title=None, scale=colours, legend=legend)
    )
    if len(weeks) > _NUMBERED_WEEKS:
        return cells
    ink = alt.Scale(domain=held, range=[_INK.get(state, "#fff") for state in held])
    numbers: alt.Chart = base.mark_text(fontSize=10).encode(
        alt.Text("number:Q"), alt.Color("state:N", scale=ink, legend=None)
    )
    drawing: alt.LayerChart = alt.LayerChart(layer=[cells, numbers]).resolve_scale(color="independent")
    return drawing
