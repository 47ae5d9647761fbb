"""The page Events: the events themselves, filtered, page by page; one as Quay gave it; and as a file."""

from __future__ import annotations

from functools import partial
from typing import Any

import streamlit as st

from quayledger.reports import formatting
from quayledger.reports.log.events_page import BROWSER_EXPORT_LIMIT, SHOWN, EventsPage, ExportForm, as_quay_gave_it
from quayledger.reports.model import Table
from quayledger.warehouse.log.events import EventFilter
from quayledger.web import charts, widgets
from quayledger.web.links import EVENTS_PATH, follow_chart, hour_label
from quayledger.web.page import Page, View
from quayledger.web.record import EventQuery
from quayledger.web.url_state import address, bound

ACTOR_TYPES = ("user", "robot", "token", "anonymous", "system")
# Parameter of the address and label on the page; each is a field of EventFilter.
TEXT_FILTERS: tuple[tuple[str, str], ...] = (
    ("kind", "Kind"),
    ("actor", "Account"),
    ("repository", "Repository"),
    ("ip", "IP address"),
    ("tag", "Tag"),
    ("digest", "Digest"),
    ("client", "Client"),
    ("user_agent", "User agent contains"),
    ("text", "Any text"),
)
HOURS = {hour_label(weekday, hour): (weekday, hour) for weekday in range(1, 8) for hour in range(24)}
_CHOSEN = ("actor_type", "hour")
_FORMS: tuple[tuple[ExportForm, str, str], ...] = (
    ("csv", "CSV", "text/csv"),
    ("jsonl", "JSON lines", "application/x-ndjson"),
    ("quay", "JSON lines as Quay wrote them", "application/x-ndjson"),
)


def draw(view: View) -> None:
    """Draw the page."""
    query = _filters(view)
    if query.hour is None:
        chart = view.record.histogram(query, view.period)
        follow_chart(view, chart, charts.draw(chart, "events-histogram"))
    if bound(st.toggle, "Counts by kind, account, repository and client", key="counts", default=False):
        _facets(view.record.facets(query))
    head, chosen, newer, turn, older = st.columns([4, 2, 0.6, 0.9, 0.6], vertical_alignment="bottom")
    event: str = bound(chosen.text_input, "Event", key="event", default="", placeholder="Click a time in the list")
    # A text, as Streamlit's own number fields fail at an address that says infinity.
    page: str = bound(turn.text_input, "Page", key="page", default="1", value="1", max_chars=7)
    found = view.record.events(query, int(page) if page.isascii() and page.isdigit() else 1)
    for place, sign, step, last in ((newer, "‹", -1, 1), (older, "›", 1, found.pages)):
        place.button(
            sign, key=f"page{step}", on_click=_turn, args=(found.number + step,), disabled=found.number == last
        )
    with head:
        _head(found)
    if found.total:
        _list(found, view, event)
        _files(view, query, found)
    else:
        for sentence in view.record.why_empty(query):
            st.caption(formatting.visible(sentence))


def _filters(view: View) -> EventQuery:
    """What the events are narrowed to, beside the bar."""
    names = [name for name, _ in TEXT_FILTERS]
    narrowed = any(st.session_state.get(name) or name in st.query_params for name in (*names, *_CHOSEN))
    with st.expander("Filters", expanded=narrowed, icon=":material/filter_alt:"):
        places = st.columns(4)
        texts: dict[str, Any] = {
            name: bound(
                places[number % 4].text_input,
                label,
                key=name,
                default="",
                on_change=_changed,
                max_chars=300,
            ).strip()
            or None
            for number, (name, label) in enumerate(TEXT_FILTERS)
        }
        actor_type = _choice(places[1], "Account type", "actor_type", ACTOR_TYPES)
        hour = HOURS.get(_choice(places[2], f"Hour of the week ({view.period.time_zone})", "hour", tuple(HOURS)))
        if address(*names, *_CHOSEN):
            st.button("Clear filters", on_click=_clear, icon=":material/filter_alt_off:", type="tertiary")
    kind = texts.pop("kind")
    wanted = EventFilter(
        since=view.period.since,
        until=view.period.until,
        source_ids=view.sources,
        namespace=view.namespace,
        kinds=(kind,) if kind else (),
        actor_type=actor_type or None,
        **texts,
    )
    return EventQuery(wanted, view.period.time_zone, *(hour or (None, None)))


def _choice(place: st.delta_generator.DeltaGenerator, label: str, key: str, options: tuple[str, ...]) -> str:
    def form(name: str) -> str:
        return name or "Any"

    chosen: str = bound(
        place.selectbox, label, ["", *options], key=key, default="", form=form, format_func=form, on_change=_changed
    )
    return chosen


def _changed() -> None:
    """Other events are asked for: begin at their first page."""
    _turn(1)
    st.session_state["event"] = ""


def _turn(number: int) -> None:
    st.session_state["page"] = str(number)


def _facets(tables: tuple[Table, ...]) -> None:
    """What the events are; a click on a value keeps those that have it."""
    row = st.container(horizontal=True)
    for table in tables:
        with row.container(width=208):
            widgets.table(
                table, f"events-{table.name}", none=f"{table.title}: none.", opens=table.drill, on_open=_narrow
            )


def _narrow(row: dict[str, Any], field: str) -> None:
    st.session_state[field] = row["key"]
    _changed()


def _clear() -> None:
    for name in (*(name for name, _ in TEXT_FILTERS), *_CHOSEN):
        st.session_state[name] = ""
    _changed()


def _head(found: EventsPage) -> None:
    if not found.total:
        widgets.title("No events")
        return
    of = f" · page {found.number:,} of {found.pages:,}" if found.pages > 1 else ""
    widgets.title(f"{found.first:,} – {found.last:,} of {found.total:,} events{of}")


def _list(found: EventsPage, view: View, event: str) -> None:
    """The list, and beside it the event that was opened."""
    ids = found.frame["event_id"].to_list()
    listed, opened = st.columns([3, 2]) if event in ids else (st.container(), None)
    with listed:
        widgets.event_list(found.shown, SHOWN, view.period.time_zone, f"events-{found.number}", _open)
        if event and opened is None:
            st.caption(f"The event {formatting.visible(event[:80])} is not on this page of the list.")
    if opened is not None:
        with opened:
            st.caption("The event as Quay gave it, secrets cut out")
            one = as_quay_gave_it(found.frame.slice(ids.index(event), 1))[0]
            st.code(one, language="json", wrap_lines=True, height=560)


def _open(row: dict[str, Any]) -> None:
    st.session_state["event"] = row["event_id"]


def _files(view: View, query: EventQuery, found: EventsPage) -> None:
    name = f"events-{view.period.first_day}-{view.period.last_day}"
    with st.container(horizontal=True, vertical_alignment="center"):
        for form, label, mime in _FORMS:
            st.download_button(
                label,
                partial(view.record.export, query, form),
                f"{name}.{'csv' if form == 'csv' else 'jsonl'}",
                mime,
                key=f"events-file-{form}",
                on_click="ignore",
                icon=":material/download:",
            )
        if found.total > BROWSER_EXPORT_LIMIT:
            st.caption(
                f"Files hold the oldest {BROWSER_EXPORT_LIMIT:,} events; `quayledger events --limit 0 --format csv` writes all."
            )


PAGE = Page(
    title="Events",
    icon=":material/list_alt:",
    path=EVENTS_PATH,
    draw=draw,
    controls=("period", "namespace", "time_zone"),
)
