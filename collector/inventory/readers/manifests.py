"""The inventory's readers of a manifest: layers, labels, referrers, and vulnerabilities."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from quayledger.collector.inventory.inventory_run import InventoryRun
from quayledger.collector.inventory.readers.common import in_repository, reasons
from quayledger.collector.inventory.results import FetchResult, Row, family_rows, series_rows
from quayledger.collector.quay import manifests, referrers, security
from quayledger.collector.quay.security import Vulnerability

_SEVERITIES = ("critical", "high", "medium", "low")
_COUNTS = (*_SEVERITIES, "other", "fixable", "packages")
_SCANNED = "scanned"


async def _manifest(run: InventoryRun, target: str) -> FetchResult:
    repository, key = _key(target)
    found = await manifests.get_manifest(run.client, repository, key["digest"], purpose="inventory")
    row = {
        **key,
        "media_type": found.media_type,
        "config_media_type": found.config_media_type,
        "artifact_type": found.artifact_type,
        "is_manifest_list": found.is_manifest_list,
        "layers": found.layers,
        "layers_compressed_bytes": found.layers_compressed_bytes,
    }
    return FetchResult((family_rows("manifests", key, (row,)),))


async def _labels(run: InventoryRun, target: str) -> FetchResult:
    repository, key = _key(target)
    found = await manifests.list_labels(run.client, repository, key["digest"], purpose="inventory")
    rows = (
        {
            **key,
            "label_id": row.id,
            "label": row.key,
            "label_value": row.value,
            "source_type": row.source_type,
            "media_type": row.media_type,
        }
        for row in found.rows
    )
    return FetchResult((family_rows("manifest_labels", key, rows),), rejected=reasons(found))


async def _referrers(run: InventoryRun, target: str) -> FetchResult:
    repository, key = _key(target)
    found = await referrers.list_referrers(run.client, repository, key["digest"], purpose="inventory")
    rows = (
        {
            **key,
            "referrer_digest": row.digest,
            "media_type": row.media_type,
            "artifact_type": row.artifact_type,
            "size_bytes": row.size_bytes,
        }
        for row in found.rows
    )
    return FetchResult((family_rows("referrers", key, rows),), rejected=reasons(found))


async def _scan(run: InventoryRun, target: str) -> FetchResult:
    """The result is the manifest's, whichever repository holds it: it is asked for once."""
    repository, key = _key(target)
    found = await security.get_manifest_security(run.client, repository, key["digest"], purpose="inventory")
    point: dict[str, object] = {**key, "status": found.status, **dict.fromkeys(_COUNTS)}
    if found.status != _SCANNED or found.features is None:
        return FetchResult((), (series_rows("scans", (point,)),))
    distinct = {
        (feature.name, feature.version or "", vulnerability.name): vulnerability
        for feature in found.features
        for vulnerability in feature.vulnerabilities
    }
    point |= {**_counts(list(distinct.values())), "packages": len(found.features)}
    parts = (family_rows("vulnerabilities", {"digest": key["digest"]}, _vulnerability_rows(key["digest"], distinct)),)
    return FetchResult(parts, (series_rows("scans", (point,)),), reasons(found.features))


def _vulnerability_rows(digest: str, distinct: dict[tuple[str, str, str], Vulnerability]) -> Iterable[Row]:
    return (
        {
            "digest": digest,
            "package": package,
            "package_version": version,
            "vulnerability": name,
            "severity": row.severity,
            "fixed_by": row.fixed_by or None,
            "link": row.link,
        }
        for (package, version, name), row in distinct.items()
    )


def _counts(found: list[Vulnerability]) -> dict[str, int]:
    by_severity = Counter((row.severity or "").lower() for row in found)
    named = {severity: by_severity[severity] for severity in _SEVERITIES}
    fixable = sum(1 for row in found if row.fixed_by)
    return {**named, "other": len(found) - sum(named.values()), "fixable": fixable}


def _key(target: str) -> tuple[str, dict[str, str]]:
    """The repository of a manifest's target, and its key."""
    repository, _, digest = target.partition("@")
    return repository, {**in_repository(repository), "digest": digest}


READERS = {"manifest": _manifest, "labels": _labels, "referrers": _referrers, "scan": _scan}
