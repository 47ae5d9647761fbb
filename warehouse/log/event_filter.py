"""Which events are meant, for all who ask the warehouse about events. Pure."""

from __future__ import annotations

from datetime import datetime

import msgspec


class EventFilter(msgspec.Struct, frozen=True):
    """Which events: all that are set must hold. `since` <= occurred_at < `until`, both aware. `user_agent` and `text` are
    substrings, whatever the case; `text` of any name or the metadata, or the beginning of a digest; the others are compared as they
    are. A namespace, an actor, and the namespace of a repository stand for the account: its events under former and later names
    match too. `repository`: its name, or `namespace/name`. `ip`: an address in any spelling, or a network such as
    `10.0.0.0/8`. `excluded`: pairs of one of EXCLUDABLE and a value: events that have it are left out, those without any value
    stay."""

    since: datetime | None = None
    until: datetime | None = None
    source_ids: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    namespace: str | None = None
    repository: str | None = None
    actor: str | None = None
    actor_type: str | None = None
    ip: str | None = None
    tag: str | None = None
    digest: str | None = None
    client: str | None = None
    user_agent: str | None = None
    text: str | None = None
    outcome: str | None = None
    credential: str | None = None
    excluded: tuple[tuple[str, str], ...] = ()


# Fields that are compared as they are.
EQUAL = ("actor_type", "tag", "digest", "client", "outcome", "credential")
EXCLUDABLE = ("kind", "category", *EQUAL, "namespace", "actor", "repository", "ip", "user_agent")


class RenamedAccount(msgspec.Struct, frozen=True):
    """An account whose events from `since` until before `until` (both aware) bear `old_name` and belong to `now_called`."""

    source_id: str
    old_name: str
    now_called: str
    since: datetime
    until: datetime
