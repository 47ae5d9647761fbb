"""D23: the inventory saw a change of access, credentials or protection that no event of the log tells of."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import msgspec
import polars as pl

from quayledger.reports.detections.model import (
    EVENT_SCHEMA,
    NOON,
    UNLOGGED_SCHEMA,
    Finding,
    Fixture,
    Inputs,
    Rule,
    Severity,
    example,
)
from quayledger.reports.detections.windows import listed


class Params(msgspec.Struct, frozen=True):
    """`allow_namespaces`: namespaces that are managed past Quay on purpose. `ignore_explained`: also leave out what Quay is known
    to write no event of."""

    allow_namespaces: tuple[str, ...] = ()
    ignore_explained: bool = False


def detect(inputs: Inputs, params: Params) -> Iterator[Finding]:
    """One finding per namespace. Changes that Quay does not log, or may not, make it less serious."""
    found = inputs.unlogged.filter(~pl.col("space").is_in(params.allow_namespaces))
    if params.ignore_explained:
        found = found.filter((pl.col("why") == "") | ~pl.col("is_known"))
    for (source_id, space), mine in found.group_by("source_id", "space", maintain_order=True):
        objects = mine["object"].unique(maintain_order=True)
        why = mine.filter(pl.col("why") != "")["why"].unique(maintain_order=True)
        explained = why.len() > 0 and bool((mine["why"] != "").all())
        severity = (Severity.LOW if bool(mine["is_known"].all()) else Severity.MEDIUM) if explained else None
        first: datetime = mine["after_at"].sort()[0]
        last: datetime = mine["first_seen_at"].sort()[-1]
        yield Finding(
            source_id=str(source_id),
            subject=str(space),
            events=EVENT_SCHEMA.to_frame(),
            at=last,
            summary=f"In {space}, {listed(mine.select(_said()).to_series())} between {first:%Y-%m-%d %H:%M} and "
            f"{last:%Y-%m-%d %H:%M} UTC, and no event says who did it" + (f" ({listed(why)})." if why.len() else "."),
            severity=severity,
            related=tuple(objects.head(20)),
        )


_WORDS = {"appeared": "was added", "vanished": "was removed"}


def _said() -> pl.Expr:
    family = pl.col("family").str.replace("ies$", "y").str.replace("s$", "").str.replace_all("_", " ")
    turned = pl.format("changed ({} from {} to {})", "column", _or_nothing("before"), _or_nothing("after"))
    what = pl.when(pl.col("change") == "changed").then(turned).otherwise(pl.col("change").replace(_WORDS))
    return pl.format("{} {} {}", family, "object", what)


def _or_nothing(column: str) -> pl.Expr:
    return pl.coalesce(column, pl.lit("nothing"))


def _case(family: str, *, why: str = "", is_known: bool = True, column: str | None = None) -> Inputs:
    row = {
        "source_id": "main",
        "space": "acme",
        "family": family,
        "object": "acme/web user mallory",
        "change": "changed" if column else "appeared",
        "column": column,
        "before": "read" if column else None,
        "after": "admin",
        "after_at": NOON,
        "first_seen_at": NOON + timedelta(minutes=9),
        "why": why,
        "is_known": is_known,
    }
    return msgspec.structs.replace(example([]), unlogged=pl.DataFrame([row], schema=UNLOGGED_SCHEMA))


RULE = Rule(
    id="D23",
    name="changed-without-event",
    version=1,
    title="Changed without an event",
    severity=Severity.HIGH,
    techniques=("T1562.008", "T1098"),
    kinds=(),
    params=Params,
    detect=detect,
    needs_changes=True,
    description="A permission, team, robot, quota, visibility, policy or mirror is otherwise than at the reading before, and the log, "
    "which is complete for that time, does not say who changed it. What came or went with a new or deleted repository, team, "
    "account or organization does not count.",
    false_positives="Changes that this version of Quay does not record, or that an outside directory makes: the alert says so and is "
    "low, or medium where it is only possible. A restored or migrated database.",
    runbook="`quayledger report permission-changes` lists the changes with the readings between which they lie. Who can write to Quay's "
    "database or its configuration? Take back what nobody can explain.",
    fixtures=(
        Fixture(name="a permission", inputs=lambda: _case("repository_permissions"), subjects=("acme",)),
        Fixture(name="a role", inputs=lambda: _case("repository_permissions", column="role"), subjects=("acme",)),
        Fixture(name="not recorded", inputs=lambda: _case("quotas", why="not recorded"), subjects=("acme",)),
        Fixture(
            name="perhaps not recorded",
            inputs=lambda: _case("quotas", why="may not be recorded", is_known=False),
            subjects=("acme",),
        ),
        Fixture(name="nothing", inputs=lambda: example([]), subjects=()),
    ),
)
