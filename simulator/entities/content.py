"""The simulator's content: repositories with their tags, manifests, labels and scan results."""

from __future__ import annotations

import msgspec

from quayledger.simulator.entities.accounts import ImmutabilityPolicy, PrunePolicy
from quayledger.simulator.entities.builds import Build, Mirror, Notification, Trigger

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
NEVER_MS = 1 << 62


class Blob(msgspec.Struct, frozen=True, gc=False):
    """A layer or a config."""

    digest: str
    size: int


class Label(msgspec.Struct):
    """A label of a manifest; `source`: manifest (of the image's config) | api."""

    uuid: str
    key: str
    value: str
    source: str = "manifest"
    media_type: str = "text/plain"


class Vulnerability(msgspec.Struct, frozen=True):
    """What the scanner knows of a package."""

    name: str
    severity: str
    fixed_by: str = ""
    link: str = ""
    description: str = ""


class Feature(msgspec.Struct, frozen=True):
    """A package that the scanner found."""

    name: str
    version: str
    cves: tuple[str, ...] = ()
    vulnerabilities: tuple[Vulnerability, ...] = ()


class Scan(msgspec.Struct):
    """A scan's result; `status`: scanned | queued | failed | unsupported | manifest_layer_too_large. Until `ready_us` it
    is queued."""

    status: str = "scanned"
    features: tuple[Feature, ...] = ()
    ready_us: int = 0

    def status_at(self, now_us: int) -> str:
        """The status that is told then."""
        return self.status if now_us >= self.ready_us else "queued"


class Manifest(msgspec.Struct):
    """An image, a list of images (`children`), or an artifact that refers to another manifest (`subject`)."""

    digest: str
    created_us: int
    config: Blob | None = None
    layers: tuple[Blob, ...] = ()
    media_type: str = OCI_MANIFEST
    config_media_type: str | None = OCI_CONFIG
    children: tuple[str, ...] = ()
    subject: str = ""
    artifact_type: str = ""
    annotations: dict[str, str] | None = None
    manifest_bytes: int = 0  # of the manifest itself; 0: what its text is long
    labels: list[Label] = msgspec.field(default_factory=list)
    scan: Scan = msgspec.field(default_factory=Scan)
    pulls: int = 0
    last_pull_us: int | None = None

    @property
    def is_list(self) -> bool:
        """Whether it is a list of manifests."""
        return bool(self.children)

    @property
    def layers_bytes(self) -> int:
        """The compressed size of its layers."""
        return sum(layer.size for layer in self.layers)


class Tag(msgspec.Struct, gc=False):
    """A tag for as long as it stood for one manifest; times in milliseconds since 1970. `end_ms` may lie ahead."""

    name: str
    digest: str
    start_ms: int
    end_ms: int = NEVER_MS
    reversion: bool = False
    immutable: bool = False

    def is_alive(self, now_ms: int) -> bool:
        """Whether it stands then."""
        return now_ms < self.end_ms


class TagPulls(msgspec.Struct, gc=False):
    """How often a tag was pulled, and when last."""

    count: int = 0
    last_us: int | None = None


class Repository(msgspec.Struct):
    """A repository. `permissions`: role by id of a user or robot; `team_permissions`: by name of a team. `tags` has the
    whole history, oldest first; `current`: by name the newest. `actions`: log rows by day (days since 1970)."""

    id: int
    account_id: int
    name: str
    public: bool = False
    state: str = "NORMAL"
    description: str | None = ""
    kind: str = "image"
    deleted: bool = False  # marked for deletion: the name is a UUID by then
    trust_enabled: bool = False
    badge_token: str = ""
    permissions: dict[int, str] = msgspec.field(default_factory=dict)
    team_permissions: dict[str, str] = msgspec.field(default_factory=dict)
    tags: list[Tag] = msgspec.field(default_factory=list)
    current: dict[str, Tag] = msgspec.field(default_factory=dict)
    manifests: dict[str, Manifest] = msgspec.field(default_factory=dict)
    tag_pulls: dict[str, TagPulls] = msgspec.field(default_factory=dict)
    actions: dict[int, int] = msgspec.field(default_factory=dict)
    mirror: Mirror | None = None
    notifications: list[Notification] = msgspec.field(default_factory=list)
    triggers: list[Trigger] = msgspec.field(default_factory=list)
    builds: list[Build] = msgspec.field(default_factory=list)
    prune_policies: list[PrunePolicy] = msgspec.field(default_factory=list)
    immutability: list[ImmutabilityPolicy] = msgspec.field(default_factory=list)

    def standing(self, name: str, now_ms: int) -> Tag | None:
        """The tag of that name, where it stands then."""
        tag = self.current.get(name)
        return tag if tag is not None and tag.is_alive(now_ms) else None

    def alive(self, now_ms: int) -> list[Tag]:
        """The tags that stand then, newest first."""
        found = [tag for tag in self.current.values() if tag.is_alive(now_ms)]
        return sorted(found, key=lambda tag: -tag.start_ms)

    def put(self, tag: Tag) -> None:
        """A new tag; the one of its name before it ends."""
        before = self.current.get(tag.name)
        if before is not None:
            before.end_ms = min(before.end_ms, tag.start_ms)
        self.current[tag.name] = tag
        self.tags.append(tag)

    def trigger(self, uuid: str) -> Trigger | None:
        """By its id."""
        return next((trigger for trigger in self.triggers if trigger.uuid == uuid), None)

    def build(self, uuid: str) -> Build | None:
        """By its id."""
        return next((build for build in self.builds if build.uuid == uuid), None)
