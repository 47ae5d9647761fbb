"""The generator's incidents for judging: of each kind several shapes with other people, places, numbers and speeds for every seed,
and with each what should be found of it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import msgspec

from quayledger.simulator.clock import DAY_US
from quayledger.simulator.generate.incidents import WRONG
from quayledger.simulator.generate.stage import HOUR_US, MINUTE_US, Stage, uuid_of
from quayledger.simulator.generate.world import BROWSER, Organisation, Person, Place

Dealt = TypeVar("Dealt")
PLAIN, SLOW, MIDNIGHT = "plain", "slow", "across midnight"
SHAPES = (PLAIN, SLOW, MIDNIGHT)


class Planted(msgspec.Struct, frozen=True):
    """One thing that a rule should find. `rule`: its id; `subject`: whom or what it is about; the times are those of its
    evidence. `along`: ids of rules that may rightly speak up as well, about anything in `names`."""

    rule: str
    subject: str
    shape: str
    begin_us: int
    end_us: int
    along: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


class Attack:
    """One incident as it is staged: who, from where, when, and what was done so far."""

    def __init__(self, stage: Stage, rng: random.Random, cast: Cast, day_us: int, shape: str) -> None:
        self.stage, self.rng, self.cast, self.shape = stage, rng, cast, shape
        self.ip = cast.address()
        # Office hours of a working day, unless it goes on across midnight.
        self.begin_us = day_us + (8 * HOUR_US + rng.randrange(5 * HOUR_US) if shape != MIDNIGHT else DAY_US)
        self.last_us = self.begin_us

    def over(self, number: int, minutes: float) -> Iterator[int]:
        """`number` moments over a stretch, the first and the last at its ends; across midnight half of them before it."""
        width_us = round(minutes * MINUTE_US)
        first_us = self.begin_us - (width_us // 2 if self.shape == MIDNIGHT else 0)
        for n in range(number):
            yield self._seen(first_us + width_us * n // max(1, number - 1))

    def at(self, minutes: float) -> int:
        """A moment after the beginning."""
        return self._seen(self.begin_us + round(minutes * MINUTE_US))

    def _seen(self, at_us: int) -> int:
        self.begin_us, self.last_us = min(self.begin_us, at_us), max(self.last_us, at_us)
        return at_us

    def fail(self, at_us: int, username: str, ip: str, **more: Any) -> None:
        """A log-in that failed."""
        account = self.stage.world.registry.account(username) or self.stage.world.admin.account
        said = {"type": "quayauth", "kind": "user", "useragent": "python-requests/2.31.0", "username": username}
        self.stage.add(at_us, "login_failure", account, said | {"message": WRONG} | more, ip=ip)

    def sign_in(self, at_us: int, who: Person, ip: str) -> None:
        """A log-in that succeeded."""
        self.stage.add(at_us, "login_success", who.account, {"type": "quayauth", "useragent": BROWSER}, ip=ip)

    def delete(self, at_us: int, who: Person, place: Place, tag: str, ip: str) -> None:
        """A tag is deleted."""
        told = {
            "username": who.account.name,
            "repo": place.repository.name,
            "namespace": place.account.name,
            "tag": tag,
        }
        self.stage.add(at_us, "delete_tag", place.account, told, by=who.account, place=place, ip=ip)

    def planted(self, rule: str, subject: str, *names: str, along: tuple[str, ...] = ()) -> Planted:
        """What was staged so far, as it should be found."""
        return Planted(rule, subject, self.shape, self.begin_us, self.last_us, along, (subject, self.ip, *names))


class Cast:
    """Deals people, organisations and addresses, each to one incident only as long as there are others."""

    def __init__(self, stage: Stage, rng: random.Random) -> None:
        self._stage, self._rng = stage, rng
        self._people: list[Person] = []
        self._organisations: list[Organisation] = []
        self._addresses = 0

    def person(self) -> Person:
        """Somebody who is no owner of an organisation."""
        owners = {o.owner.account.id for o in self._stage.world.organisations if o.owner}
        busy = ("wendy", "zach", "nia")
        found = [p for p in self._stage.world.people if p.account.id not in owners and p.account.name not in busy]
        return self._deal(self._people, found)

    def organisation(self) -> Organisation:
        """One that stays, with an owner."""
        world = self._stage.world
        return self._deal(
            self._organisations, [o for o in world.organisations if o.account.id not in world.closed and o.owner]
        )

    def address(self) -> str:
        """One that nobody had before."""
        self._addresses += 1
        return f"{self._rng.choice(('203.0.113', '198.51.100', '192.0.2'))}.{self._addresses}"

    def _deal(self, hand: list[Dealt], everyone: list[Dealt]) -> Dealt:
        if not hand:
            hand += everyone
            self._rng.shuffle(hand)
        return hand.pop()


Staged = Callable[[Attack], list[Planted]]


def brute_force_by_ip(a: Attack) -> list[Planted]:
    """Passwords of a few accounts, from one address."""
    names = [a.cast.person().account.name for _ in range(3)]
    number = 20 if a.shape == SLOW else a.rng.randrange(24, 60)
    for n, at_us in enumerate(a.over(number, 58 if a.shape == SLOW else a.rng.randrange(5, 40))):
        a.fail(at_us, names[n % 3], a.ip)
    return [a.planted("D1", a.ip, *names, along=("D2", "D3"))]


def brute_force_by_account(a: Attack) -> list[Planted]:
    """Passwords of one account, from several addresses: never many from one."""
    name, ips = a.cast.person().account.name, [a.cast.address() for _ in range(a.rng.randrange(5, 9))]
    number = 10 if a.shape == SLOW else a.rng.randrange(10, 19)
    for n, at_us in enumerate(a.over(number, 28 if a.shape == SLOW else a.rng.randrange(6, 25))):
        a.fail(at_us, name, ips[n % len(ips)])
    return [a.planted("D2", name)]


def password_spray(a: Attack) -> list[Planted]:
    """Two or three passwords on each of several accounts."""
    names = [a.cast.person().account.name for _ in range(a.rng.randrange(6, 9))]
    number = len(names) * 3
    for n, at_us in enumerate(a.over(number, 57 if a.shape == SLOW else a.rng.randrange(10, 50))):
        a.fail(at_us, names[n % len(names)], a.ip)
    return [a.planted("D3", a.ip, *names, along=("D1",))]


def credential_stuffing(a: Attack) -> list[Planted]:
    """Leaked pairs, most of nobody here."""
    number = 25 if a.shape == SLOW else a.rng.randrange(28, 60)
    for n, at_us in enumerate(a.over(number, 14 if a.shape == SLOW else a.rng.randrange(3, 12))):
        a.fail(at_us, f"{a.rng.choice(('j', 'm', 'k'))}.leaked{n % 20}", a.ip)
    return [a.planted("D4", a.ip, along=("D1", "D3"))]


def success_after_failures(a: Attack) -> list[Planted]:
    """A brute force, and one password was right; hours later where it is slow. What was broken into makes a credential."""
    who = a.cast.person()
    for at_us in a.over(a.rng.randrange(22, 40), 30):
        a.fail(at_us, who.account.name, a.ip)
    a.sign_in(a._seen(a.last_us + (5 * HOUR_US if a.shape == SLOW else 2 * MINUTE_US)), who, a.ip)
    found = [a.planted("D5", who.account.name, along=("D1", "D2", "D10"))]
    robot = {"robot": f"agent{a.rng.randrange(99)}", "description": "", "unstructured_metadata": {}}
    made_us = a._seen(a.last_us + (20 * HOUR_US if a.shape == SLOW else 10 * MINUTE_US))
    a.stage.add(made_us, "create_robot", who.account, robot, by=who.account, ip=a.ip)
    return [*found, a.planted("D19", who.account.name, along=("D1", "D2", "D5", "D10"))]


def password_as_username(a: Attack) -> list[Planted]:
    """Once, from where somebody sits."""
    who = a.cast.person()
    secret = "".join(a.rng.choices("abcdefghkmnpqrstuvwxyzABCDEFGHKLMNPQRSTUVWXYZ23456789!%&#-_", k=18)) + "aB3!"
    a.fail(a.at(0), secret, who.ip, useragent=BROWSER)
    a.stage.world.registry.logged_secrets += (secret,)
    return [a.planted("D6", who.ip)]


def disabled_credential(a: Attack) -> list[Planted]:
    """A robot that was deleted, or a person's token that has expired."""
    if a.shape == PLAIN:
        name = a.cast.person().account.name
        for at_us in a.over(a.rng.randrange(1, 4), 20):
            a.fail(at_us, name, a.ip, message="OAuth access token has expired", kind="oauth")
    else:
        organisation = a.cast.organisation()
        name = f"{organisation.account.name}+gone{a.rng.randrange(99)}"
        for at_us in a.over(5 if a.shape == SLOW else 9, 58):
            said = {"kind": "robot", "robot": name, "message": f"Could not find robot with username: {name}"}
            a.fail(at_us, name, a.ip, **said)
    return [a.planted("D7", name)]


