"""The browser front: Inventory. What exists and who may do what, on any day; what changed; what of it is known."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec
import streamlit as st

from quayledger.reports import formatting
from quayledger.reports.errors import UnknownObject
from quayledger.reports.inventory.changes import AREAS, family_titles
from quayledger.reports.inventory.kinds import KINDS, NOTHING_READ
from quayledger.reports.model import Report
from quayledger.warehouse.errors import NotPublished
from quayledger.web import links, widgets
from quayledger.web.inventory_url import ASK_PARAMS, KIND_NAMES, Ask, read_ask, write_ask
from quayledger.web.record import Record
from quayledger.web.url_state import Bar, Query

_TABS = {"object": "Objects", "changes": "Changes", "coverage": "Coverage"}
_VIEW_OF = {label: view for view, label in _TABS.items()}
_KINDS = {str(kind.name): kind for kind in KINDS}
_ALL = ""
# Tables of few columns are not drawn across the whole page.
_WIDE = 5


def page() -> None:
    """Draw the page for the record that the app has opened."""
    record: Record = st.session_state["record"]
    ask, faults = read_ask(st.query_params.to_dict())
    widgets.ignored(faults)
    if not _is_there(record):
        return
    st.session_state["inventory-view"] = _TABS[ask.view]
    st.session_state.setdefault("inventory-turn", 0)
    tabs = st.tabs(list(_TABS.values()), key="inventory-view", on_change=_turned)
    for tab, draw in zip(tabs, (_object, _changes, _coverage), strict=True):
        if tab.open:
            with tab:
                draw(record, ask)


def _is_there(record: Record) -> bool:
    """Whether there is an inventory; else it is said what to do."""
    try:
        if record.has_inventory():
            return True
        told = f"{NOTHING_READ}. What it finds shows here as soon as it is published."
    except NotPublished as error:
        told = _sentence(formatting.visible(str(error)))
    st.subheader("No inventory yet", anchor=False)
    st.text(told)
    return False


def _object(record: Record, ask: Ask) -> None:
    _object_controls(record, ask)
    if not ask.name:
        _list(record, ask)
        return
    try:
        report = record.inventory_object(ask)
    except UnknownObject as error:
        st.text(_sentence(str(error)))
        return
    _events_of(ask)
    _report(record, report, f"inventory-{ask.kind}-{ask.name}")


def _list(record: Record, ask: Ask) -> None:
    """All objects of the kind; a click on one opens it."""
    report = record.inventory_list(ask)
    clicked = "Click on a line, or choose a name." if report.tables[0].total_rows else "None is known on that day."
    st.caption(f"{clicked} One that is gone can be typed.")
    row = _report(record, report, f"inventory-{ask.kind}s")
    if row is not None:
        _open(ask, row)


def _open(ask: Ask, row: dict[str, Any]) -> None:
    """The object of a line, by the address."""
    sources = (row["source_id"],) if "source_id" in row else ask.sources
    st.query_params.from_dict(_address(msgspec.structs.replace(ask, name=row["name"], sources=sources)))
    st.rerun()


def _address(ask: Ask) -> dict[str, str]:
    """The address as it is, with what is asked now."""
    others = {name: value for name, value in st.query_params.to_dict().items() if name not in ASK_PARAMS}
    return {**others, **write_ask(ask)}


def _object_controls(record: Record, ask: Ask) -> None:
    """Kind, name, day and source."""
    kind, name, day, source = st.columns([1.1, 3, 1.1, 1.2], vertical_alignment="bottom")
    kind.selectbox("Kind", KIND_NAMES, format_func=_title, **_control("kind", ask.kind, _kind_changed))
    today = record.published.published_at.date()
    day.date_input(
        "As of the end of (UTC)",
        format="YYYY-MM-DD",
        max_value=max(today, ask.day or today),
        help="Empty: as it is now",
        **_control("day", ask.day),
    )
    _source(source, record, ask)
    known = record.names(ask.kind, ask.day, ask.sources)
    name.selectbox(
        "Name",
        list(dict.fromkeys([*([ask.name] if ask.name else []), *known])),
        index=None,
        accept_new_options=True,
        format_func=formatting.visible,
        placeholder=f"Choose or type, such as {_KINDS[ask.kind].form}",
        **_control("name", ask.name),
    )


def _title(kind: str) -> str:
    return _KINDS[kind].title


def _events_of(ask: Ask) -> None:
    """A way to the log entries that name it."""
    name, bar = ask.name or "", Bar(sources=ask.sources)
    if ask.kind == "team" or not st.button(
        "Its events", key="inventory-events", icon=":material/list_alt:", type="tertiary"
    ):
        return
    if ask.kind == "organisation":
        links.to_events(msgspec.structs.replace(bar, namespace=name), Query())
    elif ask.kind == "tag":
        repository, _, tag = name.rpartition(":")
        links.to_events(bar, Query(repository=repository, tag=tag))
    elif ask.kind == "repository":
        links.to_events(bar, Query(repository=name))
    else:
        links.to_events(bar, Query(actor=name))


def _changes(record: Record, ask: Ask) -> None:
    first, last = ask.span(record.published.published_at.date())
    days, what, steps, source = st.columns([1.6, 2.6, 1, 1.2], vertical_alignment="bottom")
    days.date_input("From – to (UTC)", format="YYYY-MM-DD", max_value=None, **_control("days", (first, last)))
    titles = family_titles()
    what.multiselect(
        "What",
        list(titles),
        format_func=titles.__getitem__,
        placeholder="Everything",
        **_control("what", list(ask.what)),
    )
    steps.toggle("Every step", help="What came and went in between too", **_control("steps", ask.steps))
    _source(source, record, ask)
    _report(
        record,
        record.inventory_changes(ask),
        f"inventory-changes-{first}-{last}",
        collapsed=frozenset(name for name, _, _ in AREAS),
    )


def _coverage(record: Record, ask: Ask) -> None:
    _source(st.columns([1.2, 5])[0], record, ask)
    _report(record, record.inventory_coverage(ask.sources), "inventory-coverage")


def _source(place: st.delta_generator.DeltaGenerator, record: Record, ask: Ask) -> None:
    """A choice of one source or all; what the address names is among them even where the record does not know it."""
    known = record.sources()["source_id"].to_list()
    value = ",".join(ask.sources)
    options = list(dict.fromkeys([_ALL, *([value] if value else []), *known]))
    place.selectbox(
        "Source",
        options,
        format_func=lambda name: formatting.visible(name) or "All sources",
        **_control("source", value),
    )


def _report(
    record: Record, report: Report, name: str, *, collapsed: frozenset[str] = frozenset()
) -> dict[str, Any] | None:
    """The report: how much of it is known, its figures, its tables. Gives the row that was clicked on, if any."""
    row: dict[str, Any] | None = None
    aside = f"{report.period.label} · record of {formatting.moment(record.published.published_at)}"
    widgets.badge(report.trust, aside)
    widgets.metrics(report)
    for table in report.tables:
        if table.name in collapsed and not table.total_rows:
            continue
        widgets.title(table.title)
        wide = len(table.columns) > _WIDE
        row = widgets.picked(table, f"inventory-{report.id}-{table.name}", stretch=wide, order="by name") or row
    if quiet := [table.title for table in report.tables if table.name in collapsed and not table.total_rows]:
        st.caption(f"Nothing is known to have changed: {', '.join(quiet)}.")
    widgets.downloads(report, re.sub(r"[^A-Za-z0-9._-]+", "-", name))
    widgets.notes(report.notes)
    return row


def _control(name: str, value: object, changed: Callable[[int], None] | None = None) -> dict[str, Any]:
    """What makes a control one of the address: its value, and what to do when that is changed."""
    turn = st.session_state["inventory-turn"]
    key = f"inventory-{name}-{turn}"
    st.session_state[key] = value
    return {"key": key, "on_change": changed or _changed, "args": (turn,)}


def _turned() -> None:
    """Another tab was opened: say so in the address. Its controls are new ones: those that a browser still shows of the
    last time may tell what they were first of all."""
    st.session_state["inventory-turn"] += 1
    ask, _ = read_ask(st.query_params.to_dict())
    st.query_params.from_dict(_address(msgspec.structs.replace(ask, view=_opened())))


def _kind_changed(turn: int) -> None:
    """Another kind has other names."""
    _changed(turn, name=None)


def _changed(turn: int, **more: Any) -> None:
    """A control was changed: say so in the address. Only one of the tab that is open can have been. Half a range of days
    (one click so far) changes nothing yet."""
    ask, _ = read_ask(st.query_params.to_dict())
    if turn == st.session_state["inventory-turn"] and ask.view == _opened():
        st.query_params.from_dict(_address(msgspec.structs.replace(_from_controls(ask), **more)))


def _opened() -> str:
    """The view whose tab is open."""
    return _VIEW_OF[st.session_state["inventory-view"]]


def _from_controls(ask: Ask) -> Ask:
    """What the controls of the open tab say."""
    sources = tuple(name for name in (_value("source") or "").split(",") if name)
    if ask.view == "object":
        name = (_value("name") or "").strip() or None
        return msgspec.structs.replace(ask, kind=_value("kind"), name=name, day=_value("day"), sources=sources)
    if ask.view == "changes":
        days = _value("days")
        first, last = days if len(days) == 2 else (ask.first, ask.last)
        what, steps = tuple(_value("what")), _value("steps")
        return msgspec.structs.replace(ask, first=first, last=last, what=what, steps=steps, sources=sources)
    return msgspec.structs.replace(ask, sources=sources)


def _value(control: str) -> Any:
    return st.session_state[f"inventory-{control}-{st.session_state['inventory-turn']}"]


def _sentence(said: str) -> str:
    return f"{said[0].upper()}{said[1:]}."
