"""Users and robot accounts as the inventory knows them."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from quayledger.reports.inventory.common import (
    access,
    counted,
    history,
    last_use,
    lists_needed,
    permissions,
    quota_limits,
    sizes,
    teams_of,
    with_known_since,
)
from quayledger.reports.inventory.inventory_query import Asked, Drawn
from quayledger.reports.inventory.kinds import Fate, Subject
from quayledger.reports.inventory.knowledge import each, one
from quayledger.reports.model import Metric

_UNLISTED = "This account is in no list that could be read; permissions, teams or events name it."
OWN_LIST = "Only their owner, or a superuser with full access, can list a user's robots; others are known from permissions and events."
Found = tuple[list[Metric], list[Drawn]]


def user(asked: Asked, subject: Subject, fates: Sequence[Fate]) -> Found:
    """What is known of a user."""
    name = subject.name
    account_needs = _account_needed(asked, name)
    organizations, reach = _organizations(asked, name), access(asked, "user", name)
    teams, robots, tokens = teams_of(asked, name), _robots(asked, name), _tokens(asked, name)
    use, idle = last_use(asked, "user", name)
    size, held = sizes(asked, name, account_needs)
    metrics = [
        counted("repositories", "Accessible repositories", reach, "`*` counts once", _places(reach)),
        counted("teams", "Teams", teams),
        Metric("robots", "Robot accounts", robots.table.total_rows or (0 if robots.parts else None)),
        Metric("idle_days", "Idle days", idle, explanation="since the last recorded use"),
        Metric("size_bytes", "Own namespace", held, "bytes"),
    ]
    drawn = [
        _account(asked, name, account_needs, fates),
        organizations,
        teams,
        reach,
        permissions(asked, "user", name),
        robots,
        tokens,
        use,
        size,
        quota_limits(asked, name, account_needs),
        history(asked, _user_families(name)),
    ]
    return metrics, drawn


def _user_families(name: str) -> dict[str, dict[str, str]]:
    return {
        "users": {"username": name},
        "organization_members": {"member": name},
        "team_members": {"member": name},
        "repository_permissions": {"principal_kind": "user", "principal": name},
        "quotas": {"namespace": name},
        "app_tokens": {"owner": name},
    }


def _account_needed(asked: Asked, name: str) -> list[pl.DataFrame]:
    """What tells of the account; the token's own list only where it is the token's own user."""
    if asked.state("users", username=name).height:
        return [one(asked.source_ids, user=name, users="", own_user="")]
    return [one(asked.source_ids, user=name, users="")]


def _account(asked: Asked, name: str, needs: list[pl.DataFrame], fates: Sequence[Fate]) -> Drawn:
    names = ("email", "enabled", "verified", "superuser", "readonly_superuser", "from_at", "known_since")
    note = "" if all(fate.listed for fate in fates) else _UNLISTED
    return asked.draw(
        "account", "Account", with_known_since(asked.state("users", username=name), fates), names, needs, note=note
    )


def _organizations(asked: Asked, name: str) -> Drawn:
    organizations = asked.state("organizations")
    needs = [
        *lists_needed(asked)[:1],
        each("members", organizations, pl.col("organization")),
        each("collaborators", organizations, pl.col("organization")),
    ]
    frame = asked.state("organization_members", member=name)
    return asked.draw("organizations", "Organizations", frame, ("organization", "relation", "from_at"), needs)


def _robots(asked: Asked, name: str) -> Drawn:
    """A user's robots: those that are listed, and those that are merely named somewhere."""
    listed = asked.state("robots", namespace=name).select("source_id", "robot", "description", "created_at")
    named = _named_robots(asked, name).join(listed, on=["source_id", "robot"], how="anti")
    frame = pl.concat(
        [listed.with_columns(pl.lit(True).alias("listed")), named.with_columns(pl.lit(False).alias("listed"))],
        how="diagonal",
    )
    need = one(asked.source_ids, user_robots=name, own_robots="")
    is_own = listed.height > 0 or all(part.known for part in asked.fetches.parts("robots", [need[:, :2]]))
    return asked.draw(
        "robots",
        "Robot accounts",
        frame.sort("source_id", "robot"),
        ("robot", "description", "created_at", "listed"),
        [need] if is_own else [],
        note="" if is_own else OWN_LIST,
        empty="none" if is_own else "",
    )


