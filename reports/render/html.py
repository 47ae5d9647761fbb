"""Reports as one self-contained HTML file: no script, nothing fetched, readable on paper and in the
dark."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from quayledger.reports import charts, formatting
from quayledger.reports.model import Chart, Metric, Report
from quayledger.reports.trust import LEVEL_COLOURS

_CLASSES = {"text": "text", "flag": "when", "day": "when", "time": "when time"}


def render(report: Report) -> str:
    """The report as a whole HTML document in UTF-8."""
    return _ENVIRONMENT.get_template("report.html.j2").render(report=report, levels=LEVEL_COLOURS)


def _draw(chart: Chart) -> Markup:
    return Markup(charts.to_svg(chart))  # noqa: S704 - the converter escapes what stands in marks, axes and legends


def _tone(metric: Metric) -> str:
    if metric.change is None or abs(metric.change) < 0.0005:
        return "flat"
    return "up" if metric.change > 0 else "down"


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(visible=formatting.visible, moment=formatting.moment, tone=_tone, draw=_draw)
    environment.globals.update(cell=formatting.cell, classes=_CLASSES, textual=tuple(_CLASSES))
    return environment


_ENVIRONMENT = _environment()
