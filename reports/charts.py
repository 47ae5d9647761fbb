"""A report's charts in Vega-Lite. The pages draw them in the browser, files get the same as SVG.

Nothing is fetched: the data stands in the specification, and the conversion runs offline."""

from __future__ import annotations

import html
import re

import altair as alt
import polars as pl

from quayledger.reports import states
from quayledger.reports.formatting import visible
from quayledger.reports.model import Chart
from quayledger.reports.period import WEEKDAYS

Drawing = alt.Chart | alt.LayerChart
PALETTE = ("#3b7dc4", "#d98218", "#c0405c", "#7b8794")
_NUMBERED_WEEKS = 40  # more than these have no room for the day of the month
_LEGEND = alt.Legend(orient="top", offset=6, padding=0)
_HEAT_RANGE = ("rgba(59,125,196,0.07)", "rgba(59,125,196,1)")
_SVG_WIDTH = 860
# The converter brings this font; text is measured with it on every machine alike. The page may show it in another.
_FONT = "Liberation Sans"
_SVG_CONFIG = {
    "font": _FONT,
    "background": None,
    "view": {"stroke": None},
    "axis": {"labelColor": "currentColor", "gridColor": "currentColor", "gridOpacity": 0.12, "domain": False},
    "axisX": {"grid": False},
    "axisY": {"ticks": False},
    "legend": {"labelColor": "currentColor", "titleColor": "currentColor"},
}
_DAY_TITLES = {
    "when": "UTC day",
    "source": "Source",
    "state": "State",
    "stored_events": "Events held",
    "expected_events": "Events counted by Quay",
}
# Where the axes of days have their marks.
_DAYS = [0, 7, 30, 60, 90, 180, 365, 730, 1825, 3650]
_ID = re.compile(r'\bid="([^"]+)"')
_MARK = re.compile(r'<path aria-label="([^"]*)" role="graphics-symbol" aria-roledescription="[^"]*"([^>]*?)/>')
_LONG_NUMBER = re.compile(r"(\d+\.\d)\d+")


def build(chart: Chart) -> Drawing:
    """The chart; every mark carries the running number of its row in the chart's frame as `row`, for a click. `x` fills the
    width that it is given."""
    builders = {
        "line": _series,
        "bar": _bars,
        "heat": _heat,
        "strip": _strip,
        "calendar": _calendar,
        "scatter": _scatter,
    }
    return builders[chart.kind](chart)


def to_svg(chart: Chart) -> str:
    """The chart as one `<svg>` element with a text alternative, for HTML and PDF; '' where it has no row. Axes take the
    colour of the text around it. The same chart gives the same bytes."""
    if not chart.frame.height:
        return ""
    import vl_convert  # loads a JavaScript engine: only where a file is written

    drawing = build(chart).properties(
        width=_SVG_WIDTH, autosize=alt.AutoSizeParams(type="fit-x", contains="padding"), padding=4
    )
    svg: str = vl_convert.vegalite_to_svg(drawing.to_dict(), config=_SVG_CONFIG, allowed_base_urls=[])
    return _embedded(svg, chart)


def _embedded(svg: str, chart: Chart) -> str:
    """The drawing as part of a page: its ids are its own, its text alternative is the chart's, its marks have hints."""
    for number, name in enumerate(dict.fromkeys(_ID.findall(svg))):
        own = f"{chart.name}-{number}"
        svg = svg.replace(f'id="{name}"', f'id="{own}"').replace(f"url(#{name})", f"url(#{own})")
    svg = _MARK.sub(lambda mark: _marked_path(mark[1], mark[2]), svg)
    said = html.escape(visible(f"{chart.title}. {chart.summary}"))
    return svg.replace("<svg ", f'<svg role="img" aria-label="{said}" ', 1)


def _marked_path(hint: str, attributes: str) -> str:
    """A mark with its hint, in tenths of a point: finer is not seen, and makes a file three times as large."""
    short = _LONG_NUMBER.sub(r"\1", attributes)
    return f"<path{short}><title>{hint}</title></path>"


def _chart(frame: pl.DataFrame, height: int | alt.Step, **titles: str) -> alt.Chart:
    """A chart of these rows. `titles`: the columns that a mark tells of itself, as a tooltip, and in a file as a hint."""
    words = [pl.format("{}: {}", pl.lit(title), pl.col(name)) for name, title in titles.items()]
    frame = frame.with_columns(pl.concat_str(words, separator="\n", ignore_nulls=True).alias("said"))
    tooltip = [
        alt.Tooltip(f"{name}:Q", title=title, format=",d")
        if frame.schema[name].is_numeric()
        else alt.Tooltip(f"{name}:N", title=title)
        for name, title in titles.items()
    ]
    drawing: alt.Chart = alt.Chart(alt.InlineData(values=frame.to_dicts()), height=height).encode(
        tooltip=tooltip, description="said:N"
    )
    return drawing


