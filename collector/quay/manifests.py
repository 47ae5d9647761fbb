"""Manifests: the content of an image, and its labels (`/repository/{repository}/manifest/{digest}`). Chapter 8 of the API
reference. Quay accepts only digests here; a tag name is NotFound.
"""

from __future__ import annotations

import msgspec

from quayledger.collector.quay import paths
from quayledger.collector.quay.client import QuayClient
from quayledger.collector.quay.lenient_json import UNREADABLE
from quayledger.collector.quay.listing import NO_PARAMS, read_list, read_one
from quayledger.collector.quay.rows import Int64, Rows, reader, translated


class Manifest(msgspec.Struct, frozen=True):
    """A manifest. `media_type` and `artifact_type` come from the manifest itself, None if it has none; `layers`: number of
    layers, None for a manifest list."""

    digest: str
    is_manifest_list: bool | None = None
    media_type: str | None = None
    config_media_type: str | None = None
    artifact_type: str | None = None
    layers: Int64 | None = None
    layers_compressed_bytes: Int64 | None = None


class Label(msgspec.Struct, frozen=True):
    """A label of a manifest; `source_type`: manifest | api | internal."""

    id: str
    key: str
    value: str
    source_type: str | None = None
    media_type: str | None = None


class _Config(msgspec.Struct):
    media_type: str | None = msgspec.field(default=None, name="mediaType")


class _Data(msgspec.Struct):
    media_type: str | None = msgspec.field(default=None, name="mediaType")
    artifact_type: str | None = msgspec.field(default=None, name="artifactType")
    config: _Config | None = None


class _Manifest(msgspec.Struct):
    digest: str
    is_manifest_list: bool | None = None
    manifest_data: str | None = None
    config_media_type: str | None = None
    layers: tuple[msgspec.Raw, ...] | None = None
    layers_compressed_size: Int64 | None = None


_data = reader(_Data)


def _from_wire(wire: _Manifest) -> Manifest:
    data = _inner(wire.manifest_data)
    named = wire.config_media_type or (data.config.media_type if data.config else None)
    return Manifest(
        digest=wire.digest,
        is_manifest_list=wire.is_manifest_list,
        media_type=data.media_type,
        config_media_type=named,
        artifact_type=data.artifact_type,
        layers=None if wire.layers is None else len(wire.layers),
        layers_compressed_bytes=wire.layers_compressed_size,
    )


def _inner(text: str | None) -> _Data:
    """The manifest itself comes as text. If it cannot be read, its types are unknown."""
    try:
        return _data((text or "{}").encode())
    except UNREADABLE:
        return _Data()


_manifest = translated(_Manifest, _from_wire)
_label = reader(Label)


async def get_manifest(client: QuayClient, repository: str, digest: str, *, purpose: str = "inventory") -> Manifest:
    """`GET /repository/{repository}/manifest/{manifestref}` (getRepoManifest, 8.5); scope `repo:read`. Raises QuayError;
    NotFound, also for a manifest without a tag, such as the artifacts that refer to an image."""
    return await read_one(client, "manifest.get_manifest", _path(repository, digest), _manifest, purpose=purpose)


async def list_labels(
    client: QuayClient, repository: str, digest: str, *, prefix: str | None = None, purpose: str = "inventory"
) -> Rows[Label]:
    """`prefix`: only labels whose key starts with it. `GET /repository/{repository}/manifest/{manifestref}/labels`
    (listManifestLabels, 8.4); scope `repo:read`. Not paginated. Raises QuayError; NotFound."""
    params = NO_PARAMS if prefix is None else {"filter": prefix}
    path = f"{_path(repository, digest)}/labels"
    return await read_list(client, "manifest.list_labels", path, "labels", _label, params, purpose=purpose)


async def get_label(
    client: QuayClient, repository: str, digest: str, label_id: str, *, purpose: str = "inventory"
) -> Label:
    """`GET /repository/{repository}/manifest/{manifestref}/labels/{labelid}` (getManifestLabel, 8.1); scope `repo:read`. Raises
    QuayError; NotFound."""
    path = f"{_path(repository, digest)}/labels/{paths.segment(label_id)}"
    return await read_one(client, "manifest.get_label", path, _label, purpose=purpose)


def _path(repository: str, digest: str) -> str:
    return f"{paths.repository(repository)}/manifest/{paths.segment(digest)}"
