"""The bar at the top of every page. Source, period, namespace, time zone and comparison, all in the
address, and how complete the period is."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import streamlit as st

from quayledger.reports import formatting
from quayledger.reports.errors import BadPeriod
from quayledger.reports.period import DEFAULT_PRESET, PRESETS, Period, day_label, parse, time_zones
from quayledger.web import widgets
from quayledger.web.page import Page, View
from quayledger.web.record import Record
from quayledger.web.url_state import bound

# The parameters that another page takes over.
BAR_PARAMS = ("source", "period", "namespace", "tz", "compare")
_LABELS = [label for _, label in PRESETS]
_USUAL = dict(PRESETS)[DEFAULT_PRESET]
_WIDTHS = {"source": 120, "period": 170, "days": 225, "namespace": 165, "time_zone": 125, "compare": 120}


def show(record: Record, page: Page) -> View:
    """Draw the bar of a page and give what it says."""
    names = ["source", *(("period", "days") if "period" in page.controls else ()), *page.controls[1:]]
    row = st.container(horizontal=True, vertical_alignment="bottom")
    places = {name: row.container(width=_WIDTHS[name]) for name in names}
    source = choose(places["source"], "Source", "source", record.source_ids(), "All sources")
    sources = (source,) if source else ()
    zone, namespace, compare = "UTC", "", True
    if place := places.get("time_zone"):
        local = st.context.timezone
        zones = dict.fromkeys(["UTC", *([local] if local in time_zones() else []), *time_zones()])
        zone = bound(place.selectbox, "Time zone", list(zones), key="tz", default="UTC")
    if place := places.get("namespace"):
        namespace = choose(
            place,
            "Namespace",
            "namespace",
            record.namespaces(sources),
            "All namespaces",
            typed=True,
            labels=record.account_labels(),
        )
    if place := places.get("compare"):
        compare = bound(
            place.toggle,
            "Compare",
            key="compare",
            default=True,
            value=True,
            help="With the period of equal length before",
        )
    period = _period(zone, places)
    view = View(record, period, namespace or None, sources, compare)
    if "period" in places:
        _coverage_line(view)
    return view


def choose(
    place: st.delta_generator.DeltaGenerator,
    label: str,
    key: str,
    known: list[str],
    none: str,
    *,
    typed: bool = False,
    labels: Mapping[str, str] | None = None,
) -> str:
    """A choice of one or all (""). `typed`: a name that is not among those known can be given too. `labels`: what people read
    for some names."""

    def form(name: str) -> str:
        return formatting.visible(labels.get(name, name) if labels else name) or none

    options = ["", *sorted(known)]
    chosen: str = bound(
        place.selectbox, label, options, key=key, default="", form=form, format_func=form, accept_new_options=typed
    )
    return chosen


def _period(zone: str, places: dict[str, st.delta_generator.DeltaGenerator]) -> Period:
    """The period, chosen by name, typed, or by its days."""
    now = datetime.now(UTC)
    if "period" not in places:
        return parse(_USUAL, zone, now)
    held = str(st.session_state.get("period") or st.query_params.get("period") or _USUAL)
    text: str = bound(
        places["period"].selectbox,
        "Period",
        [*_LABELS, *([] if held in _LABELS else [held])],
        key="period",
        default=_USUAL,
        index=_LABELS.index(_USUAL),
        accept_new_options=True,
        help="Choose, or type days such as 2026-11-01..2026-11-21",
    )
    try:
        period = parse(text, zone, now)
    except BadPeriod as error:
        widgets.ignored([f"The period was ignored: {formatting.visible(str(error))}."])
        period = parse(_USUAL, zone, now)
    st.session_state["bar-days"] = (period.first_day, period.last_day)
    places["days"].date_input(
        "From – to", key="bar-days", format="YYYY-MM-DD", min_value=None, max_value=None, on_change=_days_chosen
    )
    return period


def _days_chosen() -> None:
    """Other days were chosen: they are the period. Half a range (one click so far) changes nothing yet."""
    if len(days := st.session_state["bar-days"]) == 2:
        st.session_state["period"] = f"{days[0]}..{days[1]}"


def _coverage_line(view: View) -> None:
    badge, more = st.columns([5, 1], vertical_alignment="center")
    coverage, period = view.coverage(), view.period
    with badge:
        days = f"{day_label(period.first_day)} – {day_label(period.last_day)}"
        if not period.is_whole_days:
            days = period.label
        widgets.badge(coverage.trust, f"{days} · data as of {formatting.moment(view.record.published.published_at)}")
    with more.popover("Coverage", icon=":material/fact_check:", width="stretch"):
        widgets.trust_details(coverage.trust)
