"""The simulator's planted changes to repositories and what is in them, to sizes, scans and the installation."""

from __future__ import annotations

from typing import Any

import msgspec

from quayledger.simulator import sizes
from quayledger.simulator.changes.planner import Missing, Planner
from quayledger.simulator.clock import DAY_US, SECOND_US
from quayledger.simulator.entities.builds import Notification
from quayledger.simulator.entities.content import Manifest, Repository, Scan, Tag
from quayledger.simulator.images import digest_of, scan_of


def permission_granted(p: Planner) -> None:
    """To a user."""
    found = p.repository("permission")
    p.on(found, "change_repo_permission", {"username": p.stranger(found.permissions).name, "role": "write"})


def permission_changed(p: Planner) -> None:
    """Of a user or robot."""
    found = p.repository("permission", lambda r: bool(r.permissions))
    person = p.one_of(found.permissions)
    told = {"username": person.name, "role": "read" if found.permissions[person.id] != "read" else "admin"}
    p.on(found, "change_repo_permission", told)


def permission_removed(p: Planner) -> None:
    """Of a user or robot."""
    found = p.repository("permission", lambda r: bool(r.permissions))
    p.on(found, "delete_repo_permission", {"username": p.one_of(found.permissions).name})


def team_permission_granted(p: Planner) -> None:
    """On a repository where the team had none."""
    found = p.repository("team", lambda r: bool(_teams_without(p, r)))
    p.on(found, "change_repo_permission", {"team": _teams_without(p, found)[0], "role": "write"})


def _teams_without(p: Planner, found: Repository) -> list[str]:
    teams = p.registry.namespace_of(found).teams
    return [team.name for team in teams if team.name not in found.team_permissions]


def repository_created(p: Planner) -> None:
    """With the permissions that new ones get."""
    found = p.organization(what="repository")
    p.do("create_repo", found.name, {"repo": p.fresh("repo")})


def repository_deleted(p: Planner) -> None:
    """With everything in it."""
    if p.doomed is None or p.doomed.deleted:
        raise Missing
    p.on(p.doomed, "delete_repo")


def repository_made_public(p: Planner) -> None:
    """It was private."""
    p.on(p.repository("public", lambda r: not r.public), "change_repo_visibility", {"visibility": "public"})


def repository_described(p: Planner) -> None:
    """Otherwise than before."""
    p.on(p.repository("described"), "set_repo_description", {"description": p.fresh("Planted ")})


def repository_made_read_only(p: Planner) -> None:
    """It was a normal one."""
    found = p.repository("state", lambda r: r.state == "NORMAL")
    p.on(found, "change_repo_state", {"state_changed": "READ_ONLY"})


def repository_trusted(p: Planner) -> None:
    """Its content is signed from now on."""
    p.on(p.repository("trust", lambda r: not r.trust_enabled), "change_repo_trust", {"trust_enabled": True})


def tag_pushed(p: Planner) -> None:
    """A new one."""
    p.on(p.repository("push"), "push_repo", {"tag": p.fresh("v")})


def tag_overwritten(p: Planner) -> None:
    """It stands for another image from now on."""
    found, tag = p.tag()
    p.on(found, "push_repo", {"tag": tag.name})


def tag_moved(p: Planner) -> None:
    """To an image that is there."""
    found, tag = p.tag(lambda r, t: bool(_others(r, t)))
    p.on(found, "move_tag", {"tag": tag.name, "manifest_digest": _others(found, tag)[0]})


def _others(found: Repository, tag: Tag) -> list[str]:
    return [m.digest for m in found.manifests.values() if m.digest != tag.digest and not m.subject]


def tag_deleted(p: Planner) -> None:
    """It stays in the history."""
    found, tag = p.tag()
    p.on(found, "delete_tag", {"tag": tag.name})


