"""The inventory's declared schemas: what is kept as validity intervals (families), and what is measured (series).

A family `x` is the table `x_history`, one row per object and interval in which it was the same, and the view `x` of what
holds now. A series is a table of points. Names of columns are the field's; every time is aware UTC, sizes are bytes.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import polars as pl

from quayledger.warehouse.schema import UTC_MICROSECONDS

Type = pl.DataType | type[pl.DataType]
_TEXT, _FLAG, _WHOLE, _REAL, _TIME = pl.String, pl.Boolean, pl.Int64, pl.Float64, UTC_MICROSECONDS

# What every interval carries. `from_at`: when it began, as near as is known: the time of the event that told of it, else
# of the fetch that first saw it; `after_at`: the last fetch before, which saw it otherwise or not at all (null: there was
# none, so it may be much older); `first_seen_at`: the fetch that saw it begun. `to_at` null: it holds still; else when it
# ended, as near as is known: after `to_after_at`, and by `to_seen_at`, the fetch that told so. `ended`: changed | gone.
INTERVAL_COLUMNS: dict[str, Type] = {
    "from_at": _TIME,
    "after_at": _TIME,
    "first_seen_at": _TIME,
    "from_run": _WHOLE,
    "to_at": _TIME,
    "to_after_at": _TIME,
    "to_seen_at": _TIME,
    "to_run": _WHOLE,
    "ended": _TEXT,
}


class Family(msgspec.Struct, frozen=True):
    """One kind of thing that changes. `key` names an object within its source, `values` is what may change about it;
    `one_row` says the grain, `title` is for people."""

    name: str
    title: str
    one_row: str
    key: Mapping[str, Type]
    values: Mapping[str, Type]

    @property
    def table(self) -> str:
        """The table of its intervals."""
        return f"{self.name}_history"

    @property
    def schema(self) -> dict[str, Type]:
        """Columns of what a fetch brings: key and values, without source and interval."""
        return {**self.key, **self.values}


class Presence(msgspec.Struct, frozen=True, kw_only=True):
    """Where the objects are that a series measures, so that what is gone does not count as present. `view`: what lists
    them; `key`: for each column of the series' key, the SQL that names it there."""

    view: str
    key: Mapping[str, str]


class Series(msgspec.Struct, frozen=True):
    """One kind of measurement. A point is added where a value of `values` differs from the newest of its `key`, or the
    newest is of another UTC day (not where a day is part of the key); `measured_at` and `run_id` come with every point.
    `presence`: where what it measures is listed while it is there; () where points stand for themselves."""

    name: str
    title: str
    one_row: str
    key: Mapping[str, Type]
    values: Mapping[str, Type]
    presence: tuple[Presence, ...] = ()

    @property
    def schema(self) -> dict[str, Type]:
        """Columns of what a fetch brings: key and values, without source, time and run."""
        return {**self.key, **self.values}

    @property
    def has_day(self) -> bool:
        """Whether a point is of a day by its key, whenever it was measured."""
        return "day" in self.key


_ORG: dict[str, Type] = {"organization": _TEXT}
_REPO: dict[str, Type] = {"namespace": _TEXT, "repository": _TEXT}
_DIGEST: dict[str, Type] = {**_REPO, "digest": _TEXT}

