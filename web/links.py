"""Links from a chart or table to the events behind it."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import streamlit as st

from quayledger.reports.formatting import visible
from quayledger.reports.model import Chart
from quayledger.reports.period import WEEKDAYS, bucket_of, stretch_text
from quayledger.reports.security.investigation import KINDS, InvestigateKind, kind_of_value
from quayledger.web.filter_bar import BAR_PARAMS
from quayledger.web.page import View
from quayledger.web.url_state import Param, address, go

EVENTS_PATH = "events"
INVESTIGATE_PATH = "investigate"


def to_events(**narrowed: str | None) -> None:
    """Leave for the events that the bar and `narrowed` select; None takes a parameter out of the bar."""
    params: dict[str, Param | None] = {**address(*BAR_PARAMS), "compare": None, **narrowed}
    # As the page itself writes them, so that it need not correct its address.
    go(
        EVENTS_PATH,
        {name: visible(value) if isinstance(value, str) else value for name, value in params.items() if value},
    )


def to_investigation(kind: InvestigateKind, name: str) -> None:
    """Leave for everything about one thing; source and period go along."""
    go(INVESTIGATE_PATH, {**address("source", "period", "tz"), "object": KINDS[kind][0], "name": visible(name)})


def to_value(field: str, value: str) -> None:
    """Leave for everything about a value of a field of events; for its events, where there is nothing more to say of it."""
    kind = kind_of_value(field, value)
    if kind is not None:
        to_investigation(kind, value)
    to_events(**{field: value})


def to_event(row: dict[str, Any]) -> None:
    """Leave for one event among those of its UTC day."""
    day = row["occurred_at"].date()
    go(EVENTS_PATH, {"period": _days(day, day), "event": row["event_id"]})


def event_link(view: View, row: dict[str, Any]) -> str:
    """The address of one event among those of its UTC day."""
    day = row["occurred_at"].date()
    query = urlencode({"period": _days(day, day), "event": row["event_id"]})
    base = (st.context.url or "").split("?")[0]
    return f"{base or EVENTS_PATH}?{query}"


def set_period(view: View, first: datetime, last: datetime) -> None:
    """The buckets of a chart from `first` to `last` are the period from now on; for a callback."""
    st.session_state["period"] = stretch_text(view.period, first, last)


def follow_row(drill: str, row: dict[str, Any] | None) -> None:
    """A row of a table or bar was clicked (None: not): go to the events that it counts."""
    name = None if row is None else next(iter(row.values()))
    if name is not None and drill:
        to_events(**{drill: str(name)})


def follow_chart(view: View, chart: Chart, row: dict[str, Any] | None) -> None:
    """A mark of a chart was clicked (None: not): go to the events that it counts."""
    if row is None:
        return
    if chart.kind == "bar":
        follow_row(chart.drill, {chart.drill: row[chart.encodings.x]})
    elif chart.kind == "heat":
        to_events(hour=hour_label(row["weekday"], row["hour"]))
    elif chart.kind == "strip":
        _to_day(row)
    elif chart.kind == "calendar":
        follow_day(row)
    else:
        _to_bucket(view, row["bucket"])


def follow_day(row: dict[str, Any] | None) -> None:
    """A UTC day of a source was clicked (None: not), or a kind of it: go to its events, of every namespace."""
    if row is not None:
        _to_day(row, namespace=None, kind=row.get("kind"))


def hour_label(weekday: int, hour: int) -> str:
    """An hour of the week (Monday is 1), as the Events page has it to choose: `Mon 08:00`."""
    return f"{WEEKDAYS[weekday - 1]} {hour:02d}:00"


def _to_day(row: dict[str, Any], **narrowed: str | None) -> None:
    to_events(**{"period": _days(row["day"], row["day"]), "tz": None, "source": row["source_id"], **narrowed})


def _to_bucket(view: View, label: Any) -> None:
    bucket, first = bucket_of(view.period), label.date()
    if bucket == "hour":
        to_events(period=_days(first, first), hour=hour_label(first.isoweekday(), label.hour))
    length = {"day": 1, "week": 7, "month": 31}[bucket]
    last = first + timedelta(days=length - 1)
    if bucket == "month" and last.month != first.month:
        last = last.replace(day=1) - timedelta(days=1)
    to_events(period=_days(max(first, view.period.first_day), min(last, view.period.last_day)))


def _days(first: date, last: date) -> str:
    return f"{first}..{last}"
