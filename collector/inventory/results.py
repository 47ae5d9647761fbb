"""The results of a fetch as the warehouse's frames; and what is removed with an object that is gone. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import msgspec
import polars as pl

from quayledger.warehouse.catalog import FAMILIES, Type, family_of, series_of
from quayledger.warehouse.inventory.store import FamilyRows, SeriesRows

Row = Mapping[str, object]
Where = Mapping[str, str | int | None]
_LARGEST = 2**63


class Gone(msgspec.Struct, frozen=True, order=True):
    """An object that is there no more. `level`: organization | user | team | robot | application | repository | converted (a user
    that became an organization of the same name)."""

    level: str
    target: str


class FetchResult(msgspec.Struct, frozen=True):
    """What one fetch brought. `rejected`: why rows could not be read, one entry each, those of `families` and `series`
    aside; `gone`: objects that it showed to be there no more, whose parts go with them."""

    families: tuple[FamilyRows, ...] = ()
    series: tuple[SeriesRows, ...] = ()
    rejected: tuple[str, ...] = ()
    gone: tuple[Gone, ...] = ()

    @property
    def all_rejected(self) -> tuple[str, ...]:
        """Why rows could not be read or kept, one entry each."""
        families = (reason for one in self.families for reason in one.rejected)
        series = (reason for one in self.series for reason in one.rejected)
        return (*self.rejected, *families, *series)


def family_rows(family: str, authority: Where, rows: Iterable[Row], *, closes: bool = True) -> FamilyRows:
    """Rows of a family by the names of its columns, all of them. A row that cannot be kept is rejected with its reason."""
    frame, rejected = _frame(family, family_of(family).schema, rows)
    return FamilyRows(family, dict(authority), frame, closes, rejected=rejected)


def series_rows(series: str, rows: Iterable[Row]) -> SeriesRows:
    """Points of a series by the names of its columns, all of them. A row that cannot be kept is rejected with its reason."""
    frame, rejected = _frame(series, series_of(series).schema, rows)
    return SeriesRows(series, frame, rejected=rejected)


def _frame(name: str, schema: Mapping[str, Type], rows: Iterable[Row]) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """What comes from a registry may be a text that is no Unicode, or a number of any size: that row alone is left out."""
    kept: dict[str, list[object]] = {column: [] for column in schema}
    rejected = []
    for row in rows:
        if row.keys() != schema.keys():
            raise ValueError(f"a row of {name} has the columns {', '.join(row)}: it needs {', '.join(schema)}")
        problem = next((told for column, value in row.items() if (told := _problem(column, value))), "")
        if problem:
            rejected.append(problem)
            continue
        for column, value in row.items():
            kept[column].append(value)
    return pl.DataFrame(kept, schema=dict(schema)), tuple(rejected)


def _problem(column: str, value: object) -> str:
    """Why a value cannot be kept; '' where it can."""
    match value:
        case str() if not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError:
                return f"{column} is not valid Unicode"
        case bool():
            return ""
        case int() if not -_LARGEST <= value < _LARGEST:
            return f"{column} is larger than 64 bits"
        case float() if not math.isfinite(value):
            return f"{column} is not a finite number"
        case datetime() if value.tzinfo is None:
            return f"{column} has no time zone"
    return ""


def parts_of(gone: Gone) -> tuple[FamilyRows, ...]:
    """What goes with an object: nothing of it is left in any family."""
    match gone.level:
        case "organization" | "user":
            return _of_namespace(gone)
        case "converted":
            return (family_rows("users", {"username": gone.target}, ()), *_of_principal("user", gone.target))
        case "repository":
            namespace, _, repository = gone.target.partition("/")
            return _none_in({"namespace": namespace, "repository": repository})
        case "application":
            organization, _, client_id = gone.target.partition("/")
            return _none_in({"organization": organization, "client_id": client_id})
        case "team":
            organization, _, team = gone.target.partition("/")
            of_team = {"namespace": organization, "principal_kind": "team", "principal": team}
            return (
                family_rows("team_members", {"organization": organization, "team": team}, ()),
                family_rows("repository_permissions", of_team, ()),
            )
        case _:
            return _of_principal("robot", gone.target)


def _of_namespace(gone: Gone) -> tuple[FamilyRows, ...]:
    name = gone.target
    found = (*_none_in({"namespace": name}), *_none_in({"organization": name}))
    if gone.level == "user":
        found = (*found, family_rows("users", {"username": name}, ()), *_of_principal("user", name))
    return found


def _of_principal(kind: str, name: str) -> tuple[FamilyRows, ...]:
    found = (
        family_rows("repository_permissions", {"principal_kind": kind, "principal": name}, ()),
        family_rows("direct_access", {"principal": name}, ()),
        family_rows("team_members", {"member": name}, ()),
    )
    if kind == "robot":
        return (*found, family_rows("robot_federations", {"robot": name}, ()))
    return (*found, family_rows("organization_members", {"member": name}, ()))


def _none_in(authority: Mapping[str, str]) -> tuple[FamilyRows, ...]:
    """Empty rows for every family that has these columns."""
    return tuple(family_rows(family.name, authority, ()) for family in FAMILIES if set(authority) <= set(family.schema))


def vanished(level: str, before: Iterable[str], now: Sequence[str]) -> tuple[Gone, ...]:
    """Objects that were held and are listed no more."""
    left = set(now)
    return tuple(Gone(level, name) for name in sorted(set(before) - left))
