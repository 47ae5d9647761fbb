"""Conditions: which rows of the inventory are wanted, as SQL with every value bound. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

Where = Mapping[str, str | int | None]
Values = dict[str, object]
# To be bound with `sources`: none are all.
OF_SOURCES = "(len($sources) = 0 OR list_contains($sources, source_id))"


def where_of(columns: Iterable[str], where: Where | None) -> tuple[str, Values]:
    """A condition that each of these columns has this value (null: none), and what to bind; `true` where nothing is asked.
    Raises ValueError for a column that is not among `columns`."""
    known, parts, values = set(columns), ["true"], Values()
    for name, value in (where or {}).items():
        if name not in known:
            raise ValueError(f"there is no column {name!r} to choose by: the columns are {', '.join(sorted(known))}")
        parts.append(f"{name} IS NULL" if value is None else f"{name} = $is_{name}")
        if value is not None:
            values[f"is_{name}"] = value
    return " AND ".join(parts), values


def of_sources(source_ids: Sequence[str]) -> Values:
    """What OF_SOURCES needs."""
    return {"sources": list(source_ids)}
