"""The simulator's facts about repositories and what is in them, and the measurements that an inventory takes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from quayledger.simulator import sizes as bytes_of
from quayledger.simulator.api.repositories import STATS_DAYS, size_of
from quayledger.simulator.api.views import end_ts, last_modified_ms
from quayledger.simulator.clock import DAY_US, from_us
from quayledger.simulator.entities.builds import Notification
from quayledger.simulator.entities.content import Manifest, Repository, Scan
from quayledger.simulator.facts.view import Fact, View, row, time

_COUNTED = {"Critical": "critical", "High": "high", "Medium": "medium", "Low": "low"}


def repositories(view: View) -> Iterator[Fact]:
    """All of the accounts' ones."""
    for namespace, one in view.repositories():
        yield row(
            (namespace, one.name),
            repository_kind=one.kind,
            state=one.state,
            is_public=one.public,
            description=one.description,
        )


def repository_settings(view: View) -> Iterator[Fact]:
    """What is told of one repository only."""
    for namespace, one in view.repositories():
        expiration_s = view.registry.namespace_of(one).tag_expiration_s
        yield row((namespace, one.name), tag_expiration_s=expiration_s, trust_enabled=one.trust_enabled)


def direct_access(view: View) -> Iterator[Fact]:
    """Who has a permission of their own where, whatever the role, as the lists of an organisation tell it."""
    for account in view.organizations:
        for one in view.registry.repositories_of(account.id):
            for i in one.permissions:
                person = view.registry.accounts.get(i)
                if person is None or (person.robot is not None and person.owner_id != account.id):
                    continue
                member = "members" if account.has_member(i) else "collaborators"
                yield row((account.name, one.name, person.name, "robots" if person.robot is not None else member))


def repository_permissions(view: View) -> Iterator[Fact]:
    """Of users, robots and teams."""
    for namespace, one in view.repositories():
        for i, role in one.permissions.items():
            person = view.registry.accounts.get(i)
            if person is not None:
                kind = "robot" if person.robot is not None else "user"
                yield row((namespace, one.name, kind, person.name), role=role)
        for team, role in one.team_permissions.items():
            yield row((namespace, one.name, "team", team), role=role)


def tags(view: View) -> Iterator[Fact]:
    """With their history; equal ones are told apart by a running number."""
    for namespace, one in view.repositories():
        seen: Counter[tuple[Any, ...]] = Counter()
        for tag in one.tags:
            same = (namespace, one.name, tag.name, time(tag.start_ms * 1000), tag.digest)
            manifest, ends = one.manifests.get(tag.digest), end_ts(tag.end_ms)
            yield row(
                (*same, seen[same]),
                ended_at=None if ends is None else time(ends * 1_000_000),
                reversion=tag.reversion,
                is_manifest_list=manifest is not None and manifest.is_list,
                size_bytes=size_of(one.manifests, tag.digest),
                immutable=tag.immutable,
            )
            seen[same] += 1


def _images(view: View) -> Iterator[tuple[str, Repository, Manifest]]:
    for namespace, one in view.repositories():
        for manifest in one.manifests.values():
            if not manifest.subject:
                yield namespace, one, manifest


def manifests(view: View) -> Iterator[Fact]:
    """Those that can be read by their digests."""
    for namespace, one, manifest in _images(view):
        yield row(
            (namespace, one.name, manifest.digest),
            media_type=manifest.media_type,
            config_media_type=manifest.config_media_type,
            is_manifest_list=manifest.is_list,
            layers=None if manifest.is_list else len(manifest.layers),
            layers_compressed_bytes=None if manifest.is_list else manifest.layers_bytes,
        )


def manifest_labels(view: View) -> Iterator[Fact]:
    """Of images."""
    for namespace, one, manifest in _images(view):
        for label in manifest.labels:
            yield row(
                (namespace, one.name, manifest.digest, label.uuid),
                label=label.key,
                label_value=label.value,
                source_type=label.source,
                media_type=label.media_type,
            )


def referrers(view: View) -> Iterator[Fact]:
    """Artifacts by what they refer to."""
    for namespace, one in view.repositories():
        for manifest in one.manifests.values():
            if manifest.subject:
                yield row(
                    (namespace, one.name, manifest.subject, manifest.digest),
                    media_type=manifest.media_type,
                    artifact_type=manifest.artifact_type,
                )


def vulnerabilities(view: View) -> Iterator[Fact]:
    """Of manifests that are scanned by now."""
    for _, _, manifest in _images(view):
        if manifest.scan.status_at(view.now_us) == "scanned":
            for feature in manifest.scan.features:
                for found in feature.vulnerabilities:
                    yield row(
                        (manifest.digest, feature.name, feature.version, found.name),
                        severity=found.severity,
                        fixed_by=found.fixed_by,
                        link=found.link,
                    )


