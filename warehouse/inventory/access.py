"""Access: who can do what: every way in which a user, a robot or everybody has a role somewhere."""

# ruff: noqa: S608 - SQL is put together from the constants below; every value is bound

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import polars as pl

from quayledger.warehouse.catalog import FAMILY, Type
from quayledger.warehouse.inventory.query import ask
from quayledger.warehouse.inventory.where import OF_SOURCES, of_sources
from quayledger.warehouse.snapshot import Snapshot

ALL = "*"
ACCESS_SCHEMA: dict[str, Type] = {
    "source_id": pl.String,
    "principal": pl.String,
    "principal_kind": pl.String,
    "namespace": pl.String,
    "repository": pl.String,
    "role": pl.String,
    "via": pl.String,
    "through": pl.String,
    "enabled": pl.Boolean,
}
_HELD = (
    "users",
    "teams",
    "team_members",
    "repositories",
    "repository_permissions",
    "direct_access",
    "default_permissions",
)
_KIND = "CASE WHEN contains({0}, '+') THEN 'robot' ELSE 'user' END"

# One SELECT for each way: source_id, principal, principal_kind, namespace, repository, role, via, through.
_WAYS = {
    "superuser": """SELECT source_id, username, 'user', '*', '*', 'admin', 'superuser', '' FROM users WHERE superuser""",
    "read-only superuser": """SELECT source_id, username, 'user', '*', '*', 'read', 'read-only superuser', ''
        FROM users WHERE readonly_superuser""",
    "owner": """SELECT source_id, username, 'user', username, '*', 'admin', 'owner', ''
        FROM users SEMI JOIN repositories
            ON repositories.source_id = users.source_id AND repositories.namespace = users.username""",
    "organization admin": """SELECT source_id, member, member_kind, organization, '*', 'admin', 'organization admin', team
        FROM members JOIN teams USING (source_id, organization, team) WHERE role = 'admin'""",
    "creator": """SELECT source_id, member, member_kind, organization, '*', 'create', 'team', team
        FROM members JOIN teams USING (source_id, organization, team) WHERE role = 'creator'""",
    "team": """SELECT members.source_id, member, member_kind, held.namespace, held.repository, held.role, 'team', team
        FROM members JOIN repository_permissions AS held
            ON held.source_id = members.source_id AND held.namespace = members.organization
            AND held.principal_kind = 'team' AND held.principal = members.team""",
    "direct": """SELECT source_id, principal, principal_kind, namespace, repository, role, 'direct', ''
        FROM repository_permissions WHERE principal_kind <> 'team'""",
    "direct, role unknown": f"""SELECT DISTINCT source_id, principal, {_KIND.format("principal")}, namespace, repository,
            CAST(NULL AS VARCHAR), 'direct', ''
        FROM direct_access ANTI JOIN (SELECT * FROM repository_permissions WHERE principal_kind <> 'team') AS told
            USING (source_id, namespace, repository, principal)""",
    "default permission": """SELECT source_id, delegate, delegate_kind, organization, '*', role, 'default permission',
            prototype_id
        FROM default_permissions WHERE delegate_kind <> 'team'""",
    "default permission of a team": """SELECT held.source_id, member, member_kind, held.organization, '*', held.role,
            'default permission', held.prototype_id
        FROM default_permissions AS held JOIN members
            ON members.source_id = held.source_id AND members.organization = held.organization
            AND members.team = held.delegate
        WHERE held.delegate_kind = 'team'""",
    "public": """SELECT source_id, '*', 'everybody', namespace, repository, 'read', 'public', ''
        FROM repositories WHERE is_public""",
}


def effective_access(
    snap: Snapshot,
    at: datetime | None = None,
    *,
    source_ids: Sequence[str] = (),
    principal: str | None = None,
    principal_kind: str | None = None,
    namespace: str | None = None,
    repository: str | None = None,
) -> pl.DataFrame:
    """Who had which role at a moment (None: now), one row for each way to it: ACCESS_SCHEMA, by source, principal, place.

    principal; principal_kind: user | robot | everybody (then `principal` is `*`); namespace (`*`: the whole registry);
    repository (`*`: all of the namespace); role: read | write | admin | create (may create repositories; null: a
    permission whose role was not read); via: superuser | read-only superuser | owner (of the user's namespace, where it
    has repositories) | organization admin | team | direct | default permission (for repositories to come) | public;
    through: the team, the id of the default permission, or ''; enabled: whether the user, or a robot's owner, may sign in
    (null: that user is not known). Invited people are no members yet. What a superuser may do besides depends on the
    registry's configuration, which no one can read.

    Rows of a whole namespace or registry are among those of one namespace or repository, where they bear on it: default
    permissions and the role create do not on a repository. `repository`: its name, or `namespace/name` where no
    `namespace` is given. What is public is told where no principal is asked for, or a repository is."""
    if repository is not None and namespace is None and "/" in repository:
        namespace, _, repository = repository.partition("/")
    moment = "to_at IS NULL" if at is None else "from_at <= $at AND (to_at IS NULL OR to_at > $at)"
    held = [f"{name} AS (SELECT * FROM {FAMILY[name].table} WHERE {moment} AND {OF_SOURCES})" for name in _HELD]
    asked = {
        "at": at,
        "principal": principal,
        "principal_kind": principal_kind,
        "namespace": namespace,
        "repository": repository,
    }
    return ask(
        snap,
        f"""WITH {", ".join(held)},
        members AS (
            SELECT source_id, organization, team, member, {_KIND.format("member")} AS member_kind
            FROM team_members WHERE member_kind IS DISTINCT FROM 'invite' AND invited IS DISTINCT FROM true
        ),
        ways ({", ".join(list(ACCESS_SCHEMA)[:-1])}) AS ({" UNION ALL ".join(_WAYS.values())})
        SELECT ways.*, CASE WHEN ways.principal_kind = 'user' THEN account.enabled ELSE coalesce(account.enabled, true)
            END AS enabled
        FROM ways LEFT JOIN users AS account
            ON account.source_id = ways.source_id AND account.username = split_part(ways.principal, '+', 1)
        WHERE {_chosen(principal, principal_kind, namespace, repository)}
        ORDER BY ALL""",
        of_sources(source_ids) | {name: value for name, value in asked.items() if value is not None},
        ACCESS_SCHEMA,
    )


def _chosen(principal: str | None, principal_kind: str | None, namespace: str | None, repository: str | None) -> str:
    parts, public = ["true"], ""
    if principal is not None and repository is not None:
        public = " OR ways.principal_kind = 'everybody'"
    if principal is not None:
        parts.append(f"(ways.principal = $principal{public})")
    if principal_kind is not None:
        parts.append(f"(ways.principal_kind = $principal_kind{public})")
    if namespace is not None:
        parts.append("ways.namespace IN ($namespace, '*')")
    if repository is not None:
        parts.append(
            "ways.repository IN ($repository, '*') AND ways.via <> 'default permission' AND ways.role IS DISTINCT FROM 'create'"
        )
    return " AND ".join(parts)
