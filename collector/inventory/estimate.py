"""Estimates what reading the registry costs: the first time, per round and per day. Requests four lists at most."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import msgspec

from quayledger.collector.inventory.due import LastFetch, Refresh, is_barred, round_due
from quayledger.collector.inventory.targets import Targets, chosen, not_offered, read_last_fetches, read_targets
from quayledger.collector.log.days import utc_now
from quayledger.collector.quay import discovery, repositories, superuser
from quayledger.collector.quay.client import QuayClient
from quayledger.collector.quay.errors import Forbidden, Unauthenticated
from quayledger.collector.sources import choose_sources
from quayledger.settings import Settings, SourceSettings
from quayledger.warehouse.catalog import Query
from quayledger.warehouse.catalog.event_effects import EFFECTS
from quayledger.warehouse.inventory import held_objects
from quayledger.warehouse.inventory.held_objects import Holder

PAGE_ROWS = 100
# The tiers after which access, robots, quota and sizes are known: what most reports stand on.
USABLE_TIER = 4
# What is assumed where nothing is held yet: so many of each in an organization, or a repository.
TEAMS_EACH, ROBOTS_EACH, IMAGES_EACH = 3, 3, 5
_ASSUMED_LEVELS = ("team", "robot", "manifest", "tag")
_LATE = timedelta(days=7)


class Inventoried(msgspec.Struct, frozen=True):
    """What the published copy holds: the targets, how their last fetches went, and how many targets a day events made stale
    lately (None: there is no inventory yet)."""

    targets: Targets
    known: dict[tuple[str, str], LastFetch]
    stale_a_day: float | None


class PlannedQuery(msgspec.Struct, frozen=True):
    """One query. `targets`: how many there are; `due`: requests that `inventory sync` would ask now; `a_period`:
    requests of a round, spread over the period; `assumed`: the number of targets is a guess."""

    query: str
    title: str
    tier: int
    targets: int
    due: int
    a_period: float
    assumed: bool


class InventoryPlan(msgspec.Struct, frozen=True):
    """The cost for one source. `due`: requests that a sync would send now, by what is assumed where it is not known yet;
    `due_at_least`: those of targets that are known; `usable`: those until access, robots, quota and sizes are known;
    `events_a_day`: requests that events cost, as of late; None: not known yet."""

    source_id: str
    access: str
    queries: tuple[PlannedQuery, ...]
    period_days: float
    events_a_day: float | None
    planning_requests: int
    requests_per_second: float

    @property
    def due(self) -> int:
        """Requests that a sync would send now."""
        return sum(query.due for query in self.queries)

    @property
    def due_at_least(self) -> int:
        """Of these, those for targets that are known to be there."""
        return sum(query.due for query in self.queries if not query.assumed)

    @property
    def is_assumed(self) -> bool:
        """Whether the number of some targets is a guess."""
        return any(query.assumed and query.due for query in self.queries)

    @property
    def usable(self) -> int:
        """Of these, how many until access, robots, quota and sizes are known."""
        return sum(query.due for query in self.queries if query.tier <= USABLE_TIER)

    @property
    def a_day(self) -> float:
        """Requests of the rounds, a day on average."""
        return sum(query.a_period for query in self.queries) / self.period_days


async def plan_inventory(
    settings: Settings,
    source_ids: Sequence[str],
    held: Callable[[str], Inventoried | None],
    *,
    now: Callable[[], datetime] = utc_now,
) -> tuple[InventoryPlan, ...]:
    """What `inventory sync` would ask. Raises QuayError, CollectorError, SettingsError as it does."""
    return tuple(
        [
            await _plan(settings, key, source, held(key), now())
            for key, source in choose_sources(settings, tuple(source_ids))
        ]
    )


async def _plan(
    settings: Settings, source_id: str, source: SourceSettings, have: Inventoried | None, now: datetime
) -> InventoryPlan:
    requests, off = 0, frozenset[str]()
    assumed = have is None or not have.targets.sets.get("repository")
    if have is None or assumed:
        async with QuayClient(source_id, source) as client:
            have = await _counted(client)
            offers = await discovery.get_discovery(client, internal=True, purpose="probe")
            off = frozenset(query.name for query in not_offered(offers.operations, settings.inventory))
            requests = client.meter.requests
    period = timedelta(days=settings.inventory.period_days)
    queries = tuple(
        _planned(query, have, period, now, assumed=assumed)
        for query in chosen(settings.inventory)
        if query.periods is not None and query.access in ("any", have.targets.access) and query.name not in off
    )
    return InventoryPlan(
        source_id=source_id,
        access=have.targets.access,
        queries=queries,
        period_days=settings.inventory.period_days,
        events_a_day=have.stale_a_day,
        planning_requests=requests,
        requests_per_second=source.expected_rate,
    )


def read_inventoried(holder: Holder, source_id: str, now: datetime) -> Inventoried | None:
    """What a copy of the ledger holds of a source's registry; None where no query was ever done."""
    known = read_last_fetches(holder, source_id)
    if not known:
        return None
    access = "superuser" if any(query == "organizations" for query, _ in known) else "other"
    targets = read_targets(holder, source_id, access, now)
    stale = held_objects.changed_objects_a_day(holder, source_id, tuple(EFFECTS), now.date() - _LATE, now.date())
    return Inventoried(targets, known, stale)


