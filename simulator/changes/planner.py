"""The simulator's planner: picks what the planted changes are about, does them, and notes what they came to."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from quayledger.simulator.acts import Act, perform
from quayledger.simulator.changes.entries import Entry, differences
from quayledger.simulator.clock import from_us
from quayledger.simulator.effects.event import Event
from quayledger.simulator.entities.accounts import Account, Team
from quayledger.simulator.entities.content import Repository, Tag
from quayledger.simulator.facts.table import facts
from quayledger.simulator.quay import Quay

T = TypeVar("T")
_EVERYWHERE = ("user_delete", "user_change_name")  # a user may be named in any namespace
_ENOUGH = 5  # organisations, of which one may be renamed and one deleted


class Missing(Exception):
    """This registry has nothing that such a change could be about."""


class Planner:
    """One run of planted changes. Nothing is picked twice, so that each change is still to be seen at the end."""

    def __init__(self, quay: Quay, number: int) -> None:
        self.quay, self.registry = quay, quay.registry
        self.rng = random.Random(f"changes {number}")
        self.number = number
        self.at_us = 0
        self.entries: list[Entry] = []
        self.used: set[object] = set()
        self._fresh = 0
        special = {token.user_id for token in self.registry.tokens.values()}
        organizations = [a for a in self.registry.accounts.values() if a.kind == "org" and not a.deleted]
        others = [a for a in organizations if not any(a.has_admin(i) for i in special)]
        others.sort(key=self._weight)
        enough = len(organizations) >= _ENOUGH and len(others) > 2
        self.renamed: Account | None = others[0] if enough else None
        self.deleted: Account | None = others[1] if enough else None
        going = {a.id for a in (self.renamed, self.deleted) if a is not None}
        self.organizations = [a for a in organizations if a.id not in going]
        staying = [r for a in self.organizations for r in self.registry.repositories_of(a.id) if r.mirror is None]
        self.doomed: Repository | None = self.rng.choice(staying) if len(staying) > 1 else None
        self.special = special
        self.leaving = self._leaving()

    def _weight(self, account: Account) -> tuple[int, int]:
        """Organisations with mirrors, and large ones, stay."""
        repositories = self.registry.repositories_of(account.id)
        return sum(r.mirror is not None for r in repositories), len(repositories)

    # picking

    def pick(self, candidates: Iterable[T], name: Callable[[T], object]) -> T:
        """One that was not picked before, by the seed. Raises Missing."""
        free = [one for one in candidates if name(one) not in self.used]
        if not free:
            raise Missing
        found = self.rng.choice(free)
        self.used.add(name(found))
        return found

    def organization(self, wanted: Callable[[Account], bool] = lambda _: True, what: str = "") -> Account:
        """One that stays; for each `what` another one."""
        return self.pick(filter(wanted, self.organizations), lambda a: (what, a.id))

    def repository(self, what: str, wanted: Callable[[Repository], bool] = lambda _: True) -> Repository:
        """Of an organisation that stays, for each `what` another one; not the one that is to be deleted."""
        found = (r for a in self.organizations for r in self.registry.repositories_of(a.id) if r is not self.doomed)
        return self.pick((r for r in found if wanted(r)), lambda r: (what, "repository", r.id))

    def person(self, wanted: Callable[[Account], bool] = lambda _: True) -> Account:
        """An enabled user of no special kind, for one change only."""
        people = (a for a in self._people() if a.id not in self.special and wanted(a))
        return self.pick(people, lambda a: ("person", a.id))

    def stranger(self, ids: Iterable[int]) -> Account:
        """A user who is not among those."""
        known = set(ids)
        found = [a for a in self._people() if a.id not in known]
        if not found:
            raise Missing
        return self.rng.choice(found)

    def one_of(self, ids: Iterable[int]) -> Account:
        """One of those users or robots."""
        gone = {a.id for a in self.leaving}
        found = [a for i in sorted(ids) if i not in gone and (a := self.registry.accounts.get(i)) is not None]
        if not found:
            raise Missing
        return self.rng.choice(found)

    def leaver(self, number: int) -> Account:
        """The user who is renamed (0) or deleted (1)."""
        if number >= len(self.leaving):
            raise Missing
        return self.leaving[number]

    def _people(self) -> list[Account]:
        """Those whose names stay."""
        gone = {a.id for a in self.leaving}
        found = (a for a in self.registry.accounts.values() if a.kind == "user" and a.enabled and not a.deleted)
        return [a for a in found if a.id not in gone]

    def _leaving(self) -> list[Account]:
        """Nobody who owns an organisation, nor is named in the one that is renamed: that would change a name twice."""
        named: set[int] = set(self.special)
        if self.renamed is not None:
            named |= {i for team in self.renamed.teams for i in team.members}
            named |= {i for r in self.registry.repositories_of(self.renamed.id) for i in r.permissions}
            named |= {p.activating_id or p.delegate_id for p in self.renamed.prototypes}
        named |= {i for a in self.registry.accounts.values() for t in a.teams if t.role == "admin" for i in t.members}
        people = [a for a in self.registry.accounts.values() if a.kind == "user" and a.enabled and not a.deleted]
        free = [a for a in people if a.id not in named]
        return self.rng.sample(free, min(2, len(free)))

    def team(self, wanted: Callable[[Account, Team], bool] = lambda *_: True) -> tuple[Account, Team]:
        """Not the owners'."""
        pairs = [(a, t) for a in self.organizations for t in a.teams if t.name != "owners" and wanted(a, t)]
        return self.pick(pairs, lambda pair: ("team", pair[0].id, pair[1].name))

    def tag(self, wanted: Callable[[Repository, Tag], bool] = lambda *_: True) -> tuple[Repository, Tag]:
        """One that stands and is as it was."""
        now_ms, before_ms = self.quay.clock.now_us() // 1000, self.at_us // 1000
        pairs = [
            (r, tag)
            for a in self.organizations
            for r in self.registry.repositories_of(a.id)
            for tag in (r.alive(now_ms) if r is not self.doomed else ())
            if tag.start_ms < before_ms and not tag.immutable and wanted(r, tag)
        ]
        return self.pick(pairs, lambda pair: ("tag", pair[0].id, pair[1].name))

    def fresh(self, word: str) -> str:
        """A name that nothing has yet."""
        self._fresh += 1
        return f"{word}{self.number}x{self._fresh}"

    def path(self, repository: Repository) -> tuple[str, str]:
        """Namespace and name."""
        return self.registry.namespace_of(repository).name, repository.name

    @property
    def superuser(self) -> str:
        """Who administers the installation."""
        return self.registry.administrator.name

    def owner(self, account: Account) -> str:
        """Who administers an organisation, else the superuser."""
        owners = account.team("owners")
        ids: Sequence[int] = sorted(owners.members) if owners else ()
        return self.registry.accounts[ids[0]].name if ids else self.superuser

    # doing

    def do(
        self,
        kind: str,
        namespace: str,
        metadata: dict[str, Any] | None = None,
        *,
        by: str | None = None,
        repository: str = "",
        more: dict[str, Any] | None = None,
        rename: tuple[str, str] | None = None,
    ) -> Event:
        """One act, logged; notes how it changed what holds."""
        account = self.registry.account(namespace)
        performer = by if by is not None else self.owner(account) if account else self.superuser
        return self.perform(Act(kind, namespace, performer, repository, metadata or {}, more or {}), rename)

    def perform(self, act: Act, rename: tuple[str, str] | None = None) -> Event:
        """The same, told as an act."""
        account = self.registry.account(act.namespace)
        only = None if act.kind in _EVERYWHERE else self._scope(account, act.performer)
        before = facts(self.quay, only)
        event = perform(self.quay, act, self.at_us)
        after = facts(self.quay, None if only is None else {*only, event.account.id})
        self.entries += differences(before, after, self._at, act.kind, rename)
        return event

    def on(self, repository: Repository, kind: str, metadata: dict[str, Any] | None = None, **more: Any) -> Event:
        """One act on a repository."""
        namespace, name = self.path(repository)
        return self.do(kind, namespace, metadata, repository=name, **more)

    def quietly(self, change: Callable[[], None], *accounts: Account) -> None:
        """A change that no row tells of."""
        only = {account.id for account in accounts}
        before = facts(self.quay, only)
        change()
        self.entries += differences(before, facts(self.quay, only), self._at, "", None)

    @property
    def _at(self) -> str:
        return from_us(self.at_us).isoformat()

    def _scope(self, account: Account | None, performer: str) -> set[int]:
        by = self.registry.account(performer)
        return {one.id for one in (account, by) if one is not None}
