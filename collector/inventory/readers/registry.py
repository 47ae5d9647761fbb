"""The inventory's readers of the registry as a whole: its users, organizations and repositories, keys, tokens, messages."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

import msgspec

from quayledger.collector.inventory.inventory_run import InventoryRun
from quayledger.collector.inventory.readers.common import (
    ORGANIZATION,
    USER,
    autoprune_rows,
    own_name,
    quota_parts,
    reasons,
    repository_rows,
    robot_parts,
    size_row,
    sizes_of_namespaces,
    sizes_of_repositories,
    use_row,
    user_rows,
)
from quayledger.collector.inventory.results import FetchResult, family_rows, series_rows, vanished
from quayledger.collector.quay import (
    app_tokens,
    autoprune,
    discovery,
    installation,
    messages,
    mirrors,
    quotas,
    repositories,
    robots,
    superuser,
    users,
)
from quayledger.warehouse.catalog import FAMILY
from quayledger.warehouse.inventory.store import FamilyRows, held

_SIZE_IS_OLD = timedelta(days=1)


async def _offered(run: InventoryRun, _: str) -> FetchResult:
    offers = await discovery.get_discovery(run.client, internal=True, purpose="inventory")
    return FetchResult(
        (family_rows("offered_operations", {}, ({"operation": name} for name in sorted(offers.operations))),)
    )


async def _own_user(run: InventoryRun, _: str) -> FetchResult:
    """The account's own view: where no superuser reads, these are the users and organizations that there are."""
    me = await users.get_logged_in_user(run.client, purpose="inventory")
    run.username = me.username
    row = {
        "username": me.username,
        "email": me.email,
        "enabled": True,
        "verified": me.verified,
        "superuser": bool(me.super_user),
        "readonly_superuser": None,
    }
    names = [organization.name for organization in me.organizations]
    parts = (
        family_rows("users", {}, (row,)),
        family_rows("organizations", {}, ({"organization": name, "email": None} for name in names)),
        *quota_parts({"namespace": me.username}, USER, ((me.username, me.quotas),)),
    )
    sizes = sizes_of_namespaces(((me.username, me.quota_report),))
    rejected = reasons(me.organizations)
    gone = () if rejected else vanished("organization", _held(run, "organizations"), names)
    return FetchResult(parts, (sizes,), rejected, gone)


async def _organizations(run: InventoryRun, _: str) -> FetchResult:
    found = await superuser.list_organizations(run.client, purpose="inventory")
    names = [row.name for row in found.rows]
    before = _held(run, "organizations")
    parts = (
        family_rows("organizations", {}, ({"organization": row.name, "email": row.email} for row in found.rows)),
        *quota_parts({"namespace_kind": ORGANIZATION}, ORGANIZATION, ((row.name, row.quotas) for row in found.rows)),
    )
    sizes = sizes_of_namespaces((row.name, row.quota_report) for row in found.rows)
    gone = () if found.rejected else vanished("organization", before, names)
    return FetchResult(parts, (sizes,), reasons(found), gone)


async def _users(run: InventoryRun, _: str) -> FetchResult:
    found = await superuser.list_users(run.client, purpose="inventory")
    before = _held(run, "users")
    parts = (
        family_rows("users", {}, user_rows(found.rows)),
        *quota_parts({"namespace_kind": USER}, USER, ((row.username, row.quotas) for row in found.rows)),
    )
    sizes = sizes_of_namespaces((row.username, row.quota_report) for row in found.rows)
    gone = () if found.rejected else vanished("user", before, [row.username for row in found.rows])
    return FetchResult(parts, (sizes,), reasons(found), gone)


async def _repositories(run: InventoryRun, _: str) -> FetchResult:
    """`public=true` lists all that the token may see: to a superuser that is the whole registry, 100 a request."""
    found = await repositories.list_visible_repositories(run.client, activity=True, purpose="inventory")
    before = [f"{namespace}/{name}" for namespace, name in _held_repositories(run)]
    names = [f"{row.namespace}/{row.name}" for row in found.rows]
    gone = () if found.rejected else vanished("repository", before, names)
    parts = (family_rows("repositories", {}, repository_rows(found.rows)),)
    return FetchResult(parts, (sizes_of_repositories(found.rows),), reasons(found), gone)


async def _registry_size(run: InventoryRun, _: str) -> FetchResult:
    size = await superuser.get_registry_size(run.client, purpose="inventory")
    if run.settings.calculate_registry_size and not (size.queued or size.running):
        old = size.last_ran is None or run.now() - size.last_ran > _SIZE_IS_OLD
        if old:
            await superuser.queue_registry_size_calculation(run.client, purpose="inventory")
    if size.size_bytes is None or size.last_ran is None:
        return FetchResult()
    backfill = "running" if size.queued or size.running else "complete"
    row = size_row("registry", size_bytes=size.size_bytes, backfill=backfill, calculated_at=size.last_ran)
    return FetchResult((), (series_rows("sizes", (row,)),))


async def _service_keys(run: InventoryRun, _: str) -> FetchResult:
    found = await superuser.list_service_keys(run.client, purpose="inventory")
    rows = (
        {
            "kid": key.kid,
            "key_name": key.name,
            "service": key.service,
            "created_at": key.created,
            "expires_at": key.expiration,
            "approval_type": key.approval_type,
            "approved_at": key.approved,
            "approver": key.approver,
            "created_by": key.creator or key.created_by,
        }
        for key in found.rows
    )
    return FetchResult((family_rows("service_keys", {}, rows),), rejected=reasons(found))


