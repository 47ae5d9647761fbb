"""The page Events: the events themselves over time and counted, filtered, page by page; one as Quay gave it; saved views, and word
of what is new."""

from __future__ import annotations

from functools import partial
from typing import Any

import streamlit as st

from quayledger.reports import formatting
from quayledger.reports.desk import preferences
from quayledger.reports.desk.store import DeskError
from quayledger.reports.log.event_counts import FACETS
from quayledger.reports.log.events_page import BROWSER_EXPORT_LIMIT, SHOWN, EventsPage, ExportForm, as_quay_gave_it
from quayledger.reports.model import Chart, labelled
from quayledger.reports.security.investigation import KINDS, kind_of_value
from quayledger.warehouse.log.events import CountedField
from quayledger.web import account, charts, event_filters, links, views_menu, widgets
from quayledger.web.links import EVENTS_PATH
from quayledger.web.page import Page, View
from quayledger.web.record import EventQuery
from quayledger.web.url_state import bound

# Those that are chosen where nothing else is.
FACETS_SHOWN: tuple[CountedField, ...] = ("kind", "outcome", "actor", "repository")
COLUMNS = {name: label for name, label in SHOWN if name != "occurred_at"} | {
    "credential": "Credential",
    "digest": "Digest",
    "user_agent": "User agent",
    "category": "Category",
}
COLUMNS_SHOWN = ("kind", "actor", "namespace", "repository", "tag", "ip", "outcome", "client")
_COLUMNS_KEPT = "events-columns"
_LIST_PX = 560
_LIVE_S = 10
_FORMS: tuple[tuple[ExportForm, str, str], ...] = (
    ("csv", "CSV", "text/csv"),
    ("jsonl", "JSON lines", "application/x-ndjson"),
    ("quay", "JSON lines as Quay wrote them", "application/x-ndjson"),
)
# What is said of an event beside its list, before all that Quay wrote.
_FACTS = (
    *(
        ("kind", "Kind"),
        ("outcome", "Outcome"),
        ("actor", "Account"),
        ("credential", "Credential"),
        ("ip", "IP address"),
    ),
    *(("user_agent", "User agent"), ("namespace", "Namespace"), ("repository", "Repository"), ("tag", "Tag")),
    *(("digest", "Digest"), ("source_id", "Source"), ("event_id", "Event")),
)


def draw(view: View) -> None:
    """Draw the page."""
    filters, saved = st.columns([5, 1.2])
    with saved:
        views_menu.show(view.record, EVENTS_PATH, event_filters.ALL_FILTERS)
    with filters:
        query, event = event_filters.show(view)
    with st.sidebar:
        _facets(view, query)
    if query.hour is None:
        chart = view.record.histogram(query, view.period)
        charts.draw_brush(chart, f"events-histogram-{view.period.bounds}", 96, partial(_brushed, view))
        _say(chart)
    head, columns, newer, turn, older = st.columns([4, 2.4, 0.6, 0.9, 0.6], vertical_alignment="bottom")
    with columns:
        shown = _columns(view)
    # A text, as Streamlit's own number fields fail at an address that says infinity.
    page: str = bound(turn.text_input, "Page", key="page", default="1", value="1", max_chars=7)
    found = view.record.events(query, int(page) if page.isascii() and page.isdigit() else 1)
    for place, sign, step, last in ((newer, "‹", -1, 1), (older, "›", 1, found.pages)):
        place.button(
            sign, key=f"page{step}", on_click=_turn, args=(found.number + step,), disabled=found.number == last
        )
    with head:
        _head(found)
        _live(view, query, found.total)
    if event:
        with st.container(key="ql-beside"):
            listed, opened = st.columns([3, 2])
        with opened:
            _event(view, event)
    else:
        listed = st.container()
    with listed:
        _list(found, view, query, shown)


def _say(chart: Chart) -> None:
    st.caption(f"{chart.summary} Drag across the bars, or click one, to look closer.")


def _brushed(view: View, first: dict[str, Any], last: dict[str, Any]) -> None:
    """A stretch was drawn on the histogram: it is the period."""
    links.set_period(view, first["bucket"], last["bucket"])
    event_filters.changed()


def _facets(view: View, query: EventQuery) -> None:
    """What the events are, as counts by value."""
    chosen: list[CountedField] = bound(
        st.multiselect,
        "Counts by",
        list(FACETS),
        key="counts",
        default=[],
        form=FACETS.__getitem__,
        format_func=FACETS.__getitem__,
        placeholder="The usual ones",
    )
    fields = tuple(chosen or FACETS_SHOWN)
    for table in view.record.facets(query, fields):
        include = partial(event_filters.include, table.drill)
        widgets.facet(table, f"facet-{table.drill}", include, partial(event_filters.exclude, table.drill))


