"""Views of a page that were saved under a name, for everybody who reads this ledger."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlencode

import streamlit as st

from quayledger.reports import formatting
from quayledger.reports.desk import saved_views
from quayledger.reports.desk.store import DeskError
from quayledger.web import account, widgets
from quayledger.web.filter_bar import BAR_PARAMS
from quayledger.web.record import Record
from quayledger.web.url_state import address, go

_NAME, _FAULT = "save-view-name", "save-view-fault"
# Beside a page's own filters, what a view keeps.
_KEPT = (*BAR_PARAMS, "columns", "counts")


def show(record: Record, page: str, filters: Sequence[str]) -> None:
    """The saved views of a page, and a way to save this one."""
    try:
        with record.desk() as desk:
            held = saved_views.list_views(desk, page)
    except DeskError as error:
        widgets.fault(f"Saved views could not be read: {error}")
        return
    with st.popover("Saved views", icon=":material/bookmark:", type="tertiary"):
        if fault := st.session_state.pop(_FAULT, ""):
            widgets.fault(fault)
        if not held:
            st.caption(
                "None yet. Set filters, then give them a name here: everybody who reads this ledger can open them."
            )
        for number, view in enumerate(held):
            first, second = st.columns([5, 1], vertical_alignment="center")
            label = f"{formatting.visible(view.name)} · {formatting.visible(view.saved_by)}, {view.saved_at:%Y-%m-%d}"
            if first.button(widgets.plain(label), key=f"view-{number}", type="tertiary"):
                go(page, parse_qs(view.address))
            second.button(
                "Remove",
                key=f"remove-view-{number}",
                on_click=_remove,
                args=(record, page, view.name),
                type="tertiary",
                icon=":material/delete:",
            )
        st.text_input("Save this view as", key=_NAME, max_chars=saved_views.LONGEST_NAME)
        st.button("Save", key="save-view", on_click=_save, args=(record, page, (*_KEPT, *filters)))


def _save(record: Record, page: str, names: Sequence[str]) -> None:
    person = account.person(record)
    if not person:
        st.session_state[_FAULT] = (
            "Say who you are first, at the top of the page: a view is kept with the name of who saved it."
        )
        return
    query = urlencode(address(*names), doseq=True)
    try:
        with record.desk() as desk:
            saved_views.save_view(desk, page, st.session_state.get(_NAME, ""), query, person, datetime.now(UTC))
    except (saved_views.BadView, DeskError) as error:
        st.session_state[_FAULT] = str(error)
    else:
        st.session_state[_NAME] = ""


def _remove(record: Record, page: str, name: str) -> None:
    try:
        with record.desk() as desk:
            saved_views.remove_view(desk, page, name)
    except DeskError as error:
        st.session_state[_FAULT] = str(error)
