"""The simulator's facts as values: who looks, at which namespaces, when; and how a fact is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from quayledger.simulator.clock import SECOND_US, from_us
from quayledger.simulator.entities.accounts import Account
from quayledger.simulator.entities.content import Repository
from quayledger.simulator.registry import Registry

Key = tuple[Any, ...]
Fact = tuple[Key, dict[str, Any]]
Facts = dict[str, dict[Key, dict[str, Any]]]


class View(msgspec.Struct, frozen=True):
    """A superuser's look at `accounts` (namespaces that are not deleted). `offered`: operations of the public reference."""

    registry: Registry
    now_us: int
    user: Account | None
    accounts: tuple[Account, ...]
    offered: tuple[str, ...]

    @property
    def organizations(self) -> list[Account]:
        """Those of the accounts."""
        return [a for a in self.accounts if a.kind == "org"]

    def repositories(self) -> Iterator[tuple[str, Repository]]:
        """Every repository of the accounts, with its namespace's name."""
        for account in self.accounts:
            for repository in self.registry.repositories_of(account.id):
                yield account.name, repository

    def name(self, account_id: int) -> str | None:
        """Of an account; None where there is none."""
        account = self.registry.accounts.get(account_id)
        return None if account is None else account.name


def time(at_us: int | None) -> str | None:
    """A time as answers tell it: whole seconds, ISO with an offset."""
    return None if at_us is None else from_us(at_us // SECOND_US * SECOND_US).isoformat()


def row(key: Key, **values: Any) -> Fact:
    """A fact."""
    return key, values


def as_object(columns: tuple[str, ...], key: Key) -> Mapping[str, Any]:
    """A key with its columns' names."""
    return dict(zip(columns, key, strict=True))
