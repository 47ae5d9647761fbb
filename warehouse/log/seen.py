"""The index of distinct values of a closed day or month, in a small file beside the events'. I/O: SQL for the writer.

One row per source, field, value and month: `days` is a mask of the days of the month (bit 0: the first), `events` how many
events have the value, `first_at` and `last_at` when. Sorted by field and value, so an exact look-up opens few pages.
"""

from __future__ import annotations

from quayledger.warehouse.schema import FULL_NAME

# Each field that can be looked up, and its expression over the view `events`.
FIELDS: dict[str, str] = {
    "actor": "actor",
    "kind": "kind",
    "namespace": "namespace",
    "repository": FULL_NAME,
    "tag": "tag",
    "digest": "digest",
    "ip": "ip",
    "user_agent": "user_agent",
}
_KEYS = "source_id, field, value, month"


def seen_sql(relation: str) -> str:
    """The index of a relation that has the columns of the view `events`."""
    parts = [
        f"SELECT source_id, '{field}' AS field, {value} AS value, CAST(date_trunc('month', day) AS DATE) AS month, "  # noqa: S608
        "bit_or(CAST(1 AS BIGINT) << (day(day) - 1)) AS days, count(*) AS events, min(occurred_at) AS first_at, "
        f"max(occurred_at) AS last_at FROM {relation} WHERE {value} IS NOT NULL GROUP BY ALL"
        for field, value in FIELDS.items()
    ]
    return " UNION ALL ".join(parts)


def write_sql(relation: str, target: str) -> str:
    """Writes the index of a file's events."""
    return f"COPY ({seen_sql(relation)} ORDER BY field, value) TO {target} ({_OPTIONS})"


def join_sql(files: str, target: str) -> str:
    """Writes the indexes of several files of a month as one."""
    return (
        f"COPY (SELECT {_KEYS}, bit_or(days) AS days, CAST(sum(events) AS BIGINT) AS events, min(first_at) AS first_at, "  # noqa: S608
        f"max(last_at) AS last_at FROM read_parquet({files}) GROUP BY {_KEYS} ORDER BY field, value) TO {target} ({_OPTIONS})"
    )


_OPTIONS = "FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 20480"
