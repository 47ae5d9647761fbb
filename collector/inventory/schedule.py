"""The inventory's rounds: which looks this run does, from what is held now. I/O: reads the ledger."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

import msgspec

from quayledger.collector.inventory.due import Due, Rhythm, is_barred, round_due, share_of_round, wanted_due
from quayledger.collector.inventory.inventory_run import InventoryRun
from quayledger.collector.inventory.queries import LOOK, LookKind
from quayledger.collector.inventory.targets import (
    Universe,
    chosen,
    read_known,
    read_universe,
    read_wanted,
    unsettled_scans,
)

_EARLY = 0.5
_SCAN_AGAIN_AFTER = timedelta(hours=6)


class Rounds:
    """What is due in one run. `put_off`: looks of the rounds that were due and left for later runs."""

    def __init__(self, run: InventoryRun, everything: bool, tick: timedelta | None) -> None:
        self._run, self._everything, self._tick = run, everything, tick
        self._left: int | None = None  # looks of the rounds that may still be done; None: all
        self.put_off = 0

    def wanted(self, universe: Universe) -> list[Due]:
        """What events ask for."""
        run, now = self._run, self._run.now()
        offered = {kind.name for kind in chosen(run.settings)}
        found = (
            wanted_due(want, run.known.get((want.look, want.target)), now)
            for want in read_wanted(run.ledger, run.source_id)
            if want.look in offered
        )
        asked = [due for due in found if due is not None and not self._is_barred(due.look, due.target)]
        return [
            msgspec.structs.replace(due, before_at=began.not_before)
            if (began := universe.new_digests.get(due.target)) is not None
            else due
            for due in asked
        ]

    def of_tier(self, tier: int) -> list[Due]:
        """What is due of the looks of one tier: what was never read first, then the oldest; the share of this run."""
        run = self._run
        run.known = read_known(run.ledger, run.source_id)
        universe = read_universe(run.ledger, run.source_id, run.access, run.now())
        if self._tick is not None and self._left is None:
            sizes = [(kind, len(universe.targets(kind))) for kind in chosen(run.settings)]
            self._left = share_of_round(sizes, Rhythm(run.period), self._tick)
        kinds = [kind for kind in chosen(run.settings) if kind.tier == tier]
        due = [one for kind in kinds for one in self._due(kind, universe)]
        due.sort(key=lambda one: (one.why != "first", -one.late, one.look, one.target))
        return self._within_share(due)

    def _due(self, kind: LookKind, universe: Universe) -> Iterable[Due]:
        run, now = self._run, self._run.now()
        again = self._unsettled(kind)
        rhythm = Rhythm(run.period, _EARLY if self._tick is not None else 1.0)
        for target in universe.targets(kind):
            if self._is_barred(kind.name, target):
                continue
            known = run.known.get((kind.name, target))
            if self._everything and known is not None and known.tried_at < run.began_at:
                yield Due(kind.name, target, "round", late=now - known.tried_at)
                continue
            began = universe.new_digests.get(target)
            if began is not None and known is None and now - began.at < kind.settle:
                continue
            due = round_due(kind, target, known, rhythm, now, began)
            if due is None and target.rpartition("@")[2] in again and known is not None:
                due = _again(kind, target, now - (known.ok_at or known.tried_at))
            if due is not None:
                yield due

    def _unsettled(self, kind: LookKind) -> frozenset[str]:
        return unsettled_scans(self._run.ledger, self._run.source_id) if kind.name == "scan" else frozenset()

    def _within_share(self, due: list[Due]) -> list[Due]:
        """Never-read and daily looks all; of the rounds as many as this run's share."""
        if self._left is None:
            return due
        free = [one for one in due if one.why == "first" or LOOK[one.look].periods == 0]
        rest = [one for one in due if one.why != "first" and LOOK[one.look].periods != 0]
        # What is overdue by half a period and more was held up (nobody was running): it need not wait for its share.
        overdue = [one for one in rest if one.late > self._run.period * _EARLY]
        taken = rest[: max(self._left, len(overdue))]
        self._left = max(0, self._left - len(taken))
        self.put_off += len(rest) - len(taken)
        return [*free, *taken]

    def _is_barred(self, look: str, target: str) -> bool:
        run = self._run
        return run.refusals.bars(look, target) or is_barred(look, target, run.known, run.period, run.now())


def _again(kind: LookKind, target: str, age: timedelta) -> Due | None:
    return Due(kind.name, target, "round", late=age - _SCAN_AGAIN_AFTER) if age >= _SCAN_AGAIN_AFTER else None
