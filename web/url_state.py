"""The browser front: what an address says. Pure: query parameters to values and back, so that a link gives the same
view."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime

import msgspec

from quayledger.reports.errors import BadPeriod
from quayledger.reports.formatting import visible
from quayledger.reports.period import DEFAULT_PRESET, PRESETS, Period, parse, time_zones, whole_days
from quayledger.warehouse.log.events import EventFilter

CUSTOM = "custom"
MAX_LENGTH = 300
ACTOR_TYPES = ("user", "robot", "token", "anonymous", "system")
# Parameter of the address and label on the page; each is a field of EventFilter that is compared as it is.
TEXT_FILTERS: tuple[tuple[str, str], ...] = (
    ("kind", "Kind"),
    ("actor", "Account"),
    ("repository", "Repository"),
    ("ip", "IP address"),
    ("tag", "Tag"),
    ("digest", "Digest"),
    ("client", "Client"),
    ("user_agent", "User agent contains"),
    ("text", "Any text"),
)
_PRESET_NAMES = tuple(name for name, _ in PRESETS)


class Bar(msgspec.Struct, frozen=True):
    """The bar common to all pages. `span` is a preset's name or `custom`, and then `first` and `last` are local days,
    both included. Empty `sources`: all of them."""

    span: str = DEFAULT_PRESET
    first: date | None = None
    last: date | None = None
    compare: bool = True
    namespace: str | None = None
    sources: tuple[str, ...] = ()
    time_zone: str = "UTC"

    def period(self, now: datetime) -> Period:
        """The period at `now` (aware). Raises BadPeriod for custom days that are no period."""
        if self.span == CUSTOM and self.first and self.last:
            return whole_days(self.first, self.last, self.time_zone)
        return parse(self.span if self.span != CUSTOM else DEFAULT_PRESET, self.time_zone, now)


class Query(msgspec.Struct, frozen=True):
    """What the Events page is narrowed to, beside the bar. `weekday` (Monday is 1) and `hour` are local and come
    together."""

    kind: str | None = None
    actor: str | None = None
    actor_type: str | None = None
    repository: str | None = None
    ip: str | None = None
    tag: str | None = None
    digest: str | None = None
    client: str | None = None
    user_agent: str | None = None
    text: str | None = None
    weekday: int | None = None
    hour: int | None = None
    page: int = 1

    def where(self, period: Period, bar: Bar) -> EventFilter:
        """The filter for the warehouse."""
        return EventFilter(
            since=period.since,
            until=period.until,
            source_ids=bar.sources,
            kinds=(self.kind,) if self.kind else (),
            namespace=bar.namespace,
            repository=self.repository,
            actor=self.actor,
            actor_type=self.actor_type,
            ip=self.ip,
            tag=self.tag,
            digest=self.digest,
            client=self.client,
            user_agent=self.user_agent,
            text=self.text,
        )


def read_bar(params: Mapping[str, str], now: datetime, default: str = DEFAULT_PRESET) -> tuple[Bar, tuple[str, ...]]:
    """The bar that an address asks for, and a sentence for each part of it that could not be used. `default`: the preset of
    the page where the address names no range."""
    faults: list[str] = []
    bar = Bar(
        span=default,
        compare=params.get("compare", "1") != "0",
        namespace=text_of(params, "namespace", faults),
        sources=tuple(name for name in (text_of(params, "source", faults) or "").split(",") if name),
        time_zone=choice(params, "tz", time_zones(), faults) or "UTC",
    )
    bar = _read_span(params, bar, faults)
    try:
        bar.period(now)
    except BadPeriod as error:
        faults.append(f"The period was ignored: {error}.")
        bar = msgspec.structs.replace(bar, span=default, first=None, last=None)
    return bar, tuple(faults)


def _read_span(params: Mapping[str, str], bar: Bar, faults: list[str]) -> Bar:
    if "from" not in params and "to" not in params:
        return msgspec.structs.replace(bar, span=choice(params, "range", _PRESET_NAMES, faults) or bar.span)
    try:
        first, last = (date.fromisoformat(params.get(name, "")) for name in ("from", "to"))
    except ValueError:
        faults.append("“from” and “to” were ignored: both must be days such as 2026-11-21.")
        return bar
    return msgspec.structs.replace(bar, span=CUSTOM, first=first, last=last)


def write_bar(bar: Bar, default: str = DEFAULT_PRESET) -> dict[str, str]:
    """The parameters that `read_bar` reads back as the same bar on a page of that default; what is as by default is left
    out."""
    params: dict[str, str] = {}
    if bar.span == CUSTOM and bar.first and bar.last:
        params.update({"from": bar.first.isoformat(), "to": bar.last.isoformat()})
    elif bar.span not in (default, CUSTOM):
        params["range"] = bar.span
    if not bar.compare:
        params["compare"] = "0"
    if bar.namespace:
        params["namespace"] = bar.namespace
    if bar.sources:
        params["source"] = ",".join(bar.sources)
    if bar.time_zone != "UTC":
        params["tz"] = bar.time_zone
    return params


def read_query(params: Mapping[str, str]) -> tuple[Query, tuple[str, ...]]:
    """What the address narrows events to, and a sentence for each part that could not be used."""
    faults: list[str] = []
    texts = {name: text_of(params, name, faults) for name, _ in TEXT_FILTERS}
    weekday, hour = _number(params, "weekday", 1, 7, faults), _number(params, "hour", 0, 23, faults)
    together = weekday is not None and hour is not None
    query = Query(
        **texts,
        actor_type=choice(params, "actor_type", ACTOR_TYPES, faults),
        weekday=weekday if together else None,
        hour=hour if together else None,
        page=_number(params, "page", 1, 10_000_000, faults) or 1,
    )
    return query, tuple(faults)


def write_query(query: Query) -> dict[str, str]:
    """The parameters that `read_query` reads back as the same query."""
    fields = msgspec.structs.asdict(query)
    return {name: str(value) for name, value in fields.items() if value is not None and (name, value) != ("page", 1)}


BAR_PARAMS = ("range", "from", "to", "compare", "namespace", "source", "tz")
QUERY_PARAMS = Query.__struct_fields__


def text_of(params: Mapping[str, str], name: str, faults: list[str]) -> str | None:
    """The text that the address gives; None, and a fault, where it has what cannot be seen or is too long."""
    value = params.get(name, "").strip()
    if len(value) > MAX_LENGTH or visible(value) != value:
        faults.append(f"“{name}” was ignored: at most {MAX_LENGTH} visible characters.")
        return None
    return value or None


def choice(params: Mapping[str, str], name: str, known: tuple[str, ...], faults: list[str]) -> str | None:
    """What the address chooses of what there is; None, and a fault, where that is none of it."""
    value = params.get(name)
    if value is None or value in known:
        return value
    faults.append(f"“{name}” was ignored: {visible(value[:60])!r} is none of its values.")
    return None


def _number(params: Mapping[str, str], name: str, least: int, most: int, faults: list[str]) -> int | None:
    value = params.get(name)
    if value is None:
        return None
    if value.isascii() and value.isdigit() and len(value) < 9 and least <= int(value) <= most:
        return int(value)
    faults.append(f"“{name}” was ignored: it must be a number from {least} to {most:,}.")
    return None
