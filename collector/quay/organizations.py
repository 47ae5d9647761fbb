"""Organizations: one organization, its people and its OAuth applications (`/organization/{orgname}`). Chapter 11 of the API
reference.
"""

from __future__ import annotations

import msgspec

from quayledger.collector.quay import paths
from quayledger.collector.quay.client import QuayClient
from quayledger.collector.quay.listing import read_list, read_one
from quayledger.collector.quay.quotas import Quota, QuotaReport
from quayledger.collector.quay.rows import Int64, Named, Rows, names, read_rows, reader, translated, values


class Team(msgspec.Struct, frozen=True):
    """A team of an organization; `role`: admin | creator | member."""

    name: str
    role: str | None = None
    description: str | None = None
    is_synced: bool | None = None
    member_count: Int64 | None = None
    repo_count: Int64 | None = None


class Organization(msgspec.Struct, frozen=True):
    """An organization as the token's user sees it; its log can be read by its admins and by superusers. Who is none of its
    members is told the name alone; `teams` None: not told."""

    name: str
    is_admin: bool = False
    is_member: bool = False
    email: str | None = None
    tag_expiration_s: Int64 | None = None
    invoice_email: bool | None = None
    invoice_email_address: str | None = None
    teams: Rows[Team] | None = None
    quotas: tuple[Quota, ...] | None = None
    quota_report: QuotaReport | None = None


class Member(msgspec.Struct, frozen=True):
    """A member, who is in a team; `kind`: user | robot. `repositories`: names without namespace, those with direct permissions
    only; one that is marked for deletion has a UUID for a name. None: not told."""

    name: str
    kind: str | None = None
    teams: tuple[str, ...] | None = None
    repositories: tuple[str, ...] | None = None


class Collaborator(msgspec.Struct, frozen=True):
    """Somebody in no team who has direct permissions; `repositories`: names without namespace."""

    name: str
    kind: str | None = None
    repositories: tuple[str, ...] | None = None


class Application(msgspec.Struct, frozen=True):
    """An OAuth application without its secret."""

    client_id: str
    name: str
    description: str | None = None
    application_uri: str | None = None
    redirect_uri: str | None = None


class ApplicationInformation(msgspec.Struct, frozen=True):
    """What anybody may know of an application; `organization`: whose it is."""

    name: str
    description: str | None = None
    uri: str | None = None
    organization: str | None = None


class ProxyCache(msgspec.Struct, frozen=True):
    """What an organization is a pull-through cache of, without credentials."""

    upstream_registry: str
    expiration_s: Int64 | None = None
    insecure: bool | None = None


class _Organization(msgspec.Struct):
    name: str
    is_admin: bool = False
    is_member: bool = False
    email: str | None = None
    tag_expiration_s: Int64 | None = None
    invoice_email: bool | None = None
    invoice_email_address: str | None = None
    teams: dict[str, msgspec.Raw] | None = None
    quotas: tuple[Quota, ...] | None = None
    quota_report: QuotaReport | None = None


class _Member(msgspec.Struct):
    name: str
    kind: str | None = None
    teams: tuple[Named, ...] | None = None
    repositories: tuple[str, ...] | None = None


class _Information(msgspec.Struct):
    name: str
    description: str | None = None
    uri: str | None = None
    organization: Named | None = None


class _ProxyCache(msgspec.Struct):
    upstream_registry: str | None = None
    expiration_s: Int64 | str | None = None
    insecure: bool | str | None = None


_team = reader(Team)


def _from_wire(wire: _Organization) -> Organization:
    return Organization(
        name=wire.name,
        is_admin=wire.is_admin,
        is_member=wire.is_member,
        email=wire.email or None,
        tag_expiration_s=wire.tag_expiration_s,
        invoice_email=wire.invoice_email,
        invoice_email_address=wire.invoice_email_address,
        teams=None if wire.teams is None else read_rows("teams", values(wire.teams), _team),
        quotas=wire.quotas,
        quota_report=wire.quota_report,
    )


def _cache_from_wire(wire: _ProxyCache) -> ProxyCache | None:
    """Without a cache Quay answers with three empty strings."""
    if not wire.upstream_registry:
        return None
    expiration = wire.expiration_s if isinstance(wire.expiration_s, int) else None
    return ProxyCache(wire.upstream_registry, expiration, wire.insecure if isinstance(wire.insecure, bool) else None)


