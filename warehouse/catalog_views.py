"""The views of the catalog's families and series, generated from their declared schemas, since they are all alike. Pure.

A family's view `x` is what holds now; a series' view `x_now` is the newest point of each key that is
still there: what was deleted, or is called otherwise since, is not counted as present. They work in any DuckDB
client, without anything of ours.
"""

# ruff: noqa: S608 - SQL is put together from declared names; there are no values in it

from __future__ import annotations

from quayledger.warehouse.catalog import FAMILIES, SERIES, Family, Series


def inventory_views() -> dict[str, str]:
    """The text of each view by its name: a comment that says its grain, then one SELECT."""
    return {family.name: _current(family) for family in FAMILIES} | {
        f"{series.name}_now": _newest(series) for series in SERIES
    }


def grains() -> dict[str, tuple[str, ...]]:
    """The columns of which each view has one row per combination."""
    return {family.name: ("source_id", *family.key) for family in FAMILIES} | {
        f"{series.name}_now": ("source_id", *series.key) for series in SERIES
    }


def _current(family: Family) -> str:
    columns = ", ".join(("source_id", *family.schema, "from_at", "after_at", "first_seen_at", "from_run"))
    return f"-- {family.one_row} As it is now.\nSELECT {columns}\nFROM {family.table}\nWHERE to_at IS NULL"


def _newest(series: Series) -> str:
    columns = ", ".join(("source_id", *series.schema, "measured_at", "run_id"))
    key = ", ".join(("source_id", *series.key))
    listed = "\n    UNION ALL ".join(
        f"SELECT source_id, {', '.join(f'{one.key[name]} AS {name}' for name in series.key)} FROM {one.view}"
        for one in series.presence
    )
    there = f"\nSEMI JOIN (\n    {listed}\n) AS there USING ({key})" if listed else ""
    only = " that is still there" if listed else ""
    return (
        f"-- {series.one_row} The newest of each{only}.\nSELECT {columns}\nFROM {series.name}\n"
        f"JOIN (SELECT {key}, max(measured_at) AS measured_at FROM {series.name} GROUP BY ALL) AS newest\n"
        f"    USING ({key}, measured_at){there}"
    )
