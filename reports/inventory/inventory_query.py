"""The query of an inventory report, and the few ways in which these reports read the warehouse."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta

import msgspec
import polars as pl

from quayledger.reports.inventory import columns
from quayledger.reports.inventory.knowledge import FetchStates, Part, brief
from quayledger.reports.model import Table
from quayledger.reports.period import AsOf
from quayledger.warehouse.catalog import SERIES_BY_NAME
from quayledger.warehouse.inventory import reader
from quayledger.warehouse.snapshot import Snapshot

_KEPT_QUERIES = 3  # a report asks for the same ones again and again; each may have a row for every image
TICK = timedelta(microseconds=1)  # the smallest step of the warehouse's times


class Drawn(msgspec.Struct, frozen=True):
    """A table, and the reads that it is made of."""

    table: Table
    parts: tuple[Part, ...] = ()


class Asked(msgspec.Struct, frozen=True):
    """One question. `period`: the moment that was asked for; `at`: the last instant that counts, None where it is the newest
    of the copy; `source_ids`: where the object is found; `top`: rows a table, 0 for all; `by`, `within`: of a list, the column to sort by, and what it is restricted to."""

    snapshot: Snapshot
    period: AsOf
    at: datetime | None
    source_ids: tuple[str, ...]
    several: bool
    fetches: FetchStates
    top: int = 0
    by: str = ""
    within: str | None = None

    @property
    def moment(self) -> datetime:
        """The last instant that counts."""
        return self.at or self.snapshot.published.published_at

    def state(self, family: str, **where: str | int | None) -> pl.DataFrame:
        """What held of a family at the moment."""
        return reader.as_of(self.snapshot, family, self.at, source_ids=self.source_ids, where=where)

    def history(self, family: str, **where: str | int | None) -> pl.DataFrame:
        """The intervals of a family that had begun at the moment; one that had not ended then has no end."""
        found = reader.history(self.snapshot, family, source_ids=self.source_ids, where=where)
        if self.at is None:
            return found
        found = found.filter(pl.col("from_at") <= self.at)
        ended = pl.col("to_at") <= self.at
        ends = [name for name in ("to_at", "to_after_at", "to_seen_at", "to_run", "ended") if name in found.columns]
        return found.with_columns(pl.when(ended).then(name).alias(name) for name in ends)

    def newest(self, series: str, **where: str | int | None) -> pl.DataFrame:
        """The last point of each key at the moment."""
        until = None if self.at is None else self.at + TICK
        found = reader.series(self.snapshot, series, source_ids=self.source_ids, where=where, until=until)
        key = ["source_id", *SERIES_BY_NAME[series].key]
        return found.sort("measured_at").unique(key, keep="last", maintain_order=True).sort(key)

    def access(self, **where: str | None) -> pl.DataFrame:
        """Who could do what at the moment, teams and ownership resolved."""
        return reader.effective_access(self.snapshot, self.at, source_ids=self.source_ids, **where)

    def uses(self) -> pl.DataFrame:
        """When everything was last used, as of the newest of the copy."""
        published = self.snapshot.published.published_at
        return reader.last_use(self.snapshot, now=published, source_ids=self.source_ids)

    def draw(
        self,
        name: str,
        title: str,
        frame: pl.DataFrame,
        names: Sequence[str],
        needs: Iterable[pl.DataFrame] = (),
        *,
        empty: str = "none",
        note: str = "",
        labels: Mapping[str, str] | None = None,
    ) -> Drawn:
        """A table with what is not known of it. Where something is not known, no rows is not none."""
        parts = self.fetches.parts(name, needs)
        told = [note, *(brief(part, self.several) for part in parts)]
        unknown = any(not part.known for part in parts)
        chosen = [*(["source_id"] if self.several else []), *names]
        table = columns.table(
            name,
            title,
            frame,
            chosen,
            top=self.top,
            note=" ".join(filter(None, told)),
            empty="" if unknown else empty,
            labels=dict(labels or {}),
        )
        return Drawn(table, parts)


def moment_of(snapshot: Snapshot, as_of: date | None, now: datetime) -> tuple[AsOf, datetime | None]:
    """The moment that a UTC day stands for: its end, or, for a day that is not over (None: today), the newest of the copy;
    and the last instant of it, None for the newest. Raises BadPeriod."""
    published = snapshot.published.published_at
    if as_of is None or as_of >= min(now.astimezone(UTC), published).date():
        return AsOf.at(published), None
    period = AsOf.end_of(as_of)
    return period, period.until - TICK


def fetch_states_by(snapshot: Snapshot, at: datetime | None, source_ids: Sequence[str]) -> FetchStates:
    """How the reads of each query had ended by a moment."""

    @functools.lru_cache(maxsize=_KEPT_QUERIES)
    def since(query: str) -> pl.DataFrame:
        return reader.knowledge(snapshot, None, source_ids, query=query)

    @functools.lru_cache(maxsize=_KEPT_QUERIES)
    def by_then(query: str) -> pl.DataFrame:
        return reader.knowledge(snapshot, at, source_ids, query=query)

    return FetchStates(since if at is None else by_then, since)
