"""The readers' room: a report's charts as inline SVG. Colours come from the page's style sheet, so one drawing serves
light, dark and print."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from markupsafe import Markup, escape

from quayledger.reports import formatting
from quayledger.reports.log.coverage import STATE_MEANINGS
from quayledger.reports.log.period_view import WEEKDAYS
from quayledger.reports.model import Chart

_WIDTH, _LEFT, _RIGHT, _TOP, _BOTTOM = 920, 56, 12, 12, 26


def draw(chart: Chart) -> Markup:
    """The chart as an `<svg>` element with a text alternative; nothing where it has no row."""
    if not chart.frame.height:
        return Markup("")
    return {"line": _line, "bar": _bar, "heat": _heat, "strip": _strip, "calendar": _calendar}[chart.kind](chart)


def _svg(chart: Chart, height: float, parts: Iterable[str]) -> Markup:
    said = escape(formatting.visible(f"{chart.title}. {chart.summary}"))
    head = f'<svg viewBox="0 0 {_WIDTH} {height:g}" role="img" aria-label="{said}" preserveAspectRatio="xMinYMin meet">'
    return Markup(head + "".join(parts) + "</svg>")  # noqa: S704 - every text in the parts went through _text or escape


def _text(x: float, y: float, said: str, anchor: str = "start", css: str = "t") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{css}">{escape(formatting.visible(said))}</text>'
    )


def _hint(said: str) -> str:
    return f"<title>{escape(formatting.visible(said))}</title>"


def _rect(x: float, y: float, width: float, height: float, css: str, hint: str, opacity: float = 1.0) -> str:
    fade = "" if opacity == 1.0 else f' fill-opacity="{opacity:.2f}"'
    box = f'x="{x:.1f}" y="{y:.1f}" width="{max(width, 0):.1f}" height="{height:.1f}"'
    return f'<rect {box} class="{css}"{fade}>{_hint(hint)}</rect>'


def ticks(top: float) -> list[int]:
    """Round steps from 0 to at least `top`: 0, 5, 10, … or 0, 200, 400, …"""
    rough = max(top, 1) / 4
    power = 10 ** math.floor(math.log10(rough)) if rough > 0 else 1
    step = max(1, math.ceil(next(times * power for times in (1, 2, 5, 10) if times * power >= rough)))
    return list(range(0, math.ceil(top / step) * step + 1, step)) if top else [0, 1]


def _line(chart: Chart) -> Markup:
    height, codes = 250.0, chart.encodings
    labels: list[datetime] = chart.frame[codes.x].to_list()
    lines = [chart.frame[name].to_list() for name in codes.y]
    marks = ticks(max((value for line in lines for value in line if value), default=0))
    plot = height - _TOP - _BOTTOM
    step = (_WIDTH - _LEFT - _RIGHT) / max(len(labels), 1)
    xs = [_LEFT + step * (place + 0.5) for place in range(len(labels))]

    def up(value: float) -> float:
        return _TOP + plot * (1 - value / marks[-1])

    parts = [f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{up(m):.1f}" y2="{up(m):.1f}" class="g"/>' for m in marks]
    parts += [_text(_LEFT - 6, up(mark) + 4, formatting.count(mark), "end") for mark in marks]
    hours = any(label.hour for label in labels)
    parts += [
        _text(xs[place], height - 8, _when(labels[place], hours), "middle")
        for place in range(0, len(labels), max(1, -(-len(labels) // 8)))
    ]
    for number, line in enumerate(lines):
        parts += _path([(x, None if value is None else up(value)) for x, value in zip(xs, line, strict=True)], number)
    for place, label in enumerate(labels):
        hint = _when(label, hours) + "".join(
            f"\n{said}: {formatting.count(line[place])}" for said, line in zip(codes.labels, lines, strict=True)
        )
        parts.append(_rect(_LEFT + step * place, _TOP, step, plot, "h", hint))
    return _svg(chart, height, parts)


def _path(points: Sequence[tuple[float, float | None]], number: int) -> list[str]:
    """A line with a gap where a value is not known; a lone value is a dot."""
    parts, run = [], list[tuple[float, float]]()
    for x, y in [*points, (0.0, None)]:
        if y is not None:
            run.append((x, y))
            continue
        if len(run) == 1:
            parts.append(f'<circle cx="{run[0][0]:.1f}" cy="{run[0][1]:.1f}" r="3" class="f{number}"/>')
        elif run:
            steps = " ".join(f"{a:.1f},{b:.1f}" for a, b in run)
            parts.append(f'<polyline points="{steps}" class="l{number}"/>')
        run = []
    return parts


def _when(label: datetime, hours: bool) -> str:
    return f"{label:%d %b %H:%M}" if hours else f"{label:%d %b %Y}"


def _bar(chart: Chart) -> Markup:
    codes, row_height, left = chart.encodings, 26, 250
    rows = list(chart.frame.iter_rows(named=True))
    top = max((sum(row[name] for name in codes.y) for row in rows), default=0) or 1
    parts = []
    for place, row in enumerate(rows):
        y, x = place * row_height + 4.0, float(left)
        name = str(row[codes.x])
        parts.append(f"<g>{_hint(name)}{_text(left - 8, y + 13, _short(name, 36), 'end', 'n')}</g>")
        for number, (column, said) in enumerate(zip(codes.y, codes.labels, strict=True)):
            width = (_WIDTH - left - 70) * row[column] / top
            parts.append(
                _rect(x, y, width, row_height - 8, f"f{number}", f"{name}\n{said}: {formatting.count(row[column])}")
            )
            x += width
        parts.append(_text(x + 6, y + 13, formatting.count(sum(row[column] for column in codes.y))))
    return _svg(chart, row_height * len(rows) + 4, parts)


def _short(name: str, limit: int) -> str:
    name = formatting.visible(name)
    return name if len(name) <= limit else f"{name[: limit // 2 - 1]}…{name[-limit // 2 :]}"


def _heat(chart: Chart) -> Markup:
    left, side, high = 44, (_WIDTH - 44 - _RIGHT) / 24, 24
    top = max((value for value in chart.frame["events"] if value), default=0) or 1
    parts = [_text(left - 6, 28 + place * high + 15, day, "end") for place, day in enumerate(WEEKDAYS)]
    parts += [_text(left + hour * side + side / 2, 18, f"{hour:02d}", "middle") for hour in range(0, 24, 2)]
    for weekday, hour, events in chart.frame.select("weekday", "hour", "events").iter_rows():
        when = f"{WEEKDAYS[weekday - 1]} {hour:02d}:00–{hour + 1:02d}:00"
        known = "not collected" if events is None else formatting.plural(events, "event")
        css = "u" if events is None else "f0" if events else "z"
        shade = 0.15 + 0.85 * math.sqrt(events / top) if events else 1.0
        parts.append(
            _rect(
                left + hour * side + 1,
                28 + (weekday - 1) * high + 1,
                side - 2,
                high - 2,
                css,
                f"{when}: {known}",
                shade,
            )
        )
    return _svg(chart, 28 + 7 * high + 4, parts)


def _strip(chart: Chart) -> Markup:
    parts, y, left = [], 4.0, 150
    for source, days in chart.frame.group_by("source_id", maintain_order=True):
        width = min(22.0, (_WIDTH - left - _RIGHT) / days.height)
        parts.append(_text(left - 8, y + 15, _short(str(source[0]), 22), "end", "n"))
        gap = 1 if width > 4 else 0
        for place, row in enumerate(days.iter_rows(named=True)):
            parts.append(_rect(left + place * width, y, width - gap, 20, f"c-{row['group']}", _state(row)))
        first, last = days["day"].item(0), days["day"].item(-1)
        parts.append(_text(left, y + 36, f"{first:%d %b %Y}"))
        if days.height > 1:
            far = max(left + width * days.height, left + 180.0)
            parts.append(_text(far, y + 36, f"{last:%d %b %Y}", "end"))
        y += 48
    return _svg(chart, y, parts)


def _calendar(chart: Chart) -> Markup:
    """A block of weeks for each source: weeks along, Monday above Sunday."""
    shown: list[date] = chart.frame["day"].to_list()
    monday, left, high = min(shown) - timedelta(days=min(shown).weekday()), 150, 15
    weeks = (max(shown) - monday).days // 7 + 1
    width = min(30.0, (_WIDTH - left - _RIGHT) / weeks)
    gap = 1 if width > 4 else 0
    parts, y = [], 16.0
    for source, days in chart.frame.group_by("source_id", maintain_order=True):
        parts.append(_text(left - 44, y + 12, _short(str(source[0]), 16), "end", "n"))
        parts += [_text(left - 8, y + place * high + 12, WEEKDAYS[place], "end") for place in (0, 2, 4, 6)]
        every = max(1, math.ceil(54 / width))
        labels = [(week, monday + timedelta(days=7 * week)) for week in range(0, weeks, every)]
        parts += [_text(left + week * width, y - 4, f"{day:%d %b %y}") for week, day in labels]
        for row in days.iter_rows(named=True):
            week, weekday = divmod((row["day"] - monday).days, 7)
            css = f"s-{row['state'].replace(' ', '-')}"
            parts.append(_rect(left + week * width, y + weekday * high, width - gap, high - 1, css, _state(row)))
        y += 7 * high + 30
    return _svg(chart, y - 14, parts)


def _state(row: dict[str, Any]) -> str:
    counted = "" if row["expected_events"] is None else f" of {formatting.count(row['expected_events'])} counted"
    meaning = STATE_MEANINGS.get(row["state"], "")
    said = f"{row['day']:%d %b %Y}: {row['state']}\n{formatting.count(row['stored_events'])} events held{counted}\n{meaning}"
    return f"{said}\n{row['note']}" if row.get("note") else said
