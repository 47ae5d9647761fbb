"""D8: one account, or one address without an account, pulls from very many repositories within minutes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import msgspec
import polars as pl

from quayledger.reports.detections.model import (
    PRIVATE_SCHEMA,
    Finding,
    Fixture,
    Inputs,
    Rule,
    Severity,
    event,
    example,
)
from quayledger.reports.detections.windows import bursts, full_name, listed, related


class Params(msgspec.Struct, frozen=True):
    """`repositories` within `window_minutes`; or `private_repositories` private ones. `allow_actors`: such as a mirror."""

    repositories: int = 25
    private_repositories: int = 10
    window_minutes: int = 9
    allow_actors: tuple[str, ...] = ()


def detect(inputs: Inputs, params: Params) -> Iterator[Finding]:
    """One finding per account (or address) and burst."""
    pulls = inputs.of("pull_repo").with_columns(who=pl.coalesce("actor", "ip"), object=full_name())
    pulls = pulls.filter(~pl.col("who").is_in(params.allow_actors))
    window, by = timedelta(minutes=params.window_minutes), ("source_id", "who")
    private = pulls.join(inputs.private, on=["source_id", "namespace", "repository"], how="semi")
    everything = bursts(pulls, by, window, at_least=params.repositories, distinct={"object": params.repositories})
    hidden = bursts(
        private, by, window, at_least=params.private_repositories, distinct={"object": params.private_repositories}
    )
    seen: set[str] = set()
    for burst in (*everything, *hidden):
        if seen & set(burst["event_id"]):
            continue
        seen |= set(burst["event_id"])
        who, objects = burst["who"][0], burst["object"].drop_nulls().unique()
        yield Finding(
            source_id=burst["source_id"][0],
            subject=who,
            events=burst,
            summary=f"{who} pulled from {objects.len()} repositories within minutes: {listed(objects)}.",
            related=related(burst, "namespace", "ip"),
        )


def _pulls(repositories: int, step_minutes: float, *, private: bool = False) -> Inputs:
    rows = [
        event(n * step_minutes, "pull_repo", actor="mallory", ip="203.0.113.66", namespace="acme", repository=f"r{n}")
        for n in range(repositories)
    ]
    names = [("main", "acme", f"r{n}") for n in range(repositories)] if private else []
    return example(rows, private=pl.DataFrame(names, schema=PRIVATE_SCHEMA, orient="row"))


RULE = Rule(
    id="D8",
    name="mass-pull",
    version=1,
    title="Mass pull",
    severity=Severity.HIGH,
    techniques=("T1530", "T1213"),
    kinds=("pull_repo",),
    params=Params,
    detect=detect,
    lookback=timedelta(minutes=9),
    description="One account pulls from far more repositories within minutes than people or pipelines do.",
    false_positives="A mirror, a scanner or a cluster that starts up after an outage: put its account on the allow-list.",
    runbook="Is the account a known mirror or scanner? If not, disable its credential and see where it was used from.",
    fixtures=(
        Fixture(name="25 in 8 minutes", inputs=lambda: _pulls(25, 0.33), subjects=("mallory",)),
        Fixture(name="10 private", inputs=lambda: _pulls(10, 0.5, private=True), subjects=("mallory",)),
        Fixture(name="10 public", inputs=lambda: _pulls(10, 0.5), subjects=()),
        Fixture(name="25 in an hour", inputs=lambda: _pulls(25, 2.4), subjects=()),
    ),
)
