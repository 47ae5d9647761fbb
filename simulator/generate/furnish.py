"""The generator's furniture: what a registry at work holds besides names, as it was when its log began."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Sequence

from quayledger.simulator import sizes
from quayledger.simulator.clock import DAY_US, SECOND_US
from quayledger.simulator.effects.builds import SERVICES, new_trigger
from quayledger.simulator.effects.repositories import open_repository
from quayledger.simulator.entities.accounts import (
    Account,
    Application,
    AppToken,
    Identity,
    ImmutabilityPolicy,
    Invite,
    MirroredRepository,
    NamespaceNotification,
    OauthToken,
    OrganizationMirror,
    Prototype,
    ProxyCache,
    PrunePolicy,
    Quota,
    QuotaLimit,
)
from quayledger.simulator.entities.builds import Mirror, Notification
from quayledger.simulator.entities.content import Repository, Tag
from quayledger.simulator.entities.installation import Message, RegistrySize, ServiceKey
from quayledger.simulator.generate.world import TOKEN_HOLDERS, Organisation, Person, Place, World, trigger_id
from quayledger.simulator.images import artifact, digest_of, image, index, uuid_of
from quayledger.simulator.registry import Registry
from quayledger.simulator.secret_values import secret
from quayledger.simulator.table import Row

_ENDED_BY = frozenset(("autoprune_tag_delete", "delete_tag"))
_YEAR_S = 365 * 86_400


def furnish(world: World, rows: Iterable[Row], seed: int, start_us: int) -> None:
    """Puts everything in. The tags that the rows delete without having pushed them are among it."""
    rng = random.Random(f"furnish {seed}")
    for organisation in world.organisations:
        _permissions(organisation, world, rng)
        _belongings(world.registry, organisation, rng, start_us)
        for place in organisation.places:
            fill(world.registry, place, rng, start_us)
    for person in (world.admin, *world.people):
        for place in person.own:
            place.repository.permissions[person.account.id] = "admin"
            fill(world.registry, place, rng, start_us)
    _foresee(world.registry, rows, rng, start_us)
    _automation(world, rng)
    _people(world, rng, start_us)
    _installation(world, start_us)
    _quotas(world.registry, world.organisations, rng)


def _permissions(organisation: Organisation, world: World, rng: random.Random) -> None:
    account, owner = organisation.account, organisation.owner
    robots = [(organisation.ci, "write"), (organisation.deploy, "read"), (organisation.nightly, "write")]
    for place in organisation.places:
        permissions = place.repository.permissions
        if owner is not None:
            permissions[owner.account.id] = "admin"
        permissions.update({robot.id: role for robot, role in robots})
        for person in rng.sample(world.people, 2):
            permissions.setdefault(person.account.id, rng.choice(("read", "write")))
        place.repository.team_permissions["operators"] = "read"
        if rng.random() < 0.8:
            place.repository.team_permissions["developers"] = "write"
    account.prototypes = [
        Prototype(uuid_of("prototype", account.id, 1), "write", organisation.ci.id),
        Prototype(uuid_of("prototype", account.id, 2), "read", delegate_team="operators"),
    ]


def _belongings(registry: Registry, organisation: Organisation, rng: random.Random, start_us: int) -> None:
    account = organisation.account
    account.tag_expiration_s = rng.choice((86_400, 604_800, 1_209_600, 1_209_600))
    for robot in registry.robots_of(account.id):
        if robot.robot is not None:
            robot.robot.created_us = start_us - rng.randrange(20, 400) * DAY_US
            robot.robot.description = f"{robot.shortname} of {account.name}"
    if account.name in _SPECIAL:
        _SPECIAL[account.name](registry, organisation)
    for token in account.oauth_tokens:
        token.created_us = start_us - 120 * DAY_US
        token.created_by = organisation.owner.account.id if organisation.owner else 0


def _of_platform(registry: Registry, organisation: Organisation) -> None:
    """Invoices, an application, an invitation, and a repository that is marked for deletion."""
    account = organisation.account
    account.invoice_email, account.invoice_email_address = True, "billing@example.com"
    account.teams[1].invites.append(Invite(email="newcomer@example.com"))
    _application(account)
    owner = organisation.owner.account if organisation.owner else None
    registry.delete_repository(open_repository(registry, account, "old-tool", owner))


def _of_payments(_: Registry, organisation: Organisation) -> None:
    """An application, and a prune policy."""
    account = organisation.account
    _application(account)
    account.prune_policies.append(PrunePolicy(uuid_of("policy", account.id), "number_of_tags", 20, "sha-.*", True))
    account.immutability.append(ImmutabilityPolicy(uuid_of("immutability", account.id), "v[0-9.]+"))
    hook = {"url": f"https://hooks.example.com/{secret('alert', account.id)}"}
    alert = NamespaceNotification(uuid_of("alert", account.id), "quota_warning", "webhook", "quota", hook)
    account.notifications.append(alert)


def _application(account: Account) -> None:
    client_id = uuid_of("client", account.id).replace("-", "").upper()[:20]
    made = Application(client_id, "audit-pipeline", secret("client", client_id), "Reads logs")
    made.uri, made.redirect_uri = "https://app.example.com", "https://app.example.com/oauth"
    account.applications.append(made)
    for number, name in enumerate(("export", None)):
        uuid = uuid_of("oauth token", account.id, number)
        account.oauth_tokens.append(OauthToken(uuid, client_id, secret("oauth token", uuid), name=name))


def _of_analytics(_: Registry, organisation: Organisation) -> None:
    """Pipelines from outside act as its robot."""
    if organisation.ci.robot is not None:
        issuer = "https://tokens.example.com"
        organisation.ci.robot.federation = [Identity(issuer, f"repo:example/{n}") for n in ("etl", "reports")]


def _of_research(_: Registry, organisation: Organisation) -> None:
    """It caches another registry."""
    organisation.account.proxy_cache = ProxyCache("docker.io/library")


def _of_mobile(_: Registry, organisation: Organisation) -> None:
    """A team comes from a directory, and a namespace of another registry is mirrored."""
    organisation.account.teams[2].is_synced = True
    made = OrganizationMirror("https://registry.example.com", "apps", organisation.ci.id)
    made.username, made.password = "mirror-reader", secret("mirror", organisation.account.id)
    made.repositories = [
        MirroredRepository(name, is_created=name != "draft") for name in ("bff", "feature-flags", "draft")
    ]
    organisation.account.mirror = made


_SPECIAL: dict[str, Callable[[Registry, Organisation], None]] = {
    "analytics": _of_analytics,
    "mobile": _of_mobile,
    "payments": _of_payments,
    "platform": _of_platform,
    "research": _of_research,
}


def fill(registry: Registry, place: Place, rng: random.Random, start_us: int) -> None:
    """Tags with some history, the images behind them, and what was done there in the three months before."""
    found = place.repository
    found.description = f"{place.repository.name} of {place.account.name}. See the README of the sources."
    release = place.releases[0]
    age_days = rng.randrange(30, 300)
    _put(registry, found, release, start_us - rng.randrange(2, 20) * DAY_US)
    for back in range(1, rng.randrange(3, 6)):
        _put(registry, found, f"v0.{9 - back}.0", start_us - (20 + age_days * back // 4) * DAY_US)
    for number in range(rng.randrange(2, 5)):
        at_us = start_us - (14 - number * 3) * DAY_US + rng.randrange(DAY_US)
        _put(registry, found, "latest", at_us, digest_of(found.id, "latest", "before", number))
    _put(registry, found, "latest", start_us - rng.randrange(1, 30) * DAY_US // 24)
    _put(registry, found, "dev", start_us - rng.randrange(30, 90) * DAY_US // 24)
    if rng.random() < 0.4:
        subject = found.current[release]
        registry.put_manifest(found, artifact(digest_of("sbom", subject.digest), start_us - DAY_US, subject.digest))
    today = start_us // DAY_US
    found.actions.update({today - back: rng.randrange(40) for back in range(1, 90)})


def _put(registry: Registry, found: Repository, name: str, at_us: int, digest: str = "") -> None:
    """A tag from then on; base images are lists of two platforms."""
    digest = digest or digest_of(found.id, name)
    if digest not in found.manifests:
        if found.name == "base":
            children = [image(digest_of(digest, arch), at_us, family=found.id) for arch in ("amd64", "arm64")]
            for child in children:
                registry.put_manifest(found, child)
            registry.put_manifest(found, index(digest, at_us, children))
        else:
            registry.put_manifest(found, image(digest, at_us, family=found.id))
    found.put(Tag(name, digest, at_us // 1000))


def _foresee(registry: Registry, rows: Iterable[Row], rng: random.Random, start_us: int) -> None:
    """A tag that is deleted was there: those that the rows do not push before came earlier."""
    known: dict[int, set[str]] = {}
    for row in rows:
        found = registry.repositories.get(row.repository_id)
        if found is None or row.kind not in (*_ENDED_BY, "push_repo", "create_tag"):
            continue
        names = known.setdefault(found.id, set(found.current))
        name = json.loads(row.metadata).get("tag")
        if row.kind in _ENDED_BY and name and name not in names:
            at_us = start_us - rng.randrange(1, 40) * DAY_US
            _put(registry, found, name, at_us, rng.choice(list(found.manifests)))
        if name:
            names.add(name)
    for found in registry.repositories.values():
        found.tags.sort(key=lambda tag: tag.start_ms)


def _automation(world: World, rng: random.Random) -> None:
    for organisation in world.organisations:
        for number, place in enumerate(organisation.places):
            found = place.repository
            if number % 2 == 0:
                found.notifications.append(_notification(found, rng))
            if number % 3 == 0:
                path = f"{place.account.name}/{found.name}"
                found.triggers.append(new_trigger(trigger_id(found, SERVICES[0]), SERVICES[0], path))
            if number == 1:
                policy = PrunePolicy(uuid_of("policy", found.id), "creation_date", "90d", "nightly-.*", True)
                found.prune_policies.append(policy)
    for place in world.organisation("mirrors").places:
        found = place.repository
        found.state = "MIRROR"
        robot = world.organisation("mirrors").ci
        found.mirror = Mirror(f"docker.io/library/{found.name}", robot.id, status="SUCCESS", rule=["latest", "3.*"])
        found.mirror.external_username = "mirror-reader"
    world.organisations[0].places[-2].repository.state = "READ_ONLY"


def _notification(found: Repository, rng: random.Random) -> Notification:
    uuid, method = uuid_of("notification", found.id), rng.choice(("webhook", "slack", "email"))
    made = Notification(uuid, rng.choice(("repo_push", "vulnerability_found")), method, "tell the team")
    if method == "webhook":
        made.config = {"url": f"https://hooks.example.com/{secret('hook', uuid)}"}
    elif method == "slack":
        made.config = {"url": f"https://chat.example.com/services/{secret('hook', uuid)}"}
    else:
        made.config = {"email": "team@example.com"}
    if made.event == "vulnerability_found":
        made.event_config = {"vulnerability": {"priority": "High"}}
    return made


def _people(world: World, rng: random.Random, start_us: int) -> None:
    registry = world.registry
    for number, person in enumerate((world.admin, *world.people[:TOKEN_HOLDERS])):
        title = world.token_title(person.account) or ""
        uuid = uuid_of("app token", person.account.id)
        made = AppToken(uuid, title, secret("app token", uuid), start_us - rng.randrange(1, 200) * DAY_US)
        made.expires_us = None if number % 3 else start_us + rng.randrange(40, 300) * DAY_US
        person.account.app_tokens.append(made)
    for person in (world.admin, world.people[0]):
        robot = registry.add_robot(person.account, "backup", created_us=start_us - 90 * DAY_US)
        for place in person.own[:1]:
            place.repository.permissions[robot.id] = "read"
        _stars(person, world)
        policy = PrunePolicy(uuid_of("policy", person.account.id), "number_of_tags", 30)
        person.account.prune_policies.append(policy)
    for name, enabled in (("intern", False), ("newhire", True)):
        account = registry.add_account(name, "user", email=f"{name}@example.com")
        account.enabled, account.verified = enabled, not enabled


def _stars(person: Person, world: World) -> None:
    person.account.stars = [o.places[0].repository.id for o in world.organisations[:3]]


def _installation(world: World, start_us: int) -> None:
    registry = world.registry
    for number in range(2):
        kid = uuid_of("service key", number).replace("-", "") + "zBMMwLK7Um9"
        key = ServiceKey(kid, "quay", start_us - (90 - number) * DAY_US, "https://quay.example")
        key.expires_us = start_us + (_YEAR_S + number * 86_400) * SECOND_US
        key.approval_type, key.approved_us = "AUTOMATIC", key.created_us
        key.metadata = {"created_by": "CLI tool"}
        registry.service_keys[kid] = key
    registry.messages.append(Message(uuid_of("message", 1), "Maintenance on **Saturday**, 02:00 UTC", "warning"))


def _quotas(registry: Registry, organisations: Sequence[Organisation], rng: random.Random) -> None:
    """Every second organisation has one, not far from what it uses."""
    for organisation in organisations[1::2]:
        give_quota(registry, organisation.account, rng.choice((1.1, 1.4, 2.0, 4.0)))
    alice = registry.account("alice")
    if alice is not None:
        alice.quotas.append(Quota(registry.next_quota_id(), 2 * 2**30))


def give_quota(registry: Registry, account: Account, share: float) -> None:
    """A quota of so many times what the namespace uses, with the usual thresholds."""
    wanted = max(1, round(registry.namespace_bytes(account.id) * share / 2**20)) * 2**20
    limits = [QuotaLimit(registry.next_limit_id(), kind, n) for kind, n in (("Warning", 80), ("Reject", 100))]
    account.quotas.append(Quota(registry.next_quota_id(), wanted, limits))


def settle(registry: Registry, end_us: int) -> None:
    """The registry's size as it was summed up some hours before the end."""
    registry.size = RegistrySize(sizes.summed_up(registry), (end_us - 6 * 3600 * SECOND_US) // 1000)
