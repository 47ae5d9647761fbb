"""The bench's registry and its log: large, and as uneven as real ones, so that what is measured does not flatter.

120 namespaces hold 10,000 repositories; a few namespaces, and in each a few repositories, take most of the traffic (Zipf). 3,000
users and robots act from 30,000 addresses. Four of five events are pulls, a cluster's nodes pull what was pushed shortly
before, and days follow office hours and weekends.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import random
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any, NamedTuple

NAMESPACES, REPOSITORIES, ACTORS, ADDRESSES = 120, 10_000, 3_000, 30_000
_SKEW = 1.1
_MEDIA_TYPE = "application/vnd.oci.image.manifest.v1+json"
_CLUSTERS = ("cri-o/1.27.1 go/go1.20.10 os/linux arch/amd64", "containerd/v1.7.13")
_TOOLS = ("Buildah/1.33.7", "containers/5.29.1 (github.com/containers/image)", "skopeo/1.14.0")
_WORDS = ("api", "web", "worker", "db", "cache", "gateway", "batch", "model", "agent", "proxy", "search", "ui")
_KINDS = (
    "pull_repo",
    "push_repo",
    "create_tag",
    "delete_tag",
    "change_repo_permission",
    "login_success",
    "create_repo",
)
_SHARES = (800, 120, 25, 20, 5, 27, 3)
# The share of a day's traffic by UTC hour: pipelines at night, people in office hours.
_HOURS = (3, 3, 5, 5, 3, 3, 4, 6, 9, 10, 10, 9, 8, 9, 10, 10, 9, 7, 5, 4, 4, 4, 3, 3)
_WEEKDAYS = (1.1, 1.2, 1.2, 1.15, 1.05, 0.65, 0.65)
_NEWEST = 6


class Actor(NamedTuple):
    """Who acts: the name, the performer as the log shows it, from where and with what."""

    name: str
    performer: str
    is_robot: bool
    addresses: Sequence[str]
    client: str


class Repository:
    """A repository in use: its namespace, and the tag and digest of what was pushed last."""

    __slots__ = ("digests", "name", "namespace", "pushes")

    def __init__(self, namespace: str, name: str, digest: str) -> None:
        self.namespace, self.name, self.pushes = namespace, name, 0
        self.digests = [digest]


class Namespace(NamedTuple):
    """A namespace: its name, itself as the log shows it, who works there and what it holds, the busiest first."""

    name: str
    shown: str
    people: Sequence[Actor]
    robots: Sequence[Actor]
    repositories: Sequence[Repository]
    weights: Sequence[float]


def write(file: Path, *, events: int, days: int, end: date, seed: int) -> None:
    """Writes events as JSON lines, as the superuser's log shows them, oldest first."""
    with file.open("w", encoding="utf-8") as out:
        out.writelines(lines(events=events, days=days, end=end, seed=seed))


def lines(*, events: int, days: int, end: date, seed: int) -> Iterator[str]:
    """The same registry and log for the same seed; each line ends with a newline."""
    rng = random.Random(f"believable {seed}")
    namespaces = _registry(rng)
    weights = list(itertools.accumulate(_zipf(len(namespaces))))
    for day, number in _shared_out(events, days, end):
        stamps = sorted(hour * 3600 + rng.randrange(3600) for hour in rng.choices(range(24), weights=_HOURS, k=number))
        kinds = rng.choices(_KINDS, weights=_SHARES, k=number)
        places = rng.choices(namespaces, cum_weights=weights, k=number)
        for stamp_s, kind, namespace in zip(stamps, kinds, places, strict=True):
            moment = format_datetime(day + timedelta(seconds=stamp_s)).replace("+0000", "-0000")
            yield _line(rng, kind, namespace, moment)


def _shared_out(events: int, days: int, end: date) -> Iterator[tuple[datetime, int]]:
    midnights = [datetime(end.year, end.month, end.day, tzinfo=UTC) - timedelta(days=back) for back in range(days)][
        ::-1
    ]
    total = sum(_WEEKDAYS[day.weekday()] for day in midnights)
    left = events
    for day in midnights[:-1]:
        number = min(left, round(events * _WEEKDAYS[day.weekday()] / total))
        left -= number
        yield day, number
    yield midnights[-1], left