def mass_pull(a: Attack) -> list[Planted]:
    """Everything that can be reached, within minutes: by a person, or without an account all that is public is too little."""
    who = a.cast.person()
    for at_us, place in _tour(a, 25 if a.shape == SLOW else a.rng.randrange(27, 31), 8.8):
        a.stage.transfer(at_us, "pull_repo", place, "latest", who.client, who.ip, by=who.account, country=who.country)
    return [a.planted("D8", who.account.name, along=("D9",))]


def _tour(a: Attack, number: int, minutes: float) -> Iterator[tuple[int, Place]]:
    world = a.stage.world
    places = [p for o in world.organisations if o.account.id not in world.closed for p in o.places]
    places += [p for person in world.people for p in person.own]
    yield from zip(a.over(number, minutes), a.rng.sample(places, number), strict=True)


def private_pull(a: Attack) -> list[Planted]:
    """Ten private repositories with one robot's token."""
    organisation = a.cast.organisation()
    robot = organisation.deploy
    world = a.stage.world
    places = [p for o in world.organisations if o.account.id not in world.closed for p in o.places]
    places = a.rng.sample([p for p in places if not p.repository.public], 10 if a.shape == SLOW else 14)
    ip = f"{organisation.cluster}.{a.rng.randrange(20, 60)}"
    for at_us, place in zip(a.over(len(places), 8.8 if a.shape == SLOW else 4), places, strict=True):
        client = (
            "cri-o/1.27.1 go/go1.20.10 os/linux arch/amd64"
            if organisation.account.id % 2 == 0
            else "containerd/v1.7.13"
        )
        a.stage.transfer(at_us, "pull_repo", place, "latest", client, ip, by=robot)
    return [a.planted("D8", robot.name, along=("D9",))]


