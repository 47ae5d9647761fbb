"""What of the inventory is unknown, grouped by reason, with what can be done about it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import polars as pl

from quayledger.reports.inventory import columns
from quayledger.reports.inventory.knowledge import MEANINGS, Part, Unknown, advice, short
from quayledger.reports.model import Table
from quayledger.warehouse.catalog import Type
from quayledger.warehouse.schema import UTC_MICROSECONDS

_SCHEMA: dict[str, Type] = {
    "source_id": pl.String,
    "state": pl.String,
    "targets": pl.Int64,
    "todo": pl.String,
    "queries": pl.String,
    "example": pl.String,
    "reason": pl.String,
    "since": UTC_MICROSECONDS,
}
_LABELS = {"todo": "What to do", "state": "Why", "queries": "What"}


class _Group(msgspec.Struct):
    """Looks that ended alike and ask for the same, with an example of the one that has most such targets."""

    queries: list[str] = []
    unknown: list[Unknown] = []


def table(name: str, parts: Sequence[Part], *, several: bool, top: int = 0) -> Table:
    """One row per reason, those of most targets first."""
    groups: dict[tuple[str, str, str], _Group] = {}
    for part in parts:
        for one in part.unknown:
            group = groups.setdefault((part.source_id, one.state, advice(part.query, one.state)), _Group())
            group.queries.append(part.query.replace("_", " "))
            group.unknown.append(one)
    rows = [_row(source, state, todo, group) for (source, state, todo), group in groups.items()]
    frame = pl.DataFrame(rows, schema=_SCHEMA, orient="row").sort("source_id", -pl.col("targets"), "state", "todo")
    names = [one for one in _SCHEMA if several or one != "source_id"]
    title, empty = "What is unknown, and why", "everything was read"
    return columns.table(name, title, frame, names, top=top, empty=empty, labels=_LABELS)


def _row(source_id: str, state: str, todo: str, group: _Group) -> tuple[object, ...]:
    example = max(group.unknown, key=lambda one: one.targets)
    targets = sum(one.targets for one in group.unknown)
    reason = short(example.reason) or None
    return (
        source_id,
        MEANINGS.get(state, state),
        targets,
        todo,
        ", ".join(group.queries),
        example.example,
        reason,
        example.since,
    )
