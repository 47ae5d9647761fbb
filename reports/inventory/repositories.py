"""Repositories as the inventory knows them."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from quayledger.reports.inventory.accounts import Found
from quayledger.reports.inventory.common import (
    AUTOPRUNE_COLUMNS,
    TEAM,
    counted,
    history,
    teams_needed,
    with_known_since,
)
from quayledger.reports.inventory.inventory_query import Asked, Drawn
from quayledger.reports.inventory.kinds import Fate, Subject
from quayledger.reports.inventory.knowledge import each, one
from quayledger.reports.inventory.tags import pushes_of, tags_at
from quayledger.reports.model import Metric

SCAN_COLUMNS = ("status", "critical", "high", "medium", "low", "other", "fixable", "packages", "measured_at")
# A scan is kept under the repository in which its manifest was found first; so many others are looked up one by one.
_MOST_LOOKED_UP = 200


def repository(asked: Asked, subject: Subject, fates: Sequence[Fate]) -> Found:
    """What is known of a repository."""
    namespace, name = subject.parts
    where = {"namespace": namespace, "repository": name}
    tags = tags_at(asked, where)
    access, shown, scans = access_to(asked, subject), _tags(asked, subject, tags), _scans(asked, subject, tags)
    size = asked.newest("sizes", level="repository", **where)
    metrics = [
        Metric("size_bytes", "Size", _last(size, "size_bytes"), "bytes", explanation="layers are shared"),
        Metric("popularity", "Popularity", _last(size, "popularity"), "ratio", explanation="as Quay reckons it"),
        counted("tags", "Tags", shown),
        counted("principals", "Accounts with access", access, value=access.table.frame["principal"].n_unique()),
        Metric("critical", "Critical vulnerabilities", _sum(scans, "critical"), explanation="of the tags' manifests"),
    ]
    drawn = [
        _settings(asked, subject, fates),
        _size(asked, subject, size),
        access,
        shown,
        scans,
        *_mirror(asked, subject),
        *_wiring(asked, subject),
        _builds(asked, subject),
        history(asked, dict.fromkeys(_FAMILIES, where)),
    ]
    return metrics, drawn


_FAMILIES = (
    "repositories",
    "repository_settings",
    "repository_permissions",
    "mirrors",
    "notifications",
    "triggers",
    "autoprune_policies",
)


def _last(frame: pl.DataFrame, name: str) -> float | None:
    known = frame[name].drop_nulls()
    return None if known.is_empty() else float(known[-1])


def _sum(drawn: Drawn, name: str) -> float | None:
    known = drawn.table.frame[name].drop_nulls()
    return None if known.is_empty() else float(known.sum())


def _lists(asked: Asked, subject: Subject) -> pl.DataFrame:
    return one(asked.source_ids, repositories="", namespace_repositories=subject.namespace, repository=subject.name)


def _settings(asked: Asked, subject: Subject, fates: Sequence[Fate]) -> Drawn:
    own = asked.state("repository_settings", **subject.where)
    own = own.select("source_id", "tag_expiration_s", "trust_enabled")
    frame = asked.state("repositories", **subject.where).join(own, on="source_id", how="left")
    frame = with_known_since(frame, fates)
    names = ("repository_kind", "state", "is_public", "tag_expiration_s", "trust_enabled", "description")
    needs = [_lists(asked, subject), one(asked.source_ids, repository=subject.name)]
    return asked.draw("settings", "Settings", frame, (*names, "from_at", "known_since"), needs)


def _size(asked: Asked, subject: Subject, size: pl.DataFrame) -> Drawn:
    names = ("size_bytes", "popularity", "last_modified_at", "measured_at")
    needs = [one(asked.source_ids, repositories="", namespace_repositories=subject.namespace)]
    return asked.draw("size", "Size and popularity", size, names, needs, empty="not measured")


def access_to(asked: Asked, subject: Subject) -> Drawn:
    namespace, name = subject.parts
    frame = asked.access(namespace=namespace, repository=name).sort("source_id", "via", "principal_kind", "principal")
    names = ("principal", "principal_kind", "role", "via", "through", "repository", "enabled")
    needs = [one(asked.source_ids, user_permissions=subject.name), one(asked.source_ids, users="", own_user="")]
    if asked.state("organizations", organization=namespace).height:
        needs.append(one(asked.source_ids, organization=namespace))
        rights = each("team_permissions", asked.state("teams", organization=namespace), TEAM)
        needs.append(rights.with_columns(pl.lit(subject.name).alias("repository_team_permissions")))
        needs.append(teams_needed(asked, "team_members", organization=namespace))
    labels = {"principal": "Who", "repository": "Where"}
    return asked.draw("access", "Who has access", frame, names, needs, labels=labels)


def _tags(asked: Asked, subject: Subject, tags: pl.DataFrame) -> Drawn:
    """The tags there were, each with who pushed it and how surely."""
    place = ["source_id", "tag", "started_at", "digest"]
    pushes = pushes_of(asked, subject.where)
    frame = tags.join(pushes.select(*place, "actor", "actor_type", "confidence", "overwritten"), on=place, how="left")
    names = ("tag", "size_bytes", "started_at", "actor", "confidence", "overwritten", "immutable", "ended_at", "digest")
    labels = {"started_at": "Since", "actor": "Pushed by", "confidence": "Confidence", "ended_at": "Expires"}
    needs = [one(asked.source_ids, tags=subject.name)]
    return asked.draw("tags", "Tags", frame.sort("source_id", "tag"), names, needs, labels=labels)


def _scans(asked: Asked, subject: Subject, tags: pl.DataFrame) -> Drawn:
    """The newest scan result of each manifest that a tag stood for."""
    digests = tags.select("source_id", "digest").unique().sort("source_id", "digest")
    frame = digests.join(scans_of(asked, subject.where, digests), on=["source_id", "digest"], how="left")
    named = tags.group_by("source_id", "digest").agg(pl.col("tag").sort().str.join(", ").alias("tags"))
    frame = frame.join(named, on=["source_id", "digest"], how="left").sort("source_id", "tags")
    frame = frame.with_columns(pl.col("status").fill_null("not known"))
    needs = [each("scan", digests, pl.lit(f"{subject.name}@") + pl.col("digest"))] if digests.height else []
    return asked.draw("scans", "Scans", frame, ("tags", *SCAN_COLUMNS, "digest"), needs)


def scans_of(asked: Asked, where: dict[str, str], digests: pl.DataFrame) -> pl.DataFrame:
    """The newest results of these digests: those kept under this repository, and of the others what other repositories say."""
    found = asked.newest("scans", **where)
    missing = digests.join(found, on=["source_id", "digest"], how="anti")["digest"].unique().sort()
    others = [asked.newest("scans", digest=digest) for digest in missing.head(_MOST_LOOKED_UP)]
    return pl.concat([found, *others]).select("source_id", "digest", *SCAN_COLUMNS)


def _mirror(asked: Asked, subject: Subject) -> list[Drawn]:
    """What it mirrors, where it is or was a mirror."""
    states = asked.state("repositories", **subject.where)["state"].to_list()
    frame = asked.state("mirrors", **subject.where)
    if frame.is_empty() and not any("MIRROR" in (state or "") for state in states):
        return []
    names = (
        "external_reference",
        "is_enabled",
        "sync_status",
        "sync_interval_s",
        "tag_rules",
        "robot",
        "external_username",
        "verify_tls",
        "mirror_type",
        "from_at",
    )
    return [asked.draw("mirror", "Mirror", frame, names, [one(asked.source_ids, mirror=subject.name)])]


def _wiring(asked: Asked, subject: Subject) -> list[Drawn]:
    """What is set up around it."""
    sources, where = asked.source_ids, subject.where
    return [
        asked.draw(
            "notifications",
            "Notifications",
            asked.state("notifications", **where),
            ("title", "event", "method", "target", "event_config", "from_at"),
            [one(sources, notifications=subject.name)],
        ),
        asked.draw(
            "triggers",
            "Build triggers",
            asked.state("triggers", **where),
            ("service", "build_source", "is_active", "enabled", "disabled_reason", "dockerfile_path", "from_at"),
            [one(sources, triggers=subject.name)],
        ),
        asked.draw(
            "autoprune",
            "Auto-prune policies",
            asked.state("autoprune_policies", **where),
            AUTOPRUNE_COLUMNS,
            [one(sources, repository_autoprune=subject.name)],
        ),
    ]


def _builds(asked: Asked, subject: Subject) -> Drawn:
    frame = asked.state("builds", **subject.where).sort("started_at", descending=True, nulls_last=True)
    names = ("started_at", "phase", "trigger_kind", "manual_user", "build_id")
    return asked.draw("builds", "Builds", frame, names, [one(asked.source_ids, builds=subject.name)])
