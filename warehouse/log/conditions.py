"""Conditions on events as values: what somebody's rule asks of one event, and of several within a window of time. Pure.

A condition on a field that an event does not have does not hold, and its negation does: nothing is unknown."""

from __future__ import annotations

from typing import Literal

import msgspec

# The columns of `events` that conditions may name; besides them any `metadata.KEY`, with dots for what lies deeper.
FIELDS = (
    "event_id",
    "source_id",
    "kind",
    "category",
    "actor",
    "actor_type",
    "credential",
    "ip",
    "user_agent",
    "client",
    "namespace",
    "namespace_kind",
    "repository",
    "tag",
    "digest",
    "outcome",
)
METADATA = "metadata."
Operator = Literal["<", "<=", ">", ">=", "=", "<>"]
TimePart = Literal["minute", "hour", "day", "week", "month", "year"]


class Like(msgspec.Struct, frozen=True):
    """The field's text matches: parts of text, `*` for any text and `?` for one character between them. `field` None: any of the
    event's texts contains it."""

    field: str | None
    parts: tuple[tuple[Literal["text", "*", "?"], str], ...]
    is_cased: bool = False


class Regex(msgspec.Struct, frozen=True):
    """The field's text contains a match of an RE2 expression. `flags`: of i, m, s."""

    field: str | None
    pattern: str
    flags: str = ""


class Number(msgspec.Struct, frozen=True):
    """The field is a number that compares so."""

    field: str
    operator: Operator
    number: float


class Within(msgspec.Struct, frozen=True):
    """The field is an address of a network, in CIDR notation."""

    field: str
    network: str


class Exists(msgspec.Struct, frozen=True):
    """The event has the field, or not."""

    field: str
    exists: bool = True


class SameAs(msgspec.Struct, frozen=True):
    """The field's text is that of another field; with `prefix` or `suffix` begins or ends with it, with both contains it."""

    field: str
    other: str
    prefix: bool = False
    suffix: bool = False


class At(msgspec.Struct, frozen=True):
    """A part of the time at which the event happened, in UTC."""

    part: TimePart
    number: int


class Not(msgspec.Struct, frozen=True):
    """The condition does not hold."""

    condition: Condition


class All(msgspec.Struct, frozen=True):
    """All hold."""

    conditions: tuple[Condition, ...]


class Any(msgspec.Struct, frozen=True):
    """At least one holds."""

    conditions: tuple[Condition, ...]


Condition = Like | Regex | Number | Within | Exists | SameAs | At | Not | All | Any
Correlated = Literal["event_count", "value_count", "temporal", "temporal_ordered"]


class Correlation(msgspec.Struct, frozen=True):
    """Events of one or several conditions within a window that slides over the time: at an event, the window is the `seconds` up to
    it, both ends included.

    Its events are those with equal `group_by`; one without any of these fields belongs to no group. `group_by`: per condition the fields
    to group by, in one order. event_count: the number of events compares so; value_count: of distinct values of `value` (per condition
    its field; events without it do not count); temporal: of conditions that are met; temporal_ordered: all conditions are met, one
    after the other or at once, and only an event of the last one ends it."""

    kind: Correlated
    conditions: tuple[Condition, ...]
    group_by: tuple[tuple[str, ...], ...]
    seconds: int
    operator: Operator = ">="
    number: float = 1
    value: tuple[str, ...] = ()


def is_field(name: str) -> bool:
    """Whether conditions may name a field."""
    return name in FIELDS or (name.startswith(METADATA) and len(name) > len(METADATA))
