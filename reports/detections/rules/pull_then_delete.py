"""D15: a mass pull in a namespace, then a mass deletion there."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import msgspec
import polars as pl

from quayledger.reports.detections.model import Finding, Fixture, Inputs, Rule, Severity, event, example
from quayledger.reports.detections.rules import mass_deletion, mass_pull
from quayledger.reports.detections.windows import begin, end, related


class Params(msgspec.Struct, frozen=True):
    """`hours` between the pull and the deletion at most."""

    hours: float = 30


def detect(inputs: Inputs, params: Params) -> Iterator[Finding]:
    """One finding per namespace."""
    pulls = [found.events for found in mass_pull.detect(inputs, mass_pull.Params())]
    deletions = [found.events for found in mass_deletion.detect(inputs, mass_deletion.Params())]
    for deleted in deletions:
        first = begin(deleted)
        for pulled in pulls:
            gap = first - end(pulled)
            if deleted["source_id"][0] != pulled["source_id"][0] or not timedelta() <= gap <= timedelta(
                hours=params.hours
            ):
                continue
            both = set(deleted["namespace"].drop_nulls()) & set(pulled["namespace"].drop_nulls())
            for namespace in sorted(both):
                mine = pl.concat([pulled, deleted.select(pulled.columns)]).filter(pl.col("namespace") == namespace)
                yield Finding(
                    source_id=deleted["source_id"][0],
                    subject=namespace,
                    events=mine,
                    summary=f"After a mass pull from {namespace}, {deleted.height} tags or repositories were deleted there.",
                    related=related(mine, "actor", "ip"),
                )


def _case(hours: float, namespace: str = "acme") -> Inputs:
    pulls = [
        event(n * 0.3, "pull_repo", actor="mallory", namespace="acme", repository=f"r{n}", ip="203.0.113.66")
        for n in range(26)
    ]
    deletions = [
        event(hours * 60 + n, "delete_tag", actor="mallory", namespace=namespace, repository="web", tag=f"v{n}")
        for n in range(12)
    ]
    return example([*pulls, *deletions])


RULE = Rule(
    id="D15",
    name="pull-then-delete",
    version=1,
    title="Mass pull, then deletion",
    severity=Severity.CRITICAL,
    techniques=("T1530", "T1485", "T1657"),
    kinds=("pull_repo", *mass_deletion.KINDS),
    params=Params,
    detect=detect,
    lookback=timedelta(hours=31),
    description="Everything is copied out of a namespace and then deleted there, as in an extortion.",
    false_positives="A move to another registry.",
    runbook="Disable the credential at once. Restore the tags from the tag history while Quay's time machine lasts.",
    fixtures=(
        Fixture(name="three hours later", inputs=lambda: _case(3), subjects=("acme",)),
        Fixture(name="in another namespace", inputs=lambda: _case(3, "globex"), subjects=()),
    ),
)
