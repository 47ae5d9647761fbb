"""D13: a release tag that was there already is pushed again or moved."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import polars as pl

from quayledger.reports.detections.model import (
    NOON,
    TAG_SCHEMA,
    Finding,
    Fixture,
    Inputs,
    Rule,
    Severity,
    event,
    example,
)
from quayledger.reports.detections.windows import full_name, listed, related


class Params(msgspec.Struct, frozen=True):
    """`release`: what a release tag looks like (a regular expression). `protected`: more such tags, by name."""

    release: str = r"^v?\d+\.\d+(\.\d+)*([-+][0-9A-Za-z.-]+)?$"
    protected: tuple[str, ...] = ()
    allow_actors: tuple[str, ...] = ()


_KEY = ["source_id", "namespace", "repository", "tag"]
_SETTING = ("push_repo", "create_tag", "move_tag", "revert_tag")
_REMOVING = ("delete_tag", "permanently_delete_tag", "autoprune_tag_delete")


def detect(inputs: Inputs, params: Params) -> Iterator[Finding]:
    """One finding per repository and account, with the tags that it overwrote."""
    kinds = (*_SETTING, *_REMOVING)
    changes = inputs.period_events.filter(pl.col("kind").is_in(kinds), pl.col("tag").is_not_null())
    release = pl.col("tag").str.contains(params.release) | pl.col("tag").is_in(params.protected)
    changes = changes.filter(release).select([*_KEY, "event_id", "occurred_at", "kind", "actor", "digest", "ip"])
    before = inputs.tags.filter(release).select(
        *_KEY,
        pl.lit(None, pl.String).alias("event_id"),
        pl.col("last_at").alias("occurred_at"),
        pl.lit("push_repo").alias("kind"),
        pl.col("last_actor").alias("actor"),
        pl.col("last_digest").alias("digest"),
        pl.lit(None, pl.String).alias("ip"),
    )
    steps = pl.concat([before, changes], how="vertical").sort(*_KEY, "occurred_at")
    steps = steps.with_columns(
        pl.col("kind").shift(1).over(_KEY).alias("kind_before"),
        pl.col("actor").shift(1).over(_KEY).alias("actor_before"),
        pl.col("digest").shift(1).over(_KEY).alias("digest_before"),
    )
    overwrites = steps.filter(
        pl.col("event_id").is_not_null(),
        pl.col("kind").is_in(_SETTING),
        pl.col("kind_before").is_in(_SETTING),
        # The same image again overwrites nothing; a digest that is not known may be another.
        pl.col("digest").is_null() | pl.col("digest_before").is_null() | (pl.col("digest") != pl.col("digest_before")),
        ~pl.col("actor").is_in(params.allow_actors) | pl.col("actor").is_null(),
    ).with_columns(object=full_name())
    for (source_id, name, actor), mine in overwrites.group_by("source_id", "object", "actor", maintain_order=True):
        other = {one for one in mine["actor_before"].to_list() if one is not None}
        stranger = bool(other) and actor not in other
        by = f"; {listed(sorted(other))} had set it before" if stranger else ""
        yield Finding(
            source_id=str(source_id),
            subject=str(name),
            events=mine,
            summary=f"{actor or 'Somebody'} overwrote release tags of {name}: {listed(mine['tag'])}{by}.",
            severity=Severity.HIGH if stranger else None,
            related=related(mine, "tag", "actor", "ip"),
        )


def _case(actor: str, tag: str = "1.4.0", digest: str = "sha256:bb") -> Inputs:
    row = ("main", "acme", "web", tag, NOON, "acme+ci", "sha256:aa")
    columns = {"namespace": "acme", "repository": "web", "tag": tag, "digest": digest}
    return example(
        [event(9, "push_repo", actor=actor, ip="10.0.0.4", **columns)],
        tags=pl.DataFrame([row], schema=TAG_SCHEMA, orient="row"),
    )


RULE = Rule(
    id="D13",
    name="release-overwritten",
    version=1,
    title="Release tag overwritten",
    severity=Severity.INFO,
    techniques=("T1525", "T1195.002"),
    kinds=_SETTING,
    context_kinds=_REMOVING,
    params=Params,
    detect=detect,
    description="A tag that looks like a release and stood for one image now stands for another: high where another account "
    "had set it, for information where the same one did.",
    false_positives="A pipeline that builds a release twice. Make release tags immutable, and it cannot.",
    runbook="Compare the two images; who pulled the tag since? Move the tag back and make it immutable.",
    fixtures=(
        Fixture(name="by somebody else", inputs=lambda: _case("dave"), subjects=("acme/web",)),
        Fixture(name="by the same robot", inputs=lambda: _case("acme+ci"), subjects=("acme/web",)),
        Fixture(name="the same image", inputs=lambda: _case("dave", digest="sha256:aa"), subjects=()),
        Fixture(name="no release", inputs=lambda: _case("dave", tag="latest"), subjects=()),
    ),
)
