"""Who pushed what: each push, tag creation, move and restore, with the digest as surely as it is known, what
the tag pointed to before, and whether the image is signed."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
import polars as pl
from msgspec import Meta

from quayledger.reports.inventory.tags import artifact_role
from quayledger.reports.log.period_view import PeriodView
from quayledger.reports.model import Column, Metric, Note, Report
from quayledger.reports.security import event_report
from quayledger.reports.security.event_report import ACCOUNT, ORIGIN, TIME, text
from quayledger.reports.spec import NamespaceParam, PeriodParam, ReportSpec, SourcesParam, TopParam
from quayledger.warehouse.errors import NotPublished
from quayledger.warehouse.inventory import pushes as tag_pushes
from quayledger.warehouse.inventory import reader
from quayledger.warehouse.schema import UTC_MICROSECONDS
from quayledger.warehouse.snapshot import Snapshot

REPORT_ID = "pushes"
TITLE = "Who pushed what"
KINDS = ("push_repo", "create_tag", "move_tag", "revert_tag")
UNKNOWN = "unknown"
_COLUMNS = (
    TIME,
    *ACCOUNT,
    Column("repository", "Repository", "text"),
    Column("tag", "Tag", "text"),
    Column("digest", "Digest", "text"),
    Column(
        "confidence",
        "Digest known",
        "text",
        "exact: the event names it; by window: from the tag's history; else unknown",
    ),
    Column("overwritten", "Overwrote", "flag", "the tag pointed to another image until then"),
    Column("previous_digest", "Before", "text", "what the tag pointed to"),
    Column("signed", "Signed", "flag", "a signature refers to the image"),
    Column("attested", "Attested", "flag", "an attestation or SBOM refers to the image"),
    Column("kind", "Kind", "text"),
    *ORIGIN,
)
_KEY = ["source_id", "namespace", "repository", "digest"]
_FOUND = {
    "event_id": pl.String,
    "digest": pl.String,
    "previous_digest": pl.String,
    "overwritten": pl.Boolean,
    "confidence": pl.String,
}


class PushParams(msgspec.Struct, frozen=True, kw_only=True):
    """What may be asked of the report on pushes."""

    period: PeriodParam
    namespace: NamespaceParam = None
    repository: Annotated[str | None, Meta(description="Only this repository, as namespace/name.")] = None
    tag: Annotated[str | None, Meta(description="Only this tag.")] = None
    digest: Annotated[str | None, Meta(description="Only this digest, where it is known.")] = None
    actor: Annotated[str | None, Meta(description="Only this user or robot.")] = None
    sources: SourcesParam = ()
    top: TopParam = 0


def build(snapshot: Snapshot, params: PushParams, *, now: datetime | None = None) -> Report:
    """Who pushed what in a period, newest first. `now`: when it is made (aware).

    Tables `pushes` (time, account, repository, tag, digest and how surely it is known, what the tag pointed to before, signed,
    origin) and `by_account`. A tag's history that no event explains is in `unexplained`. Errors: WarehouseError."""
    view = event_report.read_period(snapshot, params.period, params.namespace, params.sources)
    stretches = _stretches(view, params)
    rows = _signed(view, _joined(event_report.events_of(view, KINDS), stretches))
    rows = _narrowed(rows, params)
    empty = event_report.nothing(view, "push")
    unexplained = _unexplained(stretches, params)
    return event_report.report(
        REPORT_ID,
        TITLE,
        view,
        metrics=_metrics(rows, unexplained),
        tables=(
            event_report.table("pushes", "Pushes and moved tags", _COLUMNS, rows, params.top, empty=empty),
            event_report.table("by_account", "By account", _BY_ACCOUNT, _by_account(rows), params.top, empty=empty),
            event_report.table(
                "unexplained",
                "Changes of tags without an event",
                _UNEXPLAINED,
                unexplained,
                params.top,
                empty="Every change of a tag that the inventory knows has its event.",
            ),
        ),
        notes=_notes(stretches),
        now=now,
    )


def _stretches(view: PeriodView, params: PushParams) -> pl.DataFrame:
    """What tags pointed to from when on, with the events that began it; none where the inventory was never read."""
    namespace, _, repository = (params.repository or "").partition("/")
    period = view.period
    try:
        return tag_pushes.pushers(
            view.snapshot,
            source_ids=view.source_ids,
            namespace=namespace or view.namespace,
            repository=repository or None,
            tag=params.tag,
            since=period.since,
            until=period.until,
            limit=0,
        )
    except NotPublished:
        return pl.DataFrame(schema=tag_pushes.PUSH_SCHEMA)


def _joined(events: pl.DataFrame, stretches: pl.DataFrame) -> pl.DataFrame:
    """Each event with the digest that it set: its own, else that of the tag's history."""
    named = events.with_columns(
        pl.coalesce("digest", text("manifest_digest")).alias("own_digest"),
        text("original_manifest_digest").alias("own_previous"),
    ).drop("digest")
    found = stretches.drop_nulls("event_id").unique("event_id", keep="first", maintain_order=True).select(list(_FOUND))
    joined = named.join(found, on="event_id", how="left")
    exact = pl.col("own_digest").is_not_null()
    return joined.with_columns(
        pl.coalesce("own_digest", "digest").alias("digest"),
        pl.coalesce("own_previous", "previous_digest").alias("previous_digest"),
        pl.when(exact).then(pl.lit("exact")).otherwise(pl.col("confidence").fill_null(UNKNOWN)).alias("confidence"),
        pl.coalesce("overwritten", pl.when(pl.col("own_previous").is_not_null()).then(pl.lit(value=True))).alias(
            "overwritten"
        ),
    )


