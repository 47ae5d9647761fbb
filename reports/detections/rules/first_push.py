"""D12: an account pushes to a repository for the first time."""

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
from quayledger.reports.detections.windows import full_name, listed, related


class Params(msgspec.Struct, frozen=True):
    """`allow_actors`: accounts that may push anywhere."""

    allow_actors: tuple[str, ...] = ()


_BASELINE = timedelta(days=30)


def detect(inputs: Inputs, params: Params) -> Iterator[Finding]:
    """One finding per account, with the repositories that others pushed to within the last 30 days and it did not."""
    if not inputs.baseline(_BASELINE):
        return
    key = ["source_id", "namespace", "repository"]
    pushes = inputs.period_events.filter(pl.col("kind") == "push_repo", pl.col("actor").is_not_null())
    pushes = pushes.filter(~pl.col("actor").is_in(params.allow_actors))
    before = inputs.history.filter(pl.col("kind") == "push_repo")
    new = pushes.join(before, on=key, how="semi").join(before, on=[*key, "actor"], how="anti")
    for (source_id, actor), mine in new.group_by("source_id", "actor", maintain_order=True):
        objects = mine.select(full_name())["namespace"].unique()
        yield Finding(
            source_id=str(source_id),
            subject=str(actor),
            events=mine,
            summary=f"{actor} pushed for the first time in 30 days to {listed(objects)}.",
            related=tuple(objects.sort()) + related(mine, "ip"),
        )


def _case(*pushed_before: str, days: float = 60) -> Inputs:
    return example(
        [event(1, "push_repo", actor="dave", namespace="acme", repository="web", ip="10.0.0.4")],
        history=history(
            *({"kind": "push_repo", "actor": one, "namespace": "acme", "repository": "web"} for one in pushed_before)
        ),
        history_since=NOON - timedelta(days=days),
    )


RULE = Rule(
    id="D12",
    name="first-push",
    version=1,
    title="First push to a repository by an account",
    severity=Severity.INFO,
    techniques=("T1195.002", "T1525"),
    kinds=("push_repo",),
    params=Params,
    detect=detect,
    needs_history=_BASELINE,
    description="An account pushes to a repository to which only others pushed within the last 30 days.",
    false_positives="A new member of a team: common, and therefore for information only.",
    runbook="Is the account meant to push there? Compare the image with what its pipeline builds.",
    fixtures=(
        Fixture(name="others pushed", inputs=lambda: _case("acme+ci"), subjects=("dave",)),
        Fixture(name="pushed before", inputs=lambda: _case("acme+ci", "dave"), subjects=()),
        Fixture(name="a new repository", inputs=lambda: _case(), subjects=()),
        Fixture(name="too short a record", inputs=lambda: _case("acme+ci", days=10), subjects=()),
    ),
)
