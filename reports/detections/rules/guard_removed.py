"""D20: something that protects images or tells people of changes is switched off."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import polars as pl

from quayledger.reports.detections.model import Finding, Fixture, Inputs, Rule, Severity, event, example
from quayledger.reports.detections.windows import full_name, related, text


class Params(msgspec.Struct, frozen=True):
    """`allow_actors`: accounts that manage policies, such as an operator's pipeline."""

    allow_actors: tuple[str, ...] = ()


_REMOVED = {
    "delete_immutability_policy": "an immutability policy",
    "org_delete_quota": "a quota",
    "org_delete_quota_limit": "a quota limit",
    "delete_namespace_autoprune_policy": "an auto-prune policy",
    "delete_repository_autoprune_policy": "an auto-prune policy",
    "delete_repo_notification": "a notification",
    "delete_namespace_notification": "a notification",
    "delete_repo_webhook": "a webhook",
}
KINDS = (*_REMOVED, "change_tag_immutability")


def detect(inputs: Inputs, params: Params) -> Iterator[Finding]:
    """One finding per account and namespace."""
    unlocked = (pl.col("kind") == "change_tag_immutability") & (text("immutable") == "false")
    acts = inputs.period_events.filter(pl.col("kind").is_in(list(_REMOVED)) | unlocked)
    acts = acts.filter(~pl.col("actor").is_in(params.allow_actors) | pl.col("actor").is_null())
    acts = acts.with_columns(object=pl.when(pl.col("repository").is_null()).then("namespace").otherwise(full_name()))
    for (source_id, namespace, actor), mine in acts.group_by("source_id", "namespace", "actor", maintain_order=True):
        what = sorted({_REMOVED.get(kind, "the immutability of a tag") for kind in mine["kind"]})
        yield Finding(
            source_id=str(source_id),
            subject=str(namespace),
            events=mine,
            summary=f"{actor or 'Somebody'} removed {', '.join(what)} in {namespace}.",
            related=related(mine, "actor", "object", "ip"),
        )


def _case(kind: str, **metadata: object) -> Inputs:
    return example([event(1, kind, actor="erin", namespace="acme", metadata=metadata)])


RULE = Rule(
    id="D20",
    name="guard-removed",
    version=1,
    title="Protection removed",
    severity=Severity.MEDIUM,
    techniques=("T1562",),
    kinds=KINDS,
    params=Params,
    detect=detect,
    description="Immutability, a quota, a prune policy or a notification is switched off.",
    false_positives="A change of policy: there should be a request for it.",
    runbook="Ask who decided it; look for overwritten tags (D13) and deletions (D14) afterwards.",
    fixtures=(
        Fixture(name="quota deleted", inputs=lambda: _case("org_delete_quota"), subjects=("acme",)),
        Fixture(
            name="tag unlocked", inputs=lambda: _case("change_tag_immutability", immutable=False), subjects=("acme",)
        ),
        Fixture(name="tag locked", inputs=lambda: _case("change_tag_immutability", immutable=True), subjects=()),
    ),
)
