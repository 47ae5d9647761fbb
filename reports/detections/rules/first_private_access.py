"""D9: an account reaches a private repository that it never reached before."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import msgspec
import polars as pl

from quayledger.reports.detections.model import (
    NOON,
    PRIVATE_SCHEMA,
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
    """`allow_actors`: accounts that may appear anywhere, such as a scanner."""

    allow_actors: tuple[str, ...] = ()


_BASELINE = timedelta(days=30)


def detect(inputs: Inputs, params: Params) -> Iterator[Finding]:
    """One finding per account that is no newcomer itself, with the repositories it had not used for 30 days."""
    if not inputs.baseline(_BASELINE):
        return
    object_key = ["source_id", "namespace", "repository"]
    used = inputs.period_events.filter(pl.col("kind").is_in(["pull_repo", "push_repo"]), pl.col("actor").is_not_null())
    used = used.filter(~pl.col("actor").is_in(params.allow_actors)).join(inputs.private, on=object_key, how="semi")
    # A repository that nobody used before is new; its first users are no surprise.
    used = used.join(inputs.history, on=object_key, how="semi")
    new = used.join(inputs.history, on=[*object_key, "actor"], how="anti")
    new = new.join(inputs.history, on=["source_id", "actor"], how="semi").with_columns(object=full_name())
    for (source_id, actor), mine in new.group_by("source_id", "actor", maintain_order=True):
        objects = mine["object"].unique()
        yield Finding(
            source_id=str(source_id),
            subject=str(actor),
            events=mine,
            summary=f"{actor} used private repositories for the first time in 30 days: {listed(objects)}.",
            related=related(mine, "object", "ip"),
        )


def _case(private: bool, before: str = "api") -> Inputs:
    names = [("main", "acme", "vault")] if private else []
    return example(
        [event(5, "pull_repo", actor="dave", namespace="acme", repository="vault", ip="10.0.0.4")],
        history=history(
            {"kind": "pull_repo", "actor": "dave", "namespace": "acme", "repository": before},
            {"kind": "push_repo", "actor": "carol", "namespace": "acme", "repository": "vault"},
        ),
        history_since=NOON - timedelta(days=60),
        private=pl.DataFrame(names, schema=PRIVATE_SCHEMA, orient="row"),
    )


RULE = Rule(
    id="D9",
    name="first-private-access",
    version=1,
    title="First access to a private repository",
    severity=Severity.INFO,
    techniques=("T1213",),
    kinds=("pull_repo", "push_repo"),
    params=Params,
    detect=detect,
    needs_history=_BASELINE,
    needs_inventory=True,
    description="A known account uses a private repository that it did not use within the last 30 days.",
    false_positives="A change of team or task: common, and therefore for information only.",
    runbook="Compare with the access that was granted lately (Access).",
    fixtures=(
        Fixture(name="private and new", inputs=lambda: _case(private=True), subjects=("dave",)),
        Fixture(name="public", inputs=lambda: _case(private=False), subjects=()),
        Fixture(name="used before", inputs=lambda: _case(private=True, before="vault"), subjects=()),
    ),
)
