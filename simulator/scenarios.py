"""The simulator's scenarios: what a stand-in holds when it starts."""

from __future__ import annotations

import json
import random
import string
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import msgspec

from quayledger.simulator.clock import DAY_US, SECOND_US, to_us
from quayledger.simulator.effects.replay import replay
from quayledger.simulator.entities.accounts import Team
from quayledger.simulator.generate import furnish, large, names
from quayledger.simulator.generate.believable import believable
from quayledger.simulator.generate.odd import odd
from quayledger.simulator.quay import Config, Content
from quayledger.simulator.registry import Registry
from quayledger.simulator.table import Row

SCENARIOS = {
    "believable": "a registry at work, with incidents that are worth finding (default)",
    "steady:RATE": "RATE rows a second at random moments, from the first day's midnight on",
    "burst:N": "groups of N rows with one stamp, spread over the days",
    "legacy": "believable; the older third lies in the legacy table logentry2, whose pages never end",
    "maxpage": "believable; ACTION_LOG_MAX_PAGE is 2, which cuts all but the superuser's log short",
    "elasticsearch": "believable; logs are kept in Elasticsearch",
    "splunk": "believable; logs go to Splunk and cannot be searched",
    "rotation": "believable; rotation has taken everything up to the middle of the first day",
    "deleted-namespace": "believable; one more organisation is marked for deletion, another one is purged",
    "org-admin-only": "believable; nobody may use the superuser's panel, as on quay.io",
    "unknown-kinds": "believable; with kinds and fields nobody knows, odd types, and rows that cannot be read",
    "empty": "accounts and repositories, but not one event",
    "registry:N": "N repositories in organisations of about 40, for benches; the events are those of the last day",
    "odd-names": "names with every character that Quay allows, texts of all sorts, a repository of 2,500 tags",
}


class Wish(msgspec.Struct, frozen=True):
    """What is asked of a scenario: `events` rows over `days` UTC days up to and including `end`; `now` cuts the end."""

    scenario: str
    events: int
    days: int
    end: date
    now: datetime
    seed: int
    precision: str

    @property
    def start_us(self) -> int:
        """The first day's midnight."""
        return to_us(datetime(self.end.year, self.end.month, self.end.day, tzinfo=UTC) - timedelta(days=self.days - 1))

    @property
    def end_us(self) -> int:
        """The last day's end, or now where that is earlier."""
        return min(self.start_us + self.days * DAY_US, to_us(self.now))


def build(wish: Wish) -> Content:
    """The content of a scenario. Raises ValueError, in words for who asked, where it cannot be."""
    name, _, argument = wish.scenario.partition(":")
    if wish.end_us <= wish.start_us:
        raise ValueError(f"the first day, {wish.days} days up to {wish.end}, lies ahead of the clock ({wish.now})")
    maker = _MAKERS.get(name)
    if maker is None:
        raise ValueError(f"no scenario {wish.scenario!r}; there are {', '.join(SCENARIOS)}")
    return maker(wish, argument)


_LONG_AGO_US = to_us(datetime(2026, 1, 5, 8, tzinfo=UTC))
_ROBOTS = (("ci", "write"), ("deploy", "read"))


def plain_registry(seed: int) -> tuple[Registry, dict[str, str]]:
    """Two organisations, a few people and robots, and the four usual tokens."""
    registry = Registry()
    for name in ("admin", "auditor", "orgadmin", "alice", "bob"):
        registry.add_account(name, "user", email=f"{name}@example.com")
    for name in ("acme", "globex"):
        org = registry.add_account(name, "org", email=f"{name}@example.com")
        org.teams.append(Team("owners", "admin", "", {3}))
        org.teams.append(Team("developers", "member", "Developers", {3, 4, 5}))
        made = [registry.add_repository(org.id, word, public=word == "base") for word in ("web", "api", "base")]
        robots = {registry.add_robot(org, word, created_us=_LONG_AGO_US).id: role for word, role in _ROBOTS}
        for repository in made:
            repository.permissions = {3: "admin", **robots}
            repository.team_permissions["developers"] = "write"
    return registry, add_tokens(registry, seed, admin="admin", auditor="auditor", org_admin="orgadmin", user="alice")


