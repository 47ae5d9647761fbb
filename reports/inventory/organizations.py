"""Teams and organizations as the inventory knows them."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from quayledger.reports.inventory.accounts import Found
from quayledger.reports.inventory.common import (
    AUTOPRUNE_COLUMNS,
    counted,
    history,
    quota_limits,
    sizes,
    teams_needed,
    with_known_since,
)
from quayledger.reports.inventory.inventory_query import Asked, Drawn
from quayledger.reports.inventory.kinds import Fate, Subject
from quayledger.reports.inventory.knowledge import one
from quayledger.reports.model import Metric


def team(asked: Asked, subject: Subject, fates: Sequence[Fate]) -> Found:
    """What is known of a team."""
    organization, name = subject.parts
    where = {"organization": organization, "team": name}
    held = {"namespace": organization, "principal_kind": "team", "principal": name}
    itself = asked.draw(
        "team",
        "Team",
        with_known_since(asked.state("teams", **where), fates),
        ("role", "description", "is_synced", "from_at", "known_since"),
        [one(asked.source_ids, organization=organization)],
    )
    members = asked.draw(
        "members",
        "Members",
        asked.state("team_members", **where),
        ("member", "member_kind", "invited", "from_at"),
        [one(asked.source_ids, team_members=subject.name)],
    )
    rights = asked.draw(
        "permissions",
        "Permissions on repositories",
        asked.state("repository_permissions", **held),
        ("namespace", "repository", "role", "from_at"),
        [one(asked.source_ids, team_permissions=subject.name)],
    )
    metrics = [counted("members", "Members", members), counted("permissions", "Repositories", rights)]
    families = {"teams": where, "team_members": where, "repository_permissions": held}
    return metrics, [itself, members, rights, history(asked, families)]


def organization(asked: Asked, subject: Subject, fates: Sequence[Fate]) -> Found:
    """What is known of an organization."""
    name = subject.name
    lists = [one(asked.source_ids, organization=name, organizations="", own_user="")]
    teams, members, robots, repositories = (draw(asked, name) for draw in (_teams, _members, _robots, _repositories))
    size, held = sizes(asked, name, lists)
    metrics = [
        counted("repositories", "Repositories", repositories),
        counted("teams", "Teams", teams),
        counted("members", "People", members, "members and collaborators"),
        counted("robots", "Robot accounts", robots),
        Metric("size_bytes", "Size", held, "bytes"),
    ]
    drawn = [
        _settings(asked, name, fates),
        teams,
        members,
        robots,
        _applications(asked, name),
        _default_permissions(asked, name),
        size,
        quota_limits(asked, name, lists),
        _autoprune(asked, name),
        _proxy_cache(asked, name),
        repositories,
        history(asked, _families(name)),
    ]
    return metrics, drawn


def _families(name: str) -> dict[str, dict[str, str]]:
    of_organization, of_namespace = {"organization": name}, {"namespace": name}
    return {
        "organizations": of_organization,
        "organization_settings": of_organization,
        "teams": of_organization,
        "organization_members": of_organization,
        "robots": of_namespace,
        "applications": of_organization,
        "default_permissions": of_organization,
        "quotas": of_namespace,
        "quota_limits": of_namespace,
        "autoprune_policies": {"namespace": name, "repository": ""},
        "proxy_caches": of_organization,
        "repositories": of_namespace,
    }


def _settings(asked: Asked, name: str, fates: Sequence[Fate]) -> Drawn:
    settings = asked.state("organization_settings", organization=name).select(
        "source_id", "tag_expiration_s", "invoice_email", "invoice_email_address"
    )
    frame = asked.state("organizations", organization=name).join(settings, on="source_id", how="left")
    frame = with_known_since(frame, fates)
    names = ("email", "tag_expiration_s", "invoice_email", "invoice_email_address", "from_at", "known_since")
    needs = [
        one(asked.source_ids, organizations="", own_user="", organization=name),
        one(asked.source_ids, organization=name),
    ]
    return asked.draw("settings", "Settings", frame, names, needs)


def _teams(asked: Asked, name: str) -> Drawn:
    members = asked.state("team_members", organization=name).filter(~pl.col("invited").fill_null(value=False))
    numbers = members.group_by("source_id", "team").agg(pl.len().cast(pl.Int64).alias("members"))
    frame = asked.state("teams", organization=name).join(numbers, on=["source_id", "team"], how="left")
    needs = [one(asked.source_ids, organization=name), teams_needed(asked, "team_members", organization=name)]
    read = asked.fetches.parts("teams", needs[1:])
    if all(part.known for part in read):
        frame = frame.with_columns(pl.col("members").fill_null(0))
    return asked.draw(
        "teams", "Teams", frame, ("team", "role", "members", "description", "is_synced", "from_at"), needs
    )


def _members(asked: Asked, name: str) -> Drawn:
    frame = asked.state("organization_members", organization=name)
    needs = [one(asked.source_ids, members=name), one(asked.source_ids, collaborators=name)]
    return asked.draw("members", "Members and collaborators", frame, ("member", "relation", "from_at"), needs)


def _robots(asked: Asked, name: str) -> Drawn:
    uses = asked.newest("last_uses", subject_kind="robot").select("source_id", "last_used_at", robot="subject")
    frame = asked.state("robots", namespace=name).join(uses, on=["source_id", "robot"], how="left")
    names = ("robot", "description", "created_at", "last_used_at", "from_at")
    return asked.draw("robots", "Robot accounts", frame, names, [one(asked.source_ids, robots=name)])


def _applications(asked: Asked, name: str) -> Drawn:
    names = ("application", "client_id", "description", "application_uri", "redirect_uri", "from_at")
    frame = asked.state("applications", organization=name)
    return asked.draw("applications", "OAuth applications", frame, names, [one(asked.source_ids, applications=name)])


def _default_permissions(asked: Asked, name: str) -> Drawn:
    frame = asked.state("default_permissions", organization=name).with_columns(
        pl.col("activating_user").fill_null("anyone")
    )
    names = ("activating_user", "delegate", "delegate_kind", "role", "from_at")
    needs = [one(asked.source_ids, default_permissions=name)]
    labels = {"activating_user": "Created by", "delegate": "Granted to"}
    return asked.draw("default_permissions", "Default permissions", frame, names, needs, labels=labels)


def _autoprune(asked: Asked, name: str) -> Drawn:
    frame = asked.state("autoprune_policies", namespace=name, repository="")
    needs = [one(asked.source_ids, namespace_autoprune=name)]
    return asked.draw("autoprune", "Auto-prune policies", frame, AUTOPRUNE_COLUMNS, needs)


def _proxy_cache(asked: Asked, name: str) -> Drawn:
    frame = asked.state("proxy_caches", organization=name)
    names = ("upstream_registry", "expiration_s", "insecure", "from_at")
    needs = [one(asked.source_ids, proxy_cache=name)]
    return asked.draw("proxy_cache", "Proxy cache", frame, names, needs, empty="none: it caches no other registry")


def _repositories(asked: Asked, name: str) -> Drawn:
    sizes_now = asked.newest("sizes", level="repository", namespace=name).select(
        "source_id", "repository", "size_bytes", "popularity", "last_modified_at"
    )
    frame = asked.state("repositories", namespace=name).join(sizes_now, on=["source_id", "repository"], how="left")
    names = (
        "repository",
        "repository_kind",
        "state",
        "is_public",
        "size_bytes",
        "popularity",
        "last_modified_at",
        "from_at",
    )
    needs = [one(asked.source_ids, repositories="", namespace_repositories=name)]
    return asked.draw("repositories", "Repositories", frame, names, needs)
