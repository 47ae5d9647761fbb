"""The generator's rarer days: accounts, teams, permissions, policies, mirrors, builds, renames and deletions."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import msgspec

from quayledger.simulator.clock import DAY_US, SECOND_US
from quayledger.simulator.generate.stage import HOUR_US, MINUTE_US, OFFICE, Rhythm, Stage, digest, uuid_of
from quayledger.simulator.generate.world import (
    BROWSER,
    DELETED_ORGANISATION,
    RENAMED_ORGANISATION,
    RENAMED_USER,
    Organisation,
    Person,
    Place,
    trigger_id,
)


class Cast(msgspec.Struct, frozen=True):
    """Who and what one act is about."""

    owner: Person
    other: Person
    place: Place
    namespace: str
    rng: random.Random

    @property
    def repo(self) -> dict[str, Any]:
        """The two keys most acts on a repository carry."""
        return {"repo": self.place.repository.name, "namespace": self.namespace}

    @property
    def tagged(self) -> dict[str, Any]:
        """The keys of an act on a tag."""
        return {"username": self.owner.account.name, **self.repo, "tag": "stable"}


Metadata = Callable[[Cast], dict[str, Any]]


def _prune(c: Cast) -> dict[str, Any]:
    return {
        "method": "number_of_tags",
        "value": c.rng.randrange(5, 40),
        "tag_pattern": "sha-.*",
        "tag_pattern_matches": True,
        "namespace": c.namespace,
    }


def _notification(c: Cast) -> dict[str, Any]:
    return {**c.repo, "notification_id": uuid_of(c.rng), "event": "repo_push", "method": "slack"}


def _default_permission(c: Cast) -> dict[str, Any]:
    return {
        "prototypeid": uuid_of(c.rng),
        "username": c.owner.account.name,
        "activating_username": c.other.account.name,
        "role": c.rng.choice(("read", "write")),
        "delegate_user": c.other.account.name,
    }


def _application(c: Cast) -> dict[str, Any]:
    return {
        "name": "inventory",
        "application_uri": "",
        "redirect_uri": "",
        "description": "",
        "application_name": "inventory",
        "client_id": f"{c.rng.getrandbits(80):020X}",
    }


def _token(c: Cast) -> dict[str, Any]:
    return {
        "scope": "repo:read org:admin",
        "token_display_name": "pipeline",
        "application_name": "inventory",
        "auth_method": "OAuth",
        "client_id": f"{c.rng.getrandbits(80):020X}",
    }


def _moved(c: Cast) -> dict[str, Any]:
    old = f"{c.rng.getrandbits(28):07x}"
    return {
        **c.tagged,
        "manifest_digest": digest(c.place, c.place.build),
        "original_manifest_digest": digest(c.place, old),
    }


def _build(c: Cast) -> dict[str, Any]:
    by_hand = c.rng.random() < 0.2
    body: dict[str, Any] = {"build_id": uuid_of(c.rng), "docker_tags": ["latest", "main"], **c.repo}
    body["is_manual"] = by_hand
    if by_hand:
        return body | {"manual_user": c.owner.account.name}
    commit = {"commit": f"{c.rng.getrandbits(160):040x}", "ref": "refs/heads/main", "default_branch": "main"}
    commit["git_url"] = f"https://git.example.com/{c.namespace}/{c.place.repository.name}.git"
    kind = c.rng.choice(("custom-git", "github", "gitlab"))
    trigger = {"trigger_id": trigger_id(c.place.repository, kind), "trigger_kind": kind, "trigger_metadata": commit}
    uuid_of(c.rng)  # one number is drawn for it all the same: rows of a seed stay as they were
    return body | trigger | {"trigger_manual": False}


def _toggled(c: Cast) -> dict[str, Any]:
    uuid_of(c.rng)  # as above
    uuid = trigger_id(c.place.repository, "custom-git")
    return {"repo": c.place.repository.name, "trigger_id": uuid, "service": "custom-git", "enabled": True}


# kind, how often, whether on a repository, metadata; the performer is the organisation's owner
ACTS: tuple[tuple[str, int, bool, Metadata], ...] = (
    ("build_dockerfile", 30, True, _build),
    ("delete_tag", 20, True, lambda c: {**c.tagged, "tag": f"sha-{c.rng.getrandbits(28):07x}"}),
    ("change_repo_permission", 8, True, lambda c: {"username": c.other.account.name, "role": "write", **c.repo}),
    ("delete_repo_permission", 3, True, lambda c: {"username": c.other.account.name, **c.repo}),
    ("org_add_team_member", 6, False, lambda c: {"member": c.other.account.name, "team": "developers"}),
    ("org_remove_team_member", 3, False, lambda c: {"member": c.other.account.name, "team": "developers"}),
    ("org_create_team", 1, False, lambda _: {"team": "release"}),
    ("org_set_team_role", 1, False, lambda _: {"team": "release", "role": "creator"}),
    ("create_repo", 4, True, lambda c: c.repo),
    ("set_repo_description", 3, True, lambda c: {**c.repo, "description": "See the README of the sources."}),
    (
        "create_robot",
        2,
        False,
        lambda c: {"robot": f"job{c.rng.randrange(90)}", "description": "", "unstructured_metadata": {}},
    ),
    ("regenerate_robot_token", 3, False, lambda _: {"robot": "ci"}),
    ("create_application", 1, False, _application),
    ("create_oauth_api_token", 1, False, _token),
    ("create_prototype_permission", 1, False, _default_permission),
    (
        "create_tag",
        6,
        True,
        lambda c: {**c.tagged, "manifest_digest": digest(c.place, c.place.build), "original_manifest_digest": None},
    ),
    ("move_tag", 6, True, _moved),
    (
        "revert_tag",
        1,
        True,
        lambda c: {k: v for k, v in _moved(c).items() if k not in ("namespace", "original_manifest_digest")},
    ),
    (
        "change_tag_expiration",
        3,
        True,
        lambda c: {**c.tagged, "expiration_date": 1830000000, "old_expiration_date": None},
    ),
    (
        "manifest_label_add",
        3,
        True,
        lambda c: {
            "id": uuid_of(c.rng),
            "key": "team",
            "value": c.namespace,
            "manifest_digest": digest(c.place, c.place.build),
            "media_type": "text/plain",
            **c.repo,
        },
    ),
    ("add_repo_notification", 2, True, _notification),
    ("reset_repo_notification", 1, True, _notification),
    ("create_namespace_autoprune_policy", 1, False, _prune),
    ("create_repository_autoprune_policy", 1, True, lambda c: _prune(c) | {"repo": c.place.repository.name}),
    (
        "create_immutability_policy",
        1,
        False,
        lambda c: {"namespace": c.namespace, "tag_pattern": "^v[0-9]", "tag_pattern_matches": True},
    ),
    (
        "org_create_quota",
        1,
        False,
        lambda c: {"namespace": c.namespace, "limit_bytes": 10737418240, "limit": "10.0 GiB"},
    ),
    (
        "org_create_quota_limit",
        1,
        False,
        lambda c: {"namespace": c.namespace, "type": "Warning", "threshold_percent": 80},
    ),
    ("cancel_build", 1, True, lambda c: {"build_uuid": uuid_of(c.rng)}),
    (
        "toggle_repo_trigger",
        1,
        True,
        _toggled,
    ),
    ("create_proxy_cache_config", 1, False, lambda _: {"upstream_registry": "docker.io/library"}),
    (
        "push_repo_failed",
        3,
        True,
        lambda c: {
            **c.repo,
            "tag": "latest",
            "message": "access to the requested resource is not authorized",
        },
    ),
    (
        "pull_repo_failed",
        6,
        True,
        lambda c: {
            **c.repo,
            "tag": "latest",
            "message": "access to the requested resource is not authorized",
        },
    ),
)


def acts(stage: Stage, count: int) -> None:
    """So many administrative acts, at office hours."""
    weights = [often for _, often, _, _ in ACTS]
    moments = Rhythm(stage.start_us, stage.end_us, OFFICE, 1, 0.05).draw(stage.rng, count)
    for at_us in sorted(moments):
        organisation = stage.rng.choice(stage.world.organisations[:7])
        kind, _, on_repository, metadata = stage.rng.choices(ACTS, weights)[0]
        cast = _cast(stage, organisation, at_us)
        triggered = kind == "build_dockerfile" and stage.rng.random() < 0.8
        stage.add(
            at_us,
            kind,
            organisation.account,
            metadata(cast),
            by=None if triggered else cast.owner.account,
            place=cast.place if on_repository else None,
            ip=cast.owner.ip,
        )


def _cast(stage: Stage, organisation: Organisation, at_us: int) -> Cast:
    owner = organisation.owner or stage.world.people[0]
    other, place = stage.rng.choice(stage.world.people), stage.rng.choice(organisation.places)
    return Cast(owner, other, place, stage.world.name(organisation.account, at_us), stage.rng)


def housekeeping(stage: Stage, count: int) -> None:
    """What no one performs: tags pruned in the night, repositories mirrored by the hour, service keys rotated."""
    mirrored, pruned = stage.world.organisations[6], stage.world.organisations[1]
    each = max(1, count // 3)
    for n in range(each):
        at_us = stage.at((n + 0.5) / each)
        place = mirrored.places[n % len(mirrored.places)]
        _mirror(stage, at_us, place, failed=n % 17 == 16)
        night_us = at_us // DAY_US * DAY_US + 2 * HOUR_US + n * 7 * SECOND_US
        tag = {"performer": "autoprune worker", "namespace": pruned.account.name}
        victim = pruned.places[n % len(pruned.places)]
        tag |= {"repo": victim.repository.name, "tag": f"sha-{stage.rng.getrandbits(28):07x}"}
        stage.add(night_us, "autoprune_tag_delete", pruned.account, tag, place=victim)
    rotations = min(12, max(1, count // 40))
    for n in range(rotations):
        key = {
            "kid": f"{stage.rng.getrandbits(256):064x}"[:43],
            "service": "quay",
            "name": "",
            "expiration_date": 1893456000,
        }
        key |= {"user_agent": "python-httpx/0.28.1", "ip": "127.0.0.1"}
        stage.add(
            stage.at((n + 0.3) / rotations),
            "service_key_rotate",
            stage.world.admin.account,
            key,
            ip="127.0.0.1",
        )


def _mirror(stage: Stage, at_us: int, place: Place, *, failed: bool) -> None:
    said = f"'docker.io/library/{place.repository.name}' with tag pattern 'latest'"
    base = {"namespace": place.account.name, "repo": place.repository.name}
    streams = {"stdout": None, "stderr": None}
    start = {"verb": "start", **base, "message": said, "tag": None, "tags": None, **streams}
    stage.add(at_us, "repo_mirror_sync_started", place.account, start, place=place)
    end = {
        "verb": "lost" if failed else "end",
        **base,
        "message": said,
        "tag": None,
        "tags": "" if failed else "latest",
    }
    kind = "repo_mirror_sync_failed" if failed else "repo_mirror_sync_success"
    stage.add(at_us + 40 * SECOND_US, kind, place.account, end | streams, place=place)


def changes(stage: Stage) -> None:
    """Once in the stretch: accounts come, are renamed, are disabled and go; an organisation is deleted."""
    world, admin = stage.world, stage.world.admin
    superuser = {"superuser": admin.account.name}
    wendy, zach = world.people[19], world.people[21]
    for n, who in enumerate((wendy, zach)):
        made = {"email": who.account.email, "username": who.account.name, **superuser}
        stage.act(stage.at(0.02) + n * MINUTE_US, "user_create", admin, who.account, made)
    stage.act(stage.at(0.30), "user_disable", admin, zach.account, {"username": zach.account.name, **superuser})
    stage.act(stage.at(0.31), "user_enable", admin, zach.account, {"username": zach.account.name, **superuser})
    stage.act(stage.at(0.28), "logout_success", wendy, wendy.account, {})
    stage.act(stage.at(0.285), "account_change_password", wendy, wendy.account, {})
    signed = {"type": "quayauth", "useragent": BROWSER}
    stage.add(stage.at(0.29), "login_success", admin.account, signed, ip=admin.ip)
    _rename_user(stage)
    _rename_organisation(stage)
    _close(stage)


def _rename_user(stage: Stage) -> None:
    old, new = RENAMED_USER
    at_us = stage.at(0.40)
    who = next(p for p in stage.world.people if p.account.name == old)
    stage.world.registry.rename(old, new)
    stage.world.former[who.account.id] = (old, at_us)
    stage.act(at_us, "user_change_name", who, who.account, {"old_username": old})


def _rename_organisation(stage: Stage) -> None:
    old, new = RENAMED_ORGANISATION
    at_us = stage.at(0.55)
    organisation = stage.world.organisation(old)
    robots = [(robot.id, robot.name) for robot in (organisation.ci, organisation.deploy, organisation.nightly)]
    stage.world.registry.rename(old, new)
    for account_id, name in [(organisation.account.id, old), *robots]:
        stage.world.former[account_id] = (name, at_us)
    metadata = {"old_name": old, "new_name": new, "superuser": stage.world.admin.account.name}
    stage.act(at_us, "org_change_name", stage.world.admin, organisation.account, metadata)


def _close(stage: Stage) -> None:
    organisation = stage.world.organisation(DELETED_ORGANISATION)
    at_us = stage.at(0.65)
    stage.world.closed[organisation.account.id] = at_us
    owner = organisation.owner or stage.world.people[0]
    stage.act(at_us, "org_delete", owner, organisation.account, {"namespace": DELETED_ORGANISATION})
    for name in ("payments", "analytics"):
        closing = stage.world.organisation(name)
        if closing.owner:
            stage.act(stage.at(0.75), "delete_robot", closing.owner, closing.account, {"robot": "oldci"})