FAMILIES: tuple[Family, ...] = (
    Family(
        name="users",
        title="Users",
        one_row="One row per user, disabled ones too; robots are not among them.",
        key={"username": _TEXT},
        values={"email": _TEXT, "enabled": _FLAG, "verified": _FLAG, "superuser": _FLAG, "readonly_superuser": _FLAG},
    ),
    Family(
        name="organizations",
        title="Organizations",
        one_row="One row per organization.",
        key=_ORG,
        values={"email": _TEXT},
    ),
    Family(
        name="organization_settings",
        title="Settings of organizations",
        one_row="One row per organization whose settings may be read.",
        key=_ORG,
        values={"tag_expiration_s": _WHOLE, "invoice_email": _FLAG, "invoice_email_address": _TEXT},
    ),
    Family(
        name="organization_members",
        title="Members and collaborators",
        one_row="One row per organization and person: `relation` is member (in a team) or collaborator (direct permissions only).",
        key={**_ORG, "member": _TEXT, "relation": _TEXT},
        values={},
    ),
    Family(
        name="teams",
        title="Teams",
        one_row="One row per team; `role`: admin | creator | member.",
        key={**_ORG, "team": _TEXT},
        values={"role": _TEXT, "description": _TEXT, "is_synced": _FLAG},
    ),
    Family(
        name="team_members",
        title="Team members",
        one_row="One row per team and member; `member_kind`: user | robot | invite (then `member` is an e-mail address).",
        key={**_ORG, "team": _TEXT, "member": _TEXT},
        values={"member_kind": _TEXT, "invited": _FLAG},
    ),
    Family(
        name="robots",
        title="Robot accounts",
        one_row="One row per robot account; `robot` is its whole name, namespace+name.",
        key={"robot": _TEXT},
        values={"namespace": _TEXT, "description": _TEXT, "created_at": _TIME},
    ),
    Family(
        name="robot_federations",
        title="Robot federations",
        one_row="One row per outside identity (issuer and subject of OIDC) that may act as a robot.",
        key={"robot": _TEXT, "issuer": _TEXT, "subject": _TEXT},
        values={},
    ),
    Family(
        name="direct_access",
        title="Repositories with a permission of their own",
        one_row="One row per repository and user or robot that holds a direct permission on it, whatever the role; "
        "`told_by`: members | collaborators | robots.",
        key={**_REPO, "principal": _TEXT, "told_by": _TEXT},
        values={},
    ),
    Family(
        name="repository_permissions",
        title="Repository permissions",
        one_row="One row per repository and user, robot or team with a role (read | write | admin) on it.",
        key={**_REPO, "principal_kind": _TEXT, "principal": _TEXT},
        values={"role": _TEXT},
    ),
    Family(
        name="default_permissions",
        title="Default permissions",
        one_row="One row per default permission for repositories to come; `activating_user` null: whoever creates them; "
        "`delegate_kind`: user | robot | team.",
        key={**_ORG, "prototype_id": _TEXT},
        values={"activating_user": _TEXT, "delegate": _TEXT, "delegate_kind": _TEXT, "role": _TEXT},
    ),
    Family(
        name="applications",
        title="OAuth applications",
        one_row="One row per OAuth application; its secret is never kept.",
        key={**_ORG, "client_id": _TEXT},
        values={"application": _TEXT, "description": _TEXT, "application_uri": _TEXT, "redirect_uri": _TEXT},
    ),
    Family(
        name="app_tokens",
        title="Application tokens",
        one_row="One row per application-specific token; its code is never kept. `owner` null: the list does not name owners.",
        key={"uuid": _TEXT},
        values={"title": _TEXT, "owner": _TEXT, "created_at": _TIME, "expires_at": _TIME},
    ),
    Family(
        name="service_keys",
        title="Service keys",
        one_row="One row per service key of the registry.",
        key={"kid": _TEXT},
        values={
            "key_name": _TEXT,
            "service": _TEXT,
            "created_at": _TIME,
            "expires_at": _TIME,
            "approval_type": _TEXT,
            "approved_at": _TIME,
            "approver": _TEXT,
            "created_by": _TEXT,
        },
    ),
    Family(
        name="quotas",
        title="Quotas",
        one_row="One row per quota of a namespace; `namespace_kind`: user | organization.",
        key={"namespace": _TEXT, "quota_id": _WHOLE},
        values={"namespace_kind": _TEXT, "limit_bytes": _WHOLE},
    ),
    Family(
        name="quota_limits",
        title="Quota limits",
        one_row="One row per threshold of a quota; `limit_type`: Warning | Reject.",
        key={"namespace": _TEXT, "quota_id": _WHOLE, "limit_id": _WHOLE},
        values={"namespace_kind": _TEXT, "limit_type": _TEXT, "limit_percent": _WHOLE},
    ),
    Family(
        name="repositories",
        title="Repositories",
        one_row="One row per repository; `state`: NORMAL | READ_ONLY | MIRROR | MARKED_FOR_DELETION | …",
        key=_REPO,
        values={"repository_kind": _TEXT, "state": _TEXT, "is_public": _FLAG, "description": _TEXT},
    ),
    Family(
        name="repository_settings",
        title="Settings of repositories",
        one_row="One row per repository that was read by itself.",
        key=_REPO,
        values={"tag_expiration_s": _WHOLE, "trust_enabled": _FLAG},
    ),
    Family(
        name="tags",
        title="Tags",
        one_row="One row per tag and digest it stood for, past ones too (`ended_at` reached); `ordinal` tells equal ones apart.",
        key={**_REPO, "tag": _TEXT, "started_at": _TIME, "digest": _TEXT, "ordinal": _WHOLE},
        values={
            "ended_at": _TIME,
            "reversion": _FLAG,
            "is_manifest_list": _FLAG,
            "size_bytes": _WHOLE,
            "immutable": _FLAG,
        },
    ),
    Family(
        name="manifests",
        title="Manifests",
        one_row="One row per repository and manifest that was read by itself.",
        key=_DIGEST,
        values={
            "media_type": _TEXT,
            "config_media_type": _TEXT,
            "artifact_type": _TEXT,
            "is_manifest_list": _FLAG,
            "layers": _WHOLE,
            "layers_compressed_bytes": _WHOLE,
        },
    ),
    Family(
        name="manifest_labels",
        title="Manifest labels",
        one_row="One row per label of a manifest; `source_type`: manifest | api | internal.",
        key={**_DIGEST, "label_id": _TEXT},
        values={"label": _TEXT, "label_value": _TEXT, "source_type": _TEXT, "media_type": _TEXT},
    ),
    Family(
        name="referrers",
        title="Referrers",
        one_row="One row per artifact (signature, SBOM, attestation) that refers to a manifest.",
        key={**_DIGEST, "referrer_digest": _TEXT},
        values={"media_type": _TEXT, "artifact_type": _TEXT, "size_bytes": _WHOLE},
    ),
    Family(
        name="vulnerabilities",
        title="Vulnerabilities",
        one_row="One row per manifest, package and vulnerability that the scanner names.",
        key={"digest": _TEXT, "package": _TEXT, "package_version": _TEXT, "vulnerability": _TEXT},
        values={"severity": _TEXT, "fixed_by": _TEXT, "link": _TEXT},
    ),
    Family(
        name="mirrors",
        title="Mirrors",
        one_row="One row per repository that mirrors another; credentials are never kept.",
        key=_REPO,
        values={
            "is_enabled": _FLAG,
            "mirror_type": _TEXT,
            "external_reference": _TEXT,
            "external_username": _TEXT,
            "verify_tls": _FLAG,
            "sync_interval_s": _WHOLE,
            "sync_status": _TEXT,
            "tag_rules": _TEXT,
            "robot": _TEXT,
        },
    ),
    Family(
        name="notifications",
        title="Notifications",
        one_row="One row per notification of a repository; `target` is a host, an address or a name, never a whole URL.",
        key={**_REPO, "uuid": _TEXT},
        values={"title": _TEXT, "event": _TEXT, "method": _TEXT, "target": _TEXT, "event_config": _TEXT},
    ),
    Family(
        name="triggers",
        title="Build triggers",
        one_row="One row per build trigger; its credentials are never kept.",
        key={**_REPO, "trigger_id": _TEXT},
        values={
            "service": _TEXT,
            "is_active": _FLAG,
            "enabled": _FLAG,
            "disabled_reason": _TEXT,
            "build_source": _TEXT,
            "dockerfile_path": _TEXT,
            "context": _TEXT,
        },
    ),
    Family(
        name="builds",
        title="Builds",
        one_row="One row per build and phase it was seen in.",
        key={**_REPO, "build_id": _TEXT},
        values={"phase": _TEXT, "started_at": _TIME, "trigger_id": _TEXT, "trigger_kind": _TEXT, "manual_user": _TEXT},
    ),
    Family(
        name="autoprune_policies",
        title="Auto-prune policies",
        one_row="One row per auto-prune policy; `repository` empty: of the whole namespace.",
        key={**_REPO, "uuid": _TEXT},
        values={"method": _TEXT, "policy_value": _TEXT, "tag_pattern": _TEXT, "tag_pattern_matches": _FLAG},
    ),
    Family(
        name="immutability_policies",
        title="Immutability policies",
        one_row="One row per policy by which tags cannot be changed; `repository` empty: of the whole organization.",
        key={**_REPO, "uuid": _TEXT},
        values={"tag_pattern": _TEXT, "tag_pattern_matches": _FLAG},
    ),
    Family(
        name="organization_mirrors",
        title="Organization mirrors",
        one_row="One row per organization that mirrors a namespace of another registry; credentials are never kept.",
        key=_ORG,
        values={
            "is_enabled": _FLAG,
            "external_registry_type": _TEXT,
            "external_registry": _TEXT,
            "external_namespace": _TEXT,
            "external_username": _TEXT,
            "verify_tls": _FLAG,
            "repository_filters": _TEXT,
            "robot": _TEXT,
            "visibility": _TEXT,
            "sync_interval_s": _WHOLE,
            "sync_status": _TEXT,
            "created_at": _TIME,
        },
    ),
    Family(
        name="mirrored_repositories",
        title="Repositories of organization mirrors",
        one_row="One row per repository that an organization's mirror found at its source; `created_as`: "
        "`namespace/name` here, null until it is created.",
        key={**_ORG, "external_repository": _TEXT},
        values={"sync_status": _TEXT, "created_as": _TEXT, "discovered_at": _TIME},
    ),
    Family(
        name="oauth_tokens",
        title="OAuth tokens",
        one_row="One row per access token of an organization's OAuth application; the token itself is never kept. `token_name` "
        "null: it was made before tokens had names.",
        key={**_ORG, "client_id": _TEXT, "uuid": _TEXT},
        values={
            "token_name": _TEXT,
            "scope": _TEXT,
            "created_at": _TIME,
            "created_by": _TEXT,
            "expires_at": _TIME,
        },
    ),
    Family(
        name="namespace_notifications",
        title="Notifications of organizations",
        one_row="One row per notification of an organization (quota alerts); `target` as of a repository's.",
        key={**_ORG, "uuid": _TEXT},
        values={"title": _TEXT, "event": _TEXT, "method": _TEXT, "target": _TEXT, "event_config": _TEXT},
    ),
    Family(
        name="mirror_health",
        title="Health of mirrors",
        one_row="One row per registry (`namespace` empty) on its mirrors, as Quay itself judges them; the numbers are "
        "repositories whose mirror is enabled.",
        key={"namespace": _TEXT},
        values={
            "is_healthy": _FLAG,
            "worker_status": _TEXT,
            "active_workers": _WHOLE,
            "mirrors": _WHOLE,
            "syncing": _WHOLE,
            "completed": _WHOLE,
            "failed": _WHOLE,
            "never_run": _WHOLE,
            "pending_tags": _WHOLE,
        },
    ),
    Family(
        name="registry_settings",
        title="Settings of the registry",
        one_row="One row per setting of the registry that decides what its log records and what it can do; `origin`: "
        "capabilities | config; `value`: JSON.",
        key={"origin": _TEXT, "setting": _TEXT},
        values={"value": _TEXT},
    ),
    Family(
        name="proxy_caches",
        title="Proxy caches",
        one_row="One row per organization that is a pull-through cache.",
        key=_ORG,
        values={"upstream_registry": _TEXT, "expiration_s": _WHOLE, "insecure": _FLAG},
    ),
    Family(
        name="messages",
        title="Global messages",
        one_row="One row per message that the registry shows to everybody.",
        key={"uuid": _TEXT},
        values={"content": _TEXT, "severity": _TEXT, "media_type": _TEXT},
    ),
    Family(
        name="stars",
        title="Stars",
        one_row="One row per repository that the token's own user starred.",
        key={"username": _TEXT, **_REPO},
        values={},
    ),
    Family(
        name="offered_operations",
        title="Operations offered",
        one_row="One row per operation that the registry's own reference lists; features that are off are missing.",
        key={"operation": _TEXT},
        values={},
    ),
)

