"""The web app: `streamlit run app.py -- --home DIR` shows the ledger in a folder; it reads and never
writes."""

from __future__ import annotations

import sys

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from quayledger.warehouse.errors import NotPublished, WarehouseError
from quayledger.web import (
    account,
    alerts,
    completeness,
    credentials_page,
    events,
    filter_bar,
    inventory,
    investigate,
    overview,
    streamlit_server,
    usage,
    widgets,
)
from quayledger.web import record as data
from quayledger.web.page import Page, View
from quayledger.web.url_state import begin, faults

PAGES: tuple[Page, ...] = (
    overview.PAGE,
    alerts.PAGE,
    events.PAGE,
    investigate.PAGE,
    credentials_page.PAGE,
    usage.PAGE,
    inventory.PAGE,
    completeness.PAGE,
)
# Drawn here, as any icon that is named would be fetched from elsewhere.
ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#2f6fb5"/>'
    '<path d="M8 9h16M8 14h16M8 19h10" stroke="#fff" stroke-width="2.4"/>'
    '<path d="m17 23 3 3 6-7" stroke="#9fe0b8" stroke-width="2.6" fill="none"/></svg>'
)


def main() -> None:
    """Draw the app: menu, bar and the page that the address names, or what to do where there is nothing to read yet."""
    streamlit_server.stay_inside()  # for `streamlit run app.py`; `quayledger app` has done so before it listened
    st.set_page_config(page_title="quayledger", page_icon=ICON, layout="wide")
    widgets.style()
    begin()
    views: list[View] = []
    by_path = {path: page for page in PAGES for path in (page.path, *page.aliases)}
    entries = {path: _entry(page, path, views) for path, page in by_path.items()}
    chosen = st.navigation(list(entries.values()), position="hidden")
    menu = _menu([entries[page.path] for page in PAGES])
    ignored = st.container()
    if record := _record():
        with menu:
            account.show(record)
        widgets.damaged_files(record.damaged_files())
        views.append(filter_bar.show(record, by_path[chosen.url_path]))
        chosen.run()
        with ignored:
            widgets.ignored(faults())


def _entry(page: Page, path: str, views: list[View]) -> st.Page:
    """The page as Streamlit knows it, drawn from the view that the bar gives."""

    def draw() -> None:
        page.draw(views[0])

    return st.Page(draw, title=page.title, icon=page.icon, url_path=path or None, default=not path)


def _menu(entries: list[st.Page]) -> DeltaGenerator:
    """Links to the pages; Streamlit takes along what the bar says. Gives the place for what else stands there."""
    menu = st.container(horizontal=True, key="ql-menu", vertical_alignment="center")
    with menu:
        st.html('<span class="ql-name">quayledger</span>', width="content")
        for entry in entries:
            st.page_link(entry, width="content")
    return menu


def _record() -> data.Record | None:
    """The newest published copy; None, and what to do, where there is none that can be read."""
    folder = data.home(sys.argv)
    try:
        record = data.Record(folder)
        if record.source_ids():
            return record
        _welcome(str(folder))
    except NotPublished:
        _welcome(str(folder))
    except WarehouseError as error:
        st.subheader("The ledger cannot be read", anchor=False)
        st.text(str(error))
    return None


def _welcome(folder: str) -> None:
    """A ledger without a publication: nothing is wrong, it is new."""
    st.subheader("This ledger is new", anchor=False)
    st.text(f"Nothing has been published in {folder} yet. Two commands fill it:")
    st.code(f"quayledger init --home {folder}\nquayledger sync --home {folder}", language="shell")
    st.text("Then reload this page. Data shows here as soon as the first sync has published it.")
