"""Rows: the items of a list, decoded one by one, so that a row that cannot be read is counted and does not affect the others.
No I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Annotated, Any, Generic, TypeVar, overload

import msgspec

from quayledger.collector.quay import lenient_json
from quayledger.collector.quay.errors import safe
from quayledger.collector.quay.lenient_json import UNREADABLE
from quayledger.collector.quay.times import Moment, instant

# Ids, sizes and counts as the ledger can store them; a row with a larger one is rejected, as any that cannot be read.
Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_T = TypeVar("_T")
_Row = TypeVar("_Row", covariant=True)
_Wire = TypeVar("_Wire")
Reader = Callable[[bytes], _T]
Items = tuple[msgspec.Raw, ...]


class RejectedRow(msgspec.Struct, frozen=True):
    """Why a row could not be read; the text contains none of the row's values."""

    reason: str


class Rows(msgspec.Struct, Generic[_Row], frozen=True):
    """A list as it was read: its rows (iterate, index or slice it) and those that could not be read."""

    rows: tuple[_Row, ...] = ()
    rejected: tuple[RejectedRow, ...] = ()

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
    """The names alone; None if Quay does not show them."""
    return None if found is None else tuple(one.name for one in found)


def reader(kind: type[_T]) -> Reader[_T]:
    """A reader of JSON as the struct `kind`: unknown fields are ignored, times may have any of Quay's formats. The reader
    raises msgspec.DecodeError."""
    decode = msgspec.json.Decoder(kind, dec_hook=_hook).decode

    def read(body: bytes) -> _T:
        try:
            return decode(body)
        except msgspec.ValidationError:
            raise
        except UNREADABLE:
            return decode(_encode(lenient_json.decode(bytes(body))))

    return read


def translated(kind: type[_Wire], convert: Callable[[_Wire], _T]) -> Reader[_T]:
    """A reader of JSON as the wire struct `kind`, converted by `convert`; a ValueError of `convert` counts as invalid JSON."""
    decode = reader(kind)

    def read(body: bytes) -> _T:
        wire = decode(body)
        try:
            return convert(wire)
        except ValueError as error:
            raise msgspec.ValidationError(str(error)) from None

    return read


def read_rows(label: str, found: Iterable[msgspec.Raw], read: Reader[_T]) -> Rows[_T]:
    """The rows that can be read, in order, and the others as rejects; `label` names the list."""
    rows: list[_T] = []
    rejected: list[RejectedRow] = []
    for raw in found:
        try:
            rows.append(read(raw))
        except UNREADABLE as error:
            rejected.append(RejectedRow(safe(f"{label}: {error}")))
    return Rows(tuple(rows), tuple(rejected))


def items(key: str | None) -> Reader[Items]:
    """A reader of the undecoded rows of the list under `key`, or of a bare list; an object keyed by name counts as the list of
    its values. The reader raises msgspec.DecodeError."""

    def read(body: bytes) -> Items:
        try:
            return read_fast(body)
        except msgspec.ValidationError:
            raise
        except UNREADABLE:
            rows = lenient_json.items(body) if key is None else lenient_json.split(body, key)[1]
            return tuple(msgspec.Raw(row) for row in rows)

    def read_fast(body: bytes) -> Items:
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
    # msgspec expects this error from a hook that does not know a type.
    raise NotImplementedError(f"no decoder for {kind}")


_encode = msgspec.json.Encoder().encode
_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_items: Reader[Items | dict[str, msgspec.Raw]] = msgspec.json.Decoder(
    tuple[msgspec.Raw, ...] | dict[str, msgspec.Raw]
).decode