def first_private_access(a: Attack) -> list[Planted]:
    """A person pulls from an organisation that they do not belong to."""
    who = a.cast.person()
    world = a.stage.world
    others = [o for o in world.organisations if o not in who.organisations and o.account.id not in world.closed]
    known = {row.repository_id for row in a.stage.rows if row.performer_id == who.account.id}
    places = [p for o in others for p in o.places if not p.repository.public]
    place = a.rng.choice([p for p in places if p.repository.id not in known])
    for at_us in a.over(2, 10):
        a.stage.transfer(at_us, "pull_repo", place, "latest", who.client, who.ip, by=who.account, country=who.country)
    return [a.planted("D9", who.account.name)]


def new_country(a: Attack) -> list[Planted]:
    """From abroad; minutes after a pull from home, or in the night."""
    who = a.cast.person()
    place = a.rng.choice((who.organisations or a.stage.world.organisations)[0].places)
    if a.shape != SLOW:
        a.stage.transfer(
            a._seen(a.begin_us - 10 * MINUTE_US),
            "pull_repo",
            place,
            "latest",
            who.client,
            who.ip,
            by=who.account,
            country=who.country,
        )
    for at_us in a.over(2, 8):
        a.stage.transfer(
            at_us, "pull_repo", place, "latest", who.client, a.ip, by=who.account, country=a.rng.choice(("JP", "BR"))
        )
    return [a.planted("D10", who.account.name, along=("D9",))]


def robot_new_client(a: Attack) -> list[Planted]:
    """A pipeline's secret is used by hand, from the outside or from within."""
    organisation = a.cast.organisation()
    ip = a.ip if a.shape == PLAIN else f"{organisation.cluster}.{a.rng.randrange(2, 12)}"
    for at_us, place in zip(a.over(2, 90 if a.shape == SLOW else 4), organisation.places, strict=False):
        a.stage.transfer(at_us, "pull_repo", place, "latest", "curl/8.5.0", ip, by=organisation.ci)
    return [a.planted("D11", organisation.ci.name, along=("D10",))]


