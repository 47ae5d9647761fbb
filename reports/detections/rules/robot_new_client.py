"""D11: a robot is used with a client that it never used before."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import msgspec
import polars as pl

from quayledger.reports.detections.model import (
    NOON,
    Finding,
    Fixture,
    Inputs,
    Rule,
    Severity,
    event,
    example,
    history,
)
from quayledger.reports.detections.windows import listed, related


class Params(msgspec.Struct, frozen=True):
    """`baseline_days`: how long a robot must be known. `allow_clients`: families that are always fine."""

    baseline_days: int = 14
    allow_clients: tuple[str, ...] = ()


_KEY = ["source_id", "actor"]


def detect(inputs: Inputs, params: Params) -> Iterator[Finding]:
    """One finding per robot."""
    if not inputs.baseline(timedelta(days=params.baseline_days)):
        return
    robots = inputs.period_events.filter(pl.col("actor_type") == "robot", pl.col("client").is_not_null())
    robots = robots.filter(~pl.col("client").is_in(params.allow_clients))
    since = inputs.since - timedelta(days=params.baseline_days)
    known = inputs.history.filter(pl.col("client").is_not_null())
    old = known.group_by(_KEY).agg(pl.col("first_at").min()).filter(pl.col("first_at") <= since)
    new = robots.join(old, on=_KEY, how="semi").join(known, on=[*_KEY, "client"], how="anti")
    for (source_id, robot), mine in new.group_by(_KEY, maintain_order=True):
        yield Finding(
            source_id=str(source_id),
            subject=str(robot),
            events=mine,
            summary=f"{robot} was used with {listed(mine['user_agent'])}; until now it used other clients.",
            related=related(mine, "ip", "client"),
        )


def _case(client: str, days: float = 60) -> Inputs:
    return example(
        [
            event(
                1,
                "pull_repo",
                actor="acme+ci",
                actor_type="robot",
                client=client,
                user_agent=f"{client}/8",
                ip="10.0.0.8",
            )
        ],
        history=history({"kind": "pull_repo", "actor": "acme+ci", "client": "docker"}, days_before=days),
        history_since=NOON - timedelta(days=90),
    )


RULE = Rule(
    id="D11",
    name="robot-new-client",
    version=1,
    title="Robot used with a new client",
    severity=Severity.MEDIUM,
    techniques=("T1078.004",),
    kinds=("pull_repo", "push_repo"),
    params=Params,
    detect=detect,
    needs_history=timedelta(days=14),
    description="A robot, whose client seldom changes, is used with another program.",
    false_positives="A pipeline that moved from one tool to another.",
    runbook="Ask the owner of the pipeline. If nobody changed it, rotate the robot's secret and look where it was used.",
    fixtures=(
        Fixture(name="by hand", inputs=lambda: _case("other"), subjects=("acme+ci",)),
        Fixture(name="as always", inputs=lambda: _case("docker"), subjects=()),
        Fixture(name="a young robot", inputs=lambda: _case("other", days=5), subjects=()),
    ),
)
