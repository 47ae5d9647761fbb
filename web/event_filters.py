"""The filters of the page Events: each is in the address, completes from what the record holds, and shows as a button that takes
it away again."""

from __future__ import annotations

from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from quayledger.reports import formatting
from quayledger.reports.log.event_counts import FACETS
from quayledger.warehouse.log.event_filter import EXCLUDABLE, EventFilter
from quayledger.warehouse.log.known_names import NamedField
from quayledger.web import widgets
from quayledger.web.links import hour_label
from quayledger.web.page import View
from quayledger.web.record import EventQuery
from quayledger.web.url_state import address, bound

ACTOR_TYPES = ("user", "robot", "token", "anonymous", "system")
CATEGORIES = ("access", "account", "build", "content", "mirror", "org", "policy", "system", "unknown")
HOURS = {hour_label(weekday, hour): (weekday, hour) for weekday in range(1, 8) for hour in range(24)}
# Parameter of the address, label, and the field of events that it completes from (None: typed).
NAMES: tuple[tuple[str, str, NamedField | None], ...] = (
    ("actor", "Account", "actor"),
    ("repository", "Repository", "repository"),
    ("ip", "IP address or network", "ip"),
    ("tag", "Tag", "tag"),
    ("user_agent", "User agent contains", None),
    ("digest", "Digest", None),
    ("credential", "Credential", None),
    ("client", "Client", None),
    ("text", "Any text", None),
)
SEVERAL = ("kind", "category")
CHOICES = {"outcome": ("success", "failure"), "actor_type": ACTOR_TYPES, "hour": tuple(HOURS)}
ALL_FILTERS = (*SEVERAL, *CHOICES, *(name for name, _, _ in NAMES), "exclude")
_LONGEST = 300


def show(view: View) -> tuple[EventQuery, str]:
    """Draw the filters and give what they say, and the id of the event that is opened beside the list ('': none)."""
    with st.expander("Filters", icon=":material/filter_alt:"):
        places = st.columns(4)
        kinds = _several(places[0], "Kind", "kind", view.record.known_kinds())
        categories = _several(places[1], "Category", "category", list(CATEGORIES))
        outcome = _choice(places[2], "Outcome", "outcome")
        actor_type = _choice(places[3], "Account type", "actor_type")
        names = {
            name: _name(view, places[number % 4], name, label, field)
            for number, (name, label, field) in enumerate(NAMES)
        }
        hour = HOURS.get(_choice(places[1], f"Hour of the week ({view.period.time_zone})", "hour"))
        excluded = _several(places[2], "Leave out", "exclude", [], "Such as kind:pull_repo")
        event: str = bound(
            places[3].text_input, "Event", key="event", default="", placeholder="Click a time in the list"
        )
    _buttons()
    wanted = EventFilter(
        since=view.period.since,
        until=view.period.until,
        source_ids=view.sources,
        namespace=view.namespace,
        kinds=tuple(kinds),
        categories=tuple(categories),
        outcome=outcome or None,
        actor_type=actor_type or None,
        excluded=_pairs(excluded),
        **{name: value or None for name, value in names.items()},
    )
    return EventQuery(wanted, view.period.time_zone, *(hour or (None, None))), event.strip()


def include(field: str, value: str) -> None:
    """Keep the events that have this value of a field; begin at their first page."""
    name = "namespace" if field == "namespace" else field
    st.session_state[name] = [value] if field in SEVERAL else value
    changed()


def exclude(field: str, value: str) -> None:
    """Leave out the events that have this value of a field."""
    st.session_state["exclude"] = [*st.session_state.get("exclude", []), f"{field}:{value}"]
    changed()


def changed() -> None:
    """Other events are asked for: begin at their first page."""
    st.session_state["page"], st.session_state["event"] = "1", ""


def _several(place: Any, label: str, key: str, known: list[str], placeholder: str = "Any") -> list[str]:
    # An address has a name as it is seen.
    held = st.session_state.get(key) or [formatting.hidden(one) for one in st.query_params.get_all(key)]
    chosen: list[str] = bound(
        place.multiselect,
        label,
        list(dict.fromkeys([*known, *held])),
        key=key,
        default=[],
        form=formatting.visible,
        format_func=formatting.visible,
        accept_new_options=True,
        placeholder=placeholder,
        on_change=changed,
    )
    return [one[:_LONGEST] for one in chosen]


def _choice(place: DeltaGenerator, label: str, key: str) -> str:
    def form(name: str) -> str:
        return name or "Any"

    options = ["", *CHOICES[key]]
    chosen: str = bound(
        place.selectbox, label, options, key=key, default="", form=form, format_func=form, on_change=changed
    )
    return chosen


def _name(view: View, place: DeltaGenerator, key: str, label: str, field: NamedField | None) -> str:
    if field is None:
        typed: str = bound(place.text_input, label, key=key, default="", on_change=changed, max_chars=_LONGEST)
        return typed.strip()

    def form(name: str) -> str:
        return formatting.visible(name) or "Any"

    held = str(st.session_state.get(key) or formatting.hidden(st.query_params.get(key) or ""))
    options = list(dict.fromkeys(["", *view.record.seen_names(field), held]))
    chosen: str | None = bound(
        place.selectbox,
        label,
        options,
        key=key,
        default="",
        form=form,
        format_func=form,
        accept_new_options=True,
        on_change=changed,
    )
    return (chosen or "").strip()[:_LONGEST]


def _pairs(excluded: list[str]) -> tuple[tuple[str, str], ...]:
    """What is to be left out, as fields and values; what names no field is left aside and said."""
    pairs = []
    for one in excluded:
        field, _, value = one.partition(":")
        if field in EXCLUDABLE and value:
            pairs.append((field, value))
        else:
            st.caption(
                f"“{formatting.visible(one)}” leaves nothing out: write a field and a value, such as kind:pull_repo. "
                f"Fields: {', '.join(EXCLUDABLE)}."
            )
    return tuple(pairs)


def _buttons() -> None:
    """Each filter that is set, as a button that takes it away."""
    held = address(*ALL_FILTERS)
    if not held:
        return
    labels = {**FACETS, **{name: label for name, label, _ in NAMES}, "hour": "Hour", "exclude": "Not"}
    with st.container(horizontal=True, key="ql-chips", vertical_alignment="center"):
        for name, value in held.items():
            for one in [value] if isinstance(value, str) else value:
                said = f"{labels.get(name, name.title())}: {widgets.shortened(one)}"
                st.button(
                    widgets.plain(said),
                    key=f"clear-{name}-{one}",
                    on_click=_clear,
                    args=(name, one),
                    icon=":material/close:",
                )
        st.button("Clear all", key="clear-filters", on_click=_clear_all, type="tertiary")


def _clear(name: str, value: str) -> None:
    held = st.session_state.get(name)
    st.session_state[name] = [one for one in held if formatting.visible(one) != value] if isinstance(held, list) else ""
    changed()


def _clear_all() -> None:
    for name in ALL_FILTERS:
        st.session_state[name] = [] if isinstance(st.session_state.get(name), list) else ""
    changed()
