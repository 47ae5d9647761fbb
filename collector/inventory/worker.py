"""The workers: send a list of queries, as many side by side as the source's chains, and keep the answers every few seconds. I/O."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterable

import msgspec

from quayledger.collector.inventory.due import Due, notes_on
from quayledger.collector.inventory.fetch import fetch_target
from quayledger.collector.inventory.inventory_run import InventoryRun
from quayledger.collector.inventory.readers import READERS
from quayledger.collector.inventory.results import FetchResult, Gone, parts_of
from quayledger.collector.quay.errors import QuayError
from quayledger.warehouse.catalog.queries import EXISTENCE, QUERY, namespace_of, repository_of
from quayledger.warehouse.inventory.store import FamilyRows, Fetch, FetchState, held, record_fetches

_BATCH_FETCHES = 100
_BATCH_S = 3.0
# So many failures one after the other are the server's, not the targets': it is left alone until the next run.
_MOST_FAILURES = 12


class ServerIsFailing(QuayError):
    """Every query fails."""

    next_step = "It is left alone now; the next run goes on where this one ended"


async def run_fetches(run: InventoryRun, due: Iterable[Due]) -> None:
    """Does the fetches in their order until all are done or the allowance is spent. Raises QuayError; what came is kept."""
    work = _Queue(run, deque(due))
    workers = [asyncio.ensure_future(work.go_on()) for _ in range(run.source.chains)]
    try:
        await asyncio.gather(*workers)
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        await asyncio.to_thread(work.flush)


class _Queue:
    def __init__(self, run: InventoryRun, queue: deque[Due]) -> None:
        self._run, self._queue = run, queue
        self._fetches: list[Fetch] = []
        self._flushed_at = time.monotonic()
        self._confirmed: set[tuple[str, str]] = set()
        self._writing = asyncio.Lock()

    async def go_on(self) -> None:
        """One worker: takes fetches until there are none, or the allowance is spent."""
        while self._queue and not self._run.is_spent:
            due = self._queue.popleft()
            run = self._run
            if run.refusals.bars(due.query, due.target):
                run.tally.fetches_done += 1
                continue
            fetch, found = await fetch_target(run, due, READERS)
            self._take(due, fetch, found)
            run.tell()
            if len(self._fetches) >= _BATCH_FETCHES or time.monotonic() - self._flushed_at >= _BATCH_S:
                async with self._writing:
                    await asyncio.to_thread(self.flush)

    def flush(self) -> None:
        """Keeps what the fetches brought since the last time, in one transaction."""
        fetches, self._fetches = self._fetches, []
        self._flushed_at = time.monotonic()
        if not fetches:
            return
        recorded = record_fetches(self._run.ledger, self._run.run_id, fetches)
        tally = self._run.tally
        tally.opened += recorded.opened
        tally.changed += recorded.changed
        tally.closed += recorded.closed
        tally.points += recorded.points

    def _take(self, due: Due, fetch: Fetch, found: FetchResult) -> None:
        run = self._run
        if fetch.state == "gone":
            fetch = self._gone(due, fetch)
        self._fetches.append(fetch)
        for gone in found.gone:
            self._fetches.append(_closing(run, gone, fetch))
        tally = run.tally
        tally.fetches_done += 1
        tally.states[fetch.state] += 1
        tally.by_why[due.why] += 1
        tally.rejected_rows += fetch.rejected_rows
        tally.failures_in_a_row = tally.failures_in_a_row + 1 if fetch.state == "failed" else 0
        if fetch.state in ("ok", "partial"):
            # What could not be read before can be now: the note that spoke for it is no longer true.
            for others in notes_on(due.query, due.target, run.known):
                run.known.pop((due.query, others))
                self._fetches.append(
                    msgspec.structs.replace(fetch, target=others, requests=0, families=(), series=(), caused_at=None)
                )
        state: FetchState = "not_offered" if fetch.state == "not_offered" else "not_asked"
        # What was refused without a request is so for its name, which says nothing of others.
        noted = run.refusals.note(due.query, due.target, fetch.state) if fetch.requests else []
        for others in noted:
            self._fetches.append(msgspec.structs.replace(fetch, target=others, state=state, requests=0))
        if tally.failures_in_a_row >= _MOST_FAILURES:
            raise ServerIsFailing(run.source_id, due.query, f"{_MOST_FAILURES} queries failed in a row: {fetch.reason}")

    def _gone(self, due: Due, fetch: Fetch) -> Fetch:
        """What is there no more takes its parts with it; where only a part was asked for, the whole is read next."""
        query = QUERY[due.query]
        level = query.level
        if due.why != "event" and query.decides_existence and level in ("organization", "repository"):
            # The registry's own list shows it; should it be gone, the next list will tell.
            return msgspec.structs.replace(fetch, reason=f"listed, but not found: {fetch.reason}")
        if query.decides_existence or level in ("team", "robot"):
            return msgspec.structs.replace(fetch, families=_parts(self._run, Gone(level, due.target)))
        is_within_repository = level in ("repository", "tag")
        whole = repository_of(due.target) if is_within_repository else namespace_of(due.target)
        name = EXISTENCE["repository" if is_within_repository else "user" if level == "user" else "organization"].name
        if level != "manifest" and (name, whole) not in self._confirmed:
            self._confirmed.add((name, whole))
            self._run.tally.fetches_total += 1
            # Two answers that it is not there, one after the other: that counts like an event.
            self._queue.appendleft(Due(name, whole, "event", due.caused_at))
        return fetch


def _closing(run: InventoryRun, gone: Gone, told_by: Fetch) -> Fetch:
    """A note that an object is there no more, by a fetch that showed everything of its kind."""
    return Fetch(
        source_id=told_by.source_id,
        query=EXISTENCE[gone.level].name,
        target=gone.target,
        state="gone",
        reason=f"no longer listed by {told_by.query} {told_by.target}".rstrip(),
        fetched_at=told_by.fetched_at,
        requests=0,
        rejected_rows=0,
        caused_at=told_by.caused_at,
        families=_parts(run, gone),
    )


def _parts(run: InventoryRun, gone: Gone) -> tuple[FamilyRows, ...]:
    """All that goes with an object. A user that became an organization leaves what is in its namespace there."""
    if gone.level in ("organization", "user"):
        robots = held(run.ledger, "robots", run.source_id, {"namespace": gone.target})["robot"]
        of_robots = [part for robot in robots for part in parts_of(Gone("robot", robot))]
    else:
        of_robots = []
    if gone.level == "user" and held(run.ledger, "organizations", run.source_id, {"organization": gone.target}).height:
        return parts_of(Gone("converted", gone.target))
    return (*parts_of(gone), *of_robots)
