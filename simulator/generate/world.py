"""The generator's cast: organisations with repositories, teams and robots, people in several time zones, clusters."""

from __future__ import annotations

import random

import msgspec

from quayledger.simulator.entities.accounts import Account, Team
from quayledger.simulator.entities.content import Repository
from quayledger.simulator.images import uuid_of
from quayledger.simulator.registry import Registry

DOCKER = (
    "docker/{0} go/go1.20.10 git-commit/311b9ff kernel/5.14.0 os/linux arch/amd64 "
    "UpstreamClient(Docker-Client/{0} \\(linux\\))"
)
HUMAN_CLIENTS = (
    DOCKER.format("24.0.7"),
    DOCKER.format("26.1.4"),
    "containers/5.29.1 (github.com/containers/image)",
    "skopeo/1.14.0",
)
CI_CLIENTS = ("Buildah/1.33.7", "containers/5.29.1 (github.com/containers/image)", DOCKER.format("24.0.7"))
CLUSTER_CLIENTS = ("cri-o/1.27.1 go/go1.20.10 os/linux arch/amd64", "containerd/v1.7.13")
BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36"
ZONES = ((1, "DE", "10.20"), (-5, "US", "10.21"), (5, "IN", "10.22"))
CONTINENTS = {"DE": "EU", "FR": "EU", "US": "NA", "IN": "AS", "BR": "SA", "JP": "AS"}
PEOPLE = (
    "alice",
    "bob",
    "carol",
    "dave",
    "erin",
    "frank",
    "grace",
    "heidi",
    "ivan",
    "judy",
    "mallory",
    "niaj",
    "olivia",
    "peggy",
    "rupert",
    "sybil",
    "trent",
    "victor",
    "walter",
    "wendy",
    "yolanda",
    "zach",
)
ORGANISATIONS = {
    "platform": ("base", "gateway", "ingress", "runner", "toolbox", "team/nested/app"),
    "payments": ("api", "ledger", "worker", "fraud-model", "migrations"),
    "webshop": ("web", "cart", "search", "images", "checkout", "assets"),
    "analytics": ("notebooks", "etl", "airflow", "reports"),
    "research": ("train", "serve", "datasets"),
    "mobile": ("push-service", "bff", "feature-flags"),
    "mirrors": ("alpine", "postgres", "redis", "nginx"),
    "skunkworks": ("prototype", "demo"),
}
PUBLIC = {("platform", "base"), ("platform", "toolbox"), ("mirrors", "alpine"), ("mirrors", "nginx")}
RENAMED_ORGANISATION = ("webshop", "storefront")
RENAMED_USER = ("niaj", "nia")
TOKEN_TITLES, TOKEN_HOLDERS = ("backup", "laptop", "ci", "notebook"), 6
DELETED_ORGANISATION = "skunkworks"


class Place(msgspec.Struct):
    """A repository as it is used: what its newest release and build are."""

    account: Account
    repository: Repository
    version: list[int]
    build: str = "sha-0000000"
    releases: list[str] = msgspec.field(default_factory=list)

    @property
    def release(self) -> str:
        """The newest version tag."""
        return self.releases[-1] if self.releases else "latest"


class Person(msgspec.Struct):
    """A human user: where they sit, and what they work on."""

    account: Account
    utc_offset: int
    country: str
    ip: str
    client: str
    organisations: list[Organisation] = msgspec.field(default_factory=list)
    own: list[Place] = msgspec.field(default_factory=list)


class Organisation(msgspec.Struct):
    """An organisation at work."""

    account: Account
    places: list[Place]
    ci: Account
    deploy: Account
    nightly: Account
    old_ci: Account | None = None
    owner: Person | None = None
    client: str = CI_CLIENTS[0]
    cluster: str = "10.30.0"


