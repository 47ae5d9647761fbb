"""The simulator's manifest operations: layers, labels, pulls and what the scanner found."""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from quayledger.simulator.api import access, views
from quayledger.simulator.api.operations import Operation
from quayledger.simulator.api.replies import Refusal, not_found, problem, quay_of, reply
from quayledger.simulator.clock import rfc_822
from quayledger.simulator.entities.content import Feature, Label, Manifest, Repository, Vulnerability
from quayledger.simulator.images import layer_media_type

_DISTRO = "rhel-8-updater"


def _named(request: Request, found: Repository) -> Manifest:
    """By digest, never by tag; what has no tag (an artifact that refers to another manifest) is not there, either."""
    manifest = found.manifests.get(request.path_params["manifestref"])
    if manifest is None or manifest.subject:
        raise not_found(request)
    return manifest


def _of(request: Request) -> Manifest:
    _, found = access.of_repository(request, "read")
    return _named(request, found)


def _one(request: Request) -> Response:
    manifest = _of(request)
    body: dict[str, Any] = {
        "digest": manifest.digest,
        "is_manifest_list": manifest.is_list,
        "manifest_data": manifest_text(manifest),
        "config_media_type": manifest.config_media_type,
        "layers_compressed_size": None if manifest.is_list else manifest.layers_bytes,
        "layers": None if manifest.is_list else _layers(manifest),
    }
    return reply(body)


def manifest_text(manifest: Manifest) -> str:
    """The manifest as it was pushed, nearly."""
    body: dict[str, Any] = {"schemaVersion": 2, "mediaType": manifest.media_type}
    if manifest.is_list:
        body["manifests"] = [
            {
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "digest": digest,
                "size": 1200,
                "platform": {"architecture": ("amd64", "arm64")[n % 2], "os": "linux"},
            }
            for n, digest in enumerate(manifest.children)
        ]
        return json.dumps(body)
    media_type = layer_media_type(manifest)
    if manifest.config is not None:
        config = {"mediaType": manifest.config_media_type, "digest": manifest.config.digest}
        body["config"] = config | {"size": manifest.config.size}
    body["layers"] = [{"mediaType": media_type, "digest": b.digest, "size": b.size} for b in manifest.layers]
    return json.dumps(body)


def _layers(manifest: Manifest) -> list[dict[str, Any]]:
    return [
        {
            "index": number,
            "compressed_size": blob.size,
            "is_remote": False,
            "urls": None,
            "command": [f"layer {number}"],
            "comment": None,
            "author": None,
            "blob_digest": blob.digest,
            "created_datetime": rfc_822(manifest.created_us),
        }
        for number, blob in enumerate(manifest.layers)
    ]


def _label(label: Label) -> dict[str, Any]:
    return {
        "id": label.uuid,
        "key": label.key,
        "value": label.value,
        "source_type": label.source,
        "media_type": label.media_type,
    }


def _labels(request: Request) -> Response:
    """`filter` is how a key begins."""
    prefix = request.query_params.get("filter") or ""
    return reply({"labels": [_label(one) for one in _of(request).labels if one.key.startswith(prefix)]})


def _one_label(request: Request) -> Response:
    for one in _of(request).labels:
        if one.uuid == request.path_params["labelid"]:
            return reply(_label(one))
    raise not_found(request)


def _pulls(request: Request) -> Response:
    manifest = _of(request)
    body = {"manifest_digest": manifest.digest, "manifest_pull_count": manifest.pulls}
    return reply(body | {"last_manifest_pull_date": views.stamp(manifest.last_pull_us)})


def _security(request: Request) -> Response:
    """Vulnerabilities come whether asked for or not. A scanner that is down is a 520."""
    manifest, quay = _of(request), quay_of(request)
    if quay.config.scanner_state == "down":
        raise _down(request)
    status = manifest.scan.status_at(quay.clock.now_us())
    if quay.config.scanner_state == "idle":
        status = "queued"
    return reply({"status": status, "data": {"Layer": _layer(manifest)} if status == "scanned" else None})


def _down(request: Request) -> Refusal:
    return problem(request, "downstream_issue", "Security scan service unavailable", 520)


def _layer(manifest: Manifest) -> dict[str, Any]:
    added_by = manifest.layers[0].digest if manifest.layers else ""
    return {
        "Name": manifest.digest,
        "ParentName": "",
        "NamespaceName": "",
        "IndexedByVersion": 4,
        "Features": [_feature(one, added_by) for one in manifest.scan.features],
    }


def _feature(feature: Feature, added_by: str) -> dict[str, Any]:
    return {
        "Name": feature.name,
        "VersionFormat": "",
        "NamespaceName": "",
        "AddedBy": added_by,
        "Version": feature.version,
        "BaseScores": [],
        "CVEIds": list(feature.cves),
        "Vulnerabilities": [_vulnerability(one) for one in feature.vulnerabilities],
    }


def _vulnerability(one: Vulnerability) -> dict[str, Any]:
    return {
        "Severity": one.severity,
        "NamespaceName": _DISTRO,
        "Link": one.link,
        "FixedBy": one.fixed_by,
        "Description": one.description,
        "Name": one.name,
        "Metadata": {
            "UpdatedBy": _DISTRO,
            "RepoName": None,
            "RepoLink": None,
            "DistroName": "Red Hat Enterprise Linux Server",
            "DistroVersion": "8",
            "NVD": {"CVSSv3": {"Vectors": "", "Score": ""}},
        },
    }


_PATH = "/repository/{repository}/manifest/{manifestref}"
OPERATIONS = (
    Operation("getRepoManifest", _PATH, _one, "repo:read", ("include_modelcard",)),
    Operation("listManifestLabels", f"{_PATH}/labels", _labels, "repo:read", ("filter",)),
    Operation("getManifestLabel", f"{_PATH}/labels/{{labelid}}", _one_label, "repo:read"),
    Operation("getManifestPullStatistics", f"{_PATH}/pull_statistics", _pulls, "repo:read", feature="pull_statistics"),
    Operation(
        "getRepoManifestSecurity",
        f"{_PATH}/security",
        _security,
        "repo:read",
        ("vulnerabilities",),
        feature="security_scanner",
    ),
)
