"""The generator's large registry: as many repositories as asked, made fast, and a day of their log."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Any

import msgspec

from quayledger.simulator.clock import DAY_US, SECOND_US
from quayledger.simulator.effects.builds import new_trigger
from quayledger.simulator.entities.accounts import Account, Application, PrunePolicy, Team
from quayledger.simulator.entities.builds import Mirror, Notification
from quayledger.simulator.entities.content import Repository, Tag
from quayledger.simulator.generate.furnish import give_quota
from quayledger.simulator.generate.stage import MEDIA_TYPE, resolved
from quayledger.simulator.generate.world import CLUSTER_CLIENTS, HUMAN_CLIENTS
from quayledger.simulator.images import digest_of, image, uuid_of
from quayledger.simulator.registry import Registry
from quayledger.simulator.secret_values import secret
from quayledger.simulator.table import Row

REPOSITORIES_EACH = 40
_WORDS = ("api", "web", "worker", "db", "cache", "gateway", "batch", "model", "agent", "proxy", "search", "ui")
_ROLES = ("read", "read", "write", "admin")
_TEAMS = (("owners", "admin"), ("developers", "creator"), ("operators", "member"))


class Owned(msgspec.Struct, frozen=True):
    """An organisation with its robots, its repositories and who works there."""

    account: Account
    robots: list[Account]
    people: list[Account]
    repositories: list[Repository]


def make(repositories: int, seed: int, now_us: int) -> tuple[Registry, list[Owned]]:
    """The registry: organisations of about 40 repositories, a user for four repositories, three teams and three robots an
    organisation, tags with history, manifests and scans."""
    rng = random.Random(f"large {seed}")
    registry = Registry()
    users = [registry.add_account(name, "user", email=f"{name}@example.com") for name in ("admin", "auditor")]
    count = max(4, repositories // 4)
    users += [registry.add_account(f"user{n:05}", "user", email=f"user{n:05}@example.com") for n in range(count)]
    made = []
    for number in range(-(-repositories // REPOSITORIES_EACH)):
        size = min(REPOSITORIES_EACH, repositories - number * REPOSITORIES_EACH)
        made.append(_organisation(registry, rng, number, size, users[2:], now_us))
    return registry, made


def _organisation(
    registry: Registry, rng: random.Random, number: int, size: int, users: Sequence[Account], now_us: int
) -> Owned:
    name = f"org{number:04}"
    account = registry.add_account(name, "org", email=f"{name}@example.com")
    people = rng.sample(users, min(12, len(users)))
    for (team, role), members in zip(_TEAMS, (people[:1], people[:9], people[9:]), strict=True):
        account.teams.append(Team(team, role, team.title(), {person.id for person in members}))
    robots = [registry.add_robot(account, word, created_us=now_us - 200 * DAY_US) for word in ("ci", "deploy", "scan")]
    owned = Owned(account, robots, people, [])
    for serial in range(size):
        repository = registry.add_repository(account.id, f"{_WORDS[serial % len(_WORDS)]}-{serial:02}")
        repository.public = serial % 20 == 19
        owned.repositories.append(repository)
        _permit(repository, owned, rng)
        _fill(registry, repository, rng, now_us)
        _automate(repository, owned, serial)
    if number % 4 == 0:
        give_quota(registry, account, 1.5)
    _belongings(account, number)
    return owned


def _permit(repository: Repository, owned: Owned, rng: random.Random) -> None:
    creator = rng.choice(owned.people)
    repository.permissions[creator.id] = "admin"
    repository.permissions[owned.robots[0].id] = "write"
    repository.permissions[owned.robots[1].id] = "read"
    if rng.random() < 0.5:
        repository.permissions.setdefault(rng.choice(owned.people).id, rng.choice(_ROLES))
    repository.team_permissions["developers"] = "write"
    if rng.random() < 0.5:
        repository.team_permissions["operators"] = "read"


def _fill(registry: Registry, repository: Repository, rng: random.Random, now_us: int) -> None:
    """Two to four images, five to eight tags that stand, and a few before them."""
    images = [digest_of(repository.id, n) for n in range(rng.randrange(2, 5))]
    for number, digest in enumerate(images):
        pushed_us = now_us - (90 - number * 20) * DAY_US
        registry.put_manifest(repository, image(digest, pushed_us, family=repository.account_id))
    start_ms = (now_us - rng.randrange(80, 95) * DAY_US) // 1000
    for number in range(rng.randrange(1, 5)):
        repository.put(Tag("latest", images[number % len(images)], start_ms + number * 86_400_000))
    for number in range(rng.randrange(4, 8)):
        at_ms = start_ms + (10 + number * 9) * 86_400_000
        repository.put(Tag(f"v{1 + number // 3}.{number % 3}.0", images[number % len(images)], at_ms))
    repository.description = f"Repository number {repository.id}."
    today = now_us // DAY_US
    repository.actions = {today - back: (repository.id * back) % 37 for back in range(1, 15)}


def _automate(repository: Repository, owned: Owned, serial: int) -> None:
    if serial % 20 == 7:
        repository.state = "MIRROR"
        repository.mirror = Mirror(f"registry.example.com/library/{repository.name}", owned.robots[0].id)
    if serial % 10 == 3:
        path = f"{owned.account.name}/{repository.name}"
        repository.triggers.append(new_trigger(uuid_of("trigger", repository.id), "custom-git", path))
    if serial % 10 == 5:
        uuid = uuid_of("notification", repository.id)
        made = Notification(uuid, "repo_push", "webhook", "tell the team")
        made.config = {"url": f"https://hooks.example.com/{secret('hook', uuid)}"}
        repository.notifications.append(made)
    if serial % 10 == 9:
        repository.prune_policies.append(PrunePolicy(uuid_of("policy", repository.id), "number_of_tags", 30))


def _belongings(account: Account, number: int) -> None:
    client_id = uuid_of("client", account.id).replace("-", "").upper()[:20]
    account.applications.append(Application(client_id, "deployer", secret("client", client_id), "Deploys"))
    if number % 5 == 0:
        account.prune_policies.append(PrunePolicy(uuid_of("policy", account.id), "creation_date", "180d"))


def day(owned: Sequence[Owned], events: int, start_us: int, end_us: int, unit_us: int, seed: int) -> list[Row]:
    """`events` rows of [start, end), oldest first: four of five are pulls, most of the others pushes."""
    rng = random.Random(f"day {seed}")
    stamps = sorted(rng.randrange(start_us, max(start_us + 1, end_us)) for _ in range(events))
    return [_row(rng, owned, stamp_us // unit_us * unit_us) for stamp_us in stamps]


def _row(rng: random.Random, owned: Sequence[Owned], stamp_us: int) -> Row:
    organisation = owned[min(int(rng.expovariate(8 / len(owned))), len(owned) - 1)]
    repository = rng.choice(organisation.repositories)
    drawn = rng.random()
    if drawn < 0.80:
        who, kind, client = organisation.robots[1], "pull_repo", rng.choice(CLUSTER_CLIENTS)
    elif drawn < 0.86:
        who, kind, client = rng.choice(organisation.people), "pull_repo", rng.choice(HUMAN_CLIENTS)
    elif drawn < 0.97:
        who, kind, client = organisation.robots[0], "push_repo", "Buildah/1.33.7"
    else:
        return _administered(rng, organisation, repository, stamp_us)
    tag = "latest" if kind == "push_repo" or rng.random() < 0.5 else "v1.0.0"
    metadata = _path(organisation, repository) | {"user-agent": client, "tag": tag, "mediaType": MEDIA_TYPE}
    metadata |= {"username": who.name, "resolved_ip": resolved(None)}
    if who.robot is not None:
        metadata["is_robot"] = True
    return _made(stamp_us, kind, organisation, who, repository, metadata)


def _administered(rng: random.Random, organisation: Owned, repository: Repository, stamp_us: int) -> Row:
    owner, other = organisation.people[0], rng.choice(organisation.people)
    told: tuple[tuple[str, dict[str, Any]], ...] = (
        ("change_repo_permission", {"username": other.name, "role": rng.choice(_ROLES)}),
        ("set_repo_description", {"description": f"Changed at {stamp_us // SECOND_US}."}),
        ("create_tag", {"tag": "stable", "manifest_digest": next(iter(repository.manifests))}),
    )
    kind, metadata = rng.choice(told)
    return _made(stamp_us, kind, organisation, owner, repository, _path(organisation, repository) | metadata)


def _path(organisation: Owned, repository: Repository) -> dict[str, Any]:
    return {"repo": repository.name, "namespace": organisation.account.name}


def _made(
    stamp_us: int, kind: str, organisation: Owned, who: Account, repository: Repository, metadata: dict[str, Any]
) -> Row:
    ip = f"10.{organisation.account.id % 200}.0.{repository.id % 250}"
    text = json.dumps(metadata).encode()
    return Row(stamp_us, kind, organisation.account.id, who.id, repository.id, ip, text)
