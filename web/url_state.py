"""The page's address: Streamlit binds each control to a query parameter; this adds what it leaves
open: one step of Back for one act, the way to another view, and words for what of an address could not be used."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any, NoReturn
from urllib.parse import urlencode

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.elements.lib.mutable_tab_container import TabContainer

Param = str | list[str]
DRAWN, _FAULTS = "address-drawn", "address-faults"

# Streamlit replaces the address when a control is changed, and pushes it twice when a page is left. What the reader did
# since the last change decides instead: an act (click or key) makes one step of history, what follows from it none.
_STEPS = """(() => {
if (window.quayledgerSteps) return;
window.quayledgerSteps = true;
let acted = false;
for (const act of ["pointerdown", "keydown"]) addEventListener(act, () => { acted = true; }, true);
addEventListener("popstate", () => { acted = false; }, true);
const push = history.pushState.bind(history), replace = history.replaceState.bind(history);
history.pushState = history.replaceState = (state, title, url) => {
  const moved = new URL(url ?? "", location.href).href !== location.href;
  (moved && acted ? push : replace)(state, title, url);
  if (moved) acted = false;
};
})()"""


def begin() -> None:
    """Begin the drawing of a page: no control has been bound yet."""
    st.session_state[DRAWN], st.session_state[_FAULTS] = {}, []
    st.html(f"<script>{_STEPS}</script>", unsafe_allow_javascript=True)


def bound(
    draw: Callable[..., Any], label: str, *given: Any, key: str, default: object, form: Any = str, **options: Any
) -> Any:
    """Draw a control that is the query parameter `key`, and give its value. `default` is not written into the address;
    `form` writes one value as the control's `format_func` does."""
    asked = None if key in st.session_state else st.query_params.get(key)
    value = draw(label, *given, key=key, bind="query-params", **options)
    written = None if value is None or value == default else _param(value, form)
    st.session_state[DRAWN][key] = written
    if asked and written is None and asked != _param(default, form):
        st.session_state[_FAULTS].append(f"“{key}” was ignored: '{asked[:60]}' is not a valid value.")
    return value


def bound_tabs(labels: Sequence[str], key: str) -> tuple[str, DeltaGenerator]:
    """Tabs of which the open one, given by its label and as a place, is the query parameter `key`."""
    tabs: list[TabContainer] = []

    def draw(_: str, **options: Any) -> str:
        tabs.extend(st.tabs(labels, **options))
        return next(label for label, tab in zip(labels, tabs, strict=True) if tab.open)

    opened: str = bound(draw, "", key=key, default=labels[0])
    return opened, tabs[labels.index(opened)]


def _param(value: Any, form: Callable[[Any], str]) -> Param:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return [str(_param(one, form)) for one in value]
    return value.isoformat() if isinstance(value, date) else str(form(value))


def address(*names: str) -> dict[str, Param]:
    """The parameters of the controls drawn so far (of those names, where some are given), as in the address bar."""
    drawn: dict[str, Param | None] = st.session_state[DRAWN]
    return {name: value for name, value in drawn.items() if value is not None and (not names or name in names)}


def faults() -> list[str]:
    """A sentence for each part of the address that could not be used; ask when all controls have been drawn."""
    unknown = [name for name in st.query_params if name not in st.session_state[DRAWN]]
    return [
        *st.session_state[_FAULTS],
        *(f"“{name[:60]}” was ignored: this page has no such filter." for name in unknown),
    ]


def go(path: str, params: Mapping[str, Param]) -> NoReturn:
    """Leave for another view, as a link to its address does: its parameters say all, nothing of this page is kept."""
    url = json.dumps(f"{path}?{urlencode(params, doseq=True)}" if params else path)
    script = f"history.pushState(null, '', {url}); dispatchEvent(new PopStateEvent('popstate'));"
    st.html(f"<script>{script}</script>", unsafe_allow_javascript=True)
    st.stop()