def mirrors(view: View) -> Iterator[Fact]:
    """Repositories that mirror another."""
    for namespace, one in view.repositories():
        mirror = one.mirror
        if mirror is not None:
            yield row(
                (namespace, one.name),
                is_enabled=mirror.is_enabled,
                mirror_type="PULL",
                external_reference=mirror.external_reference,
                external_username=mirror.external_username,
                verify_tls=mirror.registry_config.get("verify_tls"),
                sync_interval_s=mirror.sync_interval_s,
                sync_status=mirror.status,
                robot=view.name(mirror.robot_id),
            )


def notifications(view: View) -> Iterator[Fact]:
    """Of repositories."""
    for namespace, one in view.repositories():
        for found in one.notifications:
            yield row(
                (namespace, one.name, found.uuid),
                title=found.title,
                event=found.event,
                method=found.method,
                target=_target(found),
            )


def _target(found: Notification) -> str | None:
    """A host, an address or a name."""
    config = found.config
    if "url" in config:
        return urlsplit(str(config["url"])).hostname
    target: str | None = config.get("email") or config.get("target", {}).get("name")
    return target


def triggers(view: View) -> Iterator[Fact]:
    """Of builds."""
    for namespace, one in view.repositories():
        for found in one.triggers:
            yield row(
                (namespace, one.name, found.uuid),
                service=found.service,
                is_active=found.is_active,
                enabled=found.enabled,
                disabled_reason=found.disabled_reason,
                build_source=found.build_source,
                dockerfile_path=found.config.get("dockerfile_path"),
                context=found.config.get("context"),
            )


def builds(view: View) -> Iterator[Fact]:
    """With the phase they are in."""
    for namespace, one in view.repositories():
        for found in one.builds:
            trigger = one.trigger(found.trigger_uuid)
            yield row(
                (namespace, one.name, found.uuid),
                phase=found.phase,
                started_at=time(found.started_us),
                trigger_id=trigger.uuid if trigger else None,
                trigger_kind=trigger.service if trigger else None,
                manual_user=found.manual_user,
            )


def autoprune_policies(view: View) -> Iterator[Fact]:
    """Of organisations, of repositories, and of the one who looks."""
    owners = [(a.name, "", a.prune_policies) for a in view.accounts if a.kind == "org" or a is view.user]
    owners += [(namespace, one.name, one.prune_policies) for namespace, one in view.repositories()]
    for namespace, name, policies in owners:
        for policy in policies:
            yield row(
                (namespace, name, policy.uuid),
                method=policy.method,
                policy_value=str(policy.value),
                tag_pattern=policy.pattern,
                tag_pattern_matches=policy.matches,
            )


def sizes(view: View) -> Iterator[Fact]:
    """Of the registry, of namespaces, and of repositories."""
    size, now_ms = view.registry.size, view.now_us // 1000
    summed = None if size.last_ran_ms is None else time(size.last_ran_ms * 1000)
    yield row(("registry", "", ""), size_bytes=size.size_bytes, calculated_at=summed)
    for account in view.accounts:
        told = bytes_of.report(view.registry, account)
        yield row(
            ("namespace", account.name, ""),
            size_bytes=told["quota_bytes"],
            limit_bytes=told["configured_quota"],
            backfill=told["backfill_status"],
        )
    for namespace, one in view.repositories():
        newest_ms = last_modified_ms(one, now_ms)
        yield row(
            ("repository", namespace, one.name),
            size_bytes=view.registry.repository_bytes(one),
            last_modified_at=None if newest_ms is None else time(newest_ms * 1000),
        )


def last_uses(view: View) -> Iterator[Fact]:
    """Of robots and of application tokens."""
    for owner in view.accounts:
        for one in view.registry.robots_of(owner.id):
            if one.robot is not None and (owner.kind == "org" or owner is view.user):
                yield row(("robot", one.name), last_used_at=time(one.robot.last_accessed_us))
        for token in owner.app_tokens:
            yield row(("app_token", token.uuid), last_used_at=time(token.last_accessed_us))


def scans(view: View) -> Iterator[Fact]:
    """By manifest, with numbers where it is scanned."""
    for namespace, one, manifest in _images(view):
        status = manifest.scan.status_at(view.now_us)
        numbers = _numbers(manifest.scan) if status == "scanned" else {}
        yield row((manifest.digest,), namespace=namespace, repository=one.name, status=status, **numbers)


def _numbers(scan: Scan) -> dict[str, int]:
    found = [one for feature in scan.features for one in feature.vulnerabilities]
    severities = Counter(_COUNTED.get(one.severity, "other") for one in found)
    numbers = {name: severities[name] for name in (*_COUNTED.values(), "other")}
    return numbers | {"fixable": sum(bool(one.fixed_by) for one in found), "packages": len(scan.features)}


def repository_actions(view: View) -> Iterator[Fact]:
    """Of the days that are over; those without any are left out."""
    today = view.now_us // DAY_US
    for namespace, one in view.repositories():
        for day, count in one.actions.items():
            if count and today - STATS_DAYS <= day < today:
                yield row((namespace, one.name, from_us(day * DAY_US).date().isoformat()), actions=count)