def _series(chart: Chart) -> Drawing:
    """Stacked bars, one a bucket: they can be hit with a mouse, and a day that was not collected has none."""
    codes = chart.encodings
    names = dict(zip(codes.y, codes.labels, strict=True))
    frame = (
        chart.frame.with_row_index("row")
        .with_columns(pl.Series("when", bucket_labels(chart), dtype=pl.String))
        .unpivot(list(codes.y), index=["row", "when"], variable_name="what", value_name="number")
        .with_columns(
            pl.col("what").replace(names),
            pl.col("what").replace_strict({n: i for i, n in enumerate(codes.y)}).alias("rank"),
        )
        .with_columns(pl.col("row").cast(pl.Int64))
    )
    drawing: alt.Chart = (
        _chart(frame, 190, when="When", what="What", number="Number")
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
            _parts(names),
            order=alt.Order("rank:Q"),
        )
    )
    return drawing


def bucket_labels(chart: Chart) -> list[str]:
    """What the axis of a line chart says of each row, in order."""
    moments = chart.frame[chart.encodings.x]
    return moments.dt.strftime(_date(moments, any(moment.hour for moment in moments))).to_list()


def _parts(names: dict[str, str]) -> alt.Color:
    scale = alt.Scale(domain=list(names.values()), range=list(PALETTE[: len(names)]))
    return alt.Color("what:N", title=None, sort=None, scale=scale, legend=_LEGEND)


def _date(days: pl.Series, hours: bool = False) -> str:
    """How a day is written along an axis: with its year only where there is more than one."""
    if hours:
        return "%d %b %H:00"
    return "%d %b" if days.dt.year().n_unique() == 1 else "%d %b %Y"


def _bars(chart: Chart) -> Drawing:
    codes = chart.encodings
    names = dict(zip(codes.y, codes.labels, strict=True))
    frame = (
        chart.shown.with_row_index("row")
        .with_columns(pl.col("row").cast(pl.Int64), _shown(codes.x).alias("name"))
        .unpivot(list(codes.y), index=["row", "name"], variable_name="what", value_name="number")
        .with_columns(pl.col("what").replace(names))
    )
    labels = alt.Axis(labelLimit=260, labelOverlap=False, ticks=False, domain=False)
    drawing: alt.Chart = (
        _chart(frame, alt.Step(26), name="Name", what="What", number="Number")
        .mark_bar(cursor="pointer")
        .encode(
            alt.Y("name:N", sort=None, title=None, axis=labels),
            alt.X("number:Q", title=None, axis=alt.Axis(format=",d", tickMinStep=1, tickCount=5)),
            _parts(names),
        )
    )
    return drawing


def _scatter(chart: Chart) -> Drawing:
    """A point a row: `x` along, the first `y` upward, both spread so that few days are told apart and years have room."""
    codes = chart.encodings
    upward = codes.y[0]
    frame = (
        chart.frame.with_row_index("row")
        .with_columns(pl.col("row").cast(pl.Int64), _shown("name").alias("said_name"))
        .with_columns(pl.col(codes.colour).alias("what"))
    )
    groups = frame["what"].unique(maintain_order=True).sort().to_list()
    spread = alt.Scale(type="symlog", constant=10, domainMin=0, nice=False, padding=8)
    along, up = codes.labels
    drawing: alt.Chart = (
        _chart(frame, 230, said_name="Name", what="What", **{codes.x: along, upward: up})
        .mark_circle(cursor="pointer", size=70, opacity=0.75)
        .encode(
            alt.X(f"{codes.x}:Q", title=along, scale=spread, axis=alt.Axis(values=_DAYS, format=",d", grid=False)),
            alt.Y(f"{upward}:Q", title=up, scale=spread, axis=alt.Axis(values=_DAYS, format=",d")),
            _parts({name: name for name in groups}),
        )
    )
    return drawing


def _shown(name: str) -> pl.Expr:
    return pl.col(name).map_elements(visible, return_dtype=pl.String)


