"""The kinds of objects as lists: the columns of a row, the queries behind them, and the totals."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec
import polars as pl

from quayledger.reports import formatting
from quayledger.reports.inventory.accounts import OWN_LIST
from quayledger.reports.inventory.common import lists_needed, repositories_needed, teams_needed
from quayledger.reports.inventory.inventory_query import Asked
from quayledger.reports.inventory.knowledge import each, one
from quayledger.reports.inventory.tags import named_tags, tag_counts
from quayledger.reports.model import Metric

IDLE_DAYS = 90
_ROLES = ("read", "write", "admin")
_USE = ("source_id", "last_use_at", "never_used", "idle_days", "distinct_ips_30d")
_SUPERUSER = (
    pl.when("superuser")
    .then(pl.lit("yes"))
    .when("readonly_superuser")
    .then(pl.lit("read-only"))
    .when(pl.col("superuser").is_not_null())
    .then(pl.lit("no"))
)


class Listed(msgspec.Struct, frozen=True):
    """Rows of a kind: `frame` with `name` (as `inventory show` takes it) and the figures; `needs`: what the rows themselves
    are told by; `counts`: numbers of other things, each with what those are told by, 0 where all of that was read; `notes`: what to know of the kind; `total_rows`: how many there are where `frame` holds the first of them only."""

    frame: pl.DataFrame
    columns: tuple[str, ...]
    needs: list[pl.DataFrame]
    counts: Mapping[str, list[pl.DataFrame]]
    figures: Callable[[pl.DataFrame], list[Metric]]
    labels: Mapping[str, str]
    notes: tuple[str, ...] = ()
    total_rows: int | None = None


def _users(asked: Asked) -> Listed:
    organizations = asked.state("organizations")
    in_teams = asked.state("team_members").filter(member_kind="user")
    teams = _numbers(in_teams.filter(~pl.col("invited").fill_null(value=False)), "member", "teams")
    member_of = asked.state("organization_members").unique(["source_id", "organization", "member"])
    frame = asked.state("users").with_columns(name=pl.col("username"))
    frame = _joined(frame, teams, _numbers(member_of, "member", "organizations"), _sizes(asked), _uses(asked, "user"))
    frame = frame.with_columns(_SUPERUSER.alias("superuser"))
    people = [
        each("members", organizations, pl.col("organization")),
        each("collaborators", organizations, pl.col("organization")),
    ]
    return Listed(
        frame,
        (
            *("name", "email", "enabled", "superuser", "organizations", "teams"),
            *("last_use_at", "idle_days", "size_bytes"),
        ),
        [one(asked.source_ids, users="", own_user="")],
        {"organizations": people, "teams": [teams_needed(asked, "team_members")]} if organizations.height else {},
        lambda rows: [
            _sum("disabled", "Disabled", rows, ~pl.col("enabled")),
            _sum("superusers", "Superusers", rows, pl.col("superuser") == "yes"),
            _sum("readonly_superusers", "Read-only superusers", rows, pl.col("superuser") == "read-only"),
            *_idle(rows),
        ],
        {"size_bytes": "Own namespace"},
        notes=(_use_note(asked),),
    )


def _robots(asked: Asked) -> Listed:
    rights = asked.state("repository_permissions", principal_kind="robot").with_columns(
        pl.col("role").replace_strict(_ROLES, range(len(_ROLES)), default=None, return_dtype=pl.Int64).alias("rank")
    )
    direct = rights.group_by("source_id", name="principal").agg(
        pl.len().cast(pl.Int64).alias("repositories"),
        pl.col("role").sort_by("rank", nulls_last=False).last().alias("highest_role"),
    )
    federated = asked.state("robot_federations").select("source_id", name="robot").unique()
    frame = asked.state("robots").with_columns(name=pl.col("robot"))
    frame = _joined(frame, direct, _numbers(asked.state("team_members", member_kind="robot"), "member", "teams"))
    frame = _joined(frame, federated.with_columns(federated=True), _uses(asked, "robot"))
    organizations = asked.state("organizations")
    needs = [each("robots", organizations, pl.col("organization"))] if organizations.height else []
    federations = [each("federation", frame.select("source_id", "name"), pl.col("name"))] if frame.height else []
    if all(part.known for part in asked.fetches.parts("robots", federations)):
        frame = frame.with_columns(pl.col("federated").fill_null(value=False))
    return Listed(
        frame,
        (
            *("name", "description", "created_at", "last_use_at", "idle_days", "distinct_ips_30d"),
            *("repositories", "highest_role", "teams", "federated"),
        ),
        [*lists_needed(asked)[:1], *needs, *federations],
        {
            "repositories": [repositories_needed(asked, "user_permissions")],
            "teams": [teams_needed(asked, "team_members")],
        },
        lambda rows: [
            _sum("admins", "Admin of a repository", rows, pl.col("highest_role") == "admin"),
            _sum("never_used", "Never used", rows, pl.col("never_used")),
            *_idle(rows),
        ],
        {"repositories": "Repositories", "highest_role": "Highest direct role"},
        notes=(OWN_LIST, _use_note(asked)),
    )


def _teams(asked: Asked) -> Listed:
    place = ["source_id", "organization", "team"]
    members = asked.state("team_members").filter(~pl.col("invited").fill_null(value=False))
    rights = asked.state("repository_permissions", principal_kind="team").rename(
        {"namespace": "organization", "principal": "team"}
    )
    frame = asked.state("teams")
    for other, name in ((members, "members"), (rights, "repositories")):
        frame = frame.join(other.group_by(place).agg(pl.len().cast(pl.Int64).alias(name)), on=place, how="left")
    return Listed(
        frame,
        ("name", "role", "members", "repositories", "is_synced", "description", "from_at"),
        [*lists_needed(asked)[:1], each("organization", asked.state("organizations"), pl.col("organization"))],
        {
            "members": [teams_needed(asked, "team_members")],
            "repositories": [teams_needed(asked, "team_permissions")],
        },
        lambda rows: [
            _sum("admins", "Teams with the admin role", rows, pl.col("role") == "admin"),
            _sum("empty", "Without members", rows, pl.col("members") == 0),
        ],
        {},
    )


def _repositories(asked: Asked) -> Listed:
    place = ["source_id", "namespace", "repository"]
    sizes = asked.newest("sizes", level="repository").select(*place, "size_bytes", "popularity", "last_modified_at")
    tags = tag_counts(asked)
    frame = asked.state("repositories").join(sizes, on=place, how="left").join(tags, on=place, how="left")
    return Listed(
        frame,
        ("name", "state", "is_public", "size_bytes", "tags", "popularity", "last_modified_at", "from_at"),
        lists_needed(asked)[1:],
        {"tags": [repositories_needed(asked, "tags")]},
        lambda rows: [
            _sum("public", "Public", rows, pl.col("is_public")),
            _sum("other_state", "Read-only or mirrors", rows, pl.col("state").is_in(["READ_ONLY", "MIRROR"])),
        ],
        {},
    )


def _organizations(asked: Asked) -> Listed:
    people = asked.state("organization_members").unique(["source_id", "organization", "member"])
    quotas = asked.state("quotas").group_by("source_id", name="namespace").agg(pl.col("limit_bytes").min())
    frame = asked.state("organizations").with_columns(name=pl.col("organization"))
    frame = _joined(
        frame,
        _numbers(asked.state("repositories"), "namespace", "repositories"),
        _numbers(asked.state("teams"), "organization", "teams"),
        _numbers(people, "organization", "people"),
        _numbers(asked.state("robots"), "namespace", "robots"),
        _sizes(asked),
        quotas,
    ).with_columns((pl.col("size_bytes") / pl.col("limit_bytes")).alias("share"))
    organizations = asked.state("organizations")
    of_each = {
        "repositories": lists_needed(asked)[1:],
        "teams": [each("organization", organizations, pl.col("organization"))],
        "people": [each(query, organizations, pl.col("organization")) for query in ("members", "collaborators")],
        "robots": [each("robots", organizations, pl.col("organization"))],
    }
    return Listed(
        frame,
        ("name", "repositories", "teams", "people", "robots", "size_bytes", "limit_bytes", "share", "from_at"),
        lists_needed(asked)[:1],
        of_each if organizations.height else {},
        lambda rows: [
            _sum("limited", "With a quota", rows, pl.col("limit_bytes").is_not_null()),
            _sum("nearly_full", "Above 80 % of its quota", rows, pl.col("share") > 0.8),
        ],
        {"limit_bytes": "Quota", "robots": "Robot accounts"},
    )


def _tags(asked: Asked) -> Listed:
    frame, totals = named_tags(asked)
    return Listed(
        frame,
        ("name", "size_bytes", "started_at", "ends_at", "immutable", "is_manifest_list", "digest"),
        [*lists_needed(asked)[1:], repositories_needed(asked, "tags")],
        {},
        lambda rows: [
            Metric(
                "digests",
                "Digests",
                totals["digests"] if totals else rows["digest"].n_unique(),
                explanation="manifests that the tags point to",
            ),
            Metric("expiring", "Expiring", totals["expiring"] if totals else rows["ends_at"].count()),
        ],
        {"started_at": "Since", "ends_at": "Expires"},
        total_rows=totals["tags"] if totals else None,
    )


def _numbers(frame: pl.DataFrame, of: str, name: str) -> pl.DataFrame:
    """How many rows there are of each name in a column."""
    return frame.group_by("source_id", name=of).agg(pl.len().cast(pl.Int64).alias(name))


def _joined(frame: pl.DataFrame, *others: pl.DataFrame) -> pl.DataFrame:
    for other in others:
        frame = frame.join(other, on=["source_id", "name"], how="left")
    return frame


def _sizes(asked: Asked) -> pl.DataFrame:
    return asked.newest("sizes", level="namespace").select("source_id", "size_bytes", name="namespace")


def _uses(asked: Asked, kind: str) -> pl.DataFrame:
    return asked.uses().filter(subject_kind=kind).select(*_USE, name="subject")


def _use_note(asked: Asked) -> str:
    moment = formatting.moment(asked.snapshot.published.published_at)
    whenever = f"Last uses are as of {moment}, whichever day was asked for. " if asked.at is not None else ""
    return f"{whenever}An account without a recorded use may have been used before the records begin."


def _sum(name: str, label: str, rows: pl.DataFrame, which: pl.Expr) -> Metric:
    """How many rows are so; not known where it is not known of any."""
    flags = rows.select(which.alias("is")).to_series()
    return Metric(name, label, None if rows.height and flags.is_null().all() else float(flags.sum() or 0))


def _idle(rows: pl.DataFrame) -> list[Metric]:
    return [
        _sum("idle", f"Idle {IDLE_DAYS} days", rows, pl.col("idle_days").fill_null(0) >= IDLE_DAYS),
        Metric(
            "unseen",
            "No recorded use",
            rows.filter(pl.col("idle_days").is_null()).height,
            explanation="since the records begin; no record does not mean it was never used",
        ),
    ]


LISTS: dict[str, Callable[[Asked], Listed]] = {
    "user": _users,
    "robot": _robots,
    "team": _teams,
    "repository": _repositories,
    "organization": _organizations,
    "tag": _tags,
}
