"""The simulator's entries: how facts before and after differ, as an inventory should tell it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from quayledger.simulator.facts.table import FAMILIES
from quayledger.simulator.facts.view import Facts, Key, as_object


class Entry(msgspec.Struct, omit_defaults=True):
    """One difference of one object. `change`: appeared | vanished | changed | renamed | measured; the last three name the
    column with its values before and after; `became`: the whole key of what was renamed, as it is now. `kind`: of the row that tells of it; `logged` false: no row does."""

    family: str
    change: str
    object: dict[str, Any]
    at: str
    logged: bool = msgspec.field(default=True)
    kind: str = ""
    column: str = ""
    became: dict[str, Any] = msgspec.field(default_factory=dict)
    before: Any = msgspec.UNSET
    after: Any = msgspec.UNSET

    def told(self) -> dict[str, Any]:
        """As JSON, with `logged` in any case."""
        body: dict[str, Any] = {
            "family": self.family,
            "change": self.change,
            "object": self.object,
            "at": self.at,
            "logged": self.logged,
        }
        for name in ("kind", "column", "became"):
            if getattr(self, name):
                body[name] = getattr(self, name)
        if self.before is not msgspec.UNSET:
            body |= {"before": self.before, "after": self.after}
        return body


def differences(before: Facts, after: Facts, at: str, kind: str, rename: tuple[str, str] | None) -> Iterator[Entry]:
    """Every difference. `rename`: the names of an account that is called otherwise now; what differs by that alone is not
    told again, and measurements keep the name they were taken under."""
    for family in FAMILIES:
        for entry in _of_family(family, before[family], after[family], rename):
            entry.at, entry.kind, entry.logged = at, kind, bool(kind)
            yield entry


def _of_family(
    family: str, before: dict[Key, dict[str, Any]], after: dict[Key, dict[str, Any]], rename: tuple[str, str] | None
) -> Iterator[Entry]:
    told = FAMILIES[family]
    successors = {key: _renamed(key, rename) for key in before if key not in after} if rename else {}
    for key, values in before.items():
        named = key if key in after else successors.get(key, key)
        if named not in after:
            if not told.measured:
                yield Entry(family, "vanished", dict(as_object(told.columns, key)), "")
            continue
        if named != key and not told.measured:
            yield _rename(family, key, named)
        for column, was in values.items():
            is_now = after[named].get(column)
            if was != is_now and _renamed((was,), rename) != (is_now,):
                yield _with_values(family, "measured" if told.measured else "changed", named, column, was, is_now)
    taken = set(successors.values())
    for key, values in after.items():
        if key not in before and key not in taken:
            yield from _new(family, key, values)


def _new(family: str, key: Key, values: dict[str, Any]) -> Iterator[Entry]:
    """Of a series each value that there is; of a family that the object is there."""
    told = FAMILIES[family]
    if not told.measured:
        yield Entry(family, "appeared", dict(as_object(told.columns, key)), "")
        return
    for column, value in values.items():
        if value is not None:
            yield _with_values(family, "measured", key, column, None, value)


def _with_values(family: str, change: str, key: Key, column: str, was: Any, is_now: Any) -> Entry:
    named = dict(as_object(FAMILIES[family].columns, key))
    return Entry(family, change, named, "", column=column, before=was, after=is_now)


def _rename(family: str, key: Key, successor: Key) -> Entry:
    """Told of the first column that holds another name now."""
    columns = FAMILIES[family].columns
    at = next(n for n, (old, new) in enumerate(zip(key, successor, strict=True)) if old != new)
    entry = _with_values(family, "renamed", key, columns[at], key[at], successor[at])
    entry.became = dict(as_object(columns, successor))
    return entry


def _renamed(key: Key, rename: tuple[str, str] | None) -> Key:
    if rename is None:
        return key
    old, new = rename
    return tuple(
        new
        if part == old
        else f"{new}{part[len(old) :]}"
        if isinstance(part, str) and part.startswith(f"{old}+")
        else part
        for part in key
    )


def net(entries: list[Entry]) -> list[Entry]:
    """Without what was undone again: an object's appearing and vanishing, and what changed in between; several changes of
    one column become one."""
    by_object: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        by_object.setdefault((entry.family, repr(sorted(entry.object.items(), key=str))), []).append(entry)
    kept = {id(entry) for told in by_object.values() for entry in _net_of_object(told)}
    return [entry for entry in entries if id(entry) in kept]


def _net_of_object(told: list[Entry]) -> list[Entry]:
    came = [entry for entry in told if entry.change == "appeared"]
    went = [entry for entry in told if entry.change == "vanished"]
    if came and went:
        return [] if told.index(came[0]) < told.index(went[-1]) else told
    if came or went:
        return (came or went)[:1] + [entry for entry in told if entry.change == "renamed"]
    columns: dict[tuple[str, str], list[Entry]] = {}
    for entry in told:
        columns.setdefault((entry.change, entry.column), []).append(entry)
    merged = []
    for (change, _), several in columns.items():
        last = several[-1]
        if change != "renamed":
            last.before = several[0].before
        if change == "renamed" or last.before != last.after:
            merged.append(last)
    return merged
