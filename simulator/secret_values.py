"""The simulator's secrets: values that say of themselves that they are secret, and where all of them are."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from quayledger.simulator.registry import Registry

MARK = "s3cr3t-"


def secret(*parts: object) -> str:
    """A secret value, always the same for the same parts."""
    return MARK + hashlib.sha256(" ".join(map(str, parts)).encode()).hexdigest()[:40]


def all_secrets(registry: Registry) -> Iterator[str]:
    """Every secret value that some answer or event of this Quay holds, access tokens of its API aside."""
    yield from registry.logged_secrets
    yield from registry.config_secrets.values()
    for account in registry.accounts.values():
        if account.robot is not None:
            yield account.robot.token
        yield from (application.secret for application in account.applications)
        yield from (token.code for token in account.app_tokens)
        for alert in account.notifications:
            yield from _marked(alert.config)
    for repository in registry.repositories.values():
        yield repository.badge_token
        yield from (trigger.secret for trigger in repository.triggers if trigger.secret)
        for notification in repository.notifications:
            yield from _marked(notification.config)


def _marked(value: Any) -> Iterator[str]:
    """The texts within that hold the mark."""
    if isinstance(value, str) and MARK in value:
        yield value[value.index(MARK) :]
    elif isinstance(value, dict):
        for member in value.values():
            yield from _marked(member)
    elif isinstance(value, list):
        for member in value:
            yield from _marked(member)
