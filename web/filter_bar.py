"""The browser front: the bar common to all pages. Range, comparison, namespace, source, time zone and coverage; all in
the address."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

import msgspec
import streamlit as st

from quayledger.reports import formatting
from quayledger.reports.log.coverage import Coverage
from quayledger.reports.period import DEFAULT_PRESET, PRESETS, Period, day_label, time_zones
from quayledger.web import widgets
from quayledger.web.record import Record
from quayledger.web.url_state import CUSTOM, QUERY_PARAMS, Bar, read_bar, write_bar

_ALL = ""
_LABELS = {**dict(PRESETS), CUSTOM: "From – to …"}


class Asked(NamedTuple):
    """What the bar says: its values, the period that they mean now, and how complete it is."""

    bar: Bar
    period: Period
    coverage: Coverage


def show(record: Record, *, compares: bool = True, default: str = DEFAULT_PRESET) -> Asked:
    """Draw the bar and give what it says; a page that `compares` nothing has no switch for it. The address is the
    truth: it is read before, and written by each change; `default` is the range where it names none."""
    now = datetime.now(UTC)
    st.session_state["bar-default"] = default
    bar, faults = read_bar(st.query_params.to_dict(), now, default)
    period = bar.period(now)
    _controls(record, bar, compares)
    widgets.ignored(faults)
    coverage = record.coverage(period, bar.sources)
    _coverage_line(record, coverage, period)
    return Asked(bar, period, coverage)


def _controls(record: Record, bar: Bar, compares: bool) -> None:
    sources = record.sources()["source_id"].to_list()
    custom = bar.span == CUSTOM
    widths = [1.3, 1.7, 1.6, 1.3, 1.4, 1.2] if custom else [1.3, 1.6, 1.3, 1.4, 1.2]
    places = iter(st.columns(widths, vertical_alignment="bottom"))
    _seed("bar-range", bar.span)
    next(places).selectbox("Range", list(_LABELS), key="bar-range", format_func=_LABELS.__getitem__, on_change=_changed)
    if custom:
        _seed("bar-days", (bar.first, bar.last))
        next(places).date_input("From – to", key="bar-days", format="YYYY-MM-DD", on_change=_changed, max_value=None)
    _choose(next(places), "Namespace", "bar-namespace", bar.namespace, record.namespaces(bar.sources), "All namespaces")
    _choose(next(places), "Source", "bar-source", ",".join(bar.sources), sources, "All sources")
    local = st.context.timezone
    zones = dict.fromkeys(["UTC", *([local] if local in time_zones() else []), *time_zones()])
    _seed("bar-tz", bar.time_zone)
    next(places).selectbox("Time zone", list(zones), key="bar-tz", on_change=_changed)
    if not compares:
        return
    _seed("bar-compare", bar.compare)
    next(places).toggle("Compare", key="bar-compare", on_change=_changed, help="With the period of equal length before")


def _choose(
    place: st.delta_generator.DeltaGenerator, label: str, key: str, value: str | None, known: list[str], none: str
) -> None:
    """A choice of one or all. What the address names is among the choices even where the record does not know it."""
    options = list(dict.fromkeys([_ALL, *([value] if value else []), *sorted(known)]))
    _seed(key, value or _ALL)
    place.selectbox(
        label, options, key=key, on_change=_changed, format_func=lambda name: formatting.visible(name) or none
    )


def _seed(key: str, value: object) -> None:
    st.session_state[key] = value


def _changed() -> None:
    """A control was changed: say so in the address. Half a range of days (one click so far) changes nothing yet."""
    now, state = datetime.now(UTC), st.session_state
    before, _ = read_bar(st.query_params.to_dict(), now, state["bar-default"])
    bar = msgspec.structs.replace(
        before,
        span=state["bar-range"],
        compare=state.get("bar-compare", before.compare),
        namespace=state["bar-namespace"] or None,
        sources=tuple(name for name in state["bar-source"].split(",") if name),
        time_zone=state["bar-tz"],
    )
    days = state.get("bar-days")
    if bar.span == CUSTOM and before.span != CUSTOM:
        period = before.period(now)
        bar = msgspec.structs.replace(bar, first=period.first_day, last=period.last_day)
    elif bar.span == CUSTOM and days and len(days) == 2:
        bar = msgspec.structs.replace(bar, first=days[0], last=days[1])
    others = {name: st.query_params[name] for name in QUERY_PARAMS if name in st.query_params and name != "page"}
    st.query_params.from_dict({**others, **write_bar(bar, state["bar-default"])})


def _coverage_line(record: Record, coverage: Coverage, period: Period) -> None:
    badge, more = st.columns([5, 1], vertical_alignment="center")
    with badge:
        days = f"{day_label(period.first_day)} – {day_label(period.last_day)}"
        widgets.badge(coverage.trust, f"{days} · data as of {formatting.moment(record.published.published_at)}")
    with more.popover("Coverage", icon=":material/fact_check:", use_container_width=True):
        widgets.trust_details(coverage.trust)
