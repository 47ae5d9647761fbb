"""Scopes of exports: which logs to export so that a scope's days become complete. The registry's own log cannot be exported, so
it is put together from its namespaces', and only from those in which something is missing.
"""

from __future__ import annotations

from collections import Counter
from datetime import date
from math import ceil

import msgspec

from quayledger.collector.exports.load_export import Target
from quayledger.collector.log.scope_day import missing
from quayledger.collector.log.source_run import SourceRun
from quayledger.collector.quay import logs, superuser
from quayledger.collector.quay.client import QuayClient
from quayledger.collector.quay.errors import BadRequest, Forbidden, NotFound, UnusableCount
from quayledger.collector.quay.logs import PAGE_ROWS
from quayledger.collector.quay.scopes import Scope
from quayledger.warehouse.log.held_parts import held_parts

_GONE = (Forbidden, NotFound, BadRequest, UnusableCount)


class ExportRequest(msgspec.Struct, frozen=True):
    """One export: of what, and the days that are wanted of it, oldest first."""

    target: Target
    days: tuple[date, ...]


async def namespaces(client: QuayClient, *, purpose: str = "count") -> list[str]:
    """All namespaces of a registry, organisations first; none where the token may not list them. Two requests for each
    hundred. Raises QuayError."""
    try:
        organizations = await superuser.list_organizations(client, purpose=purpose)
        users = await superuser.list_users(client, purpose=purpose)
    except _GONE:
        return []
    return [one.name for one in organizations] + [one.username for one in users]


async def find_requests(
    run: SourceRun, scope: Scope, lacking: dict[date, dict[str, int]], names: list[str], *, least_pages: int
) -> list[ExportRequest]:
    """The exports that make the days of a scope whole. `lacking`: what each day lacks by kind, days within 28; `names`: the
    namespaces of the registry, each of which is counted with one request where the scope is the superuser's; those that
    fill fewer pages than `least_pages` are left to pages."""
    days = sorted(lacking)
    if scope.kind != "superuser":
        return [ExportRequest(Target(scope, scope), tuple(days))]
    held = {day: _held_by_namespace(run, day, scope) for day in days}
    requests = []
    for name in names:
        exported = Scope("organization", name)
        try:
            counts = await logs.aggregate_logs(run.client, exported, days[0], days[-1], purpose="count")
        except _GONE:
            continue
        wanted = [day for day in days if _is_short(counts[day], held[day].get(name, {}), lacking[day])]
        if sum(ceil(sum(counts[day].values()) / PAGE_ROWS) for day in wanted) >= max(1, least_pages):
            requests.append(ExportRequest(Target(scope, exported), tuple(wanted)))
    return requests


def _is_short(counted: dict[str, int], held: dict[str, int], lacking: dict[str, int]) -> bool:
    return any(kind in lacking for kind in missing(counted, held))


def _held_by_namespace(run: SourceRun, day: date, scope: Scope) -> dict[str, Counter[str]]:
    found: dict[str, Counter[str]] = {}
    for part in held_parts(run.ledger, run.source_id, day, scope.text):
        if part.namespace is not None:
            found.setdefault(part.namespace, Counter()).update(part.by_kind)
    return found
