"""D14: one account deletes many tags or repositories within an hour."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import msgspec
import polars as pl

from quayledger.reports.detections.model import Finding, Fixture, Inputs, Rule, Severity, event, example
from quayledger.reports.detections.windows import bursts, full_name, listed, related


class Params(msgspec.Struct, frozen=True):
    """`deletions` within `window_minutes`. What Quay's auto-prune removes does not count."""

    deletions: int = 10
    window_minutes: int = 60
    allow_actors: tuple[str, ...] = ()


KINDS = ("delete_tag", "permanently_delete_tag", "delete_repo")


def detect(inputs: Inputs, params: Params) -> Iterator[Finding]:
    """One finding per account and burst."""
    deleted = inputs.of(*KINDS).with_columns(who=pl.coalesce("actor", "ip"), object=full_name())
    deleted = deleted.filter(~pl.col("who").is_in(params.allow_actors))
    window = timedelta(minutes=params.window_minutes)
    for burst in bursts(deleted, ("source_id", "who"), window, at_least=params.deletions):
        who = burst["who"][0]
        yield Finding(
            source_id=burst["source_id"][0],
            subject=who,
            events=burst,
            summary=f"{who} deleted {burst.height} tags or repositories in {listed(burst['object'])}.",
            related=related(burst, "namespace", "object", "ip"),
        )


def _deletions(number: int, kind: str = "delete_tag", **columns: object) -> Inputs:
    who = columns or {"actor": "mallory"}
    return example(event(n * 5, kind, namespace="acme", repository="web", tag=f"v{n}", **who) for n in range(number))


RULE = Rule(
    id="D14",
    name="mass-deletion",
    version=1,
    title="Mass deletion",
    severity=Severity.HIGH,
    techniques=("T1485",),
    kinds=KINDS,
    params=Params,
    detect=detect,
    lookback=timedelta(minutes=60),
    description="Many tags or repositories are deleted by one account within an hour.",
    false_positives="A clean-up script: put its account on the allow-list, or use Quay's auto-prune policies.",
    runbook="Disable the account's credential. Tags can be restored from the tag history while Quay's time machine lasts.",
    fixtures=(
        Fixture(name="10 tags in 45 minutes", inputs=lambda: _deletions(10), subjects=("mallory",)),
        Fixture(name="9 tags", inputs=lambda: _deletions(9), subjects=()),
        Fixture(name="auto-prune", inputs=lambda: _deletions(40, "autoprune_tag_delete", ip=None), subjects=()),
    ),
)
