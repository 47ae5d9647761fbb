"""D17: somebody is given the admin role."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import polars as pl

from quayledger.reports.detections.model import Finding, Fixture, Inputs, Rule, Severity, event, example
from quayledger.reports.detections.windows import full_name, related, text


class Params(msgspec.Struct, frozen=True):
    """`owner_teams`: teams whose members are administrators. Working hours, UTC, Monday to Friday: a grant outside them is
    more serious; `hour_from` = `hour_to` for none."""

    owner_teams: tuple[str, ...] = ("owners",)
    hour_from: int = 5
    hour_to: int = 20
    allow_actors: tuple[str, ...] = ()


KINDS = (
    "change_repo_permission",
    "org_set_team_role",
    "org_add_team_member",
    "org_team_member_invite_accepted",
    "create_prototype_permission",
    "modify_prototype_permission",
)


def detect(inputs: Inputs, params: Params) -> Iterator[Finding]:
    """One finding per account that granted, and what it granted."""
    grants = inputs.period_events.filter(pl.col("kind").is_in(KINDS)).with_columns(
        role=text("role"),
        team=text("team"),
        member=pl.coalesce(text("member"), text("username"), text("delegate_user")),
    )
    joined = pl.col("kind").is_in(["org_add_team_member", "org_team_member_invite_accepted"])
    admin = pl.when(joined).then(pl.col("team").is_in(params.owner_teams)).otherwise(pl.col("role") == "admin")
    grants = grants.filter(admin, ~pl.col("actor").is_in(params.allow_actors) | pl.col("actor").is_null())
    hour, weekday = pl.col("occurred_at").dt.hour(), pl.col("occurred_at").dt.weekday()
    working = (hour >= params.hour_from) & (hour < params.hour_to) & (weekday <= 5)
    late = ~working if params.hour_from != params.hour_to else pl.lit(value=False)
    prototype = pl.col("kind").str.ends_with("prototype_permission")
    to_self = (pl.col("member") == pl.col("actor")) & ~prototype
    grants = grants.with_columns(
        serious=(to_self | late).fill_null(value=False),
        to_self=to_self.fill_null(value=False),
        subject=pl.coalesce("actor", "ip", pl.lit("unknown")),
        object=pl.when(pl.col("repository").is_null()).then("namespace").otherwise(full_name()),
    )
    for (source_id, subject), mine in grants.group_by("source_id", "subject", maintain_order=True):
        whom = mine.select(pl.coalesce("member", "team", text("delegate_team"), pl.lit("a default permission")))
        names = ", ".join(sorted(set(whom.to_series()))[:5])
        why = ", also to their own account" if mine["to_self"].any() else ""
        yield Finding(
            source_id=str(source_id),
            subject=str(subject),
            events=mine,
            summary=f"{subject} granted the admin role{why}: {names}, on {', '.join(sorted(set(mine['object'].drop_nulls()))[:5])}.",
            severity=Severity.HIGH if mine["serious"].any() else None,
            related=related(mine, "member", "object", "ip"),
        )


def _case(kind: str, metadata: dict[str, str], minutes: float = 5) -> Inputs:
    return example([event(minutes, kind, actor="erin", namespace="acme", repository=None, metadata=metadata)])


RULE = Rule(
    id="D17",
    name="admin-granted",
    version=1,
    title="Admin role granted",
    severity=Severity.MEDIUM,
    techniques=("T1098",),
    kinds=KINDS,
    params=Params,
    detect=detect,
    description="A user, robot or team is made administrator of a repository or organization, or a default permission does so.",
    false_positives="The ordinary work of an organization's owner.",
    runbook="Is there a request for it? Look more closely where somebody granted it to themselves or out of hours.",
    fixtures=(
        Fixture(
            name="to oneself",
            inputs=lambda: _case("change_repo_permission", {"username": "erin", "role": "admin"}),
            subjects=("erin",),
        ),
        Fixture(
            name="to the owners",
            inputs=lambda: _case("org_add_team_member", {"member": "dave", "team": "owners"}),
            subjects=("erin",),
        ),
        Fixture(
            name="to a plain team",
            inputs=lambda: _case("org_add_team_member", {"member": "dave", "team": "qa"}),
            subjects=(),
        ),
        Fixture(
            name="write",
            inputs=lambda: _case("change_repo_permission", {"username": "dave", "role": "write"}),
            subjects=(),
        ),
        Fixture(
            name="at night, by a default permission",
            inputs=lambda: _case("create_prototype_permission", {"delegate_team": "qa", "role": "admin"}, 12 * 60),
            subjects=("erin",),
        ),
    ),
)
