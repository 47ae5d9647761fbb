"""The simulator's facts about accounts: people, organisations, teams, robots, applications, tokens, quotas, keys."""

from __future__ import annotations

from collections.abc import Iterator

from quayledger.simulator.entities.accounts import Account, Team
from quayledger.simulator.facts.view import Fact, View, row, time


def users(view: View) -> Iterator[Fact]:
    """Of the whole registry."""
    registry = view.registry
    for one in registry.accounts.values():
        if one.kind == "user" and not one.deleted:
            yield row(
                (one.name,),
                email=one.email,
                enabled=one.enabled,
                verified=one.verified,
                superuser=one.id in registry.superusers,
                readonly_superuser=one.id in registry.readonly_superusers,
            )


def organizations(view: View) -> Iterator[Fact]:
    """Of the whole registry."""
    for one in view.registry.accounts.values():
        if one.kind == "org" and not one.deleted:
            yield row((one.name,), email=one.email)


def organization_settings(view: View) -> Iterator[Fact]:
    """Of the accounts."""
    for one in view.organizations:
        yield row(
            (one.name,),
            tag_expiration_s=one.tag_expiration_s,
            invoice_email=one.invoice_email,
            invoice_email_address=one.invoice_email_address,
        )


def organization_members(view: View) -> Iterator[Fact]:
    """People in teams, and people with permissions of their own only."""
    for one in view.organizations:
        for person in _people(view, {i for team in one.teams for i in team.members}):
            yield row((one.name, person.name, "member"))
        outside = {i for r in view.registry.repositories_of(one.id) for i in r.permissions if not one.has_member(i)}
        for person in _people(view, outside):
            yield row((one.name, person.name, "collaborator"))


def _people(view: View, ids: set[int]) -> list[Account]:
    found = [view.registry.accounts.get(i) for i in sorted(ids)]
    return [person for person in found if person is not None and person.robot is None]


def teams(view: View) -> Iterator[Fact]:
    """Of the organisations."""
    for one in view.organizations:
        for team in one.teams:
            yield row((one.name, team.name), role=team.role, description=team.description, is_synced=team.is_synced)


def team_members(view: View) -> Iterator[Fact]:
    """With those who are invited."""
    for one in view.organizations:
        for team in one.teams:
            yield from _members(view, one.name, team)


def _members(view: View, organization: str, team: Team) -> Iterator[Fact]:
    for i in sorted(team.members):
        person = view.registry.accounts.get(i)
        if person is not None:
            kind = "robot" if person.robot is not None else "user"
            yield row((organization, team.name, person.name), member_kind=kind, invited=False)
    for invite in team.invites:
        name = view.name(invite.user_id) if invite.user_id else invite.email
        if name is not None:
            kind = "user" if invite.user_id else "invite"
            yield row((organization, team.name, name), member_kind=kind, invited=True)


def robots(view: View) -> Iterator[Fact]:
    """Of organisations, and of the one who looks."""
    for owner in _owners(view):
        for one in view.registry.robots_of(owner.id):
            if one.robot is not None:
                created = time(one.robot.created_us)
                description = one.robot.description or ""
                yield row((one.name,), namespace=owner.name, description=description, created_at=created)


def robot_federations(view: View) -> Iterator[Fact]:
    """Of organisations, and of the one who looks."""
    for owner in _owners(view):
        for one in view.registry.robots_of(owner.id):
            for identity in one.robot.federation if one.robot else ():
                yield row((one.name, identity.issuer, identity.subject))


def _owners(view: View) -> list[Account]:
    return [a for a in view.accounts if a.kind == "org" or a is view.user]


def default_permissions(view: View) -> Iterator[Fact]:
    """Of the organisations."""
    for one in view.organizations:
        for prototype in one.prototypes:
            delegate = view.registry.accounts.get(prototype.delegate_id)
            kind = "team" if delegate is None else "robot" if delegate.robot is not None else "user"
            yield row(
                (one.name, prototype.uuid),
                activating_user=view.name(prototype.activating_id),
                delegate=prototype.delegate_team if delegate is None else delegate.name,
                delegate_kind=kind,
                role=prototype.role,
            )


def applications(view: View) -> Iterator[Fact]:
    """Of the organisations."""
    for one in view.organizations:
        for application in one.applications:
            yield row(
                (one.name, application.client_id),
                application=application.name,
                description=application.description,
                application_uri=application.uri,
                redirect_uri=application.redirect_uri,
            )


def app_tokens(view: View) -> Iterator[Fact]:
    """Of everybody; nothing tells whose they are."""
    for one in view.registry.accounts.values():
        for token in one.app_tokens:
            created, expires = time(token.created_us), time(token.expires_us)
            yield row((token.uuid,), title=token.title, created_at=created, expires_at=expires)


def service_keys(view: View) -> Iterator[Fact]:
    """Of the installation."""
    for key in view.registry.service_keys.values():
        approval = f"ServiceKeyApprovalType.{key.approval_type}" if key.approval_type else None
        yield row(
            (key.kid,),
            key_name=key.name,
            service=key.service,
            created_at=time(key.created_us),
            expires_at=time(key.expires_us),
            approval_type=approval,
            approved_at=time(key.approved_us),
            approver=view.name(key.approver_id),
        )


def quotas(view: View) -> Iterator[Fact]:
    """Of users and organisations."""
    for one in view.accounts:
        for quota in one.quotas:
            yield row((one.name, quota.id), namespace_kind=_kind(one), limit_bytes=quota.limit_bytes)


def quota_limits(view: View) -> Iterator[Fact]:
    """Their thresholds."""
    for one in view.accounts:
        for quota in one.quotas:
            for limit in quota.limits:
                key = (one.name, quota.id, limit.id)
                yield row(key, namespace_kind=_kind(one), limit_type=limit.kind, limit_percent=limit.percent)


def _kind(namespace: Account) -> str:
    return "organization" if namespace.kind == "org" else "user"


def proxy_caches(view: View) -> Iterator[Fact]:
    """Of the organisations."""
    for one in view.organizations:
        cache = one.proxy_cache
        if cache is not None:
            yield row(
                (one.name,),
                upstream_registry=cache.upstream,
                expiration_s=cache.expiration_s,
                insecure=cache.insecure,
            )


def messages(view: View) -> Iterator[Fact]:
    """Of the installation."""
    for one in view.registry.messages:
        yield row((one.uuid,), content=one.content, severity=one.severity, media_type=one.media_type)


def stars(view: View) -> Iterator[Fact]:
    """Of the one who looks."""
    for i in view.user.stars if view.user else ():
        found = view.registry.repositories.get(i)
        if found is not None and not found.deleted and view.user is not None:
            yield row((view.user.name, view.registry.namespace_of(found).name, found.name))


def offered_operations(view: View) -> Iterator[Fact]:
    """Those of the public reference."""
    for name in view.offered:
        yield row((name,))
