"""What the tests of the inventory share: fetches in few words, and copies to read them from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from quayledger.warehouse.catalog import FAMILIES, FAMILY, SERIES, SERIES_BY_NAME, Type
from quayledger.warehouse.inventory.store import FamilyRows, Fetch, FetchState, SeriesRows
from quayledger.warehouse.ledger import Ledger
from quayledger.warehouse.publish import publish
from quayledger.warehouse.snapshot import Snapshot
from tests.warehouse.sample import SOURCE

BEGIN = datetime(2026, 11, 1, 9, tzinfo=UTC)
Row = tuple[Any, ...]


def at(hours: float) -> datetime:
    """So many hours after BEGIN."""
    return BEGIN + timedelta(hours=hours)


def brought(family: str, authority: Mapping[str, Any], rows: Iterable[Row], *, closes: bool = True) -> FamilyRows:
    """Rows in the order of the family's columns; what is left out at the end is null."""
    schema = dict(FAMILY[family].schema)
    full = [(*row, *(None,) * (len(schema) - len(row))) for row in rows]
    return FamilyRows(family, authority, pl.DataFrame(full, schema=schema, orient="row"), closes)


def measured(series: str, rows: Iterable[Row]) -> SeriesRows:
    """Points in the order of the series' columns; what is left out at the end is null."""
    schema = dict(SERIES_BY_NAME[series].schema)
    full = [(*row, *(None,) * (len(schema) - len(row))) for row in rows]
    return SeriesRows(series, pl.DataFrame(full, schema=schema, orient="row"))


def fetch(
    hours: float,
    *told: FamilyRows | SeriesRows,
    name: str = "list",
    target: str = "",
    state: FetchState = "ok",
    caused: float | None = None,
    source_id: str = SOURCE,
) -> Fetch:
    """A fetch so many hours after BEGIN."""
    return Fetch(
        source_id=source_id,
        query=name,
        target=target,
        state=state,
        reason="" if state == "ok" else f"it was {state}",
        fetched_at=at(hours),
        requests=1,
        rejected_rows=0,
        caused_at=None if caused is None else at(caused),
        families=tuple(one for one in told if isinstance(one, FamilyRows)),
        series=tuple(one for one in told if isinstance(one, SeriesRows)),
    )


# What the points of `everything` measure: a namespace and a robot that are among its objects.
_OF_OBJECTS = {"level": "namespace", "repository": "", "subject_kind": "robot"}


def everything(hours: float, text: str, *, source_id: str = SOURCE) -> Fetch:
    """A fetch that brings one object of every family and one point of every series of these objects, whose texts are all
    `text`."""
    values = {pl.String: text, pl.Boolean: True, pl.Int64: 7, pl.Float64: 0.5, pl.Date: BEGIN.date()}
    return fetch(
        hours,
        *(brought(one.name, {}, [_made(one.schema, values)]) for one in FAMILIES),
        *(measured(one.name, [_made(one.schema, values, _OF_OBJECTS)]) for one in SERIES),
        source_id=source_id,
    )


def _made(schema: Mapping[str, Type], values: Mapping[Any, Any], fixed: Mapping[str, str] | None = None) -> Row:
    return tuple((fixed or {}).get(name, values.get(kind, BEGIN)) for name, kind in schema.items())


def published(ledger: Ledger, hours: float = 1000) -> Snapshot:
    """A copy of the ledger as it is, published so many hours after BEGIN."""
    publish(ledger, keep=2, now=at(hours))
    return Snapshot.open(ledger.home)
