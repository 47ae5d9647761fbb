"""The simulator's table of facts: every family and series by name, with what names an object in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import msgspec

from quayledger.simulator.api.table import OPERATIONS
from quayledger.simulator.entities.accounts import Account
from quayledger.simulator.facts import accounts, content, newer
from quayledger.simulator.facts.view import Fact, Facts, View
from quayledger.simulator.quay import Quay


class Told(msgspec.Struct, frozen=True):
    """A family, or with `measured` a series; `columns`: those of its key."""

    columns: tuple[str, ...]
    tell: Callable[[View], Iterator[Fact]]
    measured: bool = False


_ORG, _REPO = ("organization",), ("namespace", "repository")
FAMILIES: dict[str, Told] = {
    "users": Told(("username",), accounts.users),
    "organizations": Told(_ORG, accounts.organizations),
    "organization_settings": Told(_ORG, accounts.organization_settings),
    "organization_members": Told((*_ORG, "member", "relation"), accounts.organization_members),
    "teams": Told((*_ORG, "team"), accounts.teams),
    "team_members": Told((*_ORG, "team", "member"), accounts.team_members),
    "robots": Told(("robot",), accounts.robots),
    "robot_federations": Told(("robot", "issuer", "subject"), accounts.robot_federations),
    "direct_access": Told((*_REPO, "principal", "told_by"), content.direct_access),
    "repository_permissions": Told((*_REPO, "principal_kind", "principal"), content.repository_permissions),
    "default_permissions": Told((*_ORG, "prototype_id"), accounts.default_permissions),
    "applications": Told((*_ORG, "client_id"), accounts.applications),
    "app_tokens": Told(("uuid",), accounts.app_tokens),
    "service_keys": Told(("kid",), accounts.service_keys),
    "quotas": Told(("namespace", "quota_id"), accounts.quotas),
    "quota_limits": Told(("namespace", "quota_id", "limit_id"), accounts.quota_limits),
    "repositories": Told(_REPO, content.repositories),
    "repository_settings": Told(_REPO, content.repository_settings),
    "tags": Told((*_REPO, "tag", "started_at", "digest", "ordinal"), content.tags),
    "manifests": Told((*_REPO, "digest"), content.manifests),
    "manifest_labels": Told((*_REPO, "digest", "label_id"), content.manifest_labels),
    "referrers": Told((*_REPO, "digest", "referrer_digest"), content.referrers),
    "vulnerabilities": Told(("digest", "package", "package_version", "vulnerability"), content.vulnerabilities),
    "mirrors": Told(_REPO, content.mirrors),
    "notifications": Told((*_REPO, "uuid"), content.notifications),
    "triggers": Told((*_REPO, "trigger_id"), content.triggers),
    "builds": Told((*_REPO, "build_id"), content.builds),
    "autoprune_policies": Told((*_REPO, "uuid"), content.autoprune_policies),
    "proxy_caches": Told(_ORG, accounts.proxy_caches),
    "messages": Told(("uuid",), accounts.messages),
    "stars": Told(("username", *_REPO), accounts.stars),
    "immutability_policies": Told((*_REPO, "uuid"), newer.immutability_policies),
    "organization_mirrors": Told(_ORG, newer.organization_mirrors),
    "mirrored_repositories": Told((*_ORG, "external_repository"), newer.mirrored_repositories),
    "oauth_tokens": Told((*_ORG, "client_id", "uuid"), newer.oauth_tokens),
    "namespace_notifications": Told((*_ORG, "uuid"), newer.namespace_notifications),
    "registry_settings": Told(("origin", "setting"), newer.registry_settings),
    "offered_operations": Told(("operation",), accounts.offered_operations),
    "sizes": Told(("level", *_REPO), content.sizes, measured=True),
    "last_uses": Told(("subject_kind", "subject"), content.last_uses, measured=True),
    "scans": Told(("digest",), content.scans, measured=True),
    "repository_actions": Told((*_REPO, "day"), content.repository_actions, measured=True),
}


def facts(quay: Quay, only: Iterable[int] | None = None) -> Facts:
    """What holds now, by family and key. `only`: ids of the namespaces that are looked at, besides what belongs to the
    registry as a whole."""
    registry = quay.registry
    ids = registry.accounts if only is None else sorted(set(only))
    chosen = [a for i in ids if (a := registry.accounts.get(i)) is not None and _is_namespace(a)]
    offered = (
        o.id
        for o in OPERATIONS
        if not (o.internal or o.unlisted) and (not o.feature or bool(getattr(quay.config, o.feature)))
    )
    viewer = registry.accounts.get(min(registry.superusers, default=0))
    view = View(registry, quay.clock.now_us(), viewer, tuple(chosen), tuple(offered))
    return {name: dict(family.tell(view)) for name, family in FAMILIES.items()}


def _is_namespace(account: Account) -> bool:
    return account.kind != "robot" and not account.deleted