def tag_to_expire(p: Planner) -> None:
    """In a month."""
    found, tag = p.tag()
    p.on(found, "change_tag_expiration", {"tag": tag.name, "expiration_date": (p.at_us + 30 * DAY_US) // SECOND_US})


def tag_locked(p: Planner) -> None:
    """Against change."""
    found, tag = p.tag()
    p.on(found, "change_tag_immutability", {"tag": tag.name, "immutable": True})


def label_added(p: Planner) -> None:
    """By the API."""
    found, tag = p.tag()
    told = {"key": "planted", "value": p.fresh("value"), "manifest_digest": tag.digest}
    p.on(found, "manifest_label_add", told)


def label_deleted(p: Planner) -> None:
    """An older one."""
    found = p.repository("label", lambda r: any(m.labels for m in r.manifests.values()))
    manifest = next(m for m in found.manifests.values() if m.labels)
    label = manifest.labels[0]
    told = {"id": label.uuid, "key": label.key, "value": label.value, "manifest_digest": manifest.digest}
    p.on(found, "manifest_label_delete", told)


def referrer_pushed(p: Planner) -> None:
    """An SBOM of an image; it has no tag."""
    found, tag = p.tag()
    digest = digest_of("planted", tag.digest, p.number)
    p.on(found, "push_repo", {"manifest_digest": digest}, more={"subject": tag.digest})


def notification_added(p: Planner) -> None:
    """A webhook."""
    p.on(p.repository("notification"), "add_repo_notification", {"event": "repo_push", "method": "webhook"})


def notification_deleted(p: Planner) -> None:
    """An older one."""
    found = p.repository("notification", lambda r: bool(r.notifications))
    p.on(found, "delete_repo_notification", _told(found.notifications[0]))


def _told(one: Notification) -> dict[str, Any]:
    return {"notification_id": one.uuid, "event": one.event, "method": one.method}


def trigger_set_up(p: Planner) -> None:
    """And starts a build."""
    found = p.repository("trigger")
    namespace, name = p.path(found)
    config = {"build_source": f"https://git.example.com/{namespace}/{name}.git", "context": "/"}
    event = p.on(found, "setup_repo_trigger", {"service": "custom-git", "config": config})
    told = {"trigger_id": event.metadata["trigger_id"], "trigger_kind": "custom-git", "is_manual": False}
    p.on(found, "build_dockerfile", {**told, "docker_tags": ["latest"]}, more={"phase": "complete"})


def trigger_switched_off(p: Planner) -> None:
    """It stays."""
    found = p.repository("trigger", lambda r: any(t.enabled for t in r.triggers))
    trigger = next(t for t in found.triggers if t.enabled)
    p.on(found, "toggle_repo_trigger", {"trigger_id": trigger.uuid, "service": trigger.service, "enabled": False})


def trigger_deleted(p: Planner) -> None:
    """Builds that it started stay."""
    found = p.repository("trigger", lambda r: bool(r.triggers))
    p.on(found, "delete_repo_trigger", {"trigger_id": found.triggers[0].uuid, "service": found.triggers[0].service})


def repository_policy_created(p: Planner) -> None:
    """Of a repository."""
    told = {"method": "creation_date", "value": "30d", "tag_pattern": None}
    p.on(p.repository("policy"), "create_repository_autoprune_policy", told)


def repository_policy_changed(p: Planner) -> None:
    """An older one."""
    found = p.repository("policy", lambda r: bool(r.prune_policies))
    policy = found.prune_policies[-1]
    value = "45d" if policy.method == "creation_date" else 45
    told = {"method": policy.method, "value": value, "tag_pattern": policy.pattern}
    p.on(found, "update_repository_autoprune_policy", told)


def mirror_changed(p: Planner) -> None:
    """How often it is synchronised."""
    found = p.repository("mirror", lambda r: r.mirror is not None)
    interval = 7200 if found.mirror is None or found.mirror.sync_interval_s != 7200 else 3600
    p.on(found, "repo_mirror_config_changed", {"changed": "sync_interval", "to": interval})


def robot_used(p: Planner) -> None:
    """It pulls."""
    found = p.repository("use", lambda r: bool(p.registry.robots_of(r.account_id)))
    robot = p.registry.robots_of(found.account_id)[0]
    p.on(found, "pull_repo", {"tag": "latest"}, by=robot.name)


def repository_starred(p: Planner) -> None:
    """By the superuser; no row tells of it."""
    user = p.registry.administrator
    found = p.repository("star", lambda r: r.id not in user.stars)
    p.quietly(lambda: user.stars.append(found.id), user)


def size_grown(p: Planner) -> None:
    """What a cache pulled through is in no log; then the registry is summed up anew."""
    found = p.repository("size")
    digest = digest_of("grown", found.id, p.number)
    made = Manifest(digest, p.at_us, None, _blobs(found, digest), config_media_type=None)
    made.scan = Scan("unsupported")
    p.quietly(lambda: p.registry.put_manifest(found, made), p.registry.namespace_of(found))
    p.quietly(lambda: _sum_up(p))


def _blobs(found: Repository, digest: str) -> tuple[Any, ...]:
    """Layers that nothing else has."""
    blobs = next((m.layers for m in found.manifests.values() if m.layers), ())
    return tuple(msgspec.structs.replace(blob, digest=digest_of(digest, blob.digest)) for blob in blobs)


def _sum_up(p: Planner) -> None:
    p.registry.size.size_bytes = sizes.summed_up(p.registry)
    p.registry.size.last_ran_ms = p.at_us // 1000


def scan_changed(p: Planner) -> None:
    """The scanner knows more of an image; no row tells of it."""
    found = p.repository("scan", lambda r: any(m.scan.status == "scanned" for m in r.manifests.values()))
    manifest = next(m for m in found.manifests.values() if m.scan.status == "scanned")
    other = next(s for n in range(7, 60) if (s := scan_of(n, 0)).features[:1] != manifest.scan.features[:1])

    def rescan() -> None:
        manifest.scan = other

    p.quietly(rescan, p.registry.namespace_of(found))


def actions_counted(p: Planner) -> None:
    """Quay's nightly worker counts what was done yesterday; no row tells of it."""
    found = p.repository("actions")
    yesterday = p.quay.clock.now_us() // DAY_US - 1
    count = found.actions.get(yesterday, 0) + 17
    p.quietly(lambda: found.actions.update({yesterday: count}), p.registry.namespace_of(found))


def operation_offered(p: Planner) -> None:
    """A newer version offers an operation more."""
    if p.quay.config.mirror_health:
        raise Missing

    def upgrade() -> None:
        p.quay.config = msgspec.structs.replace(p.quay.config, mirror_health=True)

    p.quietly(upgrade)
