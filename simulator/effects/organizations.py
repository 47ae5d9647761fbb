"""The simulator's effects on organisations: they come and go; their settings, teams, quotas, policies and caches."""

from __future__ import annotations

from quayledger.simulator.effects import users
from quayledger.simulator.effects.event import Effect, Event, account_named
from quayledger.simulator.entities.accounts import Invite, ProxyCache, Quota, QuotaLimit, Team
from quayledger.simulator.registry import Registry

OWNERS = "owners"


def create(registry: Registry, event: Event) -> None:
    """`namespace`, `email`; whoever creates it owns it."""
    name = event.text("namespace")
    if name and registry.account(name) is None:
        made = registry.add_account(name, "org", email=event.text("email"), created_us=event.at_us)
        made.teams.append(Team(OWNERS, "admin", members={event.performer.id} if event.performer else set()))


def rename(registry: Registry, event: Event) -> None:
    """From `old_name` to `new_name`."""
    old, new = event.text("old_name"), event.text("new_name")
    if new and registry.account(old) is not None and registry.account(new) is None:
        registry.rename(old, new)


def take_ownership(_: Registry, event: Event) -> None:
    """The superuser becomes an owner; a user's namespace becomes an organisation."""
    account = event.account
    if account.kind == "user":
        account.kind = "org"
    owners = account.team(OWNERS)
    if owners is None:
        owners = Team(OWNERS, "admin")
        account.teams.append(owners)
    if event.performer is not None:
        owners.members.add(event.performer.id)


def create_team(_: Registry, event: Event) -> None:
    """`team`; a plain member's role, unless another one is told beside the log."""
    name = event.text("team")
    if name and event.account.team(name) is None:
        role, description = event.text("role") or "member", event.text("description")
        event.account.teams.append(Team(name, role, description))


def delete_team(registry: Registry, event: Event) -> None:
    """With its permissions and default permissions."""
    account, name = event.account, event.text("team")
    account.teams = [team for team in account.teams if team.name != name]
    account.prototypes = [p for p in account.prototypes if p.delegate_id or p.delegate_team != name]
    for repository in registry.repositories_of(account.id):
        repository.team_permissions.pop(name, None)


def set_team_role(_: Registry, event: Event) -> None:
    """`team`, `role`."""
    team = event.account.team(event.text("team"))
    if team is not None:
        team.role = event.text("role") or team.role


def set_team_description(_: Registry, event: Event) -> None:
    """`team`, `description`."""
    team = event.account.team(event.text("team"))
    if team is not None:
        team.description = event.text("description")


def enable_team_sync(_: Registry, event: Event) -> None:
    """`team`: its members come from a directory."""
    team = event.account.team(event.text("team"))
    if team is not None:
        team.is_synced = True


def disable_team_sync(_: Registry, event: Event) -> None:
    """`team`."""
    team = event.account.team(event.text("team"))
    if team is not None:
        team.is_synced = False


def add_member(registry: Registry, event: Event) -> None:
    """`team`, `member`; an invitation that was pending is used up."""
    team, member = event.account.team(event.text("team")), account_named(registry, event, "member")
    if team is not None and member is not None:
        team.members.add(member.id)
        team.invites = [i for i in team.invites if i.user_id != member.id and i.email != (member.email or None)]


def remove_member(registry: Registry, event: Event) -> None:
    """`team`, `member`."""
    team, member = event.account.team(event.text("team")), account_named(registry, event, "member")
    if team is not None and member is not None:
        team.members.discard(member.id)


def invite(registry: Registry, event: Event) -> None:
    """`team`, and `user` or `email`."""
    team, user = event.account.team(event.text("team")), account_named(registry, event, "user")
    if team is None:
        return
    made = Invite(user.id) if user is not None else Invite(email=event.text("email"))
    if made not in team.invites:
        team.invites.append(made)