def _heat(chart: Chart) -> Drawing:
    frame = chart.frame.with_row_index("row").with_columns(
        pl.col("row").cast(pl.Int64),
        pl.col("weekday").replace_strict(dict(enumerate(WEEKDAYS, 1)), return_dtype=pl.String).alias("day"),
        pl.format("{}:00", pl.col("hour").cast(pl.String).str.zfill(2)).alias("time"),
    )
    # From 0: with a domain of its own, a map of nothing would be drawn in the middle of the scale.
    top = max(1, int(str(frame["events"].max() or 0)))
    scale = alt.Scale(type="sqrt", domain=[0, top], range=list(_HEAT_RANGE))
    plain = alt.Axis(labelAngle=0, labelOverlap="greedy", ticks=False, domain=False)
    spaced = alt.Scale(paddingInner=0.06)
    drawing: alt.Chart = (
        _chart(frame, alt.Step(25), day="Day", time="From", events="Events")
        .mark_rect(cursor="pointer", cornerRadius=2)
        .encode(
            alt.X("time:O", title=None, axis=plain, scale=spaced),
            alt.Y("day:O", sort=list(WEEKDAYS), title=None, axis=alt.Axis(ticks=False, domain=False), scale=spaced),
            alt.Color(
                "events:Q",
                title="Events",
                scale=scale,
                legend=alt.Legend(orient="right", format=",d", gradientLength=140, tickMinStep=1),
            ),
        )
    )
    return drawing


def _strip(chart: Chart) -> Drawing:
    shown = [group for group in states.GROUPS if group.name in set(chart.frame["group"])]
    labels = {group.name: group.label for group in shown}
    frame = chart.frame.with_row_index("row").with_columns(
        pl.col("row").cast(pl.Int64),
        pl.col("day").dt.strftime(_date(chart.frame["day"])).alias("when"),
        pl.col("group").replace_strict(labels, return_dtype=pl.String).alias("label"),
        _shown("source_id").alias("source"),
    )
    scale = alt.Scale(domain=list(labels.values()), range=[group.colour for group in shown])
    drawing: alt.Chart = (
        _chart(frame.drop("day"), alt.Step(30), **_DAY_TITLES)
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
            alt.Color("label:N", title=None, scale=scale, legend=_LEGEND),
        )
    )
    return drawing


def _calendar(chart: Chart) -> Drawing:
    """Weeks along, Monday above Sunday, a block for each source."""
    frame, lines, weeks = _days(chart)
    held = states.held(set(frame["state"]))
    base = _chart(frame.drop("day"), alt.Step(19), **_DAY_TITLES, note="Note").encode(
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
    )
    names = [state.name for state in held]
    colours = alt.Scale(domain=names, range=[state.colour for state in held])
    legend = alt.Legend(orient="top", offset=6, padding=0, columns=len(held))
    cells: alt.Chart = base.mark_rect(cursor="pointer", cornerRadius=2).encode(
        alt.Color("state:N", title=None, scale=colours, legend=legend)
    )
    if len(weeks) > _NUMBERED_WEEKS:
        return cells
    ink = alt.Scale(domain=names, range=[state.ink for state in held])
    numbers: alt.Chart = base.mark_text(fontSize=10).encode(
        alt.Text("number:Q"), alt.Color("state:N", scale=ink, legend=None)
    )
    drawing: alt.LayerChart = alt.LayerChart(layer=[cells, numbers]).resolve_scale(color="independent")
    return drawing


def _days(chart: Chart) -> tuple[pl.DataFrame, list[str], list[str]]:
    """The calendar's cells, its lines and its weeks in order."""
    weekday = pl.col("day").dt.weekday()
    name = _shown("source_id")
    day_name = weekday.replace_strict(dict(enumerate(WEEKDAYS, 1)), return_dtype=pl.String)
    several = chart.frame["source_id"].n_unique() > 1
    frame = chart.frame.with_row_index("row").with_columns(
        pl.col("row").cast(pl.Int64),
        pl.col("day").dt.truncate("1w").dt.strftime("%d %b %Y").alias("week"),
        (pl.concat_str(name, pl.lit(" · "), day_name) if several else day_name).alias("line"),
        pl.col("day").dt.strftime("%a %d %b %Y").alias("when"),
        pl.col("day").dt.day().cast(pl.Int64).alias("number"),
        name.alias("source"),
        _shown("note"),
    )
    lines = frame.sort("source_id", weekday)["line"].unique(maintain_order=True).to_list()
    return frame, lines, frame.sort("day")["week"].unique(maintain_order=True).to_list()