def _planned(query: Query, have: Inventoried, period: timedelta, now: datetime, *, assumed: bool) -> PlannedQuery:
    targets = have.targets.of(query)
    refresh = Refresh(period)
    due = [
        target
        for target in targets
        if not is_barred(query.name, target, have.known, period, now)
        and round_due(query, target, have.known.get((query.name, target)), refresh, now) is not None
    ]
    days = period.total_seconds() / 86_400
    rounds = 0.0 if query.once or query.periods is None else 1 / query.periods if query.periods else days
    return PlannedQuery(
        query=query.name,
        title=query.title,
        tier=query.tier,
        targets=len(targets),
        due=_requests(query, due, have),
        a_period=_requests(query, targets, have) * rounds,
        assumed=assumed and query.level in _ASSUMED_LEVELS,
    )


def _requests(query: Query, targets: Sequence[str], have: Inventoried) -> int:
    """Pages where there is more than one."""
    rows_held = have.targets.rows_held.get(query.paged_by, {})
    return sum(max(1, -(-rows_held.get(target, 0) // PAGE_ROWS)) for target in targets)


async def _counted(client: QuayClient) -> Inventoried:
    """A first idea of a registry of which nothing is held: its lists, and guesses for what is in them."""
    try:
        organizations = [row.name for row in (await superuser.list_organizations(client, purpose="probe")).rows]
        users = tuple(row.username for row in (await superuser.list_users(client, purpose="probe")).rows)
        listed = (await repositories.list_visible_repositories(client, purpose="probe")).rows
        names = tuple(f"{row.namespace}/{row.name}" for row in listed)
    except (Forbidden, Unauthenticated):
        return Inventoried(Targets(access="other"), {}, None)
    digests = _each(names, "@", IMAGES_EACH)
    targets = Targets(
        access="superuser",
        sets={
            "user": users,
            "organization": tuple(organizations),
            "team": _each(organizations, "/", TEAMS_EACH),
            "robot": _each(organizations, "+", ROBOTS_EACH),
            "repository": names,
            "manifest": digests,
            "digest": digests,
        },
        rows_held={
            "organizations": {"": len(organizations)},
            "users": {"": len(users)},
            "repositories": {"": len(names)},
        },
    )
    return Inventoried(targets, {}, None)


def _each(names: Sequence[str], sign: str, number: int) -> tuple[str, ...]:
    return tuple(f"{name}{sign}{place}" for name in names for place in range(number))
