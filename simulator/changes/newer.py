"""The simulator's planted changes to what newer versions of Quay have."""

from __future__ import annotations

from quayledger.simulator.changes.planner import Missing, Planner
from quayledger.simulator.secret_values import secret


def organization_made_immutable(p: Planner) -> None:
    """By a policy for its releases."""
    found = p.organization(what="immutability")
    told = {"namespace": found.name, "tag_pattern": p.fresh("v.*"), "tag_pattern_matches": True}
    p.do("create_immutability_policy", found.name, told)


def repository_made_immutable(p: Planner) -> None:
    """By a policy of its own."""
    found = p.repository("immutability")
    namespace, name = p.path(found)
    told = {"namespace": namespace, "repo": name, "tag_pattern": p.fresh("r.*"), "tag_pattern_matches": False}
    p.on(found, "create_immutability_policy", told)


def immutability_ended(p: Planner) -> None:
    """An older policy goes."""
    pairs = [(a, one) for a in p.organizations for one in a.immutability]
    found, one = p.pick(pairs, lambda pair: pair[1].uuid)
    p.do("delete_immutability_policy", found.name, {"namespace": found.name, "policy_uuid": one.uuid})


def organization_mirrored(p: Planner) -> None:
    """An organisation begins to mirror another."""
    found = p.organization(lambda a: a.mirror is None and bool(p.registry.robots_of(a.id)), "mirror")
    robot = p.registry.robots_of(found.id)[0]
    told = {
        "external_registry_type": "quay",
        "external_registry_url": "https://registry.example.com",
        "external_namespace": p.fresh("team"),
        "sync_interval": 3600,
        "robot_username": robot.name,
    }
    p.do("org_mirror_enabled", found.name, told)


def mirrored_repository_failed(p: Planner) -> None:
    """No row tells of it."""
    pairs = [(a, one) for a in p.organizations for one in (a.mirror.repositories if a.mirror else ())]
    found, one = p.pick(pairs, lambda pair: (pair[0].id, pair[1].name))

    def fail() -> None:
        one.status = "FAIL"

    p.quietly(fail, found)


def oauth_token_made(p: Planner) -> None:
    """Of an application that was there."""
    pairs = [(a, one) for a in p.organizations for one in a.applications]
    found, one = p.pick(pairs, lambda pair: ("oauth token", pair[1].client_id))
    told = {"application_name": one.name, "client_id": one.client_id}
    p.do("create_oauth_api_token", found.name, told, more={"name": p.fresh("token")})


def oauth_token_revoked(p: Planner) -> None:
    """An older one, of an application that stays."""
    named = [(a, one, t) for a in p.organizations for one in a.applications for t in a.oauth_tokens]
    triples = [(a, one, t) for a, one, t in named if t.client_id == one.client_id]
    if not triples:
        raise Missing
    found, one, token = p.pick(triples, lambda triple: triple[2].uuid)
    told = {"application_name": one.name, "client_id": one.client_id}
    p.do("revoke_oauth_api_token", found.name, told, more={"uuid": token.uuid})


def sparse_manifests_supported(p: Planner) -> None:
    """After an upgrade; no row tells of it."""
    if p.registry.sparse_manifests:
        raise Missing

    def support() -> None:
        p.registry.sparse_manifests = True

    p.quietly(support)


def alert_set_up(p: Planner) -> None:
    """For a quota that is nearly used up."""
    found, title = p.organization(what="alert"), p.fresh("alert")
    told = {"namespace": found.name, "event": "quota_warning", "method": "webhook"}
    config = {"url": f"https://hooks.example.com/{secret('alert', title)}"}
    p.do("create_namespace_notification", found.name, told, more={"title": title, "config": config})
