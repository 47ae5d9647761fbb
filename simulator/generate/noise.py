"""The generator's noise: what looks a little like an incident and is everyday life, for months in which nothing should be found."""

from __future__ import annotations

from collections.abc import Callable

from quayledger.simulator.clock import DAY_US, SECOND_US
from quayledger.simulator.generate.incidents import WRONG
from quayledger.simulator.generate.stage import HOUR_US, MINUTE_US, Stage, uuid_of
from quayledger.simulator.generate.world import DOCKER, Organisation

Noise = Callable[[Stage, int], None]


def _open(stage: Stage, at_us: int) -> Organisation:
    return stage.rng.choice([o for o in stage.world.organisations if o.owner and stage.world.is_open(o, at_us)])


def mistyped(stage: Stage, at_us: int) -> None:
    """A person needs a few attempts."""
    who = stage.rng.choice(stage.world.people)
    for _ in range(stage.rng.randrange(1, 5)):
        said = {
            "type": "quayauth",
            "kind": "user",
            "useragent": who.client,
            "username": who.account.name,
            "message": WRONG,
        }
        stage.add(at_us, "login_failure", who.account, said, ip=who.ip)
        at_us += stage.rng.randrange(5, 30) * SECOND_US
    stage.add(at_us, "login_success", who.account, {"type": "quayauth", "useragent": who.client}, ip=who.ip)


def shared_office(stage: Stage, at_us: int) -> None:
    """Several people mistype from behind one address within an hour, each once or twice."""
    ip = f"10.20.250.{stage.rng.randrange(2, 9)}"
    for who in stage.rng.sample(stage.world.people, stage.rng.randrange(3, 6)):
        for _ in range(stage.rng.randrange(1, 3)):
            said = {
                "type": "quayauth",
                "kind": "user",
                "useragent": who.client,
                "username": who.account.name,
                "message": WRONG,
            }
            stage.add(at_us + stage.rng.randrange(50) * MINUTE_US, "login_failure", who.account, said, ip=ip)


def rotated_secret(stage: Stage, at_us: int) -> None:
    """A pipeline goes on with a robot's old secret until somebody notices."""
    organisation = _open(stage, at_us)
    name, ip = organisation.ci.name, f"{organisation.cluster}.5"
    for n in range(stage.rng.randrange(8, 25)):
        said = {"type": "quayauth", "kind": "robot", "useragent": organisation.client, "robot": name, "username": name}
        moment = at_us + n * stage.rng.randrange(5, 9) * MINUTE_US
        stage.add(moment, "login_failure", organisation.account, said | {"message": WRONG}, ip=ip)


def cleaned_up(stage: Stage, at_us: int) -> None:
    """An owner deletes a handful of old tags."""
    organisation = _open(stage, at_us)
    place, who = stage.rng.choice(organisation.places), organisation.owner
    assert who is not None  # noqa: S101 - chosen so
    for _ in range(stage.rng.randrange(2, 8)):
        told = {"username": who.account.name, "repo": place.repository.name, "namespace": place.account.name}
        told |= {"tag": f"sha-{stage.rng.getrandbits(28):07x}"}
        stage.act(at_us, "delete_tag", who, place.account, told, place=place)
        at_us += stage.rng.randrange(20, 200) * SECOND_US


def scanned(stage: Stage, at_us: int) -> None:
    """A robot of the platform looks at every repository, a few minutes each."""
    robot = stage.world.organisations[0].nightly
    ip = f"{stage.world.organisations[0].cluster}.3"
    for organisation in stage.world.organisations:
        for place in organisation.places if stage.world.is_open(organisation, at_us) else ():
            client = stage.world.organisations[0].client
            stage.transfer(at_us, "pull_repo", place, "latest", client, ip, by=robot)
            at_us += stage.rng.randrange(100, 400) * SECOND_US


def restarted(stage: Stage, at_us: int) -> None:
    """A cluster comes back and pulls all that it runs."""
    organisation = _open(stage, at_us)
    client = ("cri-o/1.27.1 go/go1.20.10 os/linux arch/amd64", "containerd/v1.7.13")[organisation.account.id % 2]
    for node in range(stage.rng.randrange(2, 6)):
        for place in organisation.places:
            ip = f"{organisation.cluster}.{20 + node}"
            stage.transfer(at_us, "pull_repo", place, place.release, client, ip, by=organisation.deploy)
            at_us += stage.rng.randrange(1, 8) * SECOND_US


