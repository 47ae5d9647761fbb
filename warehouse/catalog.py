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
# of the look that first saw it; `after_at`: the last look before, which saw it otherwise or not at all (null: there was
# none, so it may be much older); `first_seen_at`: the look that saw it begun. `to_at` null: it holds still; else when it
# ended, as near as is known: after `to_after_at`, and by `to_seen_at`, the look that told so. `ended`: changed | gone.
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
        """Columns of what a look brings: key and values, without source and interval."""
        return {**self.key, **self.values}


class Series(msgspec.Struct, frozen=True):
    """One kind of measurement. A point is added where a value of `values` differs from the newest of its `key`, or the
    newest is of another UTC day (not where a day is part of the key); `measured_at` and `run_id` come with every point."""

    name: str
    title: str
    one_row: str
    key: Mapping[str, Type]
    values: Mapping[str, Type]

    @property
    def schema(self) -> dict[str, Type]:
        """Columns of what a look brings: key and values, without source, time and run."""
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
        "users",
        "Users",
        "One row per user, disabled ones too; robots are not among them.",
        {"username": _TEXT},
        {"email": _TEXT, "enabled": _FLAG, "verified": _FLAG, "superuser": _FLAG, "readonly_superuser": _FLAG},
    ),
    Family("organizations", "Organisations", "One row per organisation.", _ORG, {"email": _TEXT}),
    Family(
        "organization_settings",
        "Settings of organisations",
        "One row per organisation whose settings may be read.",
        _ORG,
        {"tag_expiration_s": _WHOLE, "invoice_email": _FLAG, "invoice_email_address": _TEXT},
    ),
    Family(
        "organization_members",
        "Members and collaborators",
        "One row per organisation and person: `relation` is member (in a team) or collaborator (direct permissions only).",
        {**_ORG, "member": _TEXT, "relation": _TEXT},
        {},
    ),
    Family(
        "teams",
        "Teams",
        "One row per team; `role`: admin | creator | member.",
        {**_ORG, "team": _TEXT},
        {"role": _TEXT, "description": _TEXT, "is_synced": _FLAG},
    ),
    Family(
        "team_members",
        "Team members",
        "One row per team and member; `member_kind`: user | robot | invite (then `member` is an e-mail address).",
        {**_ORG, "team": _TEXT, "member": _TEXT},
        {"member_kind": _TEXT, "invited": _FLAG},
    ),
    Family(
        "robots",
        "Robot accounts",
        "One row per robot account; `robot` is its whole name, namespace+name.",
        {"robot": _TEXT},
        {"namespace": _TEXT, "description": _TEXT, "created_at": _TIME},
    ),
    Family(
        "robot_federations",
        "Robot federations",
        "One row per outside identity (issuer and subject of OIDC) that may act as a robot.",
        {"robot": _TEXT, "issuer": _TEXT, "subject": _TEXT},
        {},
    ),
    Family(
        "direct_access",
        "Repositories with a permission of their own",
        "One row per repository and user or robot that holds a direct permission on it, whatever the role; "
        "`told_by`: members | collaborators | robots.",
        {**_REPO, "principal": _TEXT, "told_by": _TEXT},
        {},
    ),
    Family(
        "repository_permissions",
        "Repository permissions",
        "One row per repository and user, robot or team with a role (read | write | admin) on it.",
        {**_REPO, "principal_kind": _TEXT, "principal": _TEXT},
        {"role": _TEXT},
    ),
    Family(
        "default_permissions",
        "Default permissions",
        "One row per default permission for repositories to come; `activating_user` null: whoever creates them; "
        "`delegate_kind`: user | robot | team.",
        {**_ORG, "prototype_id": _TEXT},
        {"activating_user": _TEXT, "delegate": _TEXT, "delegate_kind": _TEXT, "role": _TEXT},
    ),
    Family(
        "applications",
        "OAuth applications",
        "One row per OAuth application; its secret is never kept.",
        {**_ORG, "client_id": _TEXT},
        {"application": _TEXT, "description": _TEXT, "application_uri": _TEXT, "redirect_uri": _TEXT},
    ),
    Family(
        "app_tokens",
        "Application tokens",
        "One row per application-specific token; its code is never kept. `owner` null: the list does not name owners.",
        {"uuid": _TEXT},
        {"title": _TEXT, "owner": _TEXT, "created_at": _TIME, "expires_at": _TIME},
    ),
    Family(
        "service_keys",
        "Service keys",
        "One row per service key of the registry.",
        {"kid": _TEXT},
        {
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
        "quotas",
        "Quotas",
        "One row per quota of a namespace; `namespace_kind`: user | organization.",
        {"namespace": _TEXT, "quota_id": _WHOLE},
        {"namespace_kind": _TEXT, "limit_bytes": _WHOLE},
    ),
    Family(
        "quota_limits",
        "Quota limits",
        "One row per threshold of a quota; `limit_type`: Warning | Reject.",
        {"namespace": _TEXT, "quota_id": _WHOLE, "limit_id": _WHOLE},
        {"namespace_kind": _TEXT, "limit_type": _TEXT, "limit_percent": _WHOLE},
    ),
    Family(
        "repositories",
        "Repositories",
        "One row per repository; `state`: NORMAL | READ_ONLY | MIRROR | MARKED_FOR_DELETION | …",
        _REPO,
        {"repository_kind": _TEXT, "state": _TEXT, "is_public": _FLAG, "description": _TEXT},
    ),
    Family(
        "repository_settings",
        "Settings of repositories",
        "One row per repository that was read by itself.",
        _REPO,
        {"tag_expiration_s": _WHOLE, "trust_enabled": _FLAG},
    ),
    Family(
        "tags",
        "Tags",
        "One row per tag and digest it stood for, past ones too (`ended_at` reached); `ordinal` tells equal ones apart.",
        {**_REPO, "tag": _TEXT, "started_at": _TIME, "digest": _TEXT, "ordinal": _WHOLE},
        {
            "ended_at": _TIME,
            "reversion": _FLAG,
            "is_manifest_list": _FLAG,
            "size_bytes": _WHOLE,
            "immutable": _FLAG,
        },
    ),
    Family(
        "manifests",
        "Manifests",
        "One row per repository and manifest that was read by itself.",
        _DIGEST,
        {
            "media_type": _TEXT,
            "config_media_type": _TEXT,
            "artifact_type": _TEXT,
            "is_manifest_list": _FLAG,
            "layers": _WHOLE,
            "layers_compressed_bytes": _WHOLE,
        },
    ),
    Family(
        "manifest_labels",
        "Manifest labels",
        "One row per label of a manifest; `source_type`: manifest | api | internal.",
        {**_DIGEST, "label_id": _TEXT},
        {"label": _TEXT, "label_value": _TEXT, "source_type": _TEXT, "media_type": _TEXT},
    ),
    Family(
        "referrers",
        "Referrers",
        "One row per artifact (signature, SBOM, attestation) that refers to a manifest.",
        {**_DIGEST, "referrer_digest": _TEXT},
        {"media_type": _TEXT, "artifact_type": _TEXT, "size_bytes": _WHOLE},
    ),
    Family(
        "vulnerabilities",
        "Vulnerabilities",
        "One row per manifest, package and vulnerability that the scanner names.",
        {"digest": _TEXT, "package": _TEXT, "package_version": _TEXT, "vulnerability": _TEXT},
        {"severity": _TEXT, "fixed_by": _TEXT, "link": _TEXT},
    ),
    Family(
        "mirrors",
        "Mirrors",
        "One row per repository that mirrors another; credentials are never kept.",
        _REPO,
        {
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
        "notifications",
        "Notifications",
        "One row per notification of a repository; `target` is a host, an address or a name, never a whole URL.",
        {**_REPO, "uuid": _TEXT},
        {"title": _TEXT, "event": _TEXT, "method": _TEXT, "target": _TEXT, "event_config": _TEXT},
    ),
    Family(
        "triggers",
        "Build triggers",
        "One row per build trigger; its credentials are never kept.",
        {**_REPO, "trigger_id": _TEXT},
        {
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
        "builds",
        "Builds",
        "One row per build and phase it was seen in.",
        {**_REPO, "build_id": _TEXT},
        {"phase": _TEXT, "started_at": _TIME, "trigger_id": _TEXT, "trigger_kind": _TEXT, "manual_user": _TEXT},
    ),
    Family(
        "autoprune_policies",
        "Auto-prune policies",
        "One row per auto-prune policy; `repository` empty: of the whole namespace.",
        {**_REPO, "uuid": _TEXT},
        {"method": _TEXT, "policy_value": _TEXT, "tag_pattern": _TEXT, "tag_pattern_matches": _FLAG},
    ),
    Family(
        "proxy_caches",
        "Proxy caches",
        "One row per organisation that is a pull-through cache.",
        _ORG,
        {"upstream_registry": _TEXT, "expiration_s": _WHOLE, "insecure": _FLAG},
    ),
    Family(
        "messages",
        "Global messages",
        "One row per message that the registry shows to everybody.",
        {"uuid": _TEXT},
        {"content": _TEXT, "severity": _TEXT, "media_type": _TEXT},
    ),
    Family(
        "stars",
        "Stars",
        "One row per repository that the token's own user starred.",
        {"username": _TEXT, **_REPO},
        {},
    ),
    Family(
        "offered_operations",
        "Operations offered",
        "One row per operation that the registry's own reference lists; features that are off are missing.",
        {"operation": _TEXT},
        {},
    ),
)

SERIES: tuple[Series, ...] = (
    Series(
        "sizes",
        "Sizes",
        "One row per registry, namespace or repository (`level`; the names that do not apply are empty) and measurement. "
        "`backfill`: complete | running | waiting, '' where Quay does not say; only complete ones are whole sizes. "
        "`calculated_at`: when Quay last summed the registry up.",
        {"level": _TEXT, "namespace": _TEXT, "repository": _TEXT},
        {
            "size_bytes": _WHOLE,
            "limit_bytes": _WHOLE,
            "backfill": _TEXT,
            "popularity": _REAL,
            "last_modified_at": _TIME,
            "calculated_at": _TIME,
        },
    ),
    Series(
        "last_uses",
        "Last uses as Quay tells them",
        "One row per robot, app_token, tag or manifest (`subject_kind`) and measurement; `last_used_at` null: never, as "
        "far as Quay knows; `uses` null: not counted.",
        {"subject_kind": _TEXT, "subject": _TEXT},
        {"last_used_at": _TIME, "uses": _WHOLE},
    ),
    Series(
        "scans",
        "Scan results",
        "One row per manifest and scan result; numbers count distinct (package, vulnerability) by severity, null where "
        "the status is not scanned.",
        {"digest": _TEXT},
        {
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
    ),
    Series(
        "repository_actions",
        "Actions a day as Quay counts them",
        "One row per repository, UTC day and count of that day; Quay gives about three months of them.",
        {**_REPO, "day": pl.Date},
        {"actions": _WHOLE},
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
