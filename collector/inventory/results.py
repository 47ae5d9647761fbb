"""What a look found, in the warehouse's frames; and what goes with an object that is gone. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec
import polars as pl

from quayledger.warehouse.catalog import FAMILIES, FAMILY, SERIES_BY_NAME
from quayledger.warehouse.inventory.store import Brought, Measured

Row = tuple[object, ...]


class Gone(msgspec.Struct, frozen=True, order=True):
    """An object that is there no more. `level`: organization | user | team | robot | repository | converted (a user
    that became an organisation of the same name)."""

    level: str
    target: str


class Found(msgspec.Struct, frozen=True):
    """What one look brought. `rejected`: why rows could not be read, one entry each. `gone`: objects that it showed to be
    there no more, whose parts go with them."""

    brought: tuple[Brought, ...] = ()
    measured: tuple[Measured, ...] = ()
    rejected: tuple[str, ...] = ()
    gone: tuple[Gone, ...] = ()


def brought(
    family: str, authority: Mapping[str, str | int | None], rows: Iterable[Row], *, closes: bool = True
) -> Brought:
    """Rows of a family, in the order of its declared columns."""
    return Brought(family, dict(authority), _frame(FAMILY[family].schema, rows), closes)


def measured(series: str, rows: Iterable[Row]) -> Measured:
    """Points of a series, in the order of its declared columns."""
    return Measured(series, _frame(SERIES_BY_NAME[series].schema, rows))


def _frame(schema: Mapping[str, pl.DataType | type[pl.DataType]], rows: Iterable[Row]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=dict(schema), orient="row")


def parts_of(gone: Gone) -> tuple[Brought, ...]:
    """What goes with an object: nothing of it is left in any family."""
    match gone.level:
        case "organization" | "user":
            return _of_namespace(gone)
        case "converted":
            return (brought("users", {"username": gone.target}, ()), *_of_principal("user", gone.target))
        case "repository":
            namespace, _, repository = gone.target.partition("/")
            return _none_in({"namespace": namespace, "repository": repository})
        case "team":
            organization, _, team = gone.target.partition("/")
            return (
                brought("team_members", {"organization": organization, "team": team}, ()),
                brought(
                    "repository_permissions",
                    {"namespace": organization, "principal_kind": "team", "principal": team},
                    (),
                ),
            )
        case _:
            return _of_principal("robot", gone.target)


def _of_namespace(gone: Gone) -> tuple[Brought, ...]:
    name = gone.target
    found = (*_none_in({"namespace": name}), *_none_in({"organization": name}))
    if gone.level == "user":
        found = (*found, brought("users", {"username": name}, ()), *_of_principal("user", name))
    return found


def _of_principal(kind: str, name: str) -> tuple[Brought, ...]:
    found = (
        brought("repository_permissions", {"principal_kind": kind, "principal": name}, ()),
        brought("direct_access", {"principal": name}, ()),
        brought("team_members", {"member": name}, ()),
    )
    if kind == "robot":
        return (*found, brought("robot_federations", {"robot": name}, ()))
    return (*found, brought("organization_members", {"member": name}, ()))


def _none_in(authority: Mapping[str, str]) -> tuple[Brought, ...]:
    """Empty rows for every family that has these columns."""
    return tuple(brought(family.name, authority, ()) for family in FAMILIES if set(authority) <= set(family.schema))


def vanished(level: str, before: Iterable[str], now: Sequence[str]) -> tuple[Gone, ...]:
    """Objects that were held and are told no more."""
    left = set(now)
    return tuple(Gone(level, name) for name in sorted(set(before) - left))