def _named_robots(asked: Asked, name: str) -> pl.DataFrame:
    """Robots of a user that hold a permission or that an event names."""
    held = asked.state("repository_permissions", principal_kind="robot").select("source_id", robot="principal")
    used = asked.uses().filter(subject_kind="robot").select("source_id", robot="subject")
    return pl.concat([held, used]).unique().filter(pl.col("robot").str.starts_with(f"{name}+"))


def _tokens(asked: Asked, name: str) -> Drawn:
    """Tokens that name their owner; a superuser's list names none."""
    tokens = asked.state("app_tokens")
    unnamed = tokens.filter(pl.col("owner").is_null()).height
    uses = asked.newest("last_uses", subject_kind="app_token").select("source_id", "last_used_at", uuid="subject")
    frame = tokens.filter(owner=name).join(uses, on=["source_id", "uuid"], how="left")
    note = (
        f"Quay's list does not name owners: any of its {unnamed:,} tokens may belong to this user." if unnamed else ""
    )
    return asked.draw(
        "tokens",
        "Application tokens",
        frame,
        ("title", "created_at", "expires_at", "last_used_at", "uuid"),
        [one(asked.source_ids, app_tokens="")],
        note=note,
        empty="" if unnamed else "none",
    )


def _places(reach: Drawn) -> int:
    own = (pl.col("via") != "default permission") & (pl.col("role").fill_null("") != "create")
    return reach.table.frame.filter(own).select("namespace", "repository").unique().height


def robot(asked: Asked, subject: Subject, fates: Sequence[Fate]) -> Found:
    """What is known of a robot account."""
    name, owner = subject.name, subject.namespace
    listed = [one(asked.source_ids, robots=owner, own_robots="")]
    reach, teams = access(asked, "robot", name), teams_of(asked, name)
    use, idle = last_use(asked, "robot", name, listed)
    federations = asked.draw(
        "federations",
        "Federated identities",
        asked.state("robot_federations", robot=name),
        ("issuer", "subject", "from_at"),
        [one(asked.source_ids, federation=name)],
    )
    ips = use.table.frame["distinct_ips_30d"].drop_nulls()
    metrics = [
        counted("repositories", "Accessible repositories", reach, "`*` counts once", _places(reach)),
        counted("teams", "Teams", teams),
        counted("federations", "Federated identities", federations),
        Metric("idle_days", "Idle days", idle, explanation="since the last recorded use"),
        Metric(
            "ips", "IPs in 30 days", None if ips.is_empty() else float(ips.sum()), explanation="distinct, in the log"
        ),
    ]
    drawn = [
        _robot_account(asked, name, listed, fates),
        federations,
        teams,
        reach,
        permissions(asked, "robot", name),
        use,
        history(asked, _robot_families(name)),
    ]
    return metrics, drawn


def _robot_account(asked: Asked, name: str, needs: list[pl.DataFrame], fates: Sequence[Fate]) -> Drawn:
    names = ("namespace", "description", "created_at", "from_at", "known_since")
    note = "" if all(fate.listed for fate in fates) else _UNLISTED
    return asked.draw(
        "account", "Account", with_known_since(asked.state("robots", robot=name), fates), names, needs, note=note
    )


def _robot_families(name: str) -> dict[str, dict[str, str]]:
    return {
        "robots": {"robot": name},
        "robot_federations": {"robot": name},
        "team_members": {"member": name},
        "repository_permissions": {"principal_kind": "robot", "principal": name},
    }
