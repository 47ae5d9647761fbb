"""Trust: how far a report can be relied on, whatever it was made of: days of the log or parts of the
inventory."""

from __future__ import annotations

from typing import Literal

import msgspec

Level = Literal["good", "open", "warning", "bad"]
# Colours of a level as text, on light and on dark ground; each has a contrast of at least 4.5 : 1 there.
LEVEL_COLOURS: dict[Level, tuple[str, str]] = {
    "good": ("#1d7044", "#5fbf8a"),
    "open": ("#2c6aa8", "#7db4ea"),
    "warning": ("#8f5600", "#e5a941"),
    "bad": ("#ad2748", "#f07f96"),
}


class Detail(msgspec.Struct, frozen=True):
    """One thing that a trust is made of: `18 days` `verified`, and what that means. `label` may come from a registry."""

    number: int
    noun: str
    label: str
    meaning: str = ""


class Trust(msgspec.Struct, frozen=True):
    """How complete a report is. `text` says it in a line; `level` how much weight a reader should give it; `details` what it
    is made of."""

    text: str
    level: Level
    details: tuple[Detail, ...] = ()