def add_tokens(registry: Registry, seed: int, *, admin: str, auditor: str, org_admin: str, user: str) -> dict[str, str]:
    """The tokens by role; the named accounts become what their roles say."""
    made = {}
    rng = random.Random(f"tokens {seed}")
    everything = "super:user org:admin user:admin user:read repo:admin repo:read repo:create"
    of_roles = {
        "superuser": (admin, everything),
        "readonly_superuser": (auditor, everything),
        "org_admin": (org_admin, "org:admin repo:admin repo:read user:admin user:read"),
        "user": (user, "user:admin user:read repo:read"),
    }
    for role, (name, scopes) in of_roles.items():
        account = registry.account(name)
        if account is None:
            raise ValueError(f"no account {name!r} to give the {role} token to")
        value = "".join(rng.choices(string.ascii_letters + string.digits, k=40))
        registry.add_token(value, account.id, scopes.split())
        made[role] = value
        if role == "superuser":
            registry.superusers.add(account.id)
        if role == "readonly_superuser":
            registry.readonly_superusers.add(account.id)
    return made


def _steady(wish: Wish, argument: str) -> Content:
    rate = float(argument or 1)
    width_us = round(wish.events / rate * SECOND_US) if rate > 0 else 0
    if rate <= 0 or wish.start_us + width_us > wish.end_us:
        raise ValueError(f"{wish.events} rows at {argument} a second do not fit before {wish.end}: ask for more days")
    rng = random.Random(wish.seed)
    return _plain(wish, sorted(wish.start_us + rng.randrange(width_us) for _ in range(wish.events)))