_organization = translated(_Organization, _from_wire)
_member = translated(_Member, lambda wire: Member(wire.name, wire.kind, names(wire.teams), wire.repositories))
_collaborator = reader(Collaborator)
_application = reader(Application)
_information = translated(
    _Information,
    lambda wire: ApplicationInformation(
        wire.name, wire.description, wire.uri, wire.organization.name if wire.organization else None
    ),
)
_proxy_cache = translated(_ProxyCache, _cache_from_wire)


async def get_organization(client: QuayClient, name: str, *, purpose: str = "probe") -> Organization:
    """`GET /organization/{orgname}` (getOrganization, 11.15); answers without any scope, then both flags are false. Raises
    QuayError; NotFound."""
    path = paths.organization(name)
    return await read_one(client, "organization.get_organization", path, _organization, purpose=purpose)


async def list_members(client: QuayClient, organization: str, *, purpose: str = "inventory") -> Rows[Member]:
    """All members of teams, without robots. `GET /organization/{orgname}/members` (getOrganizationMembers, 11.14); scope
    `org:admin`. Raises QuayError."""
    path = f"{paths.organization(organization)}/members"
    return await read_list(client, "organization.list_members", path, "members", _member, purpose=purpose)


async def get_member(client: QuayClient, organization: str, member: str, *, purpose: str = "inventory") -> Member:
    """One member, or a robot by its full name. `GET /organization/{orgname}/members/{membername}` (getOrganizationMember,
    11.12); scope `org:admin`. Raises QuayError; NotFound."""
    path = f"{paths.organization(organization)}/members/{paths.segment(member)}"
    return await read_one(client, "organization.get_member", path, _member, purpose=purpose)


async def list_collaborators(
    client: QuayClient, organization: str, *, purpose: str = "inventory"
) -> Rows[Collaborator]:
    """`GET /organization/{orgname}/collaborators` (getOrganizationCollaborators, 11.3); scope `org:admin`. Raises QuayError."""
    operation, path = "organization.list_collaborators", f"{paths.organization(organization)}/collaborators"
    return await read_list(client, operation, path, "collaborators", _collaborator, purpose=purpose)


async def list_applications(client: QuayClient, organization: str, *, purpose: str = "inventory") -> Rows[Application]:
    """`GET /organization/{orgname}/applications` (getOrganizationApplications, 11.8); scope `org:admin`. Quay answers with each
    application's secret, which is cut out before anything reads the answer. Raises QuayError."""
    operation, path = "organization.list_applications", f"{paths.organization(organization)}/applications"
    return await read_list(client, operation, path, "applications", _application, purpose=purpose)


async def get_application(
    client: QuayClient, organization: str, client_id: str, *, purpose: str = "inventory"
) -> Application:
    """`GET /organization/{orgname}/applications/{client_id}` (getOrganizationApplication, 11.4); scope `org:admin`. The secret
    is cut out as in the list. Raises QuayError; NotFound."""
    path = f"{paths.organization(organization)}/applications/{paths.segment(client_id)}"
    return await read_one(client, "organization.get_application", path, _application, purpose=purpose)


async def get_application_information(
    client: QuayClient, client_id: str, *, purpose: str = "inventory"
) -> ApplicationInformation:
    """`GET /app/{client_id}` (getApplicationInformation, 11.18); anonymous. Raises QuayError; NotFound."""
    operation, path = "organization.get_application_information", f"/app/{paths.segment(client_id)}"
    return await read_one(client, operation, path, _information, purpose=purpose)


async def get_proxy_cache(client: QuayClient, organization: str, *, purpose: str = "inventory") -> ProxyCache | None:
    """None if the organization is not a proxy cache; Quay then answers 200 with empty strings. `GET /organization/{orgname}/proxycache`
    (getProxyCacheConfig, 11.9); scope `org:admin` of any member. Raises QuayError."""
    path = f"{paths.organization(organization)}/proxycache"
    return await read_one(client, "organization.get_proxy_cache", path, _proxy_cache, purpose=purpose)
