"""Doing: a list of looks, as many side by side as the source's chains, and what they bring kept every few seconds. I/O."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterable

import msgspec

from quayledger.collector.inventory.due import Due, notes_on
from quayledger.collector.inventory.fetch import look_at
from quayledger.collector.inventory.inventory_run import InventoryRun
from quayledger.collector.inventory.queries import LOOK, namespace_of, repository_of
from quayledger.collector.inventory.readers import READERS
from quayledger.collector.inventory.results import Found, Gone, parts_of
from quayledger.collector.quay.errors import QuayError
from quayledger.warehouse.inventory.store import Brought, Look, LookState, held, record_looks

_BATCH_LOOKS = 100
_BATCH_S = 3.0
# So many failures one after the other are the server's, not the targets': it is left alone until the next run.
_MOST_FAILURES = 12
_LOOK_OF = {
    "organization": "organization",
    "user": "user",
    "repository": "repository",
    "team": "team_members",
    "robot": "federation",
}


class ServerIsFailing(QuayError):
    """Every look fails."""

    next_step = "It is left alone now; the next run goes on where this one ended"


async def do_looks(run: InventoryRun, due: Iterable[Due]) -> None:
    """Does the looks in their order until all are done or the allowance is spent. Raises QuayError; what came is kept."""
    work = _Doing(run, deque(due))
    workers = [asyncio.ensure_future(work.go_on()) for _ in range(run.source.chains)]
    try:
        await asyncio.gather(*workers)
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        await asyncio.to_thread(work.flush)


class _Doing:
    def __init__(self, run: InventoryRun, queue: deque[Due]) -> None:
        self._run, self._queue = run, queue
        self._looks: list[Look] = []
        self._flushed_at = time.monotonic()
        self._confirmed: set[tuple[str, str]] = set()
        self._writing = asyncio.Lock()

    async def go_on(self) -> None:
        """One worker: takes looks until there are none, or the allowance is spent."""
        while self._queue and not self._run.is_spent:
            due = self._queue.popleft()
            run = self._run
            if run.refusals.bars(due.look, due.target):
                run.tally.looks_done += 1
                continue
            look, found = await look_at(run, due, READERS)
            self._take(due, look, found)
            run.tell()
            if len(self._looks) >= _BATCH_LOOKS or time.monotonic() - self._flushed_at >= _BATCH_S:
                async with self._writing:
                    await asyncio.to_thread(self.flush)

    def flush(self) -> None:
        """Keeps what the looks brought since the last time, in one transaction."""
        looks, self._looks = self._looks, []
        self._flushed_at = time.monotonic()
        if not looks:
            return
        recorded = record_looks(self._run.ledger, self._run.run_id, looks)
        tally = self._run.tally
        tally.opened += recorded.opened
        tally.changed += recorded.changed
        tally.closed += recorded.closed
        tally.points += recorded.points

    def _take(self, due: Due, look: Look, found: Found) -> None:
        run = self._run
        if look.state == "gone":
            look = self._gone(due, look)
        self._looks.append(look)
        for gone in found.gone:
            self._looks.append(_closing(run, gone, look))
        tally = run.tally
        tally.looks_done += 1
        tally.states[look.state] += 1
        tally.by_why[due.why] += 1
        tally.rejected_rows += look.rejected_rows
        tally.failures_in_a_row = tally.failures_in_a_row + 1 if look.state == "failed" else 0
        if look.state in ("ok", "partial"):
            # What could not be read before can be now: the note that spoke for it is no longer true.
            for others in notes_on(due.look, due.target, run.known):
                run.known.pop((due.look, others))
                self._looks.append(
                    msgspec.structs.replace(look, target=others, requests=0, brought=(), measured=(), caused_at=None)
                )
        state: LookState = "not_offered" if look.state == "not_offered" else "not_asked"
        for others in run.refusals.note(due.look, due.target, look.state):
            self._looks.append(msgspec.structs.replace(look, target=others, state=state, requests=0))
        if tally.failures_in_a_row >= _MOST_FAILURES:
            raise ServerIsFailing(run.source_id, due.look, f"{_MOST_FAILURES} looks failed in a row: {look.reason}")

    def _gone(self, due: Due, look: Look) -> Look:
        """What is there no more takes its parts with it; where only a part was asked for, the whole is looked at next."""
        level = LOOK[due.look].level
        if due.why != "event" and due.look in ("organization", "repository"):
            # The registry's own list shows it; should it be gone, the next list will tell.
            return msgspec.structs.replace(look, reason=f"listed, but not found: {look.reason}")
        if due.look == _LOOK_OF.get(level) or level in ("team", "robot"):
            return msgspec.structs.replace(look, brought=_parts(self._run, Gone(level, due.target)))
        whole = repository_of(due.target) if level in ("repository", "tag") else namespace_of(due.target)
        name = "repository" if level in ("repository", "tag") else "organization"
        if level != "manifest" and (name, whole) not in self._confirmed:
            self._confirmed.add((name, whole))
            self._run.tally.looks_total += 1
            # Two answers that it is not there, one after the other: that counts like an event.
            self._queue.appendleft(Due(name, whole, "event", due.caused_at))
        return look


def _closing(run: InventoryRun, gone: Gone, told_by: Look) -> Look:
    """A note that an object is there no more, by a look that showed everything of its kind."""
    return Look(
        source_id=told_by.source_id,
        look=_LOOK_OF[gone.level],
        target=gone.target,
        state="gone",
        reason=f"not told any more by {told_by.look} {told_by.target}".rstrip(),
        looked_at=told_by.looked_at,
        requests=0,
        rejected_rows=0,
        caused_at=told_by.caused_at,
        brought=_parts(run, gone),
    )


def _parts(run: InventoryRun, gone: Gone) -> tuple[Brought, ...]:
    """All that goes with an object. A user that became an organisation leaves what is in its namespace there."""
    if gone.level in ("organization", "user"):
        robots = held(run.ledger, "robots", run.source_id, {"namespace": gone.target})["robot"]
        of_robots = [part for robot in robots for part in parts_of(Gone("robot", robot))]
    else:
        of_robots = []
    if gone.level == "user" and held(run.ledger, "organizations", run.source_id, {"organization": gone.target}).height:
        return parts_of(Gone("converted", gone.target))
    return (*parts_of(gone), *of_robots)
