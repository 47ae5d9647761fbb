"""Marks: what tells of an object of the inventory which namespace, repository, team or account it is within, or of. Pure."""

from __future__ import annotations

import msgspec
import polars as pl

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
    "prototype_id",
)


def marks() -> dict[str, pl.Expr]:
    """Each mark by its name, from the column `key` of differences (DIFF_SCHEMA): space (the namespace), repository, team, person
    (user or robot), digest, quota_id, prototype_id; text, null where a family has none."""
    key = {name: pl.col("key").str.json_path_match(f"$.{name}") for name in _KEYS}
    is_team = key["principal_kind"].eq_missing(pl.lit("team"))
    return {
        "space": pl.coalesce(
            key["organization"], key["namespace"], key["username"], key["robot"].str.split("+").list.first()
        ),
        "repository": key["repository"],
        "team": pl.coalesce(key["team"], pl.when(is_team).then(key["principal"])),
        "person": pl.coalesce(pl.when(~is_team).then(key["principal"]), key["member"], key["username"], key["robot"]),
        "digest": key["digest"],
        "quota_id": key["quota_id"],
        "prototype_id": key["prototype_id"],
    }


class Parent(msgspec.Struct, frozen=True):
    """What holds others: the families that tell that it came or went, what it is called, and the marks by which it and what it
    holds are the same. `inside`: the families it is asked for (none: all but its own)."""

    families: tuple[str, ...]
    called: str
    marks: tuple[str, ...]
    inside: tuple[str, ...] = ()

    def holds(self) -> pl.Expr:
        """Whether an object is of a family that it may hold."""
        family = pl.col("family")
        return family.is_in(list(self.inside)) if self.inside else ~family.is_in(list(self.families))

    def name(self) -> pl.Expr:
        """What it is called, such as `organization acme`."""
        return pl.format(f"{self.called} {{}}", pl.concat_str(self.marks, separator="/"))


# The outermost first: what goes with an organization is not told as going with one of its repositories.
PARENTS = (
    Parent(("organizations",), "organization", ("space",)),
    Parent(("users",), "user", ("space",)),
    Parent(("repositories",), "repository", ("space", "repository")),
    Parent(("teams",), "team", ("space", "team")),
    Parent(("users",), "user", ("person",)),
    Parent(("robots",), "robot", ("person",)),
    Parent(("quotas",), "quota", ("space", "quota_id"), ("quota_limits",)),
    Parent(("tags", "manifests"), "image", ("digest",), ("vulnerabilities",)),
)
