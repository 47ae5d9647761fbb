"""The generator's everyday: pipelines and their rollouts, clusters, people, strangers, nightly jobs."""

from __future__ import annotations

from collections.abc import Callable

from quayledger.simulator.clock import SECOND_US, from_us
from quayledger.simulator.generate.stage import FLAT, HOUR_US, NIGHT, OFFICE, Rhythm, Stage
from quayledger.simulator.generate.world import (
    CLUSTER_CLIENTS,
    HUMAN_CLIENTS,
    ZONES,
    Organisation,
    Person,
    Place,
    version,
)

STRANGERS = ("DE", "FR", "US", "BR", "IN", "JP")
Unit = Callable[[Stage, int], None]


def pipeline(stage: Stage, at_us: int) -> None:
    """A CI robot pushes a build, now and then a release; the deploy robot's cluster pulls it."""
    rng = stage.rng
    organisation, place = _busy(stage, at_us)
    place.build = f"sha-{rng.getrandbits(28):07x}"
    robot = organisation.ci
    old = organisation.old_ci
    if old is not None and at_us < stage.at(0.75) and rng.random() < 0.3:
        robot = old
    ip = f"{organisation.cluster}.{rng.randrange(2, 12)}"
    tags = [place.build, "latest"]
    if rng.random() < 0.12:
        part = rng.choices((0, 1, 2), (1, 4, 12))[0]
        place.version[part] += 1
        place.version[part + 1 :] = [0] * (2 - part)
        place.releases.append(version(place))
        tags.append(place.release)
    for tag in tags:
        stage.transfer(at_us, "push_repo", place, tag, organisation.client, ip, by=robot)
        at_us += rng.randrange(1, 4 * SECOND_US)
    _roll_out(stage, organisation, place, tags[-1], at_us + rng.randrange(10, 200) * SECOND_US)


def _roll_out(stage: Stage, organisation: Organisation, place: Place, tag: str, at_us: int) -> None:
    rng = stage.rng
    client = CLUSTER_CLIENTS[organisation.account.id % 2]
    by_digest = rng.random() < 0.4
    for _ in range(rng.randrange(1, 7)):
        ip = f"{organisation.cluster}.{rng.randrange(20, 60)}"
        stage.transfer(at_us, "pull_repo", place, tag, client, ip, by=organisation.deploy, by_digest=by_digest)
        at_us += rng.randrange(1, 9 * SECOND_US)


def cluster(stage: Stage, at_us: int) -> None:
    """Nodes come up and pull the newest release."""
    organisation, place = _busy(stage, at_us)
    _roll_out(stage, organisation, place, place.release, at_us)


def person(stage: Stage, at_us: int) -> None:
    """Someone pulls from an organisation of theirs or a base image; sometimes signs in before, sometimes pushes."""
    rng = stage.rng
    who = rng.choice(_awake(stage, at_us))
    if rng.random() < 0.25:
        signed = {"type": "quayauth", "useragent": who.client}
        stage.add(at_us - 2 * SECOND_US, "login_success", who.account, signed, ip=who.ip)
    place = _reach(stage, who.organisations, who.own, at_us)
    kind = "push_repo" if who.own and rng.random() < 0.3 else "pull_repo"
    if kind == "push_repo":
        place = rng.choice(who.own)
    tag = rng.choice(("latest", "dev", place.release))
    stage.transfer(at_us, kind, place, tag, who.client, who.ip, by=who.account, country=who.country)


def stranger(stage: Stage, at_us: int) -> None:
    """Someone without an account pulls what is public."""
    rng = stage.rng
    public = [p for o in stage.world.organisations for p in o.places if p.repository.public]
    number = rng.randrange(240)
    ip = f"198.18.{number % 40}.{number + 5}"
    country = STRANGERS[number % len(STRANGERS)]
    place = rng.choice(public)
    for _ in range(rng.choice((1, 1, 1, 2, 5))):
        stage.transfer(at_us, "pull_repo", place, "latest", HUMAN_CLIENTS[number % 4], ip, country=country)
        at_us += rng.randrange(1, 30 * SECOND_US)


def nightly(stage: Stage, at_us: int) -> None:
    """A robot pulls the base image, builds, and pushes the night's tag."""
    organisation, place = _busy(stage, at_us)
    base = stage.world.organisations[0].places[0]
    ip = f"{organisation.cluster}.{stage.rng.randrange(2, 6)}"
    stage.transfer(at_us, "pull_repo", base, "latest", organisation.client, ip, by=organisation.nightly)
    tag = f"nightly-{from_us(at_us):%Y%m%d}"
    done_us = at_us + stage.rng.randrange(60, 900) * SECOND_US
    stage.transfer(done_us, "push_repo", place, tag, organisation.client, ip, by=organisation.nightly)


# share of the units, roughly how many rows each makes, the hours they happen at
UNITS: tuple[tuple[Unit, float, float, str], ...] = (
    (pipeline, 0.20, 5.6, "office"),
    (cluster, 0.45, 3.5, "flat"),
    (person, 0.22, 1.25, "office"),
    (stranger, 0.10, 2.0, "flat"),
    (nightly, 0.03, 2.0, "night"),
)


def play(stage: Stage, wanted: int) -> None:
    """Adds everyday rows until exactly `wanted` are on stage; everyday pulls too many are left out again."""
    first = len(stage.rows)
    missing = wanted - first
    mean = sum(share * rows for _, share, rows, _ in UNITS)
    units = []
    for unit, share, _, hours in UNITS:
        count = round(missing / mean * share * 1.08) + 1
        units += [(at_us, unit) for at_us in _moments(stage, hours, count)]
    units.sort(key=lambda pair: pair[0])
    for at_us, unit in units:
        unit(stage, at_us)
    while len(stage.rows) < wanted:
        cluster(stage, _moments(stage, "flat", 1)[0])
    surplus = len(stage.rows) - wanted
    spare = [n for n in stage.pulls if n >= first]
    dropped = set(stage.rng.sample(spare, min(surplus, len(spare))))
    stage.rows = [row for n, row in enumerate(stage.rows) if n not in dropped][:wanted]


def _moments(stage: Stage, hours: str, count: int) -> list[int]:
    if hours != "office":
        profile = FLAT if hours == "flat" else NIGHT
        return Rhythm(stage.start_us, stage.end_us, profile, 0, 0.7).draw(stage.rng, count)
    moments: list[int] = []
    for number, (offset, _, _) in enumerate(ZONES):
        part = (count + number) // len(ZONES)
        moments += Rhythm(stage.start_us, stage.end_us, OFFICE, offset, 0.12).draw(stage.rng, part)
    return moments


def _busy(stage: Stage, at_us: int) -> tuple[Organisation, Place]:
    """An organisation that is there at that time, the first ones more often, and one of its repositories."""
    world, rng = stage.world, stage.rng
    while True:
        organisation = world.organisations[min(int(rng.expovariate(0.4)), len(world.organisations) - 1)]
        if world.is_open(organisation, at_us):
            return organisation, organisation.places[min(int(rng.expovariate(0.8)), len(organisation.places) - 1)]


def _awake(stage: Stage, at_us: int) -> list[Person]:
    hour = at_us // HOUR_US
    at_work = [p for p in stage.world.people if 7 <= (hour + p.utc_offset) % 24 < 20]
    return at_work or stage.world.people


def _reach(stage: Stage, organisations: list[Organisation], own: list[Place], at_us: int) -> Place:
    there = [o for o in organisations if stage.world.is_open(o, at_us)] or stage.world.organisations[:1]
    return stage.rng.choice(stage.rng.choice(there).places + own)
