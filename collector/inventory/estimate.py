"""Estimating: what reading the registry costs, first, by round and by day, before it is asked. Asks three lists at most."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import msgspec

from quayledger.collector.inventory.due import Known, Rhythm, is_barred, round_due
from quayledger.collector.inventory.event_effects import EFFECTS
from quayledger.collector.inventory.queries import LookKind
from quayledger.collector.inventory.targets import Holder, Universe, chosen, read_known, read_universe
from quayledger.collector.log.days import utc_now
from quayledger.collector.quay import repositories, superuser
from quayledger.collector.quay.client import QuayClient
from quayledger.collector.quay.errors import Forbidden, Unauthenticated
from quayledger.collector.sources import choose_sources
from quayledger.settings import Settings, SourceSettings

PAGE_ROWS = 100
# The tiers after which access, robots, quota and sizes are known: what most reports stand on.
USABLE_TIER = 4
_PAGED = {"organizations": "organizations", "users": "users", "repositories": "repositories"}
# What is taken where nothing is held yet: so many of each for one of what there is.
_TEAMS_EACH, _ROBOTS_EACH, _DIGESTS_EACH = 3, 3, 5
_LATE = timedelta(days=7)


class Inventoried(msgspec.Struct, frozen=True):
    """What the published copy holds: the universe, how looks went, and looks a day that events asked for lately (None: there
    is no inventory yet)."""

    universe: Universe
    known: dict[tuple[str, str], Known]
    users: int
    asked_a_day: float | None


class PlannedLook(msgspec.Struct, frozen=True):
    """One kind of look. `targets`: how many there are; `due`: requests that `inventory sync` would ask now; `a_period`:
    requests of a round, spread over the period; `assumed`: the number of targets is a guess."""

    look: str
    says: str
    tier: int
    targets: int
    due: int
    a_period: float
    assumed: bool


class InventoryPlan(msgspec.Struct, frozen=True):
    """The cost for one source. `usable`: of the requests due, those until access, robots, quota and sizes are known;
    `events_a_day`: requests that events cost, as of late; None: not known yet."""

    source_id: str
    access: str
    looks: tuple[PlannedLook, ...]
    period_days: float
    events_a_day: float | None
    planning_requests: int
    requests_per_second: float

    @property
    def due(self) -> int:
        """Requests that a sync would ask now."""
        return sum(look.due for look in self.looks)

    @property
    def usable(self) -> int:
        """Of these, how many until access, robots, quota and sizes are known."""
        return sum(look.due for look in self.looks if look.tier <= USABLE_TIER)

    @property
    def a_day(self) -> float:
        """Requests of the rounds, a day on average."""
        return sum(look.a_period for look in self.looks) / self.period_days


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
    asked = 0
    assumed = have is None or not have.universe.repositories
    if have is None or assumed:
        async with QuayClient(source_id, source) as client:
            have = await _counted(client)
            asked = client.meter.requests
    period = timedelta(days=settings.inventory.period_days)
    looks = tuple(
        _planned(kind, have, period, now, assumed=assumed)
        for kind in chosen(settings.inventory)
        if kind.periods is not None and kind.access in ("any", have.universe.access)
    )
    return InventoryPlan(
        source_id=source_id,
        access=have.universe.access,
        looks=looks,
        period_days=settings.inventory.period_days,
        events_a_day=have.asked_a_day,
        planning_requests=asked,
        requests_per_second=source.requests_per_second,
    )


def read_inventoried(holder: Holder, source_id: str, now: datetime) -> Inventoried | None:
    """What a copy of the ledger holds of a source's registry; None where no look was ever done."""
    known = read_known(holder, source_id)
    if not known:
        return None
    access = "superuser" if any(look == "organizations" for look, _ in known) else "other"
    universe = read_universe(holder, source_id, access, now)
    users = holder.frame("SELECT username FROM users WHERE source_id = ?", [source_id]).height
    return Inventoried(universe, known, users, _asked_a_day(holder, source_id, now))


def _asked_a_day(holder: Holder, source_id: str, now: datetime) -> float | None:
    """Looks a day that events of late ask for: distinct objects that events with an effect name, each day."""
    kinds = ", ".join("?" for _ in EFFECTS)
    first = now.date() - _LATE
    found = holder.frame(
        "SELECT day, count(DISTINCT concat_ws('/', namespace, repository, CASE WHEN contains(kind, 'tag') OR kind = "  # noqa: S608
        "'push_repo' THEN 'tag' ELSE kind END)) AS looks FROM stg_events "
        f"WHERE source_id = ? AND day >= ? AND day < ? AND kind IN ({kinds}) GROUP BY day",
        [source_id, first, now.date(), *EFFECTS],
    )
    return float(found["looks"].sum()) / _LATE.days if found.height else None


def _planned(kind: LookKind, have: Inventoried, period: timedelta, now: datetime, *, assumed: bool) -> PlannedLook:
    targets = have.universe.targets(kind)
    rhythm = Rhythm(period)
    due = [
        target
        for target in targets
        if not is_barred(kind.name, target, have.known, period, now)
        and round_due(kind, target, have.known.get((kind.name, target)), rhythm, now) is not None
    ]
    days = period.total_seconds() / 86_400
    rounds = 0.0 if kind.once or kind.periods is None else 1 / kind.periods if kind.periods else days
    guessed = assumed and kind.level in ("team", "robot", "manifest", "tag")
    return PlannedLook(
        look=kind.name,
        says=kind.says,
        tier=kind.tier,
        targets=len(targets),
        due=_requests(kind, due, have),
        a_period=_requests(kind, targets, have) * rounds,
        assumed=guessed,
    )


def _requests(kind: LookKind, targets: Sequence[str], have: Inventoried) -> int:
    """Pages where there is more than one."""
    universe = have.universe
    if kind.name in _PAGED and targets:
        rows = have.users if kind.name == "users" else len(getattr(universe, _PAGED[kind.name]))
        return max(1, -(-rows // PAGE_ROWS))
    if kind.name == "tags":
        return sum(max(1, -(-universe.tag_rows.get(target, 0) // PAGE_ROWS)) for target in targets)
    return len(targets)


async def _counted(client: QuayClient) -> Inventoried:
    """A first idea of a registry of which nothing is held: its lists, and guesses for what is in them."""
    try:
        organizations = [row.name for row in (await superuser.list_organizations(client, purpose="probe")).rows]
        users = len((await superuser.list_users(client, purpose="probe")).rows)
        listed = (await repositories.list_visible_repositories(client, purpose="probe")).rows
        names = tuple(f"{row.namespace}/{row.name}" for row in listed)
    except (Forbidden, Unauthenticated):
        return Inventoried(Universe(access="other"), {}, 1, None)
    digests = _each(names, "@", _DIGESTS_EACH)
    universe = Universe(
        access="superuser",
        organizations=tuple(organizations),
        teams=_each(organizations, "/", _TEAMS_EACH),
        robots=_each(organizations, "+", _ROBOTS_EACH),
        repositories=names,
        digests=digests,
        scans=digests,
    )
    return Inventoried(universe, {}, users, None)


def _each(names: Sequence[str], sign: str, number: int) -> tuple[str, ...]:
    return tuple(f"{name}{sign}{place}" for name in names for place in range(number))
