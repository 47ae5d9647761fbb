"""The simulator's events told by names: as a person, a script or a recorded log tells them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from quayledger.simulator.effects.event import Event
from quayledger.simulator.effects.table import apply
from quayledger.simulator.entities.accounts import Account
from quayledger.simulator.entities.content import Repository
from quayledger.simulator.registry import Registry

# which key of the metadata names the account that the event brings about, and whose log it is in
_BRINGS = {"user_create": "username", "org_create": "namespace"}
_NOBODY = Account(0, "", "user")


def happen(
    registry: Registry,
    kind: str,
    at_us: int,
    namespace: str,
    metadata: Mapping[str, Any],
    *,
    performer: str = "",
    repository: str = "",
    more: Mapping[str, Any] | None = None,
) -> Event:
    """Does it, and gives the event as it is to be logged. Raises LookupError for a namespace, performer or repository
    that is not there."""
    by = registry.account(performer)
    if performer and by is None:
        raise LookupError(f"no account {performer!r}")
    account = registry.account(namespace)
    if account is None and kind not in _BRINGS:
        raise LookupError(f"no namespace {namespace!r}")
    found = _repository(registry, account, repository, metadata, kind)
    event = Event(kind, at_us, account or _NOBODY, metadata, by, found, more or {})
    apply(registry, event)
    return _afterwards(registry, event, namespace, repository)


def _afterwards(registry: Registry, event: Event, namespace: str, repository: str) -> Event:
    """The event with the account or the repository that it brought about."""
    account: Account | None = event.account
    if account is _NOBODY:
        account = registry.account(str(event.metadata.get(_BRINGS[event.kind], namespace)))
    found = event.repository
    if found is None and account is not None:
        found = registry.repository(account.name, repository or str(event.metadata.get("repo", "")))
    return msgspec.structs.replace(event, account=account or _NOBODY, repository=found)


def _repository(
    registry: Registry, account: Account | None, name: str, metadata: Mapping[str, Any], kind: str
) -> Repository | None:
    if account is None:
        return None
    named = name or str(metadata.get("repo") or "")
    if named:
        found = registry.repository(account.name, named)
        if name and found is None and kind not in ("create_repo", "push_repo", "org_mirror_repo_created"):
            raise LookupError(f"no repository {account.name}/{name}")
        return found
    build = metadata.get("build_uuid")
    return next((r for r in registry.repositories_of(account.id) if build and r.build(build)), None)
