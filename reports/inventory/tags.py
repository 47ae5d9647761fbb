"""Tags as the inventory knows them: their images over time, who pushed those, and what is known of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from quayledger.reports import formatting
from quayledger.reports.inventory.accounts import Found
from quayledger.reports.inventory.inventory_query import Asked, Drawn
from quayledger.reports.inventory.kinds import Fate, Subject
from quayledger.reports.inventory.knowledge import one
from quayledger.reports.model import Metric
from quayledger.warehouse.inventory import reader

_KEY = ["source_id", "namespace", "repository", "tag", "started_at", "digest", "ordinal"]
# Words in an artifact's type, and what such an artifact is.
_ROLES = (
    ("cosign.artifact.sig", "signature"),
    ("sigstore.bundle", "signature"),
    ("notary.signature", "signature"),
    ("in-toto", "attestation"),
    ("attestation", "attestation"),
    ("spdx", "SBOM"),
    ("cyclonedx", "SBOM"),
    ("syft", "SBOM"),
)
_SEVERITIES = ("critical", "high", "medium", "low", "negligible", "unknown")
_STOOD_FOR = {
    "started_at": "From",
    "ends_at": "To",
    "size_bytes": "",
    "overwritten": "Overwrote",
    "immutable": "",
    "actor": "Pushed by",
    "confidence": "Confidence",
    "digest": "",
    "previous_digest": "Before",
}
_PUSHED = (
    "pushed_at",
    "actor",
    "actor_type",
    "credential",
    "ip",
    "user_agent",
    "event_kind",
    "confidence",
    "candidates",
    "event_id",
)


_SHOWN_AT = (*_KEY[1:], "size_bytes", "immutable", "is_manifest_list", "ended_at")
_LISTED = ("name", "size_bytes", "started_at", "ended_at", "immutable", "is_manifest_list", "digest")


def named_tags(asked: Asked) -> tuple[pl.DataFrame, dict[str, int] | None]:
    """The tags there were at the moment by their whole names, as many as are asked for, without what a list does not show; and
    of all of them: tags, digests, expiring; None where the frame holds all of them."""
    if asked.at is not None:
        return tags_at(asked, {}), None
    source_ids, within = asked.source_ids, asked.within
    by = "ended_at" if asked.by == "ends_at" else asked.by
    found = reader.tags_now(
        asked.snapshot,
        asked.moment,
        _LISTED,
        source_ids=source_ids,
        within=within,
        by=by if by in (*_LISTED, "") else "",
        limit=asked.top,
    )
    totals = reader.tag_totals_now(asked.snapshot, asked.moment, source_ids=source_ids, within=within)
    return found.rename({"ended_at": "ends_at"}), totals.row(0, named=True)


def tag_counts(asked: Asked) -> pl.DataFrame:
    """How many tags each repository had at the moment: source_id, namespace, repository, tags."""
    if asked.at is None:
        return reader.tag_counts_now(asked.snapshot, asked.moment, source_ids=asked.source_ids)
    return tags_at(asked, {}).group_by(*_KEY[:3]).agg(pl.len().cast(pl.Int64).alias("tags"))


def stretches(asked: Asked, where: Mapping[str, str]) -> pl.DataFrame:
    """Every stretch of tags that had begun at the moment, by Quay's own history of them, which reaches further back than the
    first read; `ends_at`: when it ended or will end, or was told no more (null: it does not)."""
    told = reader.history(asked.snapshot, "tags", source_ids=asked.source_ids, where=where)
    last = told.sort("from_at").unique(_KEY, keep="last", maintain_order=True)
    gone_at = pl.when(pl.col("ended") == "gone").then("to_at")
    frame = last.with_columns(pl.min_horizontal("ended_at", gone_at).alias("ends_at"))
    return frame.filter(pl.col("started_at") <= asked.moment).sort(_KEY)


def tags_at(asked: Asked, where: Mapping[str, str]) -> pl.DataFrame:
    """The tags there were at the moment, with what they stood for; in no order."""
    if asked.at is None:
        found = reader.tags_now(
            asked.snapshot, asked.moment, _SHOWN_AT, source_ids=asked.source_ids, where=where or None
        )
        return found.with_columns(pl.col("ended_at").alias("ends_at"))
    frame = stretches(asked, where)
    return frame.filter(pl.col("ends_at").is_null() | (pl.col("ends_at") > asked.moment))


def pushes_of(asked: Asked, where: Mapping[str, str]) -> pl.DataFrame:
    """Who pushed each stretch of these tags, newest first."""
    found = reader.pushers(
        asked.snapshot,
        source_ids=asked.source_ids,
        namespace=where["namespace"],
        repository=where["repository"],
        tag=where.get("tag"),
        limit=0,
    )
    return found.filter(pl.col("started_at") <= asked.moment).unique(
        ["source_id", "tag", "started_at", "digest"], keep="first", maintain_order=True
    )


def tag(asked: Asked, subject: Subject, fates: Sequence[Fate]) -> Found:
    """What is known of a tag, and of the manifest that it stands for or stood for last."""
    frame, pushes = stretches(asked, subject.where), pushes_of(asked, subject.where)
    last = frame.sort("started_at", "ends_at", nulls_last=True).tail(1)
    digest = str(last["digest"][0]) if last.height else ""
    place = f"{subject.parts[0]}/{subject.parts[1]}@{digest}"
    where = {"namespace": subject.parts[0], "repository": subject.parts[1], "digest": digest}
    referrers, scan = _referrers(asked, where, place), _scan(asked, digest, place)
    found = _vulnerabilities(asked, digest, place)
    drawn = [
        _digests(asked, subject, frame, pushes, last),
        _who(asked, subject, pushes),
        _manifest(asked, where, place),
        _labels(asked, where, place),
        referrers,
        scan,
        found,
    ]
    return _metrics(last, frame, referrers, scan), drawn if digest else drawn[:2]


def _metrics(last: pl.DataFrame, frame: pl.DataFrame, referrers: Drawn, scan: Drawn) -> list[Metric]:
    roles = referrers.table.frame["role"].to_list()
    read = all(part.known for part in referrers.parts)
    sizes, results = last["size_bytes"].drop_nulls(), scan.table.frame
    return [
        Metric("digests", "Digests", frame["digest"].n_unique(), explanation="manifests that the tag has pointed to"),
        Metric("size_bytes", "Size", None if sizes.is_empty() else float(sizes[0]), "bytes"),
        *(
            Metric(
                name,
                label,
                roles.count(role) if read or role in roles else None,
                explanation="artifacts that refer to this manifest",
            )
            for name, label, role in (
                ("signatures", "Signatures", "signature"),
                ("attestations", "Attestations", "attestation"),
                ("sboms", "SBOMs", "SBOM"),
            )
        ),
        *(
            Metric(name, f"{name.capitalize()} vulnerabilities", results[name][0] if results.height else None)
            for name in ("critical", "high")
        ),
    ]


def _digests(asked: Asked, subject: Subject, frame: pl.DataFrame, pushes: pl.DataFrame, last: pl.DataFrame) -> Drawn:
    place = ["source_id", "tag", "started_at", "digest"]
    pushed = pushes.select(*place, "previous_digest", "overwritten", "actor", "confidence")
    joined = frame.join(pushed, on=place, how="left").sort("started_at", descending=True)
    needs = [one(asked.source_ids, tag=subject.name, tags="/".join(subject.parts[:2]))]
    ends = [moment for moment in last["ends_at"] if moment is not None and moment <= asked.moment]
    note = f"The tag was removed {formatting.moment(ends[0])}. What follows is about its last digest." if ends else ""
    names = tuple(_STOOD_FOR)
    labels = {name: label for name, label in _STOOD_FOR.items() if label}
    return asked.draw("digests", "Tag history", joined, names, needs, note=note, labels=labels)


def _who(asked: Asked, subject: Subject, pushes: pl.DataFrame) -> Drawn:
    note = "" if pushes.height else "unknown: the tag's history has not been read"
    names = ("started_at", *_PUSHED)
    labels = {"started_at": "From", "confidence": "Confidence", "actor": "Pushed by"}
    frame = pushes.with_columns(
        pl.col("confidence").replace(
            {"unknown": "unknown: no matching event", "ambiguous": "ambiguous: several pushes match"}
        )
    )
    return asked.draw("pushes", "Who pushed it", frame, names, note=note, empty="", labels=labels)


def _manifest(asked: Asked, where: Mapping[str, str], place: str) -> Drawn:
    names = (
        "media_type",
        "artifact_type",
        "config_media_type",
        "is_manifest_list",
        "layers",
        "layers_compressed_bytes",
        "digest",
    )
    return asked.draw(
        "manifest", "Manifest", asked.state("manifests", **where), names, [one(asked.source_ids, manifest=place)]
    )


def _labels(asked: Asked, where: Mapping[str, str], place: str) -> Drawn:
    frame = asked.state("manifest_labels", **where).sort("label", "label_value")
    names = ("label", "label_value", "source_type", "from_at")
    return asked.draw("labels", "Labels", frame, names, [one(asked.source_ids, labels=place)])


def _referrers(asked: Asked, where: Mapping[str, str], place: str) -> Drawn:
    """What refers to the manifest, and what that is."""
    frame = asked.state("referrers", **where)
    names = ("role", "artifact_type", "media_type", "size_bytes", "from_at", "referrer_digest")
    return asked.draw(
        "referrers",
        "Signatures, SBOMs and attestations",
        frame.with_columns(artifact_role().alias("role")),
        names,
        [one(asked.source_ids, referrers=place)],
        labels={"role": "What it is"},
        empty="none",
    )


def artifact_role() -> pl.Expr:
    """What a referring artifact is (signature, attestation, SBOM, other), by its types."""
    kind = pl.coalesce("artifact_type", "media_type", pl.lit("")).str.to_lowercase()
    role = pl.lit("other")
    for word, meaning in reversed(_ROLES):
        role = pl.when(kind.str.contains(word, literal=True)).then(pl.lit(meaning)).otherwise(role)
    return role


def _scan(asked: Asked, digest: str, place: str) -> Drawn:
    frame = asked.newest("scans", digest=digest)
    names = ("status", "critical", "high", "medium", "low", "other", "fixable", "packages", "measured_at")
    return asked.draw("scan", "Scan", frame, names, [one(asked.source_ids, scan=place)], empty="not scanned")


def _vulnerabilities(asked: Asked, digest: str, place: str) -> Drawn:
    order = {severity: rank for rank, severity in enumerate(_SEVERITIES)}
    rank = pl.col("severity").str.to_lowercase().replace_strict(order, default=len(order), return_dtype=pl.Int64)
    frame = asked.state("vulnerabilities", digest=digest).sort(rank, "vulnerability", "package")
    names = ("vulnerability", "severity", "package", "package_version", "fixed_by", "link", "first_seen_at")
    needs = [one(asked.source_ids, scan=place)]
    return asked.draw("vulnerabilities", "Vulnerabilities", frame, names, needs)
