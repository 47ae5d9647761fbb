"""Staleness: which queries an event makes stale, and for which targets; which renames it records. Pure."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from quayledger.warehouse.catalog import QUERY, Query
from quayledger.warehouse.catalog.event_effects import EFFECTS
from quayledger.warehouse.catalog.queries import EXISTENCE


class ChangedObject(msgspec.Struct, frozen=True):
    """What an event names, '' where it names none. `namespace`: whose log it is in; `named`: what its metadata says of the
    namespace; `build`: the build's UUID; `client_id`: the OAuth application."""

    kind: str
    namespace: str = ""
    named: str = ""
    repository: str = ""
    tag: str = ""
    digest: str = ""
    team: str = ""
    robot: str = ""
    username: str = ""
    build: str = ""
    client_id: str = ""
    old_name: str = ""
    new_name: str = ""


class StaleTarget(msgspec.Struct, frozen=True, order=True):
    """A target of a query whose last answer an event made stale."""

    query: str
    target: str


class AccountRename(msgspec.Struct, frozen=True):
    """An account that is called otherwise since. `account_kind`: user | organization."""

    account_kind: str
    old_name: str
    new_name: str


def rename_of(changed: ChangedObject) -> AccountRename | None:
    """The rename that an event tells of. A deleted organization is called by a UUID in its own log."""
    effect = EFFECTS.get(changed.kind)
    match effect.renames if effect else "":
        case "organization" if changed.old_name and changed.new_name:
            return AccountRename("organization", changed.old_name, changed.new_name)
        case "user" if changed.old_name and changed.namespace not in ("", changed.old_name):
            return AccountRename("user", changed.old_name, changed.namespace)
        case "deleted organization" if changed.named and changed.namespace not in ("", changed.named):
            return AccountRename("organization", changed.named, changed.namespace)
    return None


def stale_targets(changed: ChangedObject, current: Mapping[str, str], builds: Mapping[str, str]) -> set[StaleTarget]:
    """What an event makes stale. `current`: the present name of each renamed namespace; `builds`: the repository of each
    known build. An event that names too little makes nothing stale: the round will find what it changed."""
    effect = EFFECTS.get(changed.kind)
    if effect is None:
        return set()
    if effect.team and not changed.team:
        changed = msgspec.structs.replace(changed, team=effect.team)
    found = {
        StaleTarget(query, target)
        for query in effect.stale
        if (target := _target(QUERY[query], changed, current, builds, names_account=effect.names_account)) is not None
    }
    if (rename := rename_of(changed)) is not None and effect.renames in ("organization", "user"):
        # Both names are asked for: the old one may be somebody else's by now, or nobody's.
        existence = EXISTENCE[effect.renames].name
        found |= {StaleTarget(existence, name) for name in (rename.old_name, rename.new_name)}
    return found


def _target(
    query: Query,
    changed: ChangedObject,
    current: Mapping[str, str],
    builds: Mapping[str, str],
    *,
    names_account: bool,
) -> str | None:
    """The target of a query that an event is about; None where it does not name one."""
    namespace = _namespace(changed, current)
    found = ""
    match query.level:
        case "registry":
            return ""
        case "user":
            found = (changed.username if names_account else "") or namespace
        case "organization":
            found = namespace
        case "team" if changed.team and namespace:
            found = f"{namespace}/{changed.team}"
        case "application" if changed.client_id and namespace:
            found = f"{namespace}/{changed.client_id}"
        case "robot" if changed.robot and namespace:
            found = f"{namespace}+{changed.robot.rpartition('+')[2]}"
        case "manifest" if changed.repository and changed.digest:
            found = f"{namespace}/{changed.repository}@{changed.digest}"
        case "repository" if not _is_about_others(query, changed):
            is_named = namespace and changed.repository
            found = f"{namespace}/{changed.repository}" if is_named else builds.get(changed.build, "")
    return found or None


def _is_about_others(query: Query, changed: ChangedObject) -> bool:
    """Whether a permission changed of a principal that the query does not tell of."""
    only_team, only_user = changed.team and not changed.username, changed.username and not changed.team
    return bool((query.principal == "user" and only_team) or (query.principal == "team" and only_user))


def _namespace(changed: ChangedObject, current: Mapping[str, str]) -> str:
    """Whose object it is: what the metadata says outweighs whose log it is in, and a name that is no more its successor's."""
    name = changed.named or changed.namespace
    seen = {name}
    while (later := current.get(name)) is not None and later not in seen:
        name = later
        seen.add(name)
    return name


def narrow(
    query: Query, named: Mapping[str, set[str]], rows_held: Mapping[str, int], page_rows: int
) -> set[StaleTarget]:
    """For each repository with tags to read again: the whole list, or one query a tag where those are fewer pages. `named`:
    repository → tags that events name ('' among them: not all are named)."""
    found: set[StaleTarget] = set()
    for repository, tags in named.items():
        pages = -(-rows_held.get(repository, 0) // page_rows)
        if "" in tags or len(tags) >= max(1, pages):
            found.add(StaleTarget(query.name, repository))
        else:
            found |= {StaleTarget(query.narrowed_by, f"{repository}:{tag}") for tag in tags}
    return found
