"""The simulator's sizes: how Quay tells of bytes, quotas and the backfill behind them."""

from __future__ import annotations

from typing import Any

from quayledger.simulator.clock import SECOND_US
from quayledger.simulator.entities.accounts import Account, Quota
from quayledger.simulator.registry import Registry

_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB")
_SUM_TAKES_US = 60 * SECOND_US


def human(size: int) -> str:
    """Bytes in words: `10.0 GiB`."""
    value = float(size)
    for unit in _UNITS[:-1]:
        if value < 1024:
            return f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} {_UNITS[-1]}"


def limit_bytes(account: Account) -> int | None:
    """The quota in force; None without one."""
    return account.quotas[0].limit_bytes if account.quotas else None


def backfill(registry: Registry, account: Account) -> str:
    """How far Quay is with adding this namespace up: complete | running | waiting."""
    if account.backfill is not None:
        return account.backfill
    return "complete" if registry.namespace_bytes(account.id) else "waiting"


def report(registry: Registry, account: Account) -> dict[str, Any]:
    """`quota_report` of a namespace."""
    state = backfill(registry, account)
    return {
        "quota_bytes": registry.namespace_bytes(account.id) if state == "complete" else 0,
        "configured_quota": limit_bytes(account),
        "running_backfill": state,
        "backfill_status": state,
    }


def short(quotas: list[Quota]) -> list[dict[str, Any]]:
    """Quotas as namespaces show them."""
    return [{"id": q.id, "limit_bytes": q.limit_bytes, "limits": limits(q)} for q in quotas]


def full(quota: Quota) -> dict[str, Any]:
    """A quota as its own operations show it."""
    return {
        "id": quota.id,
        "limit_bytes": quota.limit_bytes,
        "limit": human(quota.limit_bytes),
        "default_config": False,
        "limits": limits(quota),
        "default_config_exists": False,
    }


def limits(quota: Quota) -> list[dict[str, Any]]:
    """The thresholds of a quota."""
    return [{"id": limit.id, "type": limit.kind, "limit_percent": limit.percent} for limit in quota.limits]


def summed_up(registry: Registry) -> int:
    """The size of everything, as the calculation would find it."""
    return sum(
        registry.namespace_bytes(a.id) for a in registry.accounts.values() if a.kind != "robot" and not a.deleted
    )


def settle(registry: Registry, now_us: int) -> None:
    """Ends a calculation of the registry's size that was asked for long enough ago."""
    size = registry.size
    if size.queued_us is not None and now_us - size.queued_us >= _SUM_TAKES_US:
        size.size_bytes, size.last_ran_ms = summed_up(registry), (size.queued_us + _SUM_TAKES_US) // 1000
        size.queued_us = None


def is_running(registry: Registry, now_us: int) -> bool:
    """Whether the calculation is being done right now."""
    queued_us = registry.size.queued_us
    return queued_us is not None and now_us - queued_us >= _SUM_TAKES_US // 2
