"""Objects removed together with their parent, told apart from those that somebody removed. Pure."""

from __future__ import annotations

import msgspec
import polars as pl


class _Holder(msgspec.Struct, frozen=True):
    """What holds others: the families that tell that it vanished, what it is called, and the marks by which it and what it
    held are the same. `inside`: the families it is asked for (none: all but its own)."""

    families: tuple[str, ...]
    called: str
    marks: tuple[str, ...]
    inside: tuple[str, ...] = ()


# The outermost first: what goes with an organization is not told as going with one of its repositories.
_HOLDERS = (
    _Holder(("organizations",), "organization", ("space",)),
    _Holder(("users",), "user", ("space",)),
    _Holder(("repositories",), "repository", ("space", "repository")),
    _Holder(("teams",), "team", ("space", "team")),
    _Holder(("users",), "user", ("person",)),
    _Holder(("robots",), "robot", ("person",)),
    _Holder(("quotas",), "quota", ("space", "quota_id"), ("quota_limits",)),
    _Holder(("tags", "manifests"), "image", ("digest",), ("vulnerabilities",)),
)
# Of which families the differences must be at hand; `scans` says which images were merely scanned again.
ASKED = (*dict.fromkeys(name for holder in _HOLDERS for name in holder.families), "scans")
_KEYS = (
    "organization",
    "namespace",
    "username",
    "repository",
    "team",
    "principal_kind",
    "principal",
    "member",
    "robot",
    "digest",
    "quota_id",
)
_MARKS = ("space", "repository", "team", "person", "digest", "quota_id")
_IS_TEAM = pl.col("principal_kind").eq_missing("team")


def with_along(found: pl.DataFrame) -> pl.DataFrame:
    """Differences (DIFF_SCHEMA) with `along` (text): what an object went with, such as `organization acme`, where that
    vanished too and not later; null where it vanished by itself, or did not vanish.

    A vulnerability goes with its image where the image vanished and was not scanned anew."""
    found = found.with_row_index("row")
    gone = _marked(found.filter(pl.col("change") == "vanished"))
    scanned = _marked(found.filter(pl.col("family") == "scans")).select("source_id", "digest")
    parts = [_held(gone, holder, scanned) for holder in _HOLDERS]
    along = pl.concat(parts).unique("row", keep="first", maintain_order=True)
    return found.join(along, on="row", how="left", maintain_order="left").drop("row")


def _held(gone: pl.DataFrame, holder: _Holder, scanned: pl.DataFrame) -> pl.DataFrame:
    """row and `along` of what went with holders of one kind."""
    ends = gone.filter(pl.col("family").is_in(list(holder.families)))
    if "digest" in holder.marks:
        ends = ends.join(scanned, on=["source_id", "digest"], how="anti")
    called = pl.format(f"{holder.called} {{}}", pl.concat_str(holder.marks, separator="/"))
    ends = (
        ends.group_by("source_id", *holder.marks)
        .agg(pl.col("at").min().alias("ended_at"))
        .with_columns(called.alias("along"))
    )
    inside = (
        pl.col("family").is_in(list(holder.inside)) if holder.inside else ~pl.col("family").is_in(list(holder.families))
    )
    both = gone.filter(inside).join(ends, on=["source_id", *holder.marks])
    return both.filter(pl.col("at") >= pl.col("ended_at")).select("row", "along")


def _marked(found: pl.DataFrame) -> pl.DataFrame:
    """The marks by which an object is told to be within, or of, another; null where a family has none."""
    keys = [pl.col("key").str.json_path_match(f"$.{name}").alias(name) for name in _KEYS]
    frame = found.select("row", "source_id", "family", "at", *keys)
    account = pl.coalesce("organization", "namespace", "username", pl.col("robot").str.split("+").list.first())
    person = pl.coalesce(pl.when(~_IS_TEAM).then("principal"), "member", "username", "robot")
    team = pl.coalesce("team", pl.when(_IS_TEAM).then("principal"))
    return frame.with_columns(account.alias("space"), person.alias("person"), team.alias("team")).select(
        "row", "source_id", "family", "at", *_MARKS
    )
