"""The simulator's replay: the rows of a log, in time order, done to the registry that the log began with."""

from __future__ import annotations

import json
from collections.abc import Iterable

import msgspec

from quayledger.simulator.clock import DAY_US
from quayledger.simulator.effects.event import Event
from quayledger.simulator.effects.table import EFFECTS
from quayledger.simulator.effects.tags import count_pull
from quayledger.simulator.registry import Registry
from quayledger.simulator.table import Row


class _Pulled(msgspec.Struct):
    tag: str = ""
    manifest_digest: str = ""


_decode_pull = msgspec.json.Decoder(_Pulled).decode


def replay(registry: Registry, rows: Iterable[Row]) -> None:
    """Brings the registry to the state at the end of the rows (oldest first). Pulls, nine rows of ten, take a short way."""
    accounts, repositories = registry.accounts, registry.repositories
    for row in rows:
        repository = repositories.get(row.repository_id)
        if repository is not None:
            day = row.stamp_us // DAY_US
            repository.actions[day] = repository.actions.get(day, 0) + 1
        performer = accounts.get(row.performer_id)
        if row.kind == "pull_repo":
            if performer is not None and performer.robot is not None:
                performer.robot.last_accessed_us = row.stamp_us
            if repository is not None:
                pulled = _decode_pull(row.metadata)
                count_pull(repository, pulled.tag, pulled.manifest_digest, row.stamp_us)
            continue
        effect, account = EFFECTS.get(row.kind), accounts.get(row.account_id)
        if effect is not None and account is not None:
            metadata = json.loads(row.metadata)
            effect(registry, Event(row.kind, row.stamp_us, account, metadata, performer, repository))
