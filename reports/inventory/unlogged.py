"""The readers' room: which changes of the inventory no event of the log tells of.

The log and the inventory's differences are joined by what an event acts on, not by when it was: what a reading finds lies somewhere
between the reading before and itself, and so must the event. What was created or removed takes others with it (a new repository
gets its creator's and the default permissions, a deleted organization loses everything), of which Quay writes no events. So what
was slipped into something new before its first reading cannot be told apart from what came with it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

import msgspec
import polars as pl

from quayledger.reports.inventory.marks import PARENTS, marks
from quayledger.reports.log import recording
from quayledger.warehouse.catalog import Type
from quayledger.warehouse.catalog.recorded_kinds import QUOTA_KINDS, gaps
from quayledger.warehouse.inventory import reader
from quayledger.warehouse.inventory.diff_steps import DIFF_SCHEMA
from quayledger.warehouse.inventory.renames import renames, with_new_names
from quayledger.warehouse.log import changing_events
from quayledger.warehouse.log import events as log
from quayledger.warehouse.snapshot import Snapshot

EXPLAINED, UNLOGGED, LOG_INCOMPLETE = "explained", "unlogged", "log incomplete"
SYNCED = "the team is synchronized from an outside directory, of which Quay writes no events"
_COMPLETE = ("open", "verified", "repaired")
# Quay's stamps are whole seconds on some databases, and its clock is not ours.
_TOLERANCE = timedelta(seconds=2)
# How far before the period a change may be dated that was found within it: its date is that of the event which asked for the reading.
_DATED_BEFORE = timedelta(days=2)
_MARKS = ("space", "repository", "team", "person", "object_id")


class _Link(msgspec.Struct, frozen=True):
    """Events of these kinds tell of an object with the same marks."""

    kinds: tuple[str, ...]
    marks: tuple[str, ...]


class _Watched(msgspec.Struct, frozen=True):
    """A family whose changes must be logged. `columns`: of its values, those that count (none: only that objects came or went);
    `newer_kinds`: events of it that Quay did not always write; `is_parent_only`: it is read for what comes and goes with it, and
    not judged itself but for `columns`."""

    links: tuple[_Link, ...]
    columns: tuple[str, ...] = ()
    newer_kinds: tuple[str, ...] = ()
    is_parent_only: bool = False


# What is created or removed with everything in it.
_PARENT_LINKS = (
    _Link(("org_create", "org_delete", "account_convert"), ("space",)),
    _Link(("user_create", "user_delete"), ("space",)),
    _Link(("user_create", "user_delete", "create_robot", "delete_robot"), ("person",)),
    _Link(("create_repo", "delete_repo"), ("space", "repository")),
    _Link(("org_create_team", "org_delete_team"), ("space", "team")),
)
_QUOTA_LINKS = (_Link(QUOTA_KINDS, ("space",)),)
_ORGANIZATION_MIRROR_KINDS = ("org_mirror_enabled", "org_mirror_disabled", "org_mirror_config_changed")
_PERMISSION_KINDS = ("change_repo_permission", "add_repo_permission", "delete_repo_permission")
_WATCHED: dict[str, _Watched] = {
    "organizations": _Watched((), newer_kinds=("org_delete",)),
    "users": _Watched((), is_parent_only=True),
    "repositories": _Watched(
        (_Link(("change_repo_visibility",), ("space", "repository")),), ("is_public",), is_parent_only=True
    ),
    "teams": _Watched((_Link(("org_set_team_role",), ("space", "team")),), ("role",)),
    "robots": _Watched(()),
    "team_members": _Watched(
        (
            _Link(
                (
                    "org_add_team_member",
                    "org_remove_team_member",
                    "org_invite_team_member",
                    "org_delete_team_member_invite",
                ),
                ("space", "team", "person"),
            ),
            # The invitation names an address, who accepts it an account.
            _Link(
                ("org_team_member_invite_accepted", "org_team_member_invite_declined", "take_ownership"),
                ("space", "team"),
            ),
        )
    ),
    "robot_federations": _Watched((_Link(("create_robot_federation", "delete_robot_federation"), ("person",)),)),
    "repository_permissions": _Watched(
        (
            _Link(_PERMISSION_KINDS, ("space", "repository", "person")),
            _Link(_PERMISSION_KINDS, ("space", "repository", "team")),
        ),
        ("role",),
    ),
    "default_permissions": _Watched(
        (
            _Link(
                ("create_prototype_permission", "modify_prototype_permission", "delete_prototype_permission"),
                ("space", "object_id"),
            ),
        ),
        ("role", "delegate", "activating_user"),
    ),
    "quotas": _Watched(_QUOTA_LINKS, ("limit_bytes",), newer_kinds=QUOTA_KINDS),
    "quota_limits": _Watched(_QUOTA_LINKS, ("limit_type", "limit_percent"), newer_kinds=QUOTA_KINDS),
    "autoprune_policies": _Watched(
        (
            _Link(
                (
                    "create_namespace_autoprune_policy",
                    "update_namespace_autoprune_policy",
                    "delete_namespace_autoprune_policy",
                    "create_repository_autoprune_policy",
                    "update_repository_autoprune_policy",
                    "delete_repository_autoprune_policy",
                ),
                ("space", "repository"),
            ),
        ),
        ("method", "policy_value", "tag_pattern", "tag_pattern_matches"),
    ),
    "immutability_policies": _Watched(
        (
            _Link(
                ("create_immutability_policy", "update_immutability_policy", "delete_immutability_policy"),
                ("space", "repository"),
            ),
        ),
        ("tag_pattern", "tag_pattern_matches"),
    ),
    "mirrors": _Watched(
        (
            _Link(
                ("repo_mirror_config_changed", "repo_mirror_enabled", "repo_mirror_disabled", "change_repo_state"),
                ("space", "repository"),
            ),
        ),
        ("is_enabled", "external_reference", "external_username", "verify_tls", "tag_rules", "robot"),
    ),
    "organization_mirrors": _Watched(
        (_Link(_ORGANIZATION_MIRROR_KINDS, ("space",)),),
        ("is_enabled", "external_registry", "external_namespace", "external_username", "verify_tls", "robot"),
        newer_kinds=_ORGANIZATION_MIRROR_KINDS,
    ),
}
FAMILIES = tuple(name for name, watched in _WATCHED.items() if watched.columns or not watched.is_parent_only)
# What comes and goes with everything in it, of the families that are watched.
_PARENTS = tuple(holder for holder in PARENTS if set(holder.families) <= _WATCHED.keys())
SCHEMA: dict[str, Type] = {
    **DIFF_SCHEMA,
    "space": pl.String,
    "state": pl.String,
    "why": pl.String,
    "is_known": pl.Boolean,
}


def changes(
    snapshot: Snapshot,
    since: datetime,
    until: datetime,
    *,
    source_ids: Sequence[str] = (),
    families: Sequence[str] = FAMILIES,
) -> pl.DataFrame:
    """The changes of FAMILIES that readings of [since, until) found, aware times, in the order in which they were found: DIFF_SCHEMA,
    `space` (the namespace), `state`, `why` and `is_known` (whether `why` is known, rather than possible).

    state: explained (an event tells of it, or it came or went with what held it; then `why` says with what), unlogged (no event
    does; `why`: text where it is known why, such as a version of Quay that writes none), log incomplete (events of the time
    between the readings may be missing). What may be older than the readings that are held is left out. Raises NotPublished
    where the inventory was never read, WarehouseError."""
    found = reader.diff(
        snapshot,
        since - _DATED_BEFORE,
        until,
        source_ids=source_ids,
        families=tuple(_WATCHED),
        every_step=True,
    )
    found = found.filter(
        pl.col("change").is_in(["appeared", "vanished", "changed"]), "certain", pl.col("after_at").is_not_null()
    )
    marked = _marked(found.with_row_index("row"))
    judged = marked.filter(
        pl.col("family").is_in(list(families)),
        pl.col("first_seen_at") >= since,
        pl.col("first_seen_at") < until,
        _counts(),
    )
    if judged.is_empty():
        return pl.DataFrame(schema=SCHEMA)
    return (
        _judged(snapshot, judged, _along(marked), source_ids)
        .sort("first_seen_at", "source_id", "family", "object")
        .select(list(SCHEMA))
        .cast(pl.Schema(SCHEMA))
    )


def _judged(snapshot: Snapshot, judged: pl.DataFrame, along: pl.DataFrame, source_ids: Sequence[str]) -> pl.DataFrame:
    """The changes with `state` and `why`."""
    earliest, latest = judged["after_at"].min(), judged["first_seen_at"].max()
    assert isinstance(earliest, datetime) and isinstance(latest, datetime)  # noqa: S101 - no row is without
    told = _told(snapshot, earliest - _TOLERANCE, latest + _TOLERANCE, source_ids)
    is_named = pl.col("row").is_in(_explained(judged, told).implode())
    judged = judged.join(along, on="row", how="left", maintain_order="left").join(
        _unrecorded(snapshot, source_ids), on=["source_id", "family"], how="left", maintain_order="left"
    )
    judged = judged.with_columns(
        _is_log_incomplete(snapshot, judged, source_ids),
        _reason(snapshot, latest, source_ids),
        (is_named | pl.col("along").is_not_null()).alias("is_explained"),
    )
    state = (
        pl.when("is_explained")
        .then(pl.lit(EXPLAINED))
        .when("is_log_incomplete")
        .then(pl.lit(LOG_INCOMPLETE))
        .otherwise(pl.lit(UNLOGGED))
    )
    why = pl.when("is_explained").then("along").otherwise("reason").fill_null("")
    return judged.with_columns(state.alias("state"), why.alias("why"), pl.col("is_known").fill_null(value=True))


def _counts() -> pl.Expr:
    """Whether a difference is one that must be logged."""
    came = pl.col("change").is_in(["appeared", "vanished"])
    kept = pl.lit(value=False)
    for name, watched in _WATCHED.items():
        of_family = pl.col("family") == name
        if not watched.is_parent_only:
            kept |= of_family & came
        if watched.columns:
            kept |= of_family & (pl.col("change") == "changed") & pl.col("column").is_in(list(watched.columns))
    return kept


def _marked(found: pl.DataFrame) -> pl.DataFrame:
    """Differences with the marks by which events and what holds them are found; null where a family has none."""
    known = marks()
    return found.with_columns(
        # A policy of a whole namespace has no repository.
        **known | {"repository": known["repository"].replace("", None)},
        object_id=known["prototype_id"],
        # A default permission names in its values for whom it is.
        delegate=pl.coalesce("before", "after").str.extract(r"delegate ([^;]+)"),
    )


def _along(marked: pl.DataFrame) -> pl.DataFrame:
    """row and `along`: what an object came or went with, such as `organization acme`, where that did so in the same time."""
    parts = [pl.DataFrame(schema={"row": pl.UInt32, "along": pl.String})]
    moved = marked.filter(pl.col("change").is_in(["appeared", "vanished"]))
    for parent in _PARENTS:
        held = moved.filter(pl.col("family").is_in(list(parent.families))).select(
            "source_id",
            "change",
            *parent.marks,
            pl.col("after_at").alias("holder_after"),
            pl.col("first_seen_at").alias("holder_seen"),
            parent.name().alias("along"),
        )
        inside = moved.filter(parent.holds())
        pairs = [inside.join(held, on=["source_id", "change", *parent.marks])]
        if parent.marks == ("person",):
            # A default permission goes with the account that it is for.
            delegates = inside.filter(pl.col("family") == "default_permissions").drop("person")
            pairs.append(
                delegates.join(
                    held, left_on=["source_id", "change", "delegate"], right_on=["source_id", "change", "person"]
                )
            )
        for both in pairs:
            seen_without = pl.col("after_at") > pl.col("holder_seen") + _TOLERANCE
            overlaps = pl.col("first_seen_at") >= pl.col("holder_after")
            # What was not there when its new holder was read already came by itself; what goes after its holder goes with it.
            ok = overlaps & ((pl.col("change") == "vanished") | ~seen_without)
            parts.append(both.filter(ok).select("row", "along"))
    return pl.concat(parts).unique("row", keep="first", maintain_order=True)


def _told(snapshot: Snapshot, since: datetime, until: datetime, source_ids: Sequence[str]) -> pl.DataFrame:
    """The events that tell of changes, one row for each name that an account had: source_id, kind, occurred_at, marks."""
    links = [link for watched in _WATCHED.values() for link in watched.links] + list(_PARENT_LINKS)
    kinds = sorted({kind for link in links for kind in link.kinds})
    events = changing_events.of_kinds(snapshot, kinds, since, until, source_ids)
    text = {name: pl.col("metadata").str.json_path_match(f"$['{name}']") for name in _TEXTS}
    robot = text["robot"]
    whole = pl.concat_str(pl.coalesce("repository_namespace", "namespace"), robot, separator="+")
    full_robot = pl.when(robot.str.contains("+", literal=True)).then(robot).otherwise(whole)
    is_grant = pl.col("kind").is_in(_PERMISSION_KINDS)
    person = (
        pl.when(is_grant)
        .then(text["username"])
        .when(pl.col("kind").str.contains("robot"))
        .then(full_robot)
        .otherwise(pl.coalesce(text["member"], text["email"], text["username"], pl.col("namespace")))
    )
    named = pl.coalesce("repository_namespace", "namespace")
    told = events.with_columns(
        # Quay calls a deleted namespace by a UUID; the event's metadata keeps the name that it had.
        pl.concat_list(named, "namespace", text["old_name"], text["old_username"], text["username"]).alias("space"),
        pl.coalesce("repository", text["repo"]).alias("repository"),
        pl.when(pl.col("kind") == "take_ownership").then(pl.lit("owners")).otherwise(text["team"]).alias("team"),
        person.alias("person"),
        text["prototypeid"].alias("object_id"),
    )
    told = told.explode("space").drop_nulls("space").select("source_id", "kind", "occurred_at", *_MARKS)
    found = renames(snapshot, source_ids, since, None)
    now_called = with_new_names(told, ["space", "person"], "occurred_at", found).drop("is_renamed") if found else told
    return pl.concat([told, now_called.select(told.columns)]).unique()


_TEXTS = ("team", "member", "email", "username", "old_username", "old_name", "robot", "repo", "prototypeid")


def _explained(judged: pl.DataFrame, told: pl.DataFrame) -> pl.Series:
    """The rows that an event between the two readings tells of."""
    found = [pl.Series("row", [], pl.UInt32)]
    for family, watched in _WATCHED.items():
        mine = judged.filter(pl.col("family") == family)
        if mine.is_empty():
            continue
        for link in (*watched.links, *_PARENT_LINKS):
            events = told.filter(pl.col("kind").is_in(link.kinds)).select("source_id", "occurred_at", *link.marks)
            marks = list(link.marks)
            # A policy of a whole namespace names no repository.
            is_policy = family.endswith("policies")
            pairs = mine.join(events, on=["source_id", *marks], nulls_equal=is_policy)
            near = pl.col("occurred_at").is_between(
                pl.col("after_at") - _TOLERANCE, pl.col("first_seen_at") + _TOLERANCE
            )
            found.append(pairs.filter(near)["row"])
    return pl.concat(found).unique()


def _is_log_incomplete(snapshot: Snapshot, judged: pl.DataFrame, source_ids: Sequence[str]) -> pl.Series:
    """Whether the record may lack events of the time in which a change was: not read that far, or a day of it not complete."""
    read = changing_events.read_until(snapshot, source_ids)
    until = judged.select("source_id", "first_seen_at").join(read, on="source_id", how="left", maintain_order="left")
    unread = until.select(
        (pl.col("read_until") < pl.col("first_seen_at")).fill_null(value=True).alias("is_log_incomplete")
    ).to_series()
    spans = judged.select("row", "source_id", pl.col("after_at").dt.date(), pl.col("first_seen_at").dt.date())
    first, last = spans["after_at"].min(), spans["first_seen_at"].max()
    assert isinstance(first, date) and isinstance(last, date)  # noqa: S101 - no row is without
    states = log.coverage(snapshot, first, last, tuple(source_ids))
    bad = states.filter(~pl.col("state").is_in(_COMPLETE)).select("source_id", "day")
    hit = spans.join(bad, on="source_id").filter(pl.col("day").is_between("after_at", "first_seen_at"))["row"]
    return unread | judged["row"].is_in(hit.implode()).alias("is_log_incomplete")


def _unrecorded(snapshot: Snapshot, source_ids: Sequence[str]) -> pl.DataFrame:
    """source_id, family, `unrecorded`: why Quay writes no event of a family, or may write none; `is_known`: which of both."""
    rows = [
        (source_id, family, f"{_SAID.get(one.state, one.state)}: {one.why}", one.state != "not known")
        for source_id, found in recording.by_source(snapshot, tuple(source_ids)).items()
        for family, watched in _WATCHED.items()
        for one in gaps(found)
        if one.since is not None and set(watched.newer_kinds) & set(one.kinds)
    ]
    schema = {"source_id": pl.String, "family": pl.String, "unrecorded": pl.String, "is_known": pl.Boolean}
    return pl.DataFrame(rows, schema=schema, orient="row")


_SAID = {"not known": "may not be recorded by this version of Quay"}


def _reason(snapshot: Snapshot, at: datetime, source_ids: Sequence[str]) -> pl.Expr:
    """Why Quay may have written no event, where that is known; null elsewhere."""
    synced = reader.as_of(snapshot, "teams", at, source_ids=source_ids, where={"is_synced": True})
    teams = synced.select(pl.format("{}/{}/{}", "source_id", "organization", "team")).to_series()
    is_synced = (pl.col("family") == "team_members") & pl.format("{}/{}/{}", "source_id", "space", "team").is_in(
        teams.implode()
    )
    # Of organizations only the deletion by a superuser was not always recorded.
    applies = (pl.col("family") != "organizations") | (pl.col("change") == "vanished")
    return pl.when(is_synced).then(pl.lit(SYNCED)).otherwise(pl.when(applies).then("unrecorded")).alias("reason")
