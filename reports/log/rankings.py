"""Rankings: who and what uses a registry most. Ranks the rows of a usage count and compares them with the
period before."""

from __future__ import annotations

from typing import Literal

import msgspec
import polars as pl

from quayledger.reports.log.period_view import PeriodView
from quayledger.reports.model import Column, Table
from quayledger.warehouse.log import events

Dimension = Literal["namespace", "repository", "actor", "robot", "client", "kind", "source"]
TITLES: dict[str, tuple[str, str]] = {
    "namespace": ("By namespace", "Namespace"),
    "repository": ("By repository", "Repository"),
    "actor": ("By user", "User"),
    "robot": ("By robot account", "Robot account"),
    "client": ("By client program", "Client"),
    "kind": ("By kind of event", "Kind"),
    "source": ("By source", "Source"),
}
_BUSIEST = 10
_DRILLS = {"robot": "actor"}
_UNIQUE = {"actors": "Accounts", "clients": "Clients"}


def usage_table(view: PeriodView, by: Dimension, top: int) -> Table:
    """Pulls, pushes, their ratio, distinct accounts and clients, and the anonymous share of pulls of the `top` busiest,
    by pulls and pushes together; with the change where the two periods may be compared. Rows without either are left
    out."""
    rows = _counts(view, by, view.before is not None).filter(pl.col("moved") > 0)
    rows = rows.sort("moved", "events", "key", descending=[True, True, False])
    title, label = TITLES[by]
    columns = [
        Column("key", label, "text"),
        Column("pulls", "Pulls"),
        Column("pushes", "Pushes"),
        Column("ratio", "Per push", "ratio", "pulls per push"),
        *(Column(name, _UNIQUE[name]) for name in _uniques(by)),
        *([] if by in ("actor", "robot") else [Column("anonymous", "Anonymous pulls", "share")]),
        *_compared(view, "pulls + pushes"),
    ]
    return _table(f"by_{by}", title, columns, rows, top, _DRILLS.get(by, by))


def activity_table(view: PeriodView, by: Dimension, title: str, top: int) -> Table:
    """Events, pulls and pushes of the `top` busiest by all their events; with the change where it can be told."""
    rows = _counts(view, by, view.before is not None, of="events").sort("events", "key", descending=[True, False])
    columns = [Column("key", TITLES[by][1], "text"), Column("events", "Events")]
    if by != "kind":
        columns += [Column("pulls", "Pulls"), Column("pushes", "Pushes")]
    else:
        columns += [Column("actors", "Accounts")]
    columns += _compared(view, "events")
    ranked = _table(f"busiest_{by}", title, columns, rows, top, _DRILLS.get(by, by))
    return msgspec.structs.replace(ranked, preview_rows=_BUSIEST)


def _uniques(by: Dimension) -> list[str]:
    return ["clients"] if by in ("actor", "robot") else ["actors"] if by == "client" else ["actors", "clients"]


def _compared(view: PeriodView, what: str) -> list[Column]:
    if view.before is None:
        return []
    return [Column("previous", "Before", unit=what), Column("change", "Change", "change", what)]


def _counts(view: PeriodView, by: Dimension, compare: bool, of: str = "moved") -> pl.DataFrame:
    now = _read(view, by, before=False)
    if compare:
        before = _read(view, by, before=True).select("key", pl.col(of).alias("previous"))
        now = now.join(before, on="key", how="left").with_columns(pl.col("previous").fill_null(0))
    else:
        now = now.with_columns(pl.lit(0, pl.Int64).alias("previous"))
    return now.with_columns(
        _fraction("pulls", "pushes").alias("ratio"),
        _fraction("anonymous_pulls", "pulls").alias("anonymous"),
        (_fraction(of, "previous") - 1).alias("change"),
    )


def _read(view: PeriodView, by: Dimension, *, before: bool) -> pl.DataFrame:
    """Usage by key; rows that several sources have under one name are one row, as the reader of a name expects."""
    where = view.where(view.before if before else None)
    frame = events.usage_counts(view.snapshot, where, by=by, renamed=view.renamed)
    numbers = ("pulls", "pushes", "deletes", "other", "events", "actors", "clients", "anonymous_pulls")
    return (
        frame.select("key", *(pl.col(name).cast(pl.Int64) for name in numbers))
        .drop_nulls("key")
        .with_columns((pl.col("pulls") + pl.col("pushes")).alias("moved"))
    )


def _fraction(part: str, whole: str) -> pl.Expr:
    return pl.when(pl.col(whole) > 0).then(pl.col(part) / pl.col(whole))


def _table(name: str, title: str, columns: list[Column], rows: pl.DataFrame, top: int, drill: str) -> Table:
    shown = rows.head(top) if top else rows
    return Table(name, title, tuple(columns), shown.select(column.name for column in columns), rows.height, drill)