def first_push(a: Attack) -> list[Planted]:
    """A person pushes where only the pipeline did."""
    who, organisation = a.cast.person(), a.cast.organisation()
    known = {r.repository_id for r in a.stage.rows if r.performer_id == who.account.id and r.kind == "push_repo"}
    place = next(p for p in organisation.places if p.repository.id not in known)
    a.stage.transfer(a.at(0), "push_repo", place, "hotfix", who.client, who.ip, by=who.account, country=who.country)
    return [a.planted("D12", who.account.name, along=("D9",))]


def release_overwritten(a: Attack) -> list[Planted]:
    """A person pushes over a version that the pipeline had pushed; hours later, or weeks."""
    who, organisation = a.cast.person(), a.cast.organisation()
    place = organisation.places[0]
    tag = f"v9.{a.rng.randrange(50)}.{a.rng.randrange(50)}"
    ip = f"{organisation.cluster}.{a.rng.randrange(2, 12)}"
    before_us = a.begin_us - (20 * DAY_US if a.shape == SLOW else 3 * HOUR_US)
    a.stage.transfer(before_us, "push_repo", place, tag, organisation.client, ip, by=organisation.ci)
    a.stage.transfer(a.at(0), "push_repo", place, tag, who.client, who.ip, by=who.account, country=who.country)
    name = f"{place.account.name}/{place.repository.name}"
    return [a.planted("D13", name, who.account.name, along=("D9", "D12"))]


def mass_deletion(a: Attack) -> list[Planted]:
    """Tags of one repository."""
    who, organisation = a.cast.person(), a.cast.organisation()
    number = 10 if a.shape == SLOW else a.rng.randrange(12, 40)
    for n, at_us in enumerate(a.over(number, 58 if a.shape == SLOW else a.rng.randrange(4, 40))):
        a.delete(at_us, who, organisation.places[0], f"v0.{n}.0", who.ip)
    return [a.planted("D14", who.account.name, organisation.account.name, along=("D15",))]


def pull_then_delete(a: Attack) -> list[Planted]:
    """Copied out, then deleted there: within hours, or the day after."""
    who, organisation = a.cast.person(), a.cast.organisation()
    pulls = list(_tour(a, a.rng.randrange(27, 31), 8))
    for at_us, place in pulls:
        a.stage.transfer(at_us, "pull_repo", place, "latest", who.client, who.ip, by=who.account, country=who.country)
    names = {place.account.name for _, place in pulls}
    organisation = next((o for o in a.stage.world.organisations if o.account.name in names), organisation)
    later_us = a.last_us + (28 * HOUR_US if a.shape == SLOW else 3 * HOUR_US)
    for n in range(14):
        a.delete(a._seen(later_us + n * 2 * MINUTE_US), who, organisation.places[0], f"v0.{n}.1", who.ip)
    return [a.planted("D15", organisation.account.name, who.account.name, along=("D8", "D9", "D14"))]


def made_public(a: Attack) -> list[Planted]:
    """A private repository."""
    organisation = a.cast.organisation()
    place = organisation.places[2]
    who = organisation.owner or a.cast.person()
    told = {"repo": place.repository.name, "namespace": place.account.name, "visibility": "public"}
    a.stage.act(a.at(0), "change_repo_visibility", who, place.account, told, place=place)
    return [a.planted("D16", f"{place.account.name}/{place.repository.name}")]


def admin_granted(a: Attack) -> list[Planted]:
    """To oneself, to a team, or by a default permission; then a robot is made."""
    organisation = a.cast.organisation()
    who, account = a.cast.person(), organisation.account
    place, name = organisation.places[0], who.account.name
    moment = a.at(0)
    if a.shape == PLAIN:
        told = {"username": name, "role": "admin", "repo": place.repository.name, "namespace": account.name}
        a.stage.act(moment, "change_repo_permission", who, account, told, place=place)
    elif a.shape == SLOW:
        a.stage.act(moment, "org_add_team_member", who, account, {"member": name, "team": "owners"})
    else:
        told = {"prototypeid": uuid_of(a.rng), "username": name, "role": "admin", "delegate_team": "operators"}
        a.stage.act(moment, "create_prototype_permission", who, account, told)
    found = [a.planted("D17", name)]
    made_us = a._seen(moment + (22 * HOUR_US if a.shape == SLOW else HOUR_US))
    token = {"app_specific_token_title": "backup", "app_specific_token": uuid_of(a.rng)}
    a.stage.act(made_us, "create_app_specific_token", who, who.account, token)
    return [*found, a.planted("D19", name, along=("D17",))]


