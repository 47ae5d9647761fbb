"""The usage rollup of a closed day or month: how often who did what, in a small file beside the events'. I/O.

One row per source, UTC day, kind, category, namespace, repository, actor, actor type, client and outcome. `events` counts
them; `am` and `pm` are masks of the quarters of an hour in which they occurred (bit n: the nth quarter of the UTC day's
first, second half), so that whoever counts distinct names in another time zone needs no event.
"""

from __future__ import annotations

KEYS = (
    "source_id",
    "day",
    "kind",
    "category",
    "namespace",
    "repository",
    "actor",
    "actor_type",
    "client",
    "outcome",
)
_KEYS = ", ".join(KEYS)
# The quarter of an hour of the UTC day, 0 to 95, whatever the session's time zone.
QUARTER = (
    "CAST(hour(timezone('UTC', occurred_at)) * 4 + minute(timezone('UTC', occurred_at)) // 15 AS INTEGER)"  # 1-9999 AD
)


def usage_sql(relation: str) -> str:
    """The rollup of a relation that has the columns of the view `events`."""
    return (
        f"SELECT {_KEYS}, bit_or(CASE WHEN quarter < 48 THEN CAST(1 AS BIGINT) << quarter ELSE 0 END) AS am, "  # noqa: S608
        "bit_or(CASE WHEN quarter >= 48 THEN CAST(1 AS BIGINT) << (quarter - 48) ELSE 0 END) AS pm, "
        f"count(*) AS events FROM (SELECT {_KEYS}, {QUARTER} AS quarter FROM {relation}) AS held GROUP BY {_KEYS}"
    )


def write_sql(relation: str, target: str) -> str:
    """Writes the rollup of a file's events."""
    return (
        f"COPY ({usage_sql(relation)} ORDER BY day, kind, namespace, repository, actor) TO {target} "
        "(FORMAT parquet, COMPRESSION zstd)"
    )


def join_sql(files: str, target: str) -> str:
    """Writes the rollups of several files, in their order, as one."""
    return f"COPY (SELECT * FROM read_parquet({files})) TO {target} (FORMAT parquet, COMPRESSION zstd)"  # noqa: S608