async def _app_tokens(run: InventoryRun, _: str) -> FetchResult:
    """All tokens for a superuser, without their owners; else the own ones."""
    if run.access == "superuser":
        found, owner = await app_tokens.list_all_app_tokens(run.client, purpose="inventory"), None
    else:
        found, owner = await app_tokens.list_app_tokens(run.client, purpose="inventory"), await own_name(run)
    rows = (
        {
            "uuid": token.uuid,
            "title": token.title,
            "owner": owner,
            "created_at": token.created,
            "expires_at": token.expiration,
        }
        for token in found.rows
    )
    uses = (use_row("app_token", token.uuid, token.last_accessed) for token in found.rows)
    return FetchResult((family_rows("app_tokens", {}, rows),), (series_rows("last_uses", uses),), reasons(found))


async def _messages(run: InventoryRun, _: str) -> FetchResult:
    found = await messages.list_messages(run.client, purpose="inventory")
    rows = (
        {"uuid": item.uuid, "content": item.content, "severity": item.severity, "media_type": item.media_type}
        for item in found.rows
    )
    return FetchResult((family_rows("messages", {}, rows),), rejected=reasons(found))


async def _own_robots(run: InventoryRun, _: str) -> FetchResult:
    username = await own_name(run)
    found = await robots.list_user_robots(run.client, purpose="inventory")
    return robot_parts(username, found, _held(run, "robots", {"namespace": username}))


async def _own_quota(run: InventoryRun, _: str) -> FetchResult:
    username = await own_name(run)
    found = await quotas.list_user_quotas(run.client, purpose="inventory")
    return FetchResult(quota_parts({"namespace": username}, USER, ((username, found.rows),)), rejected=reasons(found))


async def _own_autoprune(run: InventoryRun, _: str) -> FetchResult:
    username = await own_name(run)
    found = await autoprune.list_user_policies(run.client, purpose="inventory")
    rows = autoprune_rows(username, "", found.rows)
    authority = {"namespace": username, "repository": ""}
    return FetchResult((family_rows("autoprune_policies", authority, rows),), rejected=reasons(found))


async def _stars(run: InventoryRun, _: str) -> FetchResult:
    username = await own_name(run)
    found = await users.list_starred(run.client, purpose="inventory")
    rows = ({"username": username, "namespace": row.namespace, "repository": row.name} for row in found.rows)
    return FetchResult((family_rows("stars", {"username": username}, rows),), rejected=reasons(found))


async def _user(run: InventoryRun, username: str) -> FetchResult:
    found = await superuser.get_user(run.client, username, purpose="inventory")
    parts = (
        family_rows("users", {"username": username}, user_rows((found,))),
        *quota_parts({"namespace": username}, USER, ((username, found.quotas),)),
    )
    return FetchResult(parts, (sizes_of_namespaces(((username, found.quota_report),)),))


async def _capabilities(run: InventoryRun, _: str) -> FetchResult:
    found = await installation.get_capabilities(run.client, purpose="inventory")
    return FetchResult((_settings_of("capabilities", msgspec.structs.asdict(found)),))


async def _mirror_health(run: InventoryRun, _: str) -> FetchResult:
    found = await mirrors.get_mirror_health(run.client, purpose="inventory")
    return FetchResult((family_rows("mirror_health", {}, ({"namespace": "", **msgspec.structs.asdict(found)},)),))


async def _log_config(run: InventoryRun, _: str) -> FetchResult:
    found = await installation.get_log_config(run.client, purpose="inventory")
    return FetchResult(
        (_settings_of("config", {name.upper(): value for name, value in msgspec.structs.asdict(found).items()}),)
    )


def _settings_of(origin: str, found: dict[str, object]) -> FamilyRows:
    """What is not set has no row."""
    rows = (
        {"origin": origin, "setting": name, "value": msgspec.json.encode(value).decode()}
        for name, value in found.items()
        if value is not None
    )
    return family_rows("registry_settings", {"origin": origin}, rows)


def _held(run: InventoryRun, family: str, where: dict[str, str] | None = None) -> Iterable[str]:
    """The names of the objects of a family that are held."""
    (name,) = FAMILY[family].key
    return [str(value) for value in held(run.ledger, family, run.source_id, where)[name]]


def _held_repositories(run: InventoryRun) -> Iterable[tuple[str, str]]:
    rows = held(run.ledger, "repositories", run.source_id).select("namespace", "repository").rows()
    return [(str(namespace), str(name)) for namespace, name in rows]


READERS = {
    "offered": _offered,
    "own_user": _own_user,
    "organizations": _organizations,
    "users": _users,
    "repositories": _repositories,
    "registry_size": _registry_size,
    "service_keys": _service_keys,
    "app_tokens": _app_tokens,
    "messages": _messages,
    "capabilities": _capabilities,
    "log_config": _log_config,
    "mirror_health": _mirror_health,
    "own_robots": _own_robots,
    "own_quota": _own_quota,
    "own_autoprune": _own_autoprune,
    "stars": _stars,
    "user": _user,
}
