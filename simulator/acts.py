"""The simulator's acts: one change as a real Quay makes it: the registry changes, and the log has a row of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from quayledger.simulator import sizes
from quayledger.simulator.clock import DAY_US, SECOND_US
from quayledger.simulator.effects.event import Event
from quayledger.simulator.effects.kinds import KEYS
from quayledger.simulator.effects.named import happen
from quayledger.simulator.entities.accounts import Account
from quayledger.simulator.entities.content import NEVER_MS, OCI_MANIFEST, Repository, Tag
from quayledger.simulator.generate.stage import resolved
from quayledger.simulator.images import uuid_of
from quayledger.simulator.quay import Quay
from quayledger.simulator.registry import Registry
from quayledger.simulator.table import Row


class Act(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is to happen, told by names. `metadata`: what the row is to say, as far as it does not follow from the rest;
    `more`: what the registry gets to know and the row does not say (`digest` of a push, `title`, `config`, `uuid`, …)."""

    kind: str
    namespace: str
    performer: str = ""
    repository: str = ""
    metadata: dict[str, Any] = {}
    more: dict[str, Any] = {}
    ip: str | None = "10.0.0.1"


def perform(quay: Quay, act: Act, at_us: int) -> Event:
    """Does it. Raises LookupError for what is not there, ValueError for a kind that Quay does not know."""
    if act.kind not in KEYS:
        raise ValueError(f"no kind {act.kind!r} in Quay's log")
    registry = quay.registry
    metadata = _completed(registry, act, at_us)
    event = happen(
        registry,
        act.kind,
        at_us,
        act.namespace,
        metadata,
        performer=act.performer,
        repository=act.repository,
        more=act.more,
    )
    linked = event.repository if event.repository is not None and not event.repository.deleted else None
    by = event.performer.id if event.performer else 0
    text = json.dumps(metadata).encode()
    quay.write(Row(at_us, act.kind, event.account.id, by, linked.id if linked else 0, act.ip, text))
    if linked is not None and at_us // DAY_US == quay.clock.now_us() // DAY_US:
        day = at_us // DAY_US
        linked.actions[day] = linked.actions.get(day, 0) + 1
    return event


class _Known(msgspec.Struct, frozen=True):
    """What is known before an act."""

    act: Act
    at_us: int
    account: Account | None
    performer: Account | None
    repository: Repository | None

    @property
    def tag(self) -> Tag | None:
        """The tag that the act is about, as it stands."""
        name = self.act.metadata.get("tag")
        return self.repository.standing(name, self.at_us // 1000) if self.repository and name else None

    @property
    def expires(self) -> int | None:
        """When that tag ends, seconds since 1970."""
        return None if self.tag is None or self.tag.end_ms == NEVER_MS else self.tag.end_ms // 1000

    @property
    def quota(self) -> int | None:
        """The quota in force."""
        return sizes.limit_bytes(self.account) if self.account else None


def _fresh(known: _Known) -> str:
    return uuid_of(known.act.kind, known.act.namespace, known.act.repository, known.at_us)


def _limit(known: _Known) -> str | None:
    value = known.act.metadata.get("limit_bytes", known.quota)
    return None if value is None else sizes.human(int(value))


# what a row says where it is not told: by key of the metadata
_FOLLOWS: dict[str, Callable[[_Known], Any]] = {
    "repo": lambda k: k.act.repository or None,
    "namespace": lambda k: k.act.namespace,
    "username": lambda k: k.act.performer or None,
    "superuser": lambda k: k.act.performer or None,
    "inviter": lambda k: k.act.performer or None,
    "assigning_user": lambda k: k.act.performer or None,
    "performer": lambda _: "autoprune worker",
    "user-agent": lambda _: "skopeo/1.14.0",
    "mediaType": lambda _: OCI_MANIFEST,
    "resolved_ip": lambda _: resolved(None),
    "original_manifest_digest": lambda k: k.tag.digest if k.tag else None,
    "manifest_digest": lambda k: k.tag.digest if k.tag else None,
    "previous_immutable": lambda k: bool(k.tag and k.tag.immutable),
    "old_expiration_date": lambda k: k.expires,
    "old_email": lambda k: k.account.email if k.account else None,
    "entity_id": lambda k: k.account.id if k.account else None,
    "was_user": lambda k: bool(k.account and k.account.kind == "user"),
    "limit_bytes": lambda k: k.quota,
    "limit": _limit,
    "previous_limit_bytes": lambda k: k.quota,
    "previous_limit": lambda k: None if k.quota is None else sizes.human(k.quota),
    "quota_id": lambda k: k.account.quotas[0].id if k.account and k.account.quotas else None,
    "date/time": lambda k: k.at_us // SECOND_US,
    "description": lambda _: "",
    "unstructured_metadata": lambda _: {},
    "application_uri": lambda _: "",
    "redirect_uri": lambda _: "",
    "application_name": lambda k: k.act.metadata.get("name"),
    "docker_tags": lambda _: ["latest"],
    "is_manual": lambda k: bool(k.act.performer),
    "manual_user": lambda k: k.act.performer or None,
    "event": lambda _: "repo_push",
    "method": lambda _: "webhook",
    "service": lambda _: "custom-git",
    "tag_pattern_matches": lambda _: True,
    "media_type": lambda _: "text/plain",
    "type": lambda _: "quayauth",
    **dict.fromkeys(
        ("notification_id", "trigger_id", "build_id", "prototypeid", "app_specific_token", "id", "export_id"), _fresh
    ),
    "client_id": lambda k: _fresh(k).replace("-", "").upper()[:20],
    "kid": lambda k: (_fresh(k) + _fresh(k)).replace("-", "")[:43],
}
_BY_PEOPLE_OR_TEAMS = ("change_repo_permission", "delete_repo_permission")
_TRANSFERS = ("push_repo", "pull_repo")


def _completed(registry: Registry, act: Act, at_us: int) -> Mapping[str, Any]:
    """The metadata with all keys that rows of the kind carry."""
    account, performer = registry.account(act.namespace), registry.account(act.performer)
    repository = registry.repository(act.namespace, act.repository) if act.repository else None
    known = _Known(act, at_us, account, performer, repository)
    metadata = dict(act.metadata)
    wanted = [key for key in KEYS[act.kind] if key not in metadata]
    if act.kind in _BY_PEOPLE_OR_TEAMS and "team" not in metadata:
        wanted.append("namespace")
    for key in wanted:
        if key != "manifest_digest" or act.kind not in _TRANSFERS:
            metadata[key] = _FOLLOWS[key](known) if key in _FOLLOWS else None
    if performer is not None and performer.robot is not None and act.kind in _TRANSFERS:
        metadata["is_robot"] = True
    return metadata
