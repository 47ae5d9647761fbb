"""Repair: a closed day that one chain could not bring whole is split into parts, counted and read where something is missing.

Quay skips rows where a page ends between two of the same stamp. A narrower list ends its pages elsewhere, so it brings rows
that the wider one skipped. Cheapest first: each part is counted (one request) before it is read, and only parts that lack
events of a missing kind are read, or split again.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from collector import landing
from collector.chain import Want, read_chain
from collector.merging import exceeds, merge, reading_of, tally
from collector.normalise import Place
from collector.parts import Part, children, held_of
from collector.quay import logs, superuser
from collector.quay.errors import BadRequest, Forbidden, NotFound, QuayError, ServerFailure
from collector.quay.scopes import Scope
from collector.run import SourceRun
from collector.verdict import missing
from warehouse import slices
from warehouse.parts import held_parts, user_namespaces

# A part that the server does not know (any more) is left out; the rest goes on.
_GONE = (Forbidden, NotFound, BadRequest)


class Repair:
    """The repair of one scope's part of one closed day, within a number of requests."""

    def __init__(self, run: SourceRun, day: date, scope: Scope, most_requests: int) -> None:
        self._run, self._day, self._scope = run, day, scope
        self._left = most_requests
        self._users = user_namespaces(run.ledger, run.source_id, day)
        self.requests = 0

    async def mend(self) -> bool:
        """Whether nothing is missing any more. Raises QuayError where the whole source is in trouble."""
        await self._split(Part(self._scope), self.lacking())
        if (lacking := self.lacking()) and self._scope.kind == "superuser":
            await self._look_elsewhere(lacking)
        return not self.lacking()

    def lacking(self) -> dict[str, int]:
        """By kind, what the cover's scope counts beyond what is held."""
        run, day, scope = self._run, self._day, self._scope.text
        counted = slices.latest_counts(run.ledger, run.source_id, day, day).get((day, scope))
        return missing(counted.by_kind, slices.held_counts(run.ledger, run.source_id, day, scope)) if counted else {}

    async def _split(self, part: Part, lacking: Mapping[str, int]) -> None:
        held = held_parts(self._run.ledger, self._run.source_id, self._day, self._scope.text)
        for child in children(part, held, lacking):
            if self._left <= 0 or not self.lacking():
                return
            await self._mend_part(child)

    async def _mend_part(self, part: Part) -> None:
        """Counts one part; reads it where it lacks what is missing; splits it where reading does not bring all."""
        counted = await self._count(part)
        if counted is None:
            return
        lacking = self._lacking_of(part, counted)
        if lacking and await self._read(part, counted, lacking):
            lacking = self._lacking_of(part, counted)
        if lacking:
            await self._split(part, lacking)

    def _lacking_of(self, part: Part, counted: Mapping[str, int]) -> dict[str, int]:
        held = held_parts(self._run.ledger, self._run.source_id, self._day, self._scope.text)
        wanted = self.lacking()
        return {kind: number for kind, number in missing(counted, held_of(part, held)).items() if kind in wanted}

    async def _count(self, part: Part) -> dict[str, int] | None:
        """None where the server does not know the part."""
        self._spend(1)
        performer = part.performer or None
        try:
            counts = await logs.aggregate_logs(
                self._run.client, part.scope, self._day, self._day, performer=performer, purpose="repair"
            )
        except _GONE:
            return None
        return counts[self._day]

    async def _read(self, part: Part, counted: Mapping[str, int], lacking: dict[str, int]) -> bool:
        """Reads one part and merges it. False where the server cannot list it: a performer that is gone gives a 500, and
        its count then counted everybody."""
        run, day = self._run, self._day
        heading = landing.Heading(run.source_id, self._scope.text, part.text, day, run.run_id, run.now())
        log = landing.ChainLog.begin(run.ledger.home, heading)

        async def fetch(token: str | None) -> logs.LogPage:
            self._spend(1)
            page = await logs.list_logs(
                run.client, part.scope, day, day, next_page=token, performer=part.performer or None, purpose="repair"
            )
            run.tell("repair", day)
            return page

        stored = slices.held_counts(run.ledger, run.source_id, day, self._scope.text)
        want = Want(lacking, sum(counted.values()), None)
        try:
            known = tally(run, day, self._scope, lacking, stored)
            place = Place.of(part.scope, user_namespaces=self._users)
            result = await read_chain(fetch, log, want, known, place)
            reading = reading_of(heading, result, run.now())
            if exceeds(result, self.lacking()):
                slices.record_void(run.ledger, reading, "brought more than the day lacks: rows were given twice")
            else:
                run.numbers.events_new += merge(run, reading, result).new_events
        finally:
            log.close()
        log.remove()
        return _ended(result.error, part)

    async def _look_elsewhere(self, lacking: Mapping[str, int]) -> None:
        """Namespaces of which nothing is held at all: only the registry's own lists name them."""
        held = held_parts(self._run.ledger, self._run.source_id, self._day, self._scope.text)
        known = {one.namespace for one in held}
        for name in await self._namespaces():
            if self._left <= 0 or not self.lacking():
                return
            if name not in known:
                await self._mend_part(Part(Scope("organization", name)))

    async def _namespaces(self) -> list[str]:
        before = self._run.client.meter.requests
        try:
            organizations = await superuser.list_organizations(self._run.client, purpose="repair")
            users = await superuser.list_users(self._run.client, purpose="repair")
        except _GONE:
            return []
        finally:
            self._spend(self._run.client.meter.requests - before)
        self._users |= {one.username for one in users}
        return [one.name for one in organizations] + [one.username for one in users]

    def _spend(self, requests: int) -> None:
        self._left -= requests
        self.requests += requests


def _ended(error: QuayError | None, part: Part) -> bool:
    if error is None:
        return True
    if isinstance(error, _GONE) or (part.performer and isinstance(error, ServerFailure)):
        return False
    raise error
