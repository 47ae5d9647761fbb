"""The simulator's facts about what newer versions of Quay have: immutability policies, organization mirrors, tokens of OAuth
applications, quota alerts, and what the registry can do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import urlsplit

from quayledger.simulator.facts.view import Fact, View, row, time


def immutability_policies(view: View) -> Iterator[Fact]:
    """Of organisations and repositories."""
    owners = [(one.name, "", one.immutability) for one in view.organizations]
    owners += [(namespace, one.name, one.immutability) for namespace, one in view.repositories()]
    for namespace, name, policies in owners:
        for policy in policies:
            yield row((namespace, name, policy.uuid), tag_pattern=policy.pattern, tag_pattern_matches=policy.matches)


def organization_mirrors(view: View) -> Iterator[Fact]:
    """Organisations that mirror a namespace of another registry."""
    for one in view.organizations:
        if one.mirror is not None:
            yield row(
                (one.name,),
                is_enabled=one.mirror.is_enabled,
                external_registry=one.mirror.url,
                external_namespace=one.mirror.namespace,
                robot=view.name(one.mirror.robot_id),
                sync_interval_s=one.mirror.interval_s,
                sync_status=one.mirror.status,
            )


def mirrored_repositories(view: View) -> Iterator[Fact]:
    """What their mirrors found."""
    for one in view.organizations:
        for found in one.mirror.repositories if one.mirror else ():
            created = f"{one.name}/{found.name}" if found.is_created else None
            yield row((one.name, found.name), sync_status=found.status, created_as=created)


def oauth_tokens(view: View) -> Iterator[Fact]:
    """Of applications that are there."""
    for one in view.organizations:
        known = {application.client_id for application in one.applications}
        for token in one.oauth_tokens:
            if token.client_id in known:
                yield row(
                    (one.name, token.client_id, token.uuid),
                    token_name=token.name,
                    scope=token.scope,
                    created_at=time(token.created_us),
                )


def namespace_notifications(view: View) -> Iterator[Fact]:
    """Quota alerts."""
    for one in view.organizations:
        for found in one.notifications:
            host = urlsplit(str(found.config.get("url", ""))).hostname
            yield row((one.name, found.uuid), title=found.title, event=found.event, method=found.method, target=host)


def registry_settings(view: View) -> Iterator[Fact]:
    """What the registry says that it can do, where it says so."""
    if "getRegistryCapabilities" in view.offered:
        yield row(("capabilities", "sparse_manifests"), value=json.dumps(view.registry.sparse_manifests))