class World(msgspec.Struct):
    """Everything the stories need. `former`: account id → its name before, and until when."""

    registry: Registry
    admin: Person
    auditor: Person
    people: list[Person]
    organisations: list[Organisation]
    former: dict[int, tuple[str, int]] = msgspec.field(default_factory=dict)
    closed: dict[int, int] = msgspec.field(default_factory=dict)

    def name(self, account: Account, at_us: int) -> str:
        """What an account was called then."""
        old = self.former.get(account.id)
        return old[0] if old and at_us < old[1] else account.name

    def organisation(self, name: str) -> Organisation:
        """By the name it had at first."""
        return next(o for o in self.organisations if o.account.name == name)

    def token_title(self, account: Account) -> str | None:
        """The title of the application-specific token that this person pulls and pushes with; None for all others."""
        holders = (self.admin, *self.people[:TOKEN_HOLDERS])
        number = next((number for number, person in enumerate(holders) if person.account is account), None)
        return None if number is None else TOKEN_TITLES[number % len(TOKEN_TITLES)]

    def is_open(self, organisation: Organisation, at_us: int) -> bool:
        """Whether it is still there at that time."""
        return at_us < self.closed.get(organisation.account.id, at_us + 1)


def make(rng: random.Random) -> World:
    """The cast of a seed."""
    registry = Registry()
    admin = _person(registry, rng, "quayadmin", 0)
    auditor = _person(registry, rng, "auditor", 0)
    people = [_person(registry, rng, name, number) for number, name in enumerate(PEOPLE)]
    world = World(registry, admin, auditor, people, [])
    for number, (name, repositories) in enumerate(ORGANISATIONS.items()):
        world.organisations.append(_organisation(world, rng, number, name, repositories))
    return world


def _person(registry: Registry, rng: random.Random, name: str, number: int) -> Person:
    offset, country, network = ZONES[number % len(ZONES)]
    account = registry.add_account(name, "user", email=f"{name}@example.com")
    person = Person(account, offset, country, f"{network}.{number}.{rng.randrange(2, 250)}", rng.choice(HUMAN_CLIENTS))
    if number and number % 4 == 0:
        person.own = [_place(registry, account, word, rng) for word in ("sandbox", "dotfiles")]
    return person


def _place(registry: Registry, account: Account, name: str, rng: random.Random) -> Place:
    public = (account.name, name) in PUBLIC
    repository = registry.add_repository(account.id, name, public=public)
    place = Place(account, repository, [rng.randrange(1, 5), rng.randrange(10), rng.randrange(10)])
    place.releases.append(version(place))
    return place


def version(place: Place) -> str:
    """The version tag of where a repository is."""
    return "v" + ".".join(map(str, place.version))


def trigger_id(repository: Repository, service: str) -> str:
    """The build trigger of a repository for one kind of sources, always the same."""
    return uuid_of("trigger", repository.id, service)


def _organisation(
    world: World, rng: random.Random, number: int, name: str, repositories: tuple[str, ...]
) -> Organisation:
    registry = world.registry
    account = registry.add_account(name, "org", email=f"{name}@example.com")
    robots = [registry.add_account(f"{name}+{word}", "robot", owner_id=account.id) for word in _ROBOTS]
    places = [_place(registry, account, repository, rng) for repository in repositories]
    made = Organisation(account, places, robots[0], robots[1], robots[2])
    made.client, made.cluster = rng.choice(CI_CLIENTS), f"10.30.{number}"
    if name in ("payments", "analytics"):
        made.old_ci = registry.add_account(f"{name}+oldci", "robot", owner_id=account.id)
    # carol owns the first two: her token is the organisation administrator's
    made.owner = world.people[2 if number < 2 else number + 1]
    members = rng.sample(world.people, 6)
    account.teams += [
        Team("owners", "admin", "", {made.owner.account.id}),
        Team("developers", "creator", "Developers", {p.account.id for p in members}),
        Team("operators", "member", "Operations", {p.account.id for p in members[:2]}),
    ]
    for person in {p.account.id: p for p in [made.owner, *members]}.values():
        person.organisations.append(made)
    return made


_ROBOTS = ("ci", "deploy", "nightly")
