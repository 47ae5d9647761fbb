"""The simulator's events as its effects see them: a kind, who and what it is about, and what it says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from quayledger.simulator.entities.accounts import Account
from quayledger.simulator.entities.content import Repository
from quayledger.simulator.registry import Registry


class Event(msgspec.Struct, frozen=True):
    """Something that happened. `account`: whose log it is in. `more`: what a registry knows of it and no log tells (a
    pushed digest, a notification's title); it goes before the metadata."""

    kind: str
    at_us: int
    account: Account
    metadata: Mapping[str, Any]
    performer: Account | None = None
    repository: Repository | None = None
    more: Mapping[str, Any] = {}

    @property
    def at_ms(self) -> int:
        """Milliseconds since 1970."""
        return self.at_us // 1000

    def get(self, key: str, default: Any = None) -> Any:
        """What is known under a key; null counts as unknown."""
        value = self.more.get(key, self.metadata.get(key))
        return default if value is None else value

    def text(self, key: str) -> str:
        """The same where it is a text; else ''."""
        value = self.get(key)
        return value if isinstance(value, str) else ""


Effect = Callable[[Registry, Event], None]


def account_named(registry: Registry, event: Event, *keys: str) -> Account | None:
    """The account that the first of these keys names."""
    for key in keys:
        name = event.text(key)
        if name:
            return registry.account(name)
    return None


def robot_of(registry: Registry, event: Event) -> Account | None:
    """The robot of the event's namespace that `robot` names, by its short or its whole name."""
    name = event.text("robot")
    return registry.account(name if "+" in name else f"{event.account.name}+{name}")