def _registry(rng: random.Random) -> list[Namespace]:
    shares = _zipf(NAMESPACES)
    addresses = iter(f"10.{n >> 14 & 255}.{n >> 7 & 127}.{n & 127}" for n in itertools.count(1))
    made = []
    for number, share in enumerate(shares):
        name = f"{_WORDS[number % len(_WORDS)]}-{number:03}"
        people = [
            _actor(f"{name[:3]}{number:03}-{serial:03}", "user", next(addresses), rng.choice(_TOOLS))
            for serial in range(max(1, round(ACTORS * 0.85 * share)))
        ]
        robots = [
            _actor(f"{name}+robot{serial:02}", "robot", next(addresses), rng.choice(_CLUSTERS))
            for serial in range(max(2, round(ACTORS * 0.15 * share)))
        ]
        nodes = math.ceil(ADDRESSES * share / len(robots))
        robots = [robot._replace(addresses=list(itertools.islice(addresses, nodes))) for robot in robots]
        repositories = [
            Repository(name, f"{rng.choice(_WORDS)}-{serial:04}", _digest(rng))
            for serial in range(math.ceil(REPOSITORIES * share))
        ]
        weights = list(itertools.accumulate(_zipf(len(repositories))))
        made.append(Namespace(name, _shown(name, "org"), people, robots, repositories, weights))
    return made


def _zipf(number: int) -> list[float]:
    weights = [1 / (rank + 1) ** _SKEW for rank in range(number)]
    total = sum(weights)
    return [weight / total for weight in weights]


def _actor(name: str, kind: str, address: str, client: str) -> Actor:
    return Actor(name, _shown(name, kind), kind == "robot", [address], client)


def _shown(name: str, kind: str) -> str:
    avatar = {"name": name, "hash": hashlib.sha256(name.encode()).hexdigest(), "color": "#31a354", "kind": kind}
    if kind == "org":
        return json.dumps({"kind": "org", "name": name, "avatar": avatar})
    return json.dumps({"kind": "user", "name": name, "is_robot": kind == "robot", "avatar": avatar})


def _digest(rng: random.Random) -> str:
    return f"sha256:{rng.getrandbits(256):064x}"


def _line(rng: random.Random, kind: str, namespace: Namespace, moment: str) -> str:
    by_robot = kind in ("pull_repo", "push_repo") and rng.random() < 0.85
    actor = rng.choice(namespace.robots if by_robot else namespace.people)
    (repository,) = rng.choices(namespace.repositories, cum_weights=namespace.weights)
    metadata = _metadata(rng, kind, repository, actor)
    return (
        f'{{"kind": "{kind}", "metadata": {json.dumps(metadata)}, "ip": "{rng.choice(actor.addresses)}", '
        f'"datetime": "{moment}", "performer": {actor.performer}, "namespace": {namespace.shown}}}\n'
    )


def _metadata(rng: random.Random, kind: str, repository: Repository, actor: Actor) -> dict[str, Any]:
    if kind == "login_success":
        return {"type": "quayauth", "useragent": actor.client}
    told: dict[str, Any] = {"repo": repository.name, "namespace": repository.namespace}
    if kind == "change_repo_permission":
        return told | {"username": actor.name, "role": rng.choice(("read", "write", "admin"))}
    if kind == "create_repo":
        return told
    if kind in ("create_tag", "delete_tag"):
        return told | {"tag": f"v1.{repository.pushes // 20}", "manifest_digest": rng.choice(repository.digests)}
    if kind == "push_repo":
        repository.pushes += 1
        repository.digests = [_digest(rng), *repository.digests[: _NEWEST - 1]]
    told |= {"user-agent": actor.client, "mediaType": _MEDIA_TYPE, "username": actor.name}
    if kind == "pull_repo" and rng.random() < 0.4:
        told["manifest_digest"] = repository.digests[0]
    else:
        told["tag"] = f"build-{repository.pushes:05}" if rng.random() < 0.5 else "latest"
    if actor.is_robot:
        told["is_robot"] = True
    resolved = {"provider": "internet", "service": None, "sync_token": "1645662201", "country_iso_code": None}
    return told | {"resolved_ip": resolved | {"aws_region": None, "continent": None}}
