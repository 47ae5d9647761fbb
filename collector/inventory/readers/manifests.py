"""The inventory's readers of a manifest: what it is made of, what is said of it, what refers to it, what the scanner found."""

from __future__ import annotations

from collections import Counter

from quayledger.collector.inventory.inventory_run import InventoryRun
from quayledger.collector.inventory.readers.common import named, told
from quayledger.collector.inventory.results import Found, Row, brought, measured
from quayledger.collector.quay import manifests, referrers, security
from quayledger.collector.quay.security import Vulnerability

_SEVERITIES = ("critical", "high", "medium", "low")
_SCANNED = "scanned"


async def _manifest(run: InventoryRun, target: str) -> Found:
    namespace, name, digest = _digest(target)
    found = await manifests.get_manifest(run.client, f"{namespace}/{name}", digest, purpose="inventory")
    row = (
        namespace,
        name,
        digest,
        found.media_type,
        found.config_media_type,
        found.artifact_type,
        found.is_manifest_list,
        found.layers,
        found.layers_compressed_bytes,
    )
    return Found((brought("manifests", _authority(target), (row,)),))


async def _labels(run: InventoryRun, target: str) -> Found:
    namespace, name, digest = _digest(target)
    found = await manifests.list_labels(run.client, f"{namespace}/{name}", digest, purpose="inventory")
    rows = (
        (namespace, name, digest, row.id, row.key, row.value, row.source_type, row.media_type) for row in found.rows
    )
    return Found((brought("manifest_labels", _authority(target), rows),), rejected=told(found))


async def _referrers(run: InventoryRun, target: str) -> Found:
    namespace, name, digest = _digest(target)
    found = await referrers.list_referrers(run.client, f"{namespace}/{name}", digest, purpose="inventory")
    rows = (
        (namespace, name, digest, row.digest, row.media_type, row.artifact_type, row.size_bytes) for row in found.rows
    )
    return Found((brought("referrers", _authority(target), rows),), rejected=told(found))


async def _scan(run: InventoryRun, target: str) -> Found:
    """The result is the manifest's, whichever repository holds it: it is asked for once."""
    namespace, name, digest = _digest(target)
    found = await security.get_manifest_security(run.client, f"{namespace}/{name}", digest, purpose="inventory")
    if found.status != _SCANNED or found.features is None:
        point: Row = (digest, namespace, name, found.status, *(None,) * 7)
        return Found((), (measured("scans", (point,)),))
    distinct = {
        (feature.name, feature.version or "", vulnerability.name): vulnerability
        for feature in found.features
        for vulnerability in feature.vulnerabilities
    }
    rows = ((digest, *key, row.severity, row.fixed_by or None, row.link) for key, row in distinct.items())
    point = (digest, namespace, name, found.status, *_counts(list(distinct.values())), len(found.features))
    parts = (brought("vulnerabilities", {"digest": digest}, rows),)
    return Found(parts, (measured("scans", (point,)),), told(found.features))


def _counts(found: list[Vulnerability]) -> tuple[int, ...]:
    by_severity = Counter((row.severity or "").lower() for row in found)
    named_ones = tuple(by_severity[severity] for severity in _SEVERITIES)
    return (*named_ones, len(found) - sum(named_ones), sum(1 for row in found if row.fixed_by))


def _digest(target: str) -> tuple[str, str, str]:
    repository, _, digest = target.partition("@")
    return (*named(repository), digest)


def _authority(target: str) -> dict[str, str]:
    namespace, name, digest = _digest(target)
    return {"namespace": namespace, "repository": name, "digest": digest}


READERS = {"manifest": _manifest, "labels": _labels, "referrers": _referrers, "scan": _scan}
