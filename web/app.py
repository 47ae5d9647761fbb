"""The browser front: the app. `streamlit run app.py -- --home DIR` serves the record in a folder; it reads and never
writes."""

from __future__ import annotations

import sys

import streamlit as st

from quayledger.warehouse.errors import NotPublished, WarehouseError
from quayledger.web import completeness, inventory, links, overview, usage, widgets
from quayledger.web import record as data
from quayledger.web.url_state import BAR_PARAMS

# Drawn here, as any icon that is named would be fetched from elsewhere.
ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#2f6fb5"/>'
    '<path d="M8 9h16M8 14h16M8 19h10" stroke="#fff" stroke-width="2.4"/>'
    '<path d="m17 23 3 3 6-7" stroke="#9fe0b8" stroke-width="2.6" fill="none"/></svg>'
)


def main() -> None:
    """Draw the app: menu, the page that the address names, or what to do where there is no record yet."""
    st.set_page_config(page_title="quayledger", page_icon=ICON, layout="wide")
    widgets.style()
    menu = [
        st.Page(overview.page, title="Overview", icon=":material/space_dashboard:", default=True),
        st.Page(usage.page, title="Usage", icon=":material/bar_chart:", url_path="usage"),
        links.events_page(),
        st.Page(inventory.page, title="Inventory", icon=":material/inventory_2:", url_path="inventory"),
        st.Page(completeness.page, title="Pipeline", icon=":material/account_tree:", url_path="pipeline"),
    ]
    chosen = st.navigation(menu, position="hidden")
    _menu(menu)
    folder = data.home(sys.argv)
    try:
        record = data.Record(folder)
    except NotPublished:
        _welcome(str(folder))
        return
    except WarehouseError as error:
        st.subheader("The record cannot be read", anchor=False)
        st.text(str(error))
        return
    st.session_state["record"] = record
    if record.sources().is_empty():
        _welcome(str(folder))
        return
    chosen.run()


def _menu(menu: list[st.Page]) -> None:
    """Links to the pages that keep what the bar says; Streamlit's own menu would drop it."""
    kept = {name: st.query_params[name] for name in BAR_PARAMS if name in st.query_params}
    with st.container(horizontal=True, key="ql-menu", vertical_alignment="center"):
        st.html('<span class="ql-name">quayledger</span>', width="content")
        for page in menu:
            st.page_link(page, query_params=kept, width="content")


def _welcome(folder: str) -> None:
    """A ledger without a publication: nothing is wrong, it is new."""
    st.subheader("This ledger is new", anchor=False)
    st.text(f"Nothing has been published in {folder} yet. Two commands fill it:")
    st.code(f"quayledger init --home {folder}\nquayledger sync --home {folder}", language="shell")
    st.text("Then reload this page. The record shows here as soon as the first sync has published it.")