SERIES: tuple[Series, ...] = (
    Series(
        name="sizes",
        title="Sizes",
        one_row="One row per registry, namespace or repository (`level`; the names that do not apply are empty) and measurement. "
        "`backfill`: complete | running | waiting, '' where Quay does not say; only complete ones are whole sizes. "
        "`calculated_at`: when Quay last summed the registry up.",
        key={"level": _TEXT, "namespace": _TEXT, "repository": _TEXT},
        values={
            "size_bytes": _WHOLE,
            "limit_bytes": _WHOLE,
            "backfill": _TEXT,
            "popularity": _REAL,
            "last_modified_at": _TIME,
            "calculated_at": _TIME,
        },
        presence=(
            Presence(view="sources", key={"level": "'registry'", "namespace": "''", "repository": "''"}),
            Presence(
                view="organizations", key={"level": "'namespace'", "namespace": "organization", "repository": "''"}
            ),
            Presence(view="users", key={"level": "'namespace'", "namespace": "username", "repository": "''"}),
            Presence(
                view="repositories",
                key={"level": "'repository'", "namespace": "namespace", "repository": "repository"},
            ),
        ),
    ),
    Series(
        name="last_uses",
        title="Last uses as Quay tells them",
        one_row="One row per robot, app_token, oauth_token, tag or manifest (`subject_kind`) and measurement; `last_used_at` null: never, as "
        "far as Quay knows; `uses` null: not counted.",
        key={"subject_kind": _TEXT, "subject": _TEXT},
        values={"last_used_at": _TIME, "uses": _WHOLE},
        presence=(
            Presence(view="robots", key={"subject_kind": "'robot'", "subject": "robot"}),
            Presence(view="app_tokens", key={"subject_kind": "'app_token'", "subject": "uuid"}),
            Presence(view="oauth_tokens", key={"subject_kind": "'oauth_token'", "subject": "uuid"}),
            Presence(
                view="tags", key={"subject_kind": "'tag'", "subject": "concat(namespace, '/', repository, ':', tag)"}
            ),
            Presence(
                view="tags",
                key={"subject_kind": "'manifest'", "subject": "concat(namespace, '/', repository, '@', digest)"},
            ),
        ),
    ),
    Series(
        name="scans",
        title="Scan results",
        one_row="One row per manifest and scan result; numbers count distinct (package, vulnerability) by severity, null where "
        "the status is not scanned.",
        key={"digest": _TEXT},
        values={
            "namespace": _TEXT,
            "repository": _TEXT,
            "status": _TEXT,
            "critical": _WHOLE,
            "high": _WHOLE,
            "medium": _WHOLE,
            "low": _WHOLE,
            "other": _WHOLE,
            "fixable": _WHOLE,
            "packages": _WHOLE,
        },
        presence=(Presence(view="tags", key={"digest": "digest"}),),
    ),
    Series(
        name="repository_actions",
        title="Actions a day as Quay counts them",
        one_row="One row per repository, UTC day and count of that day; Quay gives about three months of them.",
        key={**_REPO, "day": pl.Date},
        values={"actions": _WHOLE},
    ),
)

FAMILY = {family.name: family for family in FAMILIES}
SERIES_BY_NAME = {series.name: series for series in SERIES}


def family_of(name: str) -> Family:
    """The family of that name. Raises ValueError where there is none."""
    if (found := FAMILY.get(name)) is None:
        raise ValueError(f"there is no family {name!r}: the families are {', '.join(FAMILY)}")
    return found


def series_of(name: str) -> Series:
    """The series of that name. Raises ValueError where there is none."""
    if (found := SERIES_BY_NAME.get(name)) is None:
        raise ValueError(f"there is no series {name!r}: the series are {', '.join(SERIES_BY_NAME)}")
    return found
