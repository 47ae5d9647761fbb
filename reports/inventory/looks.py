"""The readers' room: the inventory's looks, restated for readers: what each reads, of what, and the scope that it needs.

The collector does them; a test holds the two tables together.
"""

from __future__ import annotations

import msgspec

SUPERUSER = "super:user"


class Look(msgspec.Struct, frozen=True):
    """One question about one target. `level`: what its targets are; `writes`: families and series that it brings; `needs`:
    the OAuth scope, '' where none is needed (a superuser's `super:user` serves for most of the others too); `rounds`: it is
    done for every target there is, again and again, not only where an event asks."""

    name: str
    level: str
    says: str
    writes: tuple[str, ...]
    needs: str = ""
    rounds: bool = True


_QUOTAS = ("quotas", "quota_limits")

LOOKS: tuple[Look, ...] = (
    Look("offered", "registry", "which operations the registry offers", ("offered_operations",)),
    Look(
        "own_user",
        "registry",
        "the token's own user and its organisations",
        ("users", "organizations", *_QUOTAS, "sizes"),
        "user:read",
    ),
    Look(
        "organizations",
        "registry",
        "all organisations, their quotas and sizes",
        ("organizations", *_QUOTAS, "sizes"),
        SUPERUSER,
    ),
    Look("users", "registry", "all users, their quotas and sizes", ("users", *_QUOTAS, "sizes"), SUPERUSER),
    Look(
        "repositories",
        "registry",
        "all repositories, with size, popularity and newest change",
        ("repositories", "sizes"),
        SUPERUSER,
    ),
    Look("registry_size", "registry", "the size of the whole registry, as last summed up", ("sizes",), SUPERUSER),
    Look("service_keys", "registry", "service keys", ("service_keys",), SUPERUSER),
    Look(
        "app_tokens",
        "registry",
        "application tokens: all of them for a superuser, else the own ones",
        ("app_tokens", "last_uses"),
        "user:admin",
    ),
    Look("messages", "registry", "messages shown to everybody", ("messages",)),
    Look(
        "own_robots",
        "registry",
        "robot accounts of the token's own user",
        ("robots", "last_uses", "direct_access"),
        "user:admin",
    ),
    Look("own_quota", "registry", "quotas of the token's own user", _QUOTAS, "user:admin"),
    Look(
        "own_autoprune",
        "registry",
        "auto-prune policies of the token's own user",
        ("autoprune_policies",),
        "user:admin",
    ),
    Look("stars", "registry", "repositories the own user starred", ("stars",), "user:admin"),
    Look("user", "user", "one user", ("users", *_QUOTAS, "sizes"), SUPERUSER, rounds=False),
    Look(
        "namespace_repositories",
        "organization",
        "all repositories of a namespace",
        ("repositories", "sizes"),
        "repo:read",
        rounds=False,
    ),
    Look(
        "organization",
        "organization",
        "an organisation's settings and teams",
        ("organization_settings", "teams", *_QUOTAS, "sizes"),
        "org:admin",
    ),
    Look(
        "robots",
        "organization",
        "robot accounts, their last use and repositories",
        ("robots", "last_uses", "direct_access"),
        "org:admin",
    ),
    Look(
        "members",
        "organization",
        "members, and where they hold permissions of their own",
        ("organization_members", "direct_access"),
        "org:admin",
    ),
    Look(
        "collaborators",
        "organization",
        "outsiders with permissions of their own",
        ("organization_members", "direct_access"),
        "org:admin",
    ),
    Look(
        "default_permissions",
        "organization",
        "default permissions for repositories to come",
        ("default_permissions",),
        "org:admin",
    ),
    Look("applications", "organization", "OAuth applications", ("applications",), "org:admin"),
    Look("quota", "organization", "quotas and their limits", _QUOTAS, "org:admin", rounds=False),
    Look(
        "namespace_autoprune",
        "organization",
        "auto-prune policies of an organisation",
        ("autoprune_policies",),
        "org:admin",
    ),
    Look(
        "proxy_cache",
        "organization",
        "whether it is a pull-through cache, and of what",
        ("proxy_caches",),
        "org:admin",
    ),
    Look("team_members", "team", "members and invitations", ("team_members",), "org:admin"),
    Look("team_permissions", "team", "the team's roles on repositories", ("repository_permissions",), "org:admin"),
    Look("user_permissions", "repository", "roles of users and robots", ("repository_permissions",), "repo:admin"),
    Look(
        "repository_team_permissions",
        "repository",
        "roles of teams",
        ("repository_permissions",),
        "repo:admin",
        rounds=False,
    ),
    Look("tags", "repository", "all tags with their history", ("tags",), "repo:read"),
    Look("tag", "tag", "one tag with its history", ("tags",), "repo:read", rounds=False),
    Look("federation", "robot", "outside identities that may act as the robot", ("robot_federations",), "org:admin"),
    Look("mirror", "repository", "what it mirrors", ("mirrors",), "repo:admin", rounds=False),
    Look("scan", "manifest", "what the scanner found", ("scans", "vulnerabilities"), "repo:read"),
    Look(
        "repository",
        "repository",
        "one repository's settings, and actions a day",
        ("repositories", "repository_settings", "repository_actions"),
        "repo:read",
    ),
    Look("notifications", "repository", "notifications", ("notifications",), "repo:admin"),
    Look("repository_autoprune", "repository", "auto-prune policies", ("autoprune_policies",), "repo:admin"),
    Look("triggers", "repository", "build triggers", ("triggers",), "repo:admin"),
    Look("builds", "repository", "the newest builds", ("builds",), "repo:read"),
    Look("manifest", "manifest", "layers and media types", ("manifests",), "repo:read"),
    Look("labels", "manifest", "labels", ("manifest_labels",), "repo:read"),
    Look("referrers", "manifest", "signatures, SBOMs and attestations", ("referrers",), "repo:read"),
    Look(
        "tag_pulls",
        "tag",
        "how often and when last pulled, where the registry counts that",
        ("last_uses",),
        "repo:read",
        rounds=False,
    ),
    Look(
        "orphans",
        "registry",
        "manifests that no tag tells of any more: put together from what is held, without a request",
        ("manifests", "manifest_labels", "referrers", "vulnerabilities"),
        rounds=False,
    ),
)
LOOK = {look.name: look for look in LOOKS}


def says(name: str) -> str:
    """What a look reads, for people; its name where a newer version wrote it."""
    look = LOOK.get(name)
    return look.says if look else name.replace("_", " ")


def advice(name: str, state: str) -> str:
    """What can be done about a look that ended so; '' where nothing needs to be."""
    look = LOOK.get(name)
    scope = look.needs if look else ""
    wider = f" or {SUPERUSER}" if scope not in ("", SUPERUSER) and not scope.startswith("user:") else ""
    needed = f"it needs a token with the scope {scope}{wider} whose user may do that" if scope else "see the reason"
    # A tag must have stood for a while before its manifest is read: the collector's `settle`.
    waits = "; those of a new tag wait for up to a day first" if look and look.level == "manifest" else ""
    return {
        "refused": f"{needed}; `quayledger doctor` says what the token may read",
        "not_asked": f"others of its kind were refused: {needed}",
        "not_offered": "the feature is off there, or that version does not know it",
        "failed": "the next run tries again",
        "partial": "what could be read counts; what lacks proves nothing",
        "never": f"run `quayledger inventory sync`{waits}",
    }.get(state, "")
