"""The simulator's images: a manifest, its blobs, labels and scan result, all of them following from its digest."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence

from quayledger.simulator.clock import SECOND_US
from quayledger.simulator.entities.content import (
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER,
    Blob,
    Feature,
    Label,
    Manifest,
    Scan,
    Vulnerability,
)

_BASES = 12
_NAMES = (
    "bash",
    "curl",
    "expat",
    "glibc",
    "gnutls",
    "libxml2",
    "ncurses",
    "openssl",
    "python3",
    "sqlite",
    "xz",
    "zlib",
)
_SEVERITIES = ("Critical", "High", "Medium", "Medium", "Low", "Low", "Negligible", "Unknown")
SCAN_TAKES_US = 8 * 60 * SECOND_US


def digest_of(*parts: object) -> str:
    """A digest, always the same for the same parts."""
    return "sha256:" + hashlib.sha256(" ".join(map(str, parts)).encode()).hexdigest()


def uuid_of(*parts: object) -> str:
    """A UUID, always the same for the same parts."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, " ".join(map(str, parts))))


def image(digest: str, at_us: int, *, family: object = "", scanned_us: int | None = None) -> Manifest:
    """The image with that digest. Those of one `family` share their lower layers; the scan is done at `scanned_us`
    (default: some minutes after it was pushed)."""
    number = int(digest[7:23], 16)
    base = _base(_number_of(family) % _BASES)
    own = tuple(
        Blob(f"sha256:{(number * (7 + n)) % (1 << 64):016x}{digest[23:71]}", 20_000 + (number >> (8 * n)) % 3_000_000)
        for n in range(2 + number % 2)
    )
    config = Blob(f"sha256:c0{digest[9:]}", 600 + number % 900)
    made = Manifest(digest, at_us, config, base + own)
    made.labels = _labels(digest, number)
    made.scan = scan_of(number, at_us + SCAN_TAKES_US if scanned_us is None else scanned_us)
    return made


def index(digest: str, at_us: int, children: Sequence[Manifest]) -> Manifest:
    """A list of images; a scanner does not look at lists."""
    made = Manifest(digest, at_us, None, (), OCI_INDEX, None, tuple(child.digest for child in children))
    made.scan = Scan("unsupported")
    return made


def artifact(digest: str, at_us: int, subject: str, artifact_type: str = "application/spdx+json") -> Manifest:
    """An artifact that refers to an image: a signature, an SBOM, an attestation. It has no tag."""
    number = int(digest[7:23], 16)
    blob = Blob(f"sha256:a0{digest[9:]}", 2_000 + number % 40_000)
    made = Manifest(digest, at_us, Blob(f"sha256:b0{digest[9:]}", 2), (blob,), subject=subject)
    made.artifact_type, made.config_media_type = artifact_type, "application/vnd.oci.empty.v1+json"
    made.annotations = {"org.opencontainers.image.created": "2026-11-01T00:00:00Z"}
    made.scan = Scan("unsupported")
    return made


def scan_of(number: int, ready_us: int) -> Scan:
    """A scan result; about one in twenty fails or is not supported."""
    if number % 23 == 0:
        return Scan("failed", (), ready_us)
    if number % 29 == 0:
        return Scan("unsupported", (), ready_us)
    start, length = number % len(_FEATURES), 3 + number % 5
    return Scan("scanned", (_FEATURES * 2)[start : start + length], ready_us)


def vulnerability(number: int, severity: str) -> Vulnerability:
    """A vulnerability as the scanner tells of it."""
    return Vulnerability(
        f"RHSA-2026:{1000 + number}",
        severity,
        f"1:{1 + number % 3}.{number % 10}.2-{number % 7}" if number % 3 else "",
        f"https://access.redhat.com/errata/RHSA-2026:{1000 + number}",
        f"A flaw was found in the handling of input number {number}.",
    )


def layer_media_type(manifest: Manifest) -> str:
    """The media type of its layers."""
    return OCI_LAYER if manifest.config_media_type == OCI_CONFIG else "application/octet-stream"


def _features() -> tuple[Feature, ...]:
    made = []
    for number, name in enumerate(_NAMES):
        found = tuple(
            vulnerability(number * 10 + n, _SEVERITIES[(number + n) % len(_SEVERITIES)]) for n in range(number % 4)
        )
        cves = tuple(f"CVE-2026-{2000 + number * 10 + n}" for n in range(len(found)))
        made.append(Feature(name, f"{1 + number % 4}.{number}.{number % 5}-{number % 9}.el8", cves, found))
    return tuple(made)


def _labels(digest: str, number: int) -> list[Label]:
    if number % 3:
        return []
    made = {"org.opencontainers.image.vendor": "Example Ltd", "org.opencontainers.image.revision": digest[7:14]}
    return [Label(uuid_of("label", digest, key), key, value) for key, value in made.items()]


def _number_of(family: object) -> int:
    return int(hashlib.sha256(str(family).encode()).hexdigest()[:8], 16)


def _base(number: int) -> tuple[Blob, ...]:
    found = _bases.get(number)
    if found is None:
        sizes = (28_000_000 + number * 1_734_211, 3_000_000 + number * 211_733)
        found = tuple(Blob(digest_of("base", number, n), size) for n, size in enumerate(sizes))
        _bases[number] = found
    return found


_bases: dict[int, tuple[Blob, ...]] = {}
_FEATURES = _features()
