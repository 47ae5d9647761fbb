"""The states of a UTC day, once: what each means, and how it is drawn in a page, a file and a terminal.

A group gathers states that people act on in the same way; its name is the colour family of its states."""

from __future__ import annotations

import msgspec

NOT_COLLECTED = "not collected"
UNREADABLE = "file damaged"
BEFORE_START = "before start"


class Group(msgspec.Struct, frozen=True):
    """States with one consequence. `label`: after a number of days, "3 incomplete"; `colour`: legible on light and dark ground;
    `glyph`: one character of a terminal."""

    name: str
    label: str
    colour: str
    glyph: str


class State(msgspec.Struct, frozen=True):
    """One state of a UTC day of a source. `ink`: the colour of text on its colour."""

    name: str
    group: str
    meaning: str
    colour: str
    glyph: str
    ink: str = "#ffffff"


# In the order in which they are listed; `WORST_FIRST` is the order in which they count.
GROUPS: tuple[Group, ...] = (
    Group("verified", "verified", "#2e8555", "█"),
    Group("open", "not closed yet", "#5b93cf", "▒"),
    Group("uncountable", "cannot be proven", "#7b8794", "?"),
    Group("short", "incomplete", "#c9781a", "▄"),
    Group("unreadable", "in a missing or damaged file", "#b8385a", "x"),
    Group("missing", "not collected", "#b9c2cc", "·"),
    Group("before", "before collection began", "#e3e8ed", "˙"),
)
_DARK = "#16202c"
STATES: tuple[State, ...] = (
    State("verified", "verified", "holds exactly as many events as Quay counted, kind by kind", "#2e8555", "█"),
    State("repaired", "verified", "verified after it was read in more than one way", "#8abf4d", "▓", _DARK),
    State(
        "with rejects",
        "short",
        "complete but for rows that could not be read as events; they are kept separately",
        "#b0a02c",
        "▚",
        _DARK,
    ),
    State("open", "open", "the day is not over", "#9cc4ec", "▒", _DARK),
    State("provisional", "open", "the day is over; its final count is still to come", "#4f86c6", "░"),
    State("short", "short", "Quay counted more events than could be read", "#d98826", "▄", _DARK),
    State("over", "short", "more events are held than Quay counted", "#8450ad", "▀"),
    State("uncountable", "uncountable", "Quay gives no count to compare with", "#6f7b88", "?"),
    State(
        "truncated",
        "short",
        "Quay once counted more events, and deleted them before they could be read",
        "#9c6f3f",
        "/",
    ),
    State(
        "rotated",
        "uncountable",
        "no older event was found at Quay: events of this day may have been deleted before it was first read",
        "#7a6f4f",
        "<",
    ),
    State(
        UNREADABLE,
        "unreadable",
        "collected, but the file with its events is missing or damaged: they are in no answer until it is put back",
        "#8f1f3f",
        "X",
    ),
    State("unavailable", "missing", "Quay refused access, or its log cannot be searched", "#b8385a", "!"),
    State("excluded", "missing", "left out by a setting", "#56616d", "x"),
    State(BEFORE_START, "before", "before the first day that this ledger was set to collect", "#e3e8ed", "˙", _DARK),
    State(NOT_COLLECTED, "missing", "this day was never collected", "#b9c2cc", "·", _DARK),
)
# What is before a source's first day says nothing against another source's day.
WORST_FIRST = ("unreadable", "missing", "short", "uncountable", "open", "verified", "before")
GROUP = {group.name: group for group in GROUPS}
_STATE = {state.name: state for state in STATES}
# A ledger that a newer version wrote may hold a state that this one does not know: never taken for a good one.
_UNKNOWN = State("", "short", "a state that this version does not know", "#9c6f3f", "¿")


def state_of(name: str) -> State:
    """The state of that name; one that is not known counts as incomplete."""
    return _STATE.get(name) or msgspec.structs.replace(_UNKNOWN, name=name)


def held(names: set[str]) -> tuple[State, ...]:
    """The states of these names in the order in which they are listed, unknown ones last."""
    known = [state for state in STATES if state.name in names]
    return (*known, *(state_of(name) for name in sorted(names - _STATE.keys())))
