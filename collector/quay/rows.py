"""Rows: what a list holds, read one by one, so that an odd row is counted and does not cost the others. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar, overload

import msgspec

from quayledger.collector.quay.errors import safe
from quayledger.collector.quay.refusals import UNREADABLE
from quayledger.collector.quay.times import Moment, instant

_T = TypeVar("_T")
_Row = TypeVar("_Row", covariant=True)
_Wire = TypeVar("_Wire")
Reader = Callable[[bytes], _T]
Items = tuple[msgspec.Raw, ...]


class Reject(msgspec.Struct, frozen=True):
    """A row that could not be read, and why; the text holds nothing of the row's values."""

    reason: str


class Rows(msgspec.Struct, Generic[_Row], frozen=True):
    """A list as it was read: the rows, which it can be iterated and sliced by, and those that could not be read."""

    rows: tuple[_Row, ...] = ()
    rejected: tuple[Reject, ...] = ()

    def __iter__(self) -> Iterator[_Row]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, index: int) -> _Row: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[_Row, ...]: ...
    def __getitem__(self, index: int | slice) -> _Row | tuple[_Row, ...]:
        return self.rows[index]


class Named(msgspec.Struct, frozen=True):
    """An object of which only the name is kept."""

    name: str


def names(found: tuple[Named, ...] | None) -> tuple[str, ...] | None:
    """The names alone; None where Quay shows none at all."""
    return None if found is None else tuple(one.name for one in found)


def reader(kind: type[_T]) -> Reader[_T]:
    """Reads JSON as the struct `kind`: unknown fields are ignored, times may have any of Quay's forms. The reader raises
    msgspec.DecodeError."""
    return msgspec.json.Decoder(kind, dec_hook=_hook).decode


def translated(kind: type[_Wire], tell: Callable[[_Wire], _T]) -> Reader[_T]:
    """Reads JSON as the wire struct `kind` and tells it as what callers see; a ValueError of `tell` is the JSON's fault."""
    decode = reader(kind)

    def read(body: bytes) -> _T:
        wire = decode(body)
        try:
            return tell(wire)
        except ValueError as error:
            raise msgspec.ValidationError(str(error)) from None

    return read


def read_rows(label: str, found: Iterable[msgspec.Raw], read: Reader[_T]) -> Rows[_T]:
    """The rows that can be read, in their order, and the others as rejects; `label` says what they are rows of."""
    rows: list[_T] = []
    rejected: list[Reject] = []
    for raw in found:
        try:
            rows.append(read(raw))
        except UNREADABLE as error:
            rejected.append(Reject(safe(f"{label}: {error}")))
    return Rows(tuple(rows), tuple(rejected))


def items(key: str | None) -> Reader[Items]:
    """Reads JSON down to the undecoded rows of the list below `key`, or of a bare list; an object keyed by name is a list of
    its values. The reader raises msgspec.DecodeError."""

    def read(body: bytes) -> Items:
        if key is not None:
            members = _members(body)
            if key not in members:
                raise msgspec.ValidationError(f"Object missing required field `{key}`")
            body = members[key]
        return values(_items(body))

    return read


def values(found: Items | dict[str, msgspec.Raw]) -> Items:
    """The undecoded rows of a list, or of an object keyed by name."""
    return tuple(found.values()) if isinstance(found, dict) else found


def _hook(kind: type, value: Any) -> Any:
    if kind is Moment:
        return instant(value)
    # What msgspec wants of a hook for a type that is not its own.
    raise NotImplementedError(f"no wire form of {kind} is known")


_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_items: Reader[Items | dict[str, msgspec.Raw]] = msgspec.json.Decoder(
    tuple[msgspec.Raw, ...] | dict[str, msgspec.Raw]
).decode