def _columns(view: View) -> tuple[tuple[str, str], ...]:
    """The columns of the list; those that a person chose are kept for the next time."""
    if "columns" not in st.session_state and "columns" not in st.query_params:
        st.session_state["columns"] = _kept_columns(view)
    chosen = bound(
        st.multiselect,
        "Columns",
        list(COLUMNS),
        key="columns",
        default=[],
        form=COLUMNS.__getitem__,
        format_func=COLUMNS.__getitem__,
        placeholder="Columns: the usual ones",
        label_visibility="collapsed",
        on_change=partial(_keep_columns, view),
    )
    return (SHOWN[0], *((name, COLUMNS[name]) for name in chosen or COLUMNS_SHOWN))


def _kept_columns(view: View) -> list[str]:
    try:
        with view.record.desk() as desk:
            kept = preferences.read_preference(desk, account.person(view.record), _COLUMNS_KEPT)
    except DeskError:
        return []
    return [name for name in (kept or "").split() if name in COLUMNS]


def _keep_columns(view: View) -> None:
    if person := account.person(view.record):
        try:
            with view.record.desk() as desk:
                preferences.keep_preference(desk, person, _COLUMNS_KEPT, " ".join(st.session_state["columns"]))
        except DeskError as error:
            widgets.fault(str(error))


def _turn(number: int) -> None:
    st.session_state["page"] = str(number)


def _head(found: EventsPage) -> None:
    if not found.total:
        widgets.title("No events")
        return
    of = f" · page {found.number:,} of {found.pages:,}" if found.pages > 1 else ""
    widgets.title(f"{found.first:,} – {found.last:,} of {found.total:,} events{of}")


@st.fragment(run_every=_LIVE_S)
def _live(view: View, query: EventQuery, total: int) -> None:
    """Says when a newer copy was published, and how many of the events asked for it has more; looks at nothing but its pointer
    until then."""
    if (now := view.record.newer()) is None:
        return
    more = now.count(query) - total
    said = f"{formatting.plural(more, 'new event')}" if more > 0 else "Newer data, no new event"
    if st.button(f"{said} · show", key="show-new", icon=":material/refresh:", type="tertiary"):
        st.rerun(scope="app")


def _list(found: EventsPage, view: View, query: EventQuery, columns: tuple[tuple[str, str], ...]) -> None:
    if not found.total:
        for sentence in view.record.why_empty(query):
            st.caption(formatting.visible(sentence))
        return
    widgets.event_list(found.shown, columns, view.period.time_zone, f"events-{found.number}", _open, _LIST_PX)
    _files(view, query, found)


def _open(row: dict[str, Any]) -> None:
    st.session_state["event"] = row["event_id"]


def _event(view: View, event_id: str) -> None:
    """One event, whole, whether or not it is on this page of the list."""
    found = view.record.event(event_id)
    if found.is_empty():
        st.caption(f"The record holds no event {formatting.visible(event_id[:80])}.")
        st.button("Close", key="close-event", on_click=_close)
        return
    row = found.row(0, named=True)
    with st.container(horizontal=True, vertical_alignment="center"):
        widgets.title(f"{formatting.moment(row['occurred_at'])}")
        st.button("Close", key="close-event", on_click=_close, type="tertiary", icon=":material/close:")
    with st.container(height=_LIST_PX - 40, border=False):
        shown = labelled(found, view.record.account_labels()).row(0, named=True)
        widgets.facts([(label, str(shown[name])) for name, label in _FACTS if shown[name] is not None])
        _pivots(row)
        st.caption("As Quay gave it, secrets cut out")
        st.code(as_quay_gave_it(found)[0], language="json", wrap_lines=True)
        st.caption("Permalink")
        st.code(links.event_link(view, row), language=None, wrap_lines=True)


def _pivots(row: dict[str, Any]) -> None:
    """The ways on: everything about its account, credential, address, repository, tag and digest."""
    values = {name: row[name] for name in ("actor", "credential", "ip", "digest") if row[name]}
    if row["repository"]:
        values["repository"] = f"{row['namespace']}/{row['repository']}" if row["namespace"] else row["repository"]
        if row["tag"]:
            values["tag"] = f"{values['repository']}:{row['tag']}"
    st.caption("Investigate")
    with st.container(horizontal=True, key="ql-pivots"):
        for field, value in values.items():
            kind = kind_of_value(field, value)
            if kind and st.button(KINDS[kind][0], key=f"pivot-{field}", icon=":material/manage_search:"):
                links.to_investigation(kind, value)


def _close() -> None:
    st.session_state["event"] = ""


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
