"""The browser front: the ways from a chart or table to the events behind it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import streamlit as st

from quayledger.reports.model import Chart
from quayledger.reports.period import bucket_of
from quayledger.web import events
from quayledger.web.filter_bar import Asked
from quayledger.web.url_state import CUSTOM, Bar, Query, write_bar, write_query

EVENTS_PATH = "events"
EVENTS_TITLE = "Events"


def events_page() -> st.Page:
    """The Events page, for the menu and as a place to go to."""
    return st.Page(events.page, title=EVENTS_TITLE, icon=":material/list_alt:", url_path=EVENTS_PATH)


def to_events(bar: Bar, query: Query) -> None:
    """Leave for the events of the bar and query; the address says which."""
    st.switch_page(events_page(), query_params={**write_bar(bar), **write_query(query)})


def follow_row(asked: Asked, drill: str, key: str | None) -> None:
    """A row of a table or bar was clicked (None: not): go to the events that it counts."""
    if key is None or not drill:
        return
    if drill == "namespace":
        to_events(msgspec.structs.replace(asked.bar, namespace=key), Query())
    if drill == "source":
        to_events(msgspec.structs.replace(asked.bar, sources=(key,)), Query())
    to_events(asked.bar, msgspec.structs.replace(Query(), **{drill: key}))


def follow_chart(asked: Asked, chart: Chart, row: dict[str, Any] | None) -> None:
    """A mark of a chart was clicked (None: not): go to the events that it counts."""
    if row is None:
        return
    if chart.kind == "bar":
        follow_row(asked, chart.drill, row[chart.encodings.x])
    elif chart.kind == "heat":
        to_events(asked.bar, Query(weekday=row["weekday"], hour=row["hour"]))
    elif chart.kind == "strip":
        to_events(_on_day(asked.bar, row), Query())
    elif chart.kind == "calendar":
        follow_day(asked, row)
    else:
        _follow_bucket(asked, row["bucket"])


def follow_day(asked: Asked, row: dict[str, Any] | None) -> None:
    """A UTC day of a source was clicked (None: not), or a kind of it: go to its events, of every namespace."""
    if row is None:
        return
    bar = msgspec.structs.replace(_on_day(asked.bar, row), namespace=None)
    to_events(bar, Query(kind=row.get("kind")))


def _on_day(bar: Bar, row: dict[str, Any]) -> Bar:
    return _on(bar, row["day"], row["day"], time_zone="UTC", sources=(row["source_id"],))


def _follow_bucket(asked: Asked, label: Any) -> None:
    bucket, first = bucket_of(asked.period), label.date()
    if bucket == "hour":
        to_events(_on(asked.bar, first, first), Query(weekday=first.isoweekday(), hour=label.hour))
    length = {"day": 1, "week": 7, "month": 31}[bucket]
    last = first + timedelta(days=length - 1)
    if bucket == "month" and last.month != first.month:
        last = last.replace(day=1) - timedelta(days=1)
    to_events(_on(asked.bar, max(first, asked.period.first_day), min(last, asked.period.last_day)), Query())


def _on(bar: Bar, first: Any, last: Any, **changes: Any) -> Bar:
    return msgspec.structs.replace(bar, span=CUSTOM, first=first, last=last, **changes)
