"""D19: a credential is made that outlives a password: a robot, a token, a federation, an application."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import msgspec
import polars as pl

from quayledger.reports.detections.model import Finding, Fixture, Inputs, Rule, Severity, event, example
from quayledger.reports.detections.rules import admin_granted, success_after_failures
from quayledger.reports.detections.windows import end, listed, related, text


class Params(msgspec.Struct, frozen=True):
    """`hours` after a log-in that followed an attack (D5) or a grant of the admin role (D17): then it is serious."""

    hours: float = 24
    allow_actors: tuple[str, ...] = ()


KINDS = (
    "create_robot",
    "create_robot_federation",
    "create_app_specific_token",
    "create_oauth_api_token",
    "oauth_token_assigned",
    "create_application",
    "reset_application_client_secret",
    "regenerate_robot_token",
)
_NAME = ("robot", "app_specific_token_title", "token_display_name", "application_name", "name")


def detect(inputs: Inputs, params: Params) -> Iterator[Finding]:
    """One finding per account that made credentials."""
    made = inputs.period_events.filter(pl.col("kind").is_in(KINDS), pl.col("actor").is_not_null())
    made = made.filter(~pl.col("actor").is_in(params.allow_actors))
    made = made.with_columns(made=pl.coalesce(*(text(name) for name in _NAME), pl.col("kind")))
    if not made.height:
        return
    suspects = list(success_after_failures.detect(inputs, success_after_failures.Params()))
    # The grant may be of the day before.
    earlier = msgspec.structs.replace(inputs, since=inputs.since - timedelta(hours=params.hours))
    suspects += [
        found for found in admin_granted.detect(earlier, admin_granted.Params()) if found.severity is Severity.HIGH
    ]
    for (source_id, actor), mine in made.group_by("source_id", "actor", maintain_order=True):
        serious = [found for found in suspects if _follows(mine, found, str(source_id), str(actor), params.hours)]
        yield Finding(
            source_id=str(source_id),
            subject=str(actor),
            events=mine,
            summary=f"{actor} made credentials: {listed(mine['made'])}"
            + (f"; shortly before: {serious[0].summary}" if serious else "."),
            severity=Severity.HIGH if serious else None,
            related=related(mine, "made", "ip"),
        )


def _follows(made: pl.DataFrame, found: Finding, source_id: str, actor: str, hours: float) -> bool:
    if found.source_id != source_id or (found.subject != actor and actor not in found.related):
        return False
    last = end(found.events)
    return bool(((made["occurred_at"] >= last) & (made["occurred_at"] <= last + timedelta(hours=hours))).any())


def _case(*, attacked: bool) -> Inputs:
    tried = [event(n, "login_failure", ip="203.0.113.66", metadata={"username": "alice"}) for n in range(25)]
    inside = event(30, "login_success", actor="alice", namespace="alice", ip="203.0.113.66")
    made = event(40, "create_robot", actor="alice", namespace="alice", ip="203.0.113.66", metadata={"robot": "backup"})
    return example([*tried, inside, made] if attacked else [made])


RULE = Rule(
    id="D19",
    name="persistence-credential",
    version=2,
    title="New long-lived credential",
    severity=Severity.INFO,
    techniques=("T1136", "T1098.001"),
    kinds=KINDS,
    context_kinds=(*success_after_failures.KINDS, *admin_granted.KINDS),
    params=Params,
    detect=detect,
    lookback=timedelta(hours=31),
    uses_history=True,
    description="A robot, token, federation or application is made; soon after a break-in it is a way to come back.",
    false_positives="Ordinary work, and therefore for information only, unless it follows D5 or a suspicious D17.",
    runbook="Where it is serious: revoke the credential and everything else the account made since the log-in.",
    fixtures=(
        Fixture(name="ordinary", inputs=lambda: _case(attacked=False), subjects=("alice",)),
        Fixture(name="after an attack", inputs=lambda: _case(attacked=True), subjects=("alice",)),
        Fixture(name="nothing", inputs=lambda: example([]), subjects=()),
    ),
)