def _burst(wish: Wish, argument: str) -> Content:
    size = int(argument or 20)
    groups = -(-wish.events // size)
    gap_us = (wish.end_us - wish.start_us) // (groups + 1) // SECOND_US * SECOND_US
    if size < 1 or gap_us < SECOND_US:
        raise ValueError(f"{groups} bursts do not fit into {wish.days} days: ask for more days or larger bursts")
    return _plain(wish, [wish.start_us + n // size * gap_us for n in range(wish.events)])


_REMEMBERED = 20_000  # rows whose pushes have left something: what older ones left was collected as garbage


def _plain(wish: Wish, stamps: list[int]) -> Content:
    registry, tokens = plain_registry(wish.seed)
    rng = random.Random(wish.seed + 1)
    repositories = list(registry.repositories.values())
    people = [a for a in registry.accounts.values() if a.kind != "org"]
    unit_us, rows = cut_us(wish.precision), []
    for stamp_us in stamps:
        repository, performer = rng.choice(repositories), rng.choice(people)
        namespace = registry.accounts[repository.account_id].name
        metadata = {"repo": repository.name, "namespace": namespace, "user-agent": "skopeo/1.14.0"}
        metadata |= {"tag": f"v{rng.randrange(40)}", "mediaType": "application/vnd.oci.image.manifest.v1+json"}
        metadata["username"] = performer.name
        rows.append(
            Row(
                stamp_us // unit_us * unit_us,
                rng.choice(("pull_repo", "pull_repo", "pull_repo", "push_repo")),
                repository.account_id,
                performer.id,
                repository.id,
                f"10.0.{rng.randrange(256)}.{rng.randrange(1, 255)}",
                json.dumps(metadata).encode(),
            )
        )
    replay(registry, rows[-_REMEMBERED:])
    return Content(registry, (rows,), Config(), tokens)


def _large(wish: Wish, argument: str) -> Content:
    if not argument.isdigit() or not 1 <= int(argument) <= 100_000:
        raise ValueError(f"registry:N is a number of repositories from 1 to 100000, not {argument!r}")
    registry, owned = large.make(int(argument), wish.seed, wish.end_us)
    start_us = max(wish.start_us, wish.end_us - DAY_US)
    rows = large.day(owned, wish.events, start_us, wish.end_us, cut_us(wish.precision), wish.seed)
    replay(registry, rows)
    furnish.settle(registry, wish.end_us)
    owner = owned[0].people[0].name
    tokens = add_tokens(registry, wish.seed, admin="admin", auditor="auditor", org_admin=owner, user="user00001")
    return Content(registry, (rows,), Config(), tokens)


def _odd_names(wish: Wish, _: str) -> Content:
    registry = names.make(wish.end_us)
    rng, repositories = random.Random(wish.seed), list(registry.repositories.values())
    stamps = sorted(rng.randrange(wish.start_us, wish.end_us) for _ in range(wish.events))
    rows = []
    for stamp_us in stamps:
        found = rng.choice(repositories)
        account = registry.accounts[found.account_id]
        metadata = {"repo": found.name, "namespace": account.name, "tag": rng.choice(names.TAGS)}
        row = Row(stamp_us // cut_us(wish.precision) * cut_us(wish.precision), "pull_repo", account.id, 4, found.id)
        rows.append(msgspec.structs.replace(row, ip="10.0.0.9", metadata=json.dumps(metadata).encode()))
    replay(registry, rows)
    furnish.settle(registry, wish.end_us)
    tokens = add_tokens(registry, wish.seed, admin="admin", auditor="auditor", org_admin="orgadmin", user="alice")
    return Content(registry, (rows,), Config(), tokens)


def _empty(wish: Wish, _: str) -> Content:
    registry, tokens = plain_registry(wish.seed)
    return Content(registry, ([],), Config(), tokens)


def cut_us(precision: str) -> int:
    """The unit of the database's stamps: whole seconds on MySQL."""
    return SECOND_US if precision == "second" else 1


def _believable(wish: Wish, _: str) -> Content:
    registry, rows = believable(wish.seed, wish.events, wish.start_us, wish.end_us, cut_us(wish.precision))
    tokens = add_tokens(registry, wish.seed, admin="quayadmin", auditor="auditor", org_admin="carol", user="alice")
    return Content(registry, (rows,), Config(), tokens)


def _legacy(wish: Wish, _: str) -> Content:
    content = _believable(wish, "")
    (rows,) = content.tables
    third = len(rows) // 3
    return msgspec.structs.replace(content, tables=(rows[third:], rows[:third]))


def _max_page(wish: Wish, _: str) -> Content:
    return msgspec.structs.replace(_believable(wish, ""), config=Config(max_page=2))


def _elasticsearch(wish: Wish, _: str) -> Content:
    return msgspec.structs.replace(_believable(wish, ""), config=Config(backend="elasticsearch"))


def _splunk(wish: Wish, _: str) -> Content:
    return msgspec.structs.replace(_believable(wish, ""), config=Config(backend="splunk"))


def _rotation(wish: Wish, _: str) -> Content:
    half_us = min(DAY_US, wish.end_us - wish.start_us) // 2
    registry, rows = believable(wish.seed, wish.events, wish.start_us + half_us, wish.end_us, cut_us(wish.precision))
    tokens = add_tokens(registry, wish.seed, admin="quayadmin", auditor="auditor", org_admin="carol", user="alice")
    return Content(registry, (rows,), Config(), tokens)


def _deleted_namespace(wish: Wish, _: str) -> Content:
    content = _believable(wish, "")
    content.registry.delete_namespace("analytics")
    content.registry.purge("research")
    return content


def _org_admin_only(wish: Wish, _: str) -> Content:
    content = _believable(wish, "")
    content.registry.superusers.clear()
    content.registry.readonly_superusers.clear()
    return content


def _unknown_kinds(wish: Wish, _: str) -> Content:
    content = _believable(wish, "")
    (rows,) = content.tables
    return msgspec.structs.replace(content, tables=([odd(row, n) for n, row in enumerate(rows)],))


_MAKERS: dict[str, Callable[[Wish, str], Content]] = {
    "believable": _believable,
    "steady": _steady,
    "burst": _burst,
    "legacy": _legacy,
    "maxpage": _max_page,
    "elasticsearch": _elasticsearch,
    "splunk": _splunk,
    "rotation": _rotation,
    "deleted-namespace": _deleted_namespace,
    "org-admin-only": _org_admin_only,
    "unknown-kinds": _unknown_kinds,
    "empty": _empty,
    "registry": _large,
    "odd-names": _odd_names,
}
