"""The browser front: Events. The entries themselves, narrowed, page by page, one as Quay gave it, and as a file."""

from __future__ import annotations

from functools import partial
from typing import Any

import streamlit as st

from quayledger.reports.log.events_page import BROWSER_EXPORT_LIMIT, SHOWN, EventsPage, ExportForm, as_quay_gave_it
from quayledger.warehouse.log.events import EventFilter
from quayledger.web import widgets
from quayledger.web.links import EVENTS_PATH, hour_label
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
    head, turn = st.columns([5, 1.4], vertical_alignment="bottom")
    number = bound(turn.number_input, "Page", key="page", default=1, min_value=1, max_value=10_000_000, step=1)
    found = view.record.events(query, number)
    with head:
        _head(found)
    if found.total:
        _table(found, view)
        _files(view, query, found)
    else:
        _nothing(view)


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
    st.session_state["page"] = 1


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


def _table(found: EventsPage, view: View) -> None:
    zone = view.period.time_zone
    row = widgets.event_list(found.frame, SHOWN, zone, f"events-{found.number}")
    if row is None:
        st.caption("Click a time to see the whole event.")
        return
    st.caption("The event as Quay gave it, secrets cut out")
    st.code(as_quay_gave_it(found.frame.slice(row, 1))[0], language="json", wrap_lines=True)


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


def _nothing(view: View) -> None:
    coverage = view.coverage()
    if coverage.days_missing:
        missing = f"{coverage.days_missing:,} of {coverage.days_total:,} days were not collected"
        st.caption(f"No stored event matches. {missing}, so events may exist in Quay that are not shown here.")
    else:
        st.caption("No stored event matches, and all days of the period were collected.")


PAGE = Page(
    title="Events",
    icon=":material/list_alt:",
    path=EVENTS_PATH,
    draw=draw,
    controls=("period", "namespace", "time_zone"),
)
