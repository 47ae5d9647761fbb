"""Security: vulnerabilities that the scanner found in a manifest (`/repository/{repository}/manifest/{digest}/security`). Chapter 20 of the
API reference.
"""

from __future__ import annotations

import msgspec

from quayledger.collector.quay import paths
from quayledger.collector.quay.client import QuayClient
from quayledger.collector.quay.listing import read_one
from quayledger.collector.quay.rows import Rows, read_rows, translated


class Vulnerability(msgspec.Struct, frozen=True, rename="pascal"):
    """A vulnerability of a package. `severity`: Critical | High | Medium | Low | Negligible | Unknown; `fixed_by`: the version,
    None if there is none; `link`: URLs separated by spaces."""

    name: str
    severity: str | None = None
    fixed_by: str | None = None
    link: str | None = None


class Feature(msgspec.Struct, frozen=True):
    """A package in the image and its known vulnerabilities."""

    name: str
    version: str | None = None
    vulnerabilities: tuple[Vulnerability, ...] = ()


class ManifestSecurity(msgspec.Struct, frozen=True):
    """`status`: scanned | queued | failed | unsupported | manifest_layer_too_large; `features` is None unless scanned."""

    status: str
    features: Rows[Feature] | None = None


class _Feature(msgspec.Struct, rename="pascal"):
    name: str
    version: str | None = None
    vulnerabilities: tuple[Vulnerability, ...] | None = None


class _Layer(msgspec.Struct, rename="pascal"):
    features: tuple[msgspec.Raw, ...] | None = None


class _Data(msgspec.Struct, rename="pascal"):
    layer: _Layer | None = None


class _Security(msgspec.Struct):
    status: str
    data: _Data | None = None


def _feature_from_wire(wire: _Feature) -> Feature:
    found = tuple(
        one if one.fixed_by else msgspec.structs.replace(one, fixed_by=None) for one in wire.vulnerabilities or ()
    )
    return Feature(wire.name, wire.version, found)


def _from_wire(wire: _Security) -> ManifestSecurity:
    layer = wire.data.layer if wire.data else None
    if layer is None:
        return ManifestSecurity(wire.status)
    return ManifestSecurity(wire.status, read_rows("Features", layer.features or (), _feature))


_feature = translated(_Feature, _feature_from_wire)
_security = translated(_Security, _from_wire)


async def get_manifest_security(
    client: QuayClient, repository: str, digest: str, *, purpose: str = "inventory"
) -> ManifestSecurity:
    """`GET /repository/{repository}/manifest/{manifestref}/security` (getRepoManifestSecurity, 20.1); scope `repo:read`. Raises
    QuayError; NotFound; ServerFailure (520) if the scanner does not answer, after at most one retry."""
    path = f"{paths.repository(repository)}/manifest/{paths.segment(digest)}/security"
    params = {"vulnerabilities": "true"}
    operation = "security.get_manifest_security"
    return await read_one(client, operation, path, _security, params, purpose=purpose, most_failures=2)
