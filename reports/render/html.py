"""The readers' room: reports as one self-contained HTML file: no script, nothing fetched, readable on paper and in the
dark."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from quayledger.reports import formatting
from quayledger.reports.log.coverage import GROUP_LABELS, STATE_COLOURS, STATE_MEANINGS
from quayledger.reports.model import Chart, Metric, Report
from quayledger.reports.render import svg

_CLASSES = {"text": "text", "flag": "when", "day": "when", "time": "when time"}


def render(report: Report) -> str:
    """The report as a whole HTML document in UTF-8."""
    return _ENVIRONMENT.get_template("report.html.j2").render(
        report=report,
        groups=GROUP_LABELS,
        states=_state_colours(report),
    )


def _state_colours(report: Report) -> dict[str, str]:
    """Class and colour of each state, where a chart tells states apart."""
    if not any(chart.kind == "calendar" for chart in report.charts):
        return {}
    return {state.replace(" ", "-"): colour for state, colour in STATE_COLOURS.items()}


def _tone(metric: Metric) -> str:
    if metric.change is None or abs(metric.change) < 0.0005:
        return "flat"
    return "up" if metric.change > 0 else "down"


def _legend(chart: Chart) -> list[tuple[str, str]]:
    """Class and label of each entry of the chart's legend."""
    if chart.kind in ("line", "bar"):
        return [(f"f{number}", label) for number, label in enumerate(chart.encodings.labels)]
    if chart.kind == "strip":
        found = set(chart.frame["group"])
        return [(f"c-{group}", label) for group, label in GROUP_LABELS.items() if group in found]
    if chart.kind == "calendar":
        held = set(chart.frame["state"])
        return [(f"s-{state.replace(' ', '-')}", state) for state in STATE_MEANINGS if state in held]
    return [("z", "none"), ("f0", "most"), ("u", "not collected")]


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(
        visible=formatting.visible, moment=formatting.moment, tone=_tone, draw=svg.draw, legend=_legend
    )
    environment.globals.update(cell=formatting.cell, classes=_CLASSES, textual=tuple(_CLASSES))
    return environment


_ENVIRONMENT = _environment()