def superuser_takeover(a: Attack) -> list[Planted]:
    """Of an organisation, or of a person's account."""
    admin = a.stage.world.admin
    superuser = admin.account.name
    if a.shape == SLOW:
        target = a.cast.organisation().account
        told = {"entity_id": target.id, "namespace": target.name, "was_user": False, "superuser": superuser}
        a.stage.act(a.at(0), "take_ownership", admin, target, told)
    else:
        target = a.cast.person().account
        kind = a.rng.choice(("user_change_password", "user_change_email"))
        told = {"username": target.name, "superuser": superuser}
        told |= {"old_email": target.email, "email": "someone@elsewhere.example"} if kind.endswith("email") else {}
        a.stage.act(a.at(0), kind, admin, target, told)
    return [a.planted("D18", target.name)]


def guard_removed(a: Attack) -> list[Planted]:
    """One of the things that protect."""
    organisation = a.cast.organisation()
    account, place = organisation.account, organisation.places[0]
    who = organisation.owner or a.cast.person()
    repo = {"repo": place.repository.name, "namespace": account.name}
    choices: tuple[tuple[str, dict[str, Any], Place | None], ...] = (
        ("delete_immutability_policy", {"namespace": account.name, "policy_uuid": uuid_of(a.rng)}, None),
        ("org_delete_quota", {"namespace": account.name, "quota_id": 1, "limit_bytes": 10737418240}, None),
        ("delete_repo_notification", {**repo, "notification_id": uuid_of(a.rng), "event": "repo_push"}, place),
        ("delete_namespace_autoprune_policy", {"namespace": account.name, "policy_uuid": uuid_of(a.rng)}, None),
        (
            "change_tag_immutability",
            {"username": who.account.name, **repo, "tag": "v1.0.0", "immutable": False, "previous_immutable": True},
            place,
        ),
    )
    kind, told, on = a.rng.choice(choices)
    a.stage.act(a.at(0), kind, who, account, told, place=on)
    return [a.planted("D20", account.name)]


def way_out(a: Attack) -> list[Planted]:
    """One of the ways by which images or the log leave."""
    organisation = a.cast.organisation()
    account, place = organisation.account, organisation.places[1]
    who = organisation.owner or a.cast.person()
    repo = {"repo": place.repository.name, "namespace": account.name}
    choices: tuple[tuple[str, dict[str, Any], Place | None], ...] = (
        (
            "setup_repo_trigger",
            {
                **repo,
                "trigger_id": uuid_of(a.rng),
                "service": "custom-git",
                "config": {"build_source": "https://git.elsewhere.example/x.git"},
            },
            place,
        ),
        (
            "repo_mirror_config_changed",
            {**repo, "changed": "external_reference", "to": "registry.elsewhere.example/copies/x"},
            place,
        ),
        ("create_proxy_cache_config", {"upstream_registry": "registry.elsewhere.example/library"}, None),
        (
            "add_repo_notification",
            {**repo, "notification_id": uuid_of(a.rng), "event": "repo_push", "method": "webhook"},
            place,
        ),
        (
            "export_logs_success",
            {"export_id": uuid_of(a.rng), "url": "https://collect.elsewhere.example/drop", "email": None},
            None,
        ),
    )
    kind, told, on = a.rng.choice(choices)
    a.stage.act(a.at(0), kind, who, account, told, place=on)
    return [a.planted("D21", account.name)]


ATTACKS: tuple[Staged, ...] = (
    brute_force_by_ip,
    brute_force_by_account,
    password_spray,
    credential_stuffing,
    success_after_failures,
    password_as_username,
    disabled_credential,
    mass_pull,
    private_pull,
    first_private_access,
    new_country,
    robot_new_client,
    first_push,
    release_overwritten,
    mass_deletion,
    pull_then_delete,
    made_public,
    admin_granted,
    superuser_takeover,
    guard_removed,
    way_out,
)
