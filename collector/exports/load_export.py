"""Loads export files: stages the rows of a file, keeps the days that are wanted, and merges day by day.

A file is staged whole before anything of it is merged: only its last byte proves it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection
from datetime import date
from typing import Literal

import msgspec
import polars as pl

from quayledger.collector.exports.export_file import Block
from quayledger.collector.log.counts import count_window
from quayledger.collector.log.normalise import Reject, reject_frame
from quayledger.collector.log.scope_day import missing
from quayledger.collector.log.source_run import SourceRun
from quayledger.collector.quay.errors import QuayError
from quayledger.collector.quay.scopes import Scope
from quayledger.warehouse import sources
from quayledger.warehouse.errors import DamagedFile
from quayledger.warehouse.log import slices
from quayledger.warehouse.log.slices import Merged, Reading
from quayledger.warehouse.log.staging import Staging, TooMany, merge_staged

_ELASTICSEARCH_BUCKETS = 10  # a count on that backend names ten kinds at most, and proves nothing of the others


class Target(msgspec.Struct, frozen=True):
    """Whose log is exported, and which scope of the cover it is a reading of."""

    scope: Scope
    exported: Scope

    @property
    def part(self) -> str:
        """The part of the scope that the reading is of; '' for the whole scope."""
        return "" if self.scope == self.exported else self.exported.text

    @property
    def namespace(self) -> str | None:
        """The namespace that the reading is restricted to; None for the whole scope."""
        return self.exported.namespace if self.part else None

    @property
    def repository(self) -> str | None:
        """The repository as a file names it."""
        return self.exported.name.partition("/")[2] or None


class Loaded(msgspec.Struct, frozen=True):
    """What loading a file did: rows, new events, and the days of which nothing was stored, with the reason."""

    rows: int
    new_events: int
    days: tuple[date, ...]
    left_out: dict[date, str]


class Load:
    """The load of one file into the ledger, block by block, then day by day."""

    def __init__(self, run: SourceRun, target: Target, staging: Staging, *, method: Literal["export", "file"]) -> None:
        self._run, self._target, self._staging, self._method = run, target, staging, method
        self._rejects: list[Reject] = []
        self._began = run.now()

    def stage(self, block: Block, days: Collection[date]) -> None:
        """Stages the rows of a block that belong to these days and are of a kind that the scope shows."""
        hidden = self._target.scope.hidden_kinds
        wanted = pl.col("occurred_at").dt.date().is_in(list(days)) & ~pl.col("kind").is_in(list(hidden))
        self._staging.add(block.events.filter(wanted))
        self._rejects.extend(block.rejects)

    def merge(self, day: date, *, is_first: bool, is_whole: bool, requests: int = 0) -> Merged:
        """Merges one day. Raises TooMany if it would then hold more events than its source counts. Rows without a readable
        time are recorded with the first day."""
        rejects = self._rejects if is_first else []
        room = self.room(day)
        # Without a count nothing would distinguish an event from itself under its namespace's earlier name.
        namespace = None if room is None else self._target.namespace
        return merge_staged(
            self._run.ledger,
            self._reading(day, len(rejects), requests, is_whole=is_whole),
            self._staging,
            reject_frame(rejects),
            namespace=namespace,
            room=room,
        )

    def room(self, day: date) -> dict[str, int] | None:
        """How many events of each kind of a day may be new; None if the source never counted the day."""
        run, scope = self._run, self._target.scope.text
        counted = slices.latest_counts(run.ledger, run.source_id, day, day).get((day, scope))
        if counted is None:
            return None
        kinds = counted.by_kind.keys() | counted.peak_by_kind.keys()
        most = {kind: max(counted.by_kind.get(kind, 0), counted.peak_by_kind.get(kind, 0)) for kind in kinds}
        room = missing(most, slices.held_counts(run.ledger, run.source_id, day, scope))
        if len(most) == _ELASTICSEARCH_BUCKETS and sources.backend(run.ledger, run.source_id) != "database":
            room |= {kind: number for kind, number in self._staging.kinds(day).items() if kind not in most}
        return room

    def void(self, day: date, reason: str) -> None:
        """Records that the file's rows of a day were not stored, and why."""
        reading = self._reading(day, 0, 0, is_whole=False)
        slices.record_void(self._run.ledger, reading, reason)

    def _reading(self, day: date, rejected: int, requests: int, *, is_whole: bool) -> Reading:
        run, target = self._run, self._target
        return Reading(
            source_id=run.source_id,
            day=day,
            scope=target.scope.text,
            part=target.part,
            method=self._method,
            run_id=run.run_id,
            started_at=self._began,
            ended_at=run.now(),
            rows=self._staging.rows(day) + rejected,
            requests=requests,
            end_reason="end",
            complete=is_whole,
        )


async def merge_days(run: SourceRun, load: Load, target: Target, staging: Staging, days: tuple[date, ...]) -> Loaded:
    """Merges the days of a file that was requested. A day that seems to hold too many events is counted again first."""
    new_events, left_out = 0, {}
    for day in days:
        try:
            merged = await _merge_day(run, load, target, day, is_first=day == days[0])
        except DamagedFile as error:
            left_out[day] = str(error)
        except TooMany as error:
            left_out[day] = str(error)
            await asyncio.to_thread(load.void, day, str(error))
        else:
            new_events += merged.new_events
            run.state.progress.events_new += merged.new_events
    return Loaded(sum(staging.rows(day) for day in days), new_events, days, left_out)


async def _merge_day(run: SourceRun, load: Load, target: Target, day: date, *, is_first: bool) -> Merged:
    def merge() -> Merged:
        return load.merge(day, is_first=is_first, is_whole=True, requests=int(is_first))

    try:
        return await asyncio.to_thread(merge)
    except TooMany:
        with contextlib.suppress(QuayError):  # then the count that is on record decides
            await count_window(run, target.scope, day, day, [day], purpose="recount")
        return await asyncio.to_thread(merge)