def withdraw(registry: Registry, event: Event) -> None:
    """The invitation of `member`: a user's name or an e-mail address. It was taken back or turned down."""
    team, name = event.account.team(event.text("team")), event.text("member")
    user = registry.account(name)
    if team is not None:
        team.invites = [i for i in team.invites if i.email != name and not (user and i.user_id == user.id)]


def create_quota(registry: Registry, event: Event) -> None:
    """`limit_bytes`; a namespace has one at most."""
    account = account_named(registry, event, "namespace") or event.account
    if not account.quotas:
        account.quotas.append(Quota(registry.next_quota_id(), int(event.get("limit_bytes", 0))))


def change_quota(registry: Registry, event: Event) -> None:
    """`limit_bytes`."""
    account = account_named(registry, event, "namespace") or event.account
    for quota in account.quotas:
        quota.limit_bytes = int(event.get("limit_bytes", quota.limit_bytes))


def delete_quota(registry: Registry, event: Event) -> None:
    """The one there is."""
    account = account_named(registry, event, "namespace") or event.account
    account.quotas.clear()


def create_limit(registry: Registry, event: Event) -> None:
    """`type`, `threshold_percent`."""
    account = account_named(registry, event, "namespace") or event.account
    kind, percent = event.text("type"), int(event.get("threshold_percent", 0))
    for quota in account.quotas:
        if all((limit.kind, limit.percent) != (kind, percent) for limit in quota.limits):
            quota.limits.append(QuotaLimit(registry.next_limit_id(), kind, percent))


def change_limit(registry: Registry, event: Event) -> None:
    """From `previous_type` and `previous_threshold_percent` to `type` and `threshold_percent`."""
    account = account_named(registry, event, "namespace") or event.account
    before = (event.text("previous_type"), event.get("previous_threshold_percent"))
    for limit in (limit for quota in account.quotas for limit in quota.limits):
        if (limit.kind, limit.percent) == before:
            limit.kind, limit.percent = event.text("type"), int(event.get("threshold_percent", 0))
            return


def delete_limit(registry: Registry, event: Event) -> None:
    """By `type` and `threshold_percent`."""
    account = account_named(registry, event, "namespace") or event.account
    gone = (event.text("type"), event.get("threshold_percent"))
    for quota in account.quotas:
        quota.limits = [limit for limit in quota.limits if (limit.kind, limit.percent) != gone]


def create_proxy_cache(_: Registry, event: Event) -> None:
    """`upstream_registry`; how long things are kept is told beside the log."""
    expiration_s = int(event.get("expiration_s", 86_400))
    event.account.proxy_cache = ProxyCache(
        event.text("upstream_registry"), expiration_s, bool(event.get("insecure", False))
    )


def delete_proxy_cache(_: Registry, event: Event) -> None:
    """It caches nothing any more."""
    event.account.proxy_cache = None


EFFECTS: dict[str, Effect] = {
    "create_proxy_cache_config": create_proxy_cache,
    "delete_proxy_cache_config": delete_proxy_cache,
    "disable_team_sync": disable_team_sync,
    "enable_team_sync": enable_team_sync,
    "org_add_team_member": add_member,
    "org_change_email": users.change_email,
    "org_change_invoicing": users.change_invoicing,
    "org_change_name": rename,
    "org_change_quota": change_quota,
    "org_change_quota_limit": change_limit,
    "org_change_tag_expiration": users.change_tag_expiration,
    "org_create": create,
    "org_create_quota": create_quota,
    "org_create_quota_limit": create_limit,
    "org_create_team": create_team,
    "org_delete": users.delete_namespace,
    "org_delete_quota": delete_quota,
    "org_delete_quota_limit": delete_limit,
    "org_delete_team": delete_team,
    "org_delete_team_member_invite": withdraw,
    "org_invite_team_member": invite,
    "org_remove_team_member": remove_member,
    "org_set_team_description": set_team_description,
    "org_set_team_role": set_team_role,
    "org_team_member_invite_accepted": add_member,
    "org_team_member_invite_declined": withdraw,
    "take_ownership": take_ownership,
}
