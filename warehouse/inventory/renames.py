"""Renames: the present names of accounts, in rows that have their old names. A robot goes by
its account's name, so it is renamed with it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec
import polars as pl

from quayledger.warehouse.inventory.query import ask
from quayledger.warehouse.inventory.where import OF_SOURCES, Values, of_sources
from quayledger.warehouse.ledger import utc
from quayledger.warehouse.schema import UTC_MICROSECONDS
from quayledger.warehouse.snapshot import Snapshot

_EVER = datetime(1, 1, 1, tzinfo=UTC)
# What Quay deletes it calls by a UUID first: that is an end, not a new name.
_DELETED = "org_delete"
# The renames as a table, to be joined with WITH_RENAMES; to be bound with `rename_values`.
RENAMED = """renamed AS (
    SELECT unnest(CAST($renamed_source AS VARCHAR[])) AS source_id, unnest(CAST($renamed_old AS VARCHAR[])) AS old_name,
        unnest(CAST($renamed_new AS VARCHAR[])) AS new_name, unnest(CAST($renamed_since AS TIMESTAMPTZ[])) AS since_at,
        unnest(CAST($renamed_at AS TIMESTAMPTZ[])) AS until_at
)"""


class Rename(msgspec.Struct, frozen=True):
    """An account that was called `old_name` from `since_at` (the rename before of another account of that name) until
    `renamed_at`, and `new_name` from then on; `now_called`: its name after all renames that were asked for."""

    source_id: str
    account_kind: str
    old_name: str
    new_name: str
    since_at: datetime
    renamed_at: datetime
    now_called: str
    run_id: int


def renames(
    snap: Snapshot, source_ids: Sequence[str] = (), since: datetime | None = None, until: datetime | None = None
) -> list[Rename]:
    """The renames after `since` and by `until` (None: all), oldest first."""
    found = ask(
        snap,
        "SELECT source_id, account_kind, old_name, new_name, renamed_at, min(run_id) AS run_id FROM renames "  # noqa: S608
        f"WHERE {OF_SOURCES} AND cause <> $deleted AND ($since IS NULL OR renamed_at > $since) "
        "AND ($until IS NULL OR renamed_at <= $until) AND old_name <> new_name "
        "GROUP BY ALL ORDER BY renamed_at, source_id, old_name",
        of_sources(source_ids) | {"deleted": _DELETED, "since": since, "until": until},
    )
    rows = [(source, kind, old, new, utc(at) or at, run) for source, kind, old, new, at, run in found.iter_rows()]
    return [
        Rename(source, kind, old, new, _since(rows[:place], source, old), at, _now_called(rows[place:]), run)
        for place, (source, kind, old, new, at, run) in enumerate(rows)
    ]


_Row = tuple[str, str, str, str, datetime, int]


def _since(earlier: Sequence[_Row], source_id: str, name: str) -> datetime:
    return max((at for source, _, old, _, at, _ in earlier if (source, old) == (source_id, name)), default=_EVER)


def _now_called(rows: Sequence[_Row]) -> str:
    """Where the first of the renames leads to by those after it."""
    source_id, _, _, name, _, _ = rows[0]
    for source, _, old, new, _, _ in rows[1:]:
        if (source, old) == (source_id, name):
            name = new
    return name


def rename_values(found: Sequence[Rename]) -> Values:
    """What RENAMED needs."""
    return {
        "renamed_source": [one.source_id for one in found],
        "renamed_old": [one.old_name for one in found],
        "renamed_new": [one.now_called for one in found],
        "renamed_since": [one.since_at for one in found],
        "renamed_at": [one.renamed_at for one in found],
    }


def join_renamed(alias: str, rows: str, name: str, moment: str) -> str:
    """A join of RENAMED as `alias` for the account that `rows`.`name` tells at `rows`.`moment`; expressions are SQL."""
    return (
        f"LEFT JOIN renamed AS {alias} ON {alias}.source_id = {rows}.source_id "
        f"AND {alias}.old_name = split_part({name}, '+', 1) AND {moment} >= {alias}.since_at AND {moment} < {alias}.until_at"
    )


def new_name(alias: str, name: str) -> str:
    """What the account, or the robot, is called now: SQL, after `join_renamed`."""
    return f"coalesce({alias}.new_name || substr({name}, length({alias}.old_name) + 1), {name})"


def with_new_names(frame: pl.DataFrame, columns: Sequence[str], moment: str, found: Sequence[Rename]) -> pl.DataFrame:
    """The frame with the accounts in these columns by their new names, where they were renamed after `moment`, a column;
    `is_renamed`: whether a row tells such an account."""
    frame = frame.with_columns(pl.lit(False).alias("is_renamed"))
    if not found or frame.is_empty():
        return frame
    table = pl.DataFrame(
        [(one.source_id, one.old_name, one.now_called, one.renamed_at) for one in found],
        schema={"source_id": pl.String, "_old": pl.String, "_new": pl.String, "_at": UTC_MICROSECONDS},
        orient="row",
    ).sort("_at")
    for column in columns:
        frame = _with_new_name(frame, column, moment, table)
    return frame


def _with_new_name(frame: pl.DataFrame, column: str, moment: str, table: pl.DataFrame) -> pl.DataFrame:
    """The same for one column. The first rename after the row's moment is the one that concerns it."""
    with_account = frame.with_columns(pl.col(column).str.split("+").list.first().alias("_old")).sort(moment)
    found = with_account.join_asof(
        table,
        left_on=moment,
        right_on="_at",
        by=["source_id", "_old"],
        strategy="forward",
        allow_exact_matches=False,
        check_sortedness=False,
    )
    renamed = pl.col("_new") + pl.col(column).str.slice(pl.col("_old").str.len_chars())
    return found.with_columns(
        pl.when(pl.col("_new").is_null()).then(pl.col(column)).otherwise(renamed).alias(column),
        pl.col("is_renamed") | pl.col("_new").is_not_null(),
    ).drop("_old", "_new", "_at", strict=False)
