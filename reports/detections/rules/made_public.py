"""D16: a private repository becomes public."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import polars as pl

from quayledger.reports.detections.model import Finding, Fixture, Inputs, Rule, Severity, event, example
from quayledger.reports.detections.windows import full_name, related, text


class Params(msgspec.Struct, frozen=True):
    """`allow_namespaces`: where repositories may become public."""

    allow_namespaces: tuple[str, ...] = ()


def detect(inputs: Inputs, params: Params) -> Iterator[Finding]:
    """One finding per repository."""
    opened = inputs.period_events.filter(pl.col("kind") == "change_repo_visibility", text("visibility") == "public")
    opened = opened.filter(~pl.col("namespace").is_in(params.allow_namespaces)).with_columns(object=full_name())
    for (source_id, name), mine in opened.group_by("source_id", "object", maintain_order=True):
        yield Finding(
            source_id=str(source_id),
            subject=str(name),
            events=mine,
            summary=f"{mine['actor'][-1] or 'Somebody'} made {name} public.",
            related=related(mine, "actor", "ip"),
        )


def _case(visibility: str) -> Inputs:
    columns = {"actor": "erin", "namespace": "acme", "repository": "vault", "metadata": {"visibility": visibility}}
    return example([event(1, "change_repo_visibility", **columns)])


RULE = Rule(
    id="D16",
    name="made-public",
    version=1,
    title="Repository made public",
    severity=Severity.MEDIUM,
    techniques=("T1578", "T1562"),
    kinds=("change_repo_visibility",),
    params=Params,
    detect=detect,
    description="Everybody can pull from a repository that was private.",
    false_positives="A publication that was meant. Put the namespaces of public images on the allow-list.",
    runbook="Ask who decided it. Make it private again if nobody did, and see who pulled meanwhile.",
    fixtures=(
        Fixture(name="public", inputs=lambda: _case("public"), subjects=("acme/vault",)),
        Fixture(name="private", inputs=lambda: _case("private"), subjects=()),
    ),
)
