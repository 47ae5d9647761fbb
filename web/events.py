"""The browser front: Events. The entries themselves, narrowed, page by page, one as Quay gave it, and as a file."""

from __future__ import annotations

from functools import partial

import msgspec
import streamlit as st

from quayledger.reports.log.events_page import BROWSER_EXPORT_LIMIT, SHOWN, EventsPage, ExportForm, as_quay_gave_it
from quayledger.reports.period import WEEKDAYS
from quayledger.web import filter_bar, widgets
from quayledger.web.filter_bar import Asked
from quayledger.web.record import Record
from quayledger.web.url_state import ACTOR_TYPES, QUERY_PARAMS, TEXT_FILTERS, Query, read_query, write_query

_FORMS: tuple[tuple[ExportForm, str, str], ...] = (
    ("csv", "CSV", "text/csv"),
    ("jsonl", "JSON lines", "application/x-ndjson"),
    ("quay", "JSON lines as Quay wrote them", "application/x-ndjson"),
)


def page() -> None:
    """Draw the page for the record that the app has opened."""
    record: Record = st.session_state["record"]
    asked = filter_bar.show(record, compares=False)
    query, faults = read_query(st.query_params.to_dict())
    widgets.ignored(faults)
    _filters(query)
    found = record.page(asked.period, asked.bar, query)
    _head(found, query)
    if found.total:
        _table(found, asked)
        _files(record, asked, query, found)
    else:
        _nothing(asked)


def _filters(query: Query) -> None:
    narrowed = any(name != "page" for name in write_query(query))
    with st.expander("Narrow down", expanded=narrowed, icon=":material/filter_alt:"):
        places = st.columns(5)
        for number, (name, label) in enumerate(TEXT_FILTERS):
            st.session_state[f"events-{name}"] = getattr(query, name) or ""
            places[number % 5].text_input(label, key=f"events-{name}", on_change=_changed, max_chars=300)
        st.session_state["events-actor_type"] = query.actor_type or ""
        options = ["", *ACTOR_TYPES]
        places[4].selectbox(
            "Account type", options, key="events-actor_type", on_change=_changed, format_func=lambda name: name or "Any"
        )
        with st.container(horizontal=True):
            _undo(query, narrowed)


def _undo(query: Query, narrowed: bool) -> None:
    if query.weekday is not None and query.hour is not None:
        said = f"{WEEKDAYS[query.weekday - 1]} {query.hour:02d}:00 to {query.hour:02d}:59 only"
        st.button(f"{said} ✕", on_click=_any_hour, key="events-any-hour", help="Show all hours")
    if narrowed:
        st.button("Clear all", on_click=_clear, key="events-clear", icon=":material/filter_alt_off:", type="tertiary")


def _changed() -> None:
    """A field was changed: say so in the address, at its first page."""
    before, _ = read_query(st.query_params.to_dict())
    fields = {name: st.session_state[f"events-{name}"].strip() or None for name, _ in TEXT_FILTERS}
    actor_type = st.session_state["events-actor_type"] or None
    _write(msgspec.structs.replace(before, **fields, actor_type=actor_type, page=1))


def _any_hour() -> None:
    query, _ = read_query(st.query_params.to_dict())
    _write(msgspec.structs.replace(query, weekday=None, hour=None, page=1))


def _clear() -> None:
    _write(Query())


def _turn(number: int) -> None:
    query, _ = read_query(st.query_params.to_dict())
    _write(msgspec.structs.replace(query, page=number))


def _write(query: Query) -> None:
    others = {name: value for name, value in st.query_params.to_dict().items() if name not in QUERY_PARAMS}
    st.query_params.from_dict({**others, **write_query(query)})


def _head(found: EventsPage, query: Query) -> None:
    said, back, where, forth = st.columns([6, 1, 1.4, 1], vertical_alignment="center")
    if found.total:
        with said:
            widgets.title(f"{found.first:,} – {found.last:,} of {found.total:,} events")
    else:
        with said:
            widgets.title("No events")
    if found.pages > 1:
        back.button(
            "Newer",
            on_click=_turn,
            args=(found.number - 1,),
            disabled=found.number == 1,
            key="events-newer",
            width="stretch",
        )
        where.caption(f"page {found.number:,} of {found.pages:,}", text_alignment="center")
        forth.button(
            "Older",
            on_click=_turn,
            args=(found.number + 1,),
            disabled=found.number == found.pages,
            key="events-older",
            width="stretch",
        )


def _table(found: EventsPage, asked: Asked) -> None:
    chosen = st.dataframe(
        widgets.legible(found.frame),
        column_order=[name for name, _ in SHOWN],
        hide_index=True,
        placeholder="–",
        height=min(36 * found.frame.height + 40, 620),
        on_select="rerun",
        selection_mode="single-cell",
        key=f"events-table-{found.number}",
        column_config={
            "occurred_at": st.column_config.DatetimeColumn(
                f"Time ({asked.period.time_zone})", format="YYYY-MM-DD HH:mm:ss", timezone=asked.period.time_zone
            ),
            **{name: st.column_config.TextColumn(label) for name, label in SHOWN if name != "occurred_at"},
        },
    )
    for row, _ in chosen["selection"]["cells"][:1]:
        one = found.frame.slice(row, 1)
        st.caption("The event as Quay gave it, secrets cut out")
        st.code(as_quay_gave_it(one)[0], language="json", wrap_lines=True)
        return
    st.caption("Click a cell to see the whole event.")


def _files(record: Record, asked: Asked, query: Query, found: EventsPage) -> None:
    name = f"events-{asked.period.first_day}-{asked.period.last_day}"
    with st.container(horizontal=True, vertical_alignment="center"):
        for form, label, mime in _FORMS:
            st.download_button(
                label,
                partial(record.export, asked.period, asked.bar, query, form),
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


def _nothing(asked: Asked) -> None:
    if asked.coverage.days_missing:
        missing = f"{asked.coverage.days_missing:,} of {asked.coverage.days_total:,} days were not collected"
        st.caption(f"No events are held for this choice. {missing}: that does not say that nothing happened.")
    else:
        st.caption("Nothing happened that fits this choice: all days of the period were collected.")
