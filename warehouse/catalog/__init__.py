"""The catalog: what the inventory keeps, requests and requests again, declared once for collector, warehouse and reports. Pure.

`families`: what is kept over time and what is measured; `queries`: what is asked of Quay; `event_effects`: which queries
each kind of event makes stale. A new family or query is one entry here and one reader in the collector.
"""

from __future__ import annotations

from quayledger.warehouse.catalog.families import (
    FAMILIES,
    FAMILY,
    INTERVAL_COLUMNS,
    SERIES,
    SERIES_BY_NAME,
    Family,
    Series,
    Type,
    family_of,
    series_of,
)
from quayledger.warehouse.catalog.queries import QUERIES, QUERY, Query

__all__ = [
    "FAMILIES",
    "FAMILY",
    "INTERVAL_COLUMNS",
    "QUERIES",
    "QUERY",
    "SERIES",
    "SERIES_BY_NAME",
    "Family",
    "Query",
    "Series",
    "Type",
    "family_of",
    "series_of",
]
