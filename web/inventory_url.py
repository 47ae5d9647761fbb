"""The browser front: what an address asks of the Inventory. Pure: query parameters to a value and back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

import msgspec

from quayledger.reports.errors import BadPeriod, UnknownFamily
from quayledger.reports.inventory.changes import chosen_families
from quayledger.reports.inventory.kinds import KINDS
from quayledger.reports.period import whole_days
from quayledger.web.url_state import choice, text_of

VIEWS = ("object", "changes", "coverage")
KIND_NAMES = tuple(kind.name for kind in KINDS)
ASK_PARAMS = ("view", "kind", "name", "day", "from", "to", "what", "steps", "source")
SPAN_DAYS = 7


class Ask(msgspec.Struct, frozen=True):
    """`view`: one of VIEWS. An object: its `kind` and `name`, as of the end of the UTC day `day` (None: now). Changes: `first`
    and `last` UTC day (None: the last week), `what` (names of areas and families, none are all), and every `steps`. Empty
    `sources`: all of them."""

    view: str = "object"
    kind: str = "user"
    name: str | None = None
    day: date | None = None
    first: date | None = None
    last: date | None = None
    what: tuple[str, ...] = ()
    steps: bool = False
    sources: tuple[str, ...] = ()

    def span(self, today: date) -> tuple[date, date]:
        """The days whose changes are asked for."""
        if self.first and self.last:
            return self.first, self.last
        return today - timedelta(days=SPAN_DAYS - 1), today


def read_ask(params: Mapping[str, str]) -> tuple[Ask, tuple[str, ...]]:
    """What an address asks for, and a sentence for each part of it that could not be used."""
    faults: list[str] = []
    first, last = _span(params, faults)
    ask = Ask(
        view=choice(params, "view", VIEWS, faults) or VIEWS[0],
        kind=choice(params, "kind", KIND_NAMES, faults) or KIND_NAMES[0],
        name=text_of(params, "name", faults),
        day=_day(params, "day", faults),
        first=first,
        last=last,
        what=_what(params, faults),
        steps=params.get("steps") == "1",
        sources=_names(params, "source", faults),
    )
    return ask, tuple(faults)


def write_ask(ask: Ask) -> dict[str, str]:
    """The parameters that `read_ask` reads back as the same; what is as by default is left out."""
    both = ask.first and ask.last
    said = {
        "view": ask.view if ask.view != VIEWS[0] else "",
        "kind": ask.kind if ask.kind != KIND_NAMES[0] else "",
        "name": ask.name or "",
        "day": ask.day.isoformat() if ask.day else "",
        "from": ask.first.isoformat() if ask.first and both else "",
        "to": ask.last.isoformat() if ask.last and both else "",
        "what": ",".join(ask.what),
        "steps": "1" if ask.steps else "",
        "source": ",".join(ask.sources),
    }
    return {name: value for name, value in said.items() if value}


def _names(params: Mapping[str, str], name: str, faults: list[str]) -> tuple[str, ...]:
    return tuple(one for one in (text_of(params, name, faults) or "").split(",") if one)


def _what(params: Mapping[str, str], faults: list[str]) -> tuple[str, ...]:
    names = _names(params, "what", faults)
    try:
        chosen_families(names)
    except UnknownFamily as error:
        faults.append(f"“what” was ignored: {error}.")
        return ()
    return names


def _day(params: Mapping[str, str], name: str, faults: list[str]) -> date | None:
    value = params.get(name)
    if value is None:
        return None
    try:
        day = date.fromisoformat(value)
        whole_days(day, day, "UTC")
    except (ValueError, BadPeriod):
        faults.append(f"“{name}” was ignored: it must be a day such as 2026-11-21.")
        return None
    return day


def _span(params: Mapping[str, str], faults: list[str]) -> tuple[date | None, date | None]:
    if "from" not in params and "to" not in params:
        return None, None
    first, last = _day(params, "from", faults), _day(params, "to", faults)
    try:
        if first and last:
            whole_days(first, last, "UTC")
            return first, last
        faults.append("“from” and “to” were ignored: both must be days such as 2026-11-21.")
    except BadPeriod as error:
        faults.append(f"The period was ignored: {error}.")
    return None, None
