"""The simulator's views: parts that the answers of several operations share."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request

from quayledger.simulator import sizes
from quayledger.simulator.clock import rfc_822
from quayledger.simulator.entities.accounts import Account, Team
from quayledger.simulator.entities.content import NEVER_MS, Repository
from quayledger.simulator.quay import Quay
from quayledger.simulator.registry import Registry
from quayledger.simulator.render import avatar


def stamp(at_us: int | None) -> str | None:
    """A time in Quay's usual form; null where there is none."""
    return None if at_us is None else rfc_822(at_us)


def flag(request: Request, name: str, *, default: bool = False) -> bool:
    """A query parameter that says yes or no."""
    text = request.query_params.get(name)
    return default if text is None else text.lower() not in ("", "0", "false", "no", "off")


def number(request: Request, name: str, default: int) -> int:
    """A query parameter that is a whole number; anything else is the default."""
    try:
        return int(request.query_params.get(name, default))
    except ValueError:
        return default


def account_avatar(account: Account) -> dict[str, str]:
    """The avatar of a user, a robot or an organisation."""
    return avatar(account.name, account.kind)


def team_brief(team: Team) -> dict[str, Any]:
    """A team as lists of memberships show it."""
    return {"name": team.name, "avatar": avatar(team.name, "team")}


def quotas_of(quay: Quay, account: Account) -> dict[str, Any]:
    """Quotas and size of a namespace; nothing where quota management is off."""
    if not quay.config.quota_management:
        return {}
    return {"quotas": sizes.short(account.quotas), "quota_report": sizes.report(quay.registry, account)}


def user(quay: Quay, account: Account) -> dict[str, Any]:
    """A user as superusers see it."""
    registry = quay.registry
    return {
        "kind": "user",
        "name": account.name,
        "username": account.name,
        "email": account.email,
        "verified": account.verified,
        "avatar": account_avatar(account),
        "super_user": account.id in registry.superusers,
        "global_readonly_super_user": account.id in registry.readonly_superusers,
        "enabled": account.enabled,
        **quotas_of(quay, account),
    }


def repository(quay: Quay, found: Repository, stars: set[int]) -> dict[str, Any]:
    """A repository as lists show it; what was asked for besides comes between state and star."""
    account = quay.registry.namespace_of(found)
    body: dict[str, Any] = {
        "namespace": account.name,
        "name": found.name,
        "description": found.description,
        "is_public": found.public,
        "kind": found.kind,
        "state": found.state,
        "is_starred": found.id in stars,
    }
    if quay.config.quota_management:
        size = quay.registry.repository_bytes(found)
        body["quota_report"] = {"quota_bytes": size, "configured_quota": sizes.limit_bytes(account)}
    return body


def last_modified_ms(found: Repository, now_ms: int) -> int | None:
    """When the newest tag that stands was put there."""
    return max((tag.start_ms for tag in found.current.values() if tag.is_alive(now_ms)), default=None)


def popularity(found: Repository, today: int) -> float:
    """Actions of the seven days before `today` (days since 1970)."""
    return float(sum(found.actions.get(day, 0) for day in range(today - 7, today)))


def end_ts(end_ms: int) -> int | None:
    """When a tag ends, seconds since 1970; None: never."""
    return None if end_ms == NEVER_MS else end_ms // 1000


def is_org_member(registry: Registry, found: Repository, account: Account) -> bool:
    """Whether a user or robot belongs to the organisation of a repository."""
    owner = registry.namespace_of(found)
    return account.owner_id == owner.id or owner.has_member(account.id)