def new_lease(stage: Stage, at_us: int) -> None:
    """A person works from another desk for an hour."""
    who = stage.rng.choice(stage.world.people)
    network = who.ip.rsplit(".", 2)[0]
    ip = f"{network}.{stage.rng.randrange(100, 200)}.{stage.rng.randrange(2, 250)}"
    own = [p for o in who.organisations if stage.world.is_open(o, at_us) for p in o.places]
    for place in stage.rng.sample(own, min(3, len(own))):
        stage.transfer(at_us, "pull_repo", place, "latest", who.client, ip, by=who.account, country=who.country)
        at_us += stage.rng.randrange(1, 15) * MINUTE_US


def upgraded(stage: Stage, at_us: int) -> None:
    """A person has a newer version of the same client."""
    who = stage.rng.choice([p for p in stage.world.people if p.client.startswith("docker/")] or stage.world.people)
    own = [p for o in who.organisations if stage.world.is_open(o, at_us) for p in o.places]
    for place in own[:2]:
        client = DOCKER.format("27.3.1") if who.client.startswith("docker/") else who.client
        stage.transfer(at_us, "pull_repo", place, "latest", client, who.ip, by=who.account, country=who.country)


def newcomer(stage: Stage, at_us: int) -> None:
    """Somebody joins a team and gets to work."""
    organisation, who = _open(stage, at_us), stage.rng.choice(stage.world.people)
    owner = organisation.owner
    assert owner is not None  # noqa: S101 - chosen so
    stage.act(
        at_us, "org_add_team_member", owner, organisation.account, {"member": who.account.name, "team": "developers"}
    )
    for place in organisation.places[:3]:
        at_us += stage.rng.randrange(5, 60) * MINUTE_US
        stage.transfer(at_us, "pull_repo", place, "latest", who.client, who.ip, by=who.account, country=who.country)


def rebuilt(stage: Stage, at_us: int) -> None:
    """A pipeline builds a release twice."""
    organisation = _open(stage, at_us)
    place, ip = organisation.places[0], f"{organisation.cluster}.4"
    for n in range(2):
        moment = at_us + n * 20 * MINUTE_US
        stage.transfer(moment, "push_repo", place, place.release, organisation.client, ip, by=organisation.ci)


def told_by_chat(stage: Stage, at_us: int) -> None:
    """A repository's pushes go to a channel, a quota is raised, an own address changes, a repository becomes private."""
    organisation, admin = _open(stage, at_us), stage.world.admin
    owner, place, account = organisation.owner, organisation.places[0], organisation.account
    assert owner is not None  # noqa: S101 - chosen so
    repo = {"repo": place.repository.name, "namespace": account.name}
    told = {**repo, "notification_id": uuid_of(stage.rng), "event": "repo_push", "method": "slack"}
    stage.act(at_us, "add_repo_notification", owner, account, told, place=place)
    quota = {"namespace": account.name, "limit_bytes": 2**35, "limit": "32.0 GiB", "previous_limit": "10.0 GiB"}
    stage.act(at_us + HOUR_US, "org_change_quota", admin, account, quota)
    address = {"old_email": owner.account.email, "email": f"{owner.account.name}@new.example.com"}
    stage.act(at_us + 2 * HOUR_US, "user_change_email", owner, owner.account, address)
    stage.act(
        at_us + 3 * HOUR_US, "change_repo_visibility", owner, account, {**repo, "visibility": "private"}, place=place
    )


# How often in 30 days, and the earliest and latest hour (UTC) of a working day.
NOISE: tuple[tuple[Noise, int, int, int], ...] = (
    (mistyped, 80, 6, 18),
    (shared_office, 6, 7, 10),
    (rotated_secret, 4, 0, 20),
    (cleaned_up, 10, 7, 16),
    (scanned, 8, 1, 2),
    (restarted, 10, 0, 23),
    (new_lease, 25, 8, 15),
    (upgraded, 8, 8, 15),
    (newcomer, 5, 8, 13),
    (rebuilt, 5, 7, 17),
    (told_by_chat, 4, 8, 12),
)


def play(stage: Stage) -> None:
    """Plants the noise over the whole stretch."""
    days = max(1, (stage.end_us - stage.start_us) // DAY_US)
    for noise, often, first, last in NOISE:
        for _ in range(round(often * days / 30)):
            midnight_us = stage.start_us + stage.rng.randrange(days) * DAY_US
            noise(stage, midnight_us + round(stage.rng.uniform(first, last) * HOUR_US))
