"""The inventory's schedule: which queries this run sends, from what is held now. I/O: reads the ledger."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

import msgspec

from quayledger.collector.inventory.due import Due, Refresh, is_barred, round_due, share_of_round, stale_due
from quayledger.collector.inventory.inventory_run import InventoryRun
from quayledger.collector.inventory.targets import Targets, chosen, read_last_fetches, read_targets
from quayledger.warehouse.catalog import QUERY, Query
from quayledger.warehouse.inventory import held_objects
from quayledger.warehouse.inventory.store import read_stale

_EARLY = 0.5


class Schedule:
    """What is due in one run. `put_off`: queries of the rounds that were due and left for later runs."""

    def __init__(self, run: InventoryRun, everything: bool, tick: timedelta | None) -> None:
        self._run, self._everything, self._tick = run, everything, tick
        self._left: int | None = None  # queries of the rounds that may still be sent; None: all
        self.put_off = 0

    def stale(self, targets: Targets) -> list[Due]:
        """What events made stale."""
        run, now = self._run, self._run.now()
        names = {query.name for query in chosen(run.settings)}
        found = (
            stale_due(stale, run.known.get((stale.query, stale.target)), now)
            for stale in read_stale(run.ledger, run.source_id)
            if stale.query in names
        )
        asked = [due for due in found if due is not None and not self._is_barred(due.query, due.target)]
        return [
            msgspec.structs.replace(due, before_at=birth.not_before)
            if (birth := targets.born.get(due.target)) is not None
            else due
            for due in asked
        ]

    def of_tier(self, tier: int) -> list[Due]:
        """What is due of the queries of one tier: what was never read first, then the oldest; the share of this run."""
        run = self._run
        run.known = read_last_fetches(run.ledger, run.source_id)
        targets = read_targets(run.ledger, run.source_id, run.access, run.now())
        if self._tick is not None and self._left is None:
            sizes = [(query, len(targets.of(query))) for query in chosen(run.settings)]
            self._left = share_of_round(sizes, Refresh(run.period), self._tick)
        queries = [query for query in chosen(run.settings) if query.tier == tier]
        due = [one for query in queries for one in self._due(query, targets)]
        due.sort(key=lambda one: (one.why != "first", -one.late, one.query, one.target))
        return self._within_share(due)

    def _due(self, query: Query, targets: Targets) -> Iterable[Due]:
        run, now = self._run, self._run.now()
        unfinished = held_objects.queued_scans(run.ledger, run.source_id) if query.again_after else frozenset()
        refresh = Refresh(run.period, _EARLY if self._tick is not None else 1.0)
        for target in targets.of(query):
            if self._is_barred(query.name, target):
                continue
            known = run.known.get((query.name, target))
            if self._everything and known is not None and known.tried_at < run.began_at:
                yield Due(query.name, target, "round", late=now - known.tried_at)
                continue
            birth = targets.born.get(target)
            settle = min(query.settle, timedelta(hours=run.settings.settle_hours))
            if birth is not None and known is None and now - birth.waits_since(query.name, run.known) < settle:
                continue
            due = round_due(query, target, known, refresh, now, birth)
            if due is None and known is not None and query.again_after and target.rpartition("@")[2] in unfinished:
                late = now - (known.ok_at or known.tried_at) - query.again_after
                due = Due(query.name, target, "round", late=late) if late >= timedelta(0) else None
            if due is not None:
                yield due

    def _within_share(self, due: list[Due]) -> list[Due]:
        """Never-read and daily queries all; of the rounds as many as this run's share."""
        if self._left is None:
            return due
        free = [one for one in due if one.why == "first" or QUERY[one.query].periods == 0]
        rest = [one for one in due if one.why != "first" and QUERY[one.query].periods != 0]
        # What is overdue by half a period and more was held up (nobody was running): it need not wait for its share.
        overdue = [one for one in rest if one.late > self._run.period * _EARLY]
        taken = rest[: max(self._left, len(overdue))]
        self._left = max(0, self._left - len(taken))
        self.put_off += len(rest) - len(taken)
        return [*free, *taken]

    def _is_barred(self, query: str, target: str) -> bool:
        run = self._run
        return run.refusals.bars(query, target) or is_barred(query, target, run.known, run.period, run.now())