def _signed(view: PeriodView, rows: pl.DataFrame) -> pl.DataFrame:
    """With `signed` and `attested`, as of the newest: true where an artifact says so, false where the image's referrers were
    read, else not known."""
    nothing = pl.lit(None, pl.Boolean)
    try:
        referrers = reader.as_of(view.snapshot, "referrers", None, source_ids=view.source_ids)
        known = reader.knowledge(view.snapshot, None, view.source_ids)
    except NotPublished:
        return rows.with_columns(nothing.alias("signed"), nothing.alias("attested"))
    flags = (
        referrers.with_columns(artifact_role().alias("role"))
        .group_by(_KEY)
        .agg(
            (pl.col("role") == "signature").any().alias("signed"),
            pl.col("role").is_in(["attestation", "SBOM"]).any().alias("attested"),
        )
    )
    read = known.filter((pl.col("query") == "referrers") & (pl.col("state") == "ok")).select("source_id", "target")
    target = pl.concat_str("namespace", pl.lit("/"), "repository", pl.lit("@"), "digest").alias("target")
    joined = (
        rows.join(flags, on=_KEY, how="left")
        .with_columns(target)
        .join(read.with_columns(pl.lit(value=True).alias("is_read")), on=["source_id", "target"], how="left")
    )
    is_read = pl.col("is_read").fill_null(value=False)
    return joined.with_columns(
        pl.coalesce(name, pl.when(is_read).then(pl.lit(value=False))).alias(name) for name in ("signed", "attested")
    )


def _narrowed(rows: pl.DataFrame, params: PushParams) -> pl.DataFrame:
    """Only what was asked for; `repository` becomes the full name."""
    full = pl.concat_str("namespace", pl.lit("/"), "repository")
    rows = rows.with_columns(full.alias("repository"))
    for name in ("repository", "tag", "digest", "actor"):
        if (wanted := getattr(params, name)) is not None:
            rows = rows.filter(pl.col(name) == wanted)
    return rows


_BY_ACCOUNT = (
    *ACCOUNT,
    Column("pushes", "Pushes"),
    Column("repositories", "Repositories"),
    Column("overwrites", "Overwrites", unit="of tags that pointed elsewhere"),
    Column("addresses", "IP addresses"),
    Column("last_at", "Last", "time"),
)
_UNEXPLAINED = (
    Column("started_at", "Since", "time", "when the tag began to point to it"),
    Column("repository", "Repository", "text"),
    Column("tag", "Tag", "text"),
    Column("digest", "Digest", "text"),
    Column("confidence", "Event", "text", "unknown: none was found; ambiguous: several match"),
    Column("candidates", "Candidates"),
    Column("overwritten", "Overwrote", "flag"),
    Column("previous_digest", "Before", "text"),
    Column("actor", "Account", "text", "where all candidates agree"),
    Column("source_id", "Source", "text"),
)


def _by_account(rows: pl.DataFrame) -> pl.DataFrame:
    return (
        rows.group_by("actor", "actor_type")
        .agg(
            pl.len().cast(pl.Int64).alias("pushes"),
            pl.col("repository").n_unique().cast(pl.Int64).alias("repositories"),
            pl.col("overwritten").sum().cast(pl.Int64).alias("overwrites"),
            pl.col("ip").drop_nulls().n_unique().cast(pl.Int64).alias("addresses"),
            pl.col("occurred_at").max().cast(UTC_MICROSECONDS).alias("last_at"),
        )
        .sort("pushes", "actor", descending=[True, False], nulls_last=True)
    )


def _unexplained(stretches: pl.DataFrame, params: PushParams) -> pl.DataFrame:
    full = pl.concat_str("namespace", pl.lit("/"), "repository")
    rows = stretches.filter(pl.col("event_id").is_null()).with_columns(full.alias("repository"))
    if params.digest is not None:
        rows = rows.filter(pl.col("digest") == params.digest)
    if params.actor is not None:
        rows = rows.filter(pl.col("actor") == params.actor)
    return rows.sort("started_at", descending=True)


def _metrics(rows: pl.DataFrame, unexplained: pl.DataFrame) -> tuple[Metric, ...]:
    return (
        Metric("pushes", "Pushes and moved tags", rows.height),
        Metric("accounts", "Accounts", rows["actor"].drop_nulls().n_unique()),
        Metric("repositories", "Repositories", rows["repository"].n_unique() if rows.height else 0),
        Metric("overwrites", "Overwritten tags", int(rows["overwritten"].sum() or 0), explanation="as far as known"),
        Metric("digest_unknown", "Digest unknown", rows.filter(confidence=UNKNOWN).height),
        Metric("unexplained", "Changes without an event", unexplained.height),
    )


def _notes(stretches: pl.DataFrame) -> list[Note]:
    notes = [
        Note(
            "info",
            "A push event names the tag, not the digest. By window: the tag's history in Quay has exactly one change within five "
            "seconds of the push.",
        ),
        Note("info", "Signed and Attested are as of the newest reading of the inventory; – is not known."),
    ]
    if stretches.is_empty():
        notes.insert(0, Note("warning", "The inventory knows no tags of this period: most digests stay unknown."))
    return notes


SPEC = ReportSpec(
    id=REPORT_ID,
    title=TITLE,
    summary="Who pushed, created, moved or restored which tag, from where, to which digest, over what, and is it signed.",
    audience=("security", "compliance"),
    params=PushParams,
    build=build,
)
