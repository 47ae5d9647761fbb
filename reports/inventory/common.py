"""What the reports of several kinds of objects have in common: needs, access, use, size, history."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import polars as pl

from quayledger.reports import formatting
from quayledger.reports.inventory.history_table import COLUMNS, LABELS, steps, told
from quayledger.reports.inventory.inventory_query import Asked, Drawn
from quayledger.reports.inventory.kinds import Fate
from quayledger.reports.inventory.knowledge import each, one
from quayledger.reports.model import Metric
from quayledger.warehouse.inventory.diff_steps import DIFF_SCHEMA
from quayledger.warehouse.schema import UTC_MICROSECONDS

Where = Mapping[str, str | int | None]
DELETED = "MARKED_FOR_DELETION"
REPOSITORY = pl.concat_str("namespace", pl.lit("/"), "repository")
TEAM = pl.concat_str("organization", pl.lit("/"), "team")
ACCESS_COLUMNS = ("namespace", "repository", "role", "via", "through", "enabled")
AUTOPRUNE_COLUMNS = ("method", "policy_value", "tag_pattern", "tag_pattern_matches", "from_at")
_USE_COLUMNS = (
    "last_use_at",
    "evidence",
    "last_used_at",
    "last_event_at",
    "last_event_kind",
    "idle_days",
    "distinct_ips_30d",
    "evidence_from",
)


def lists_needed(asked: Asked) -> list[pl.DataFrame]:
    """That which organizations and repositories there are is known at all."""
    organizations = asked.state("organizations").select("source_id", namespace_repositories="organization")
    repositories = organizations.select("source_id", pl.lit("").alias("repositories"), "namespace_repositories")
    found = [one(asked.source_ids, organizations="", own_user="")]
    return [*found, repositories] if repositories.height else [*found, one(asked.source_ids, repositories="")]


def repositories_needed(asked: Asked, query: str) -> pl.DataFrame:
    """The need for this query at each repository."""
    found = asked.state("repositories").filter(pl.col("state").fill_null("") != DELETED)
    return each(query, found, REPOSITORY)


def teams_needed(asked: Asked, query: str, **where: str) -> pl.DataFrame:
    """The need for this query at each team."""
    return each(query, asked.state("teams", **where), TEAM)


def access_needed(asked: Asked) -> list[pl.DataFrame]:
    """All that says who may do what."""
    organizations = asked.state("organizations")
    return [
        *lists_needed(asked),
        each("organization", organizations, pl.col("organization")),
        teams_needed(asked, "team_members"),
        teams_needed(asked, "team_permissions"),
        repositories_needed(asked, "user_permissions"),
    ]


def permissions(asked: Asked, kind: str, name: str) -> Drawn:
    """A person's or robot's own permissions: with their role, or, where the role may not be read, that there is one."""
    roles = asked.state("repository_permissions", principal_kind=kind, principal=name)
    named = asked.state("direct_access", principal=name).unique(["source_id", "namespace", "repository"])
    place = ["source_id", "namespace", "repository"]
    unread = named.join(roles, on=place, how="anti").select(*place, pl.lit(None, pl.String).alias("role"), "from_at")
    frame = pl.concat([roles.select(*place, "role", "from_at"), unread]).sort(place)
    note = "Role –: there is a permission, but its role could not be read." if unread.height else ""
    return asked.draw(
        "permissions",
        "Direct permissions",
        frame,
        ("namespace", "repository", "role", "from_at"),
        [repositories_needed(asked, "user_permissions")],
        note=note,
    )


def access(asked: Asked, kind: str, name: str) -> Drawn:
    """What a person or robot could do, whatever the way."""
    frame = asked.access(principal=name, principal_kind=kind)
    return asked.draw("access", "Effective access", frame, ACCESS_COLUMNS, access_needed(asked))


def teams_of(asked: Asked, name: str) -> Drawn:
    """The teams that a person or robot is in, with their roles."""
    place = ["source_id", "organization", "team"]
    roles = asked.state("teams").select(*place, "role")
    frame = asked.state("team_members", member=name).join(roles, on=place, how="left").sort(place)
    needs = [*lists_needed(asked)[:1], teams_needed(asked, "team_members")]
    names = ("organization", "team", "role", "invited", "from_at")
    return asked.draw("teams", "Teams", frame, names, needs, labels={"role": "Team's role"})


def last_use(asked: Asked, kind: str, name: str, needs: Iterable[pl.DataFrame] = ()) -> tuple[Drawn, float | None]:
    """When it was last used, by what evidence; and for how many days it has been idle, where that is known."""
    frame = asked.uses().filter(subject_kind=kind, subject=name)
    if frame.is_empty():
        frame = pl.concat([frame, _told_by_quay(asked, kind, name)], how="diagonal")
    notes = []
    if asked.at is not None:
        notes.append(f"As of {formatting.moment(asked.snapshot.published.published_at)}, whichever day was asked for.")
    if days := frame["evidence_from"].drop_nulls().to_list():
        notes.append(f"Records begin on {max(days)}. No record does not mean it was never used.")
    drawn = asked.draw(
        "last_use",
        "Last use",
        frame,
        _USE_COLUMNS,
        needs,
        note=" ".join(notes),
        empty="No record of use. No record does not mean it was never used.",
    )
    idle = frame["idle_days"].drop_nulls()
    return drawn, None if idle.is_empty() else float(str(idle.min()))


def _told_by_quay(asked: Asked, kind: str, name: str) -> pl.DataFrame:
    """What Quay itself had said of the last use of something that is there no more."""
    points = asked.newest("last_uses", subject_kind=kind, subject=name).drop_nulls("last_used_at")
    idle = (pl.lit(asked.snapshot.published.published_at) - pl.col("last_used_at")).dt.total_days()
    return points.select(
        "source_id",
        "last_used_at",
        pl.col("last_used_at").alias("last_use_at"),
        pl.lit("quay").alias("evidence"),
        idle.alias("idle_days"),
    )


def sizes(asked: Asked, namespace: str, needs: Iterable[pl.DataFrame]) -> tuple[Drawn, float | None]:
    """What a namespace holds, beside its quotas."""
    points = asked.newest("sizes", level="namespace", namespace=namespace)
    quotas = asked.state("quotas", namespace=namespace).group_by("source_id").agg(pl.col("limit_bytes").min())
    frame = points.drop("limit_bytes").join(quotas, on="source_id", how="full", coalesce=True)
    frame = frame.with_columns((pl.col("size_bytes") / pl.col("limit_bytes")).alias("share"))
    drawn = asked.draw(
        "size",
        "Size and quota",
        frame,
        ("size_bytes", "limit_bytes", "share", "backfill", "measured_at"),
        needs,
        empty="not measured",
    )
    known = points["size_bytes"].drop_nulls()
    return drawn, None if known.is_empty() else float(known.sum())


def quota_limits(asked: Asked, namespace: str, needs: Iterable[pl.DataFrame]) -> Drawn:
    """At which shares of its quotas a namespace is warned or refused."""
    frame = asked.state("quotas", namespace=namespace).join(
        asked.state("quota_limits", namespace=namespace),
        on=["source_id", "namespace", "quota_id"],
        how="left",
        suffix="_of_limit",
    )
    names = ("quota_id", "limit_bytes", "limit_type", "limit_percent", "from_at")
    return asked.draw("quotas", "Quotas", frame, names, needs)


def history(asked: Asked, families: Mapping[str, Where]) -> Drawn:
    """What changed about an object, newest first, and when it was first seen. The first of the families is its own."""
    own = next(iter(families))
    found = [
        steps(family, asked.history(family, **where), asked.moment, first_sight=family == own)
        for family, where in families.items()
    ]
    frame = told(pl.concat([pl.DataFrame(schema=DIFF_SCHEMA), *found]))
    return asked.draw(
        "history",
        "History",
        frame,
        COLUMNS,
        labels=LABELS,
        empty="no known changes",
    )


def with_known_since(frame: pl.DataFrame, fates: Sequence[Fate]) -> pl.DataFrame:
    """An object's row with the time since which it is known; `from_at` is since when it is as it is."""
    since = pl.DataFrame(
        [(fate.source_id, fate.begun_at) for fate in fates],
        schema={"source_id": pl.String, "known_since": UTC_MICROSECONDS},
        orient="row",
    )
    return frame.join(since, on="source_id", how="left")


def counted(name: str, label: str, drawn: Drawn, explanation: str = "", value: float | None = None) -> Metric:
    """How many rows a table has; not known where there are none and something was not read."""
    number = drawn.table.total_rows if value is None else value
    unknown = not number and not all(part.known for part in drawn.parts)
    return Metric(name, label, None if unknown else number, explanation=explanation)
