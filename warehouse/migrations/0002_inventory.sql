-- The inventory: what exists, who may do what, how big it is, over time. Kept to what DuckLake takes too.

-- One row per user, disabled ones too; robots are not among them.
CREATE TABLE users_history (
    source_id VARCHAR NOT NULL,
    username VARCHAR NOT NULL,
    email VARCHAR,
    enabled BOOLEAN,
    verified BOOLEAN,
    superuser BOOLEAN,
    readonly_superuser BOOLEAN,
    from_at TIMESTAMPTZ NOT NULL,
    after_at TIMESTAMPTZ,
    first_seen_at TIMESTAMPTZ NOT NULL,
    from_run BIGINT NOT NULL,
    to_at TIMESTAMPTZ,
    to_after_at TIMESTAMPTZ,
    to_seen_at TIMESTAMPTZ,
    to_run BIGINT,
    ended VARCHAR
);

-- One row per organisation.
CREATE TABLE organizations_history (
    source_id VARCHAR NOT NULL,
    organization VARCHAR NOT NULL,
    email VARCHAR,
    from_at TIMESTAMPTZ NOT NULL,
    after_at TIMESTAMPTZ,
    first_seen_at TIMESTAMPTZ NOT NULL,
    from_run BIGINT NOT NULL,
    to_at TIMESTAMPTZ,
    to_after_at TIMESTAMPTZ,
    to_seen_at TIMESTAMPTZ,
    to_run BIGINT,
    ended VARCHAR
);

-- One row per organisation whose settings may be read.
CREATE TABLE organization_settings_history (
    source_id VARCHAR NOT NULL,
    organization VARCHAR NOT NULL,
    tag_expiration_s BIGINT,
    invoice_email BOOLEAN,
    invoice_email_address VARCHAR,
    from_at TIMESTAMPTZ NOT NULL,
    after_at TIMESTAMPTZ,
    first_seen_at TIMESTAMPTZ NOT NULL,
    from_run BIGINT NOT NULL,
    to_at TIMESTAMPTZ,
    to_after_at TIMESTAMPTZ,
    to_seen_at TIMESTAMPTZ,
    to_run BIGINT,
    ended VARCHAR
);

-- One row per organisation and person: `relation` is member (in a team) or collaborator (direct permissions only).
CREATE TABLE organization_members_history (
    source_id VARCHAR NOT NULL,
    organization VARCHAR NOT NULL,
    member VARCHAR NOT NULL,
    relation VARCHAR NOT NULL,
    from_at TIMESTAMPTZ NOT NULL,
    after_at TIMESTAMPTZ,
    first_seen_at TIMESTAMPTZ NOT NULL,
    from_run BIGINT NOT NULL,
    to_at TIMESTAMPTZ,
    to_after_at TIMESTAMPTZ,
    to_seen_at TIMESTAMPTZ,
    to_run BIGINT,
    ended VARCHAR
);

-- One row per team; `role`: admin | creator | member.
CREATE TABLE teams_history (
    source_id VARCHAR NOT NULL,
    organization VARCHAR NOT NULL,
    team VARCHAR NOT NULL,
    role VARCHAR,
    description VARCHAR,
    is_synced BOOLEAN,
    from_at TIMESTAMPTZ NOT NULL,
    after_at TIMESTAMPTZ,
    first_seen_at TIMESTAMPTZ NOT NULL,
    from_run BIGINT NOT NULL,
    to_at TIMESTAMPTZ,
    to_after_at TIMESTAMPTZ,
    to_seen_at TIMESTAMPTZ,
    to_run BIGINT,
    ended VARCHAR
);

-- One row per team and member; `member_kind`: user | robot | invite (then `member` is an e-mail address).
CREATE TABLE team_members_history (
    source_id VARCHAR NOT NULL,
    organization VARCHAR NOT NULL,
    team VARCHAR NOT NULL,
    member VARCHAR NOT NULL,
    member_kind VARCHAR,
    invited BOOLEAN,
    from_at TIMESTAMPTZ NOT NULL,
    after_at TIMESTAMPTZ,
    first_seen_at TIMESTAMPTZ NOT NULL,
    from_run BIGINT NOT NULL,
    to_at TIMESTAMPTZ,
    to_after_at TIMESTAMPTZ,
    to_seen_at TIMESTAMPTZ,
    to_run BIGINT,
    ended VARCHAR
);

-- One row per robot account; `robot` is its whole name, namespace+name.
CREATE TABLE robots_history (
    source_id VARCHAR NOT NULL,
    robot VARCHAR NOT NULL,
    namespace VARCHAR,
    description VARCHAR,
    created_at TIMESTAMPTZ,
    from_at TIMESTAMPTZ NOT NULL,
    after_at TIMESTAMPTZ,
    first_seen_at TIMESTAMPTZ NOT NULL,
    from_run BIGINT NOT NULL,
    to_at TIMESTAMPTZ,
    to_after_at TIMESTAMPTZ,
    to_seen_at TIMESTAMPTZ,
    to_run BIGINT,
    ended VARCHAR
);

-- One row per outside identity (issuer and subject of OIDC) that may act as a robot.
CREATE TABLE robot_federations_history (
    source_id VARCHAR NOT NULL,
    robot VARCHAR NOT NULL,
    issuer VARCHAR NOT NULL,
    subject VARCHAR NOT NULL,
    from_at TIMESTAMPTZ NOT NULL,
    after_at TIMESTAMPTZ,
    first_seen_at TIMESTAMPTZ NOT NULL,
    from_run BIGINT NOT NULL,
    to_at TIMESTAMPTZ,
    to_after_at TIMESTAMPTZ,
    to_seen_at TIMESTAMPTZ,
    to_run BIGINT,
    ended VARCHAR
);

-- One row per repository and user or robot that holds a direct permission on it, whatever the role; `told_by`: members | collaborators | robots.
CREATE TABLE direct_access_history (
    source_id VARCHAR NOT NULL,
    namespace VARCHAR NOT NULL,
    repository VARCHAR NOT NULL,
    principal VARCHAR NOT NULL,
    told_by VARCHAR NOT NULL,
    from_at TIMESTAMPTZ NOT NULL,
    after_at TIMESTAMPTZ,
    first_seen_at TIMESTAMPTZ NOT NULL,
    from_run BIGINT NOT NULL,
    to_at TIMESTAMPTZ,
    to_after_at TIMESTAMPTZ,
    to_seen_at TIMESTAMPTZ,
    to_run BIGINT,
    ended VARCHAR
);

-- One row per repository and user, robot or team with a role (read | write | admin) on it.
CREATE TABLE repository_permissions_history (
    source_id VARCHAR NOT NULL,
    namespace VARCHAR NOT NULL,
    repository VARCHAR NOT NULL,
    principal_kind VARCHAR NOT NULL,
    principal VARCHAR NOT NULL,
    role VARCHAR,
    from_at TIMESTAMPTZ NOT NULL,
    after_at TIMESTAMPTZ,
    first_seen_at TIMESTAMPTZ NOT NULL,
    from_run BIGINT NOT NULL,
    to_at TIMESTAMPTZ,
    to_after_at TIMESTAMPTZ,
    to_seen_at TIMESTAMPTZ,
    to_run BIGINT,
    ended VARCHAR
);

-- One row per default permission for repositories to come; `activating_user` null: whoever creates them; `delegate_kind`: user | robot | team.
CREATE TABLE default_permissions_history (
    source_id VARCHAR NOT NULL,
    organization VARCHAR NOT NULL,
    prototype_id VARCHAR NOT NULL,
    activating_user VARCHAR,
    delegate VARCHAR,
    delegate_kind VARCHAR,
    role VARCHAR,
    from_at TIMESTAMPTZ NOT NULL,
    after_at TIMESTAMPTZ,
    first_seen_at TIMESTAMPTZ NOT NULL,
    from_run BIGINT NOT NULL,
    to_at TIMESTAMPTZ,
    to_after_at TIMESTAMPTZ,
    to_seen_at TIMESTAMPTZ,
    to_run BIGINT,
    ended VARCHAR
);

-- One row per OAuth application; its secret is never kept.
CREATE TABLE applications_history (
    source_id VARCHAR NOT NULL,
    organization VARCHAR NOT NULL,
    client_id VARCHAR NOT NULL,
    application VARCHAR,
    description VARCHAR,
    application_uri VARCHAR,
    redirect_uri VARCHAR,
    from_at TIMESTAMPTZ NOT NULL,
    after_at TIMESTAMPTZ,
    first_seen_at TIMESTAMPTZ NOT NULL,
    from_run BIGINT NOT NULL,
    to_at TIMESTAMPTZ,
    to_after_at TIMESTAMPTZ,
    to_seen_at TIMESTAMPTZ,
    to_run BIGINT,
    ended VARCHAR
);

-- One row per application-specific token; its code is never kept. `owner` null: the list does not name owners.
CREATE TABLE app_tokens_history (
    source_id VARCHAR NOT NULL,
    uuid VARCHAR NOT NULL,
    title VARCHAR,
    owner VARCHAR,
    created_at TIMESTAMPTZ,
    expires_at TIMESTAMPTZ,
    from_at TIMESTAMPTZ NOT NULL,
    after_at TIMESTAMPTZ,
    first_seen_at TIMESTAMPTZ NOT NULL,
    from_run BIGINT NOT NULL,
    to_at TIMESTAMPTZ,
    to_after_at TIMESTAMPTZ,
    to_seen_at TIMESTAMPTZ,
    to_run BIGINT,
    ended VARCHAR
);

-- One row per service key of the registry.
CREATE TABLE service_keys_history (
    source_id VARCHAR NOT NULL,
    kid VARCHAR NOT NULL,
    key_name VARCHAR,
    service VARCHAR,
    created_at TIMESTAMPTZ,
    expires_at TIMESTAMPTZ,
    approval_type VARCHAR,
    approved_at TIMESTAMPTZ,
    approver VARCHAR,
    created_by VARCHAR,
    from_at TIMESTAMPTZ NOT NULL,
    after_at TIMESTAMPTZ,
    first_seen_at TIMESTAMPTZ NOT NULL,
    from_run BIGINT NOT NULL,
    to_at TIMESTAMPTZ,
    to_after_at TIMESTAMPTZ,
    to_seen_at TIMESTAMPTZ,
    to_run BIGINT,
    ended VARCHAR
);

-- One row per quota of a namespace; `namespace_kind`: user | organization.
CREATE TABLE quotas_history (
    source_id VARCHAR NOT NULL,
    namespace VARCHAR NOT NULL,
    quota_id BIGINT NOT NULL,
    namespace_kind VARCHAR,
    limit_bytes BIGINT,
    from_at TIMESTAMPTZ NOT NULL,
    after_at TIMESTAMPTZ,
    first_seen_at TIMESTAMPTZ NOT NULL,
    from_run BIGINT NOT NULL,
    to_at TIMESTAMPTZ,
    to_after_at TIMESTAMPTZ,
    to_seen_at TIMESTAMPTZ,
    to_run BIGINT,
    ended VARCHAR
);

-- One row per threshold of a quota; `limit_type`: Warning | Reject.
CREATE TABLE quota_limits_history (
    source_id VARCHAR NOT NULL,
    namespace VARCHAR NOT NULL,
    quota_id BIGINT NOT NULL,
    limit_id BIGINT NOT NULL,
    namespace_kind VARCHAR,
    limit_type VARCHAR,
    limit_percent BIGINT,
    from_at TIMESTAMPTZ NOT NULL,
    after_at TIMESTAMPTZ,
    first_seen_at TIMESTAMPTZ NOT NULL,
    from_run BIGINT NOT NULL,
    to_at TIMESTAMPTZ,
    to_after_at TIMESTAMPTZ,
    to_seen_at TIMESTAMPTZ,
    to_run BIGINT,
    ended VARCHAR
);

-- One row per repository; `state`: NORMAL | READ_ONLY | MIRROR | MARKED_FOR_DELETION | …
CREATE TABLE repositories_history (
    source_id VARCHAR NOT NULL,
    namespace VARCHAR NOT NULL,
    repository VARCHAR NOT NULL,
    repository_kind VARCHAR,
    state VARCHAR,
    is_public BOOLEAN,
    description VARCHAR,
    from_at TIMESTAMPTZ NOT NULL,
    after_at TIMESTAMPTZ,
    first_seen_at TIMESTAMPTZ NOT NULL,
    from_run BIGINT NOT NULL,
    to_at TIMESTAMPTZ,
    to_after_at TIMESTAMPTZ,
    to_seen_at TIMESTAMPTZ,
    to_run BIGINT,
    ended VARCHAR
);

-- One row per repository that was read by itself.
CREATE TABLE repository_settings_history (
    source_id VARCHAR NOT NULL,
    namespace VARCHAR NOT NULL,
    repository VARCHAR NOT NULL,
    tag_expiration_s BIGINT,
    trust_enabled BOOLEAN,
    from_at TIMESTAMPTZ NOT NULL,
    after_at TIMESTAMPTZ,
    first_seen_at TIMESTAMPTZ NOT NULL,
    from_run BIGINT NOT NULL,
    to_at TIMESTAMPTZ,
    to_after_at TIMESTAMPTZ,
    to_seen_at TIMESTAMPTZ,
    to_run BIGINT,
    ended VARCHAR
);

-- One row per tag and digest it stood for, past ones too (`ended_at` reached); `ordinal` tells equal ones apart.
CREATE TABLE tags_history (
    source_id VARCHAR NOT NULL,
    namespace VARCHAR NOT NULL,
    repository VARCHAR NOT NULL,
    tag VARCHAR NOT NULL,
    started_at TIMESTAMPTZ NOT NULL,
    digest VARCHAR NOT NULL,
    ordinal BIGINT NOT NULL,
    ended_at TIMESTAMPTZ,
    reversion BOOLEAN,
    is_manifest_list BOOLEAN,
    size_bytes BIGINT,
    immutable BOOLEAN,
    from_at TIMESTAMPTZ NOT NULL,
    after_at TIMESTAMPTZ,
    first_seen_at TIMESTAMPTZ NOT NULL,
    from_run BIGINT NOT NULL,
    to_at TIMESTAMPTZ,
    to_after_at TIMESTAMPTZ,
    to_seen_at TIMESTAMPTZ,
    to_run BIGINT,
    ended VARCHAR
);

-- One row per repository and manifest that was read by itself.
CREATE TABLE manifests_history (
    source_id VARCHAR NOT NULL,
    namespace VARCHAR NOT NULL,
    repository VARCHAR NOT NULL,
    digest VARCHAR NOT NULL,
    media_type VARCHAR,
    config_media_type VARCHAR,
    artifact_type VARCHAR,
    is_manifest_list BOOLEAN,
    layers BIGINT,
    layers_compressed_bytes BIGINT,
    from_at TIMESTAMPTZ NOT NULL,
    after_at TIMESTAMPTZ,
    first_seen_at TIMESTAMPTZ NOT NULL,
    from_run BIGINT NOT NULL,
    to_at TIMESTAMPTZ,
    to_after_at TIMESTAMPTZ,
    to_seen_at TIMESTAMPTZ,
    to_run BIGINT,
    ended VARCHAR
);

-- One row per label of a manifest; `source_type`: manifest | api | internal.
CREATE TABLE manifest_labels_history (
    source_id VARCHAR NOT NULL,
    namespace VARCHAR NOT NULL,
    repository VARCHAR NOT NULL,
    digest VARCHAR NOT NULL,
    label_id VARCHAR NOT NULL,
    label VARCHAR,
    label_value VARCHAR,
    source_type VARCHAR,
    media_type VARCHAR,
    from_at TIMESTAMPTZ NOT NULL,
    after_at TIMESTAMPTZ,
    first_seen_at TIMESTAMPTZ NOT NULL,
    from_run BIGINT NOT NULL,
    to_at TIMESTAMPTZ,
    to_after_at TIMESTAMPTZ,
    to_seen_at TIMESTAMPTZ,
    to_run BIGINT,
    ended VARCHAR
);

-- One row per artifact (signature, SBOM, attestation) that refers to a manifest.
CREATE TABLE referrers_history (
    source_id VARCHAR NOT NULL,
    namespace VARCHAR NOT NULL,
    repository VARCHAR NOT NULL,
    digest VARCHAR NOT NULL,
    referrer_digest VARCHAR NOT NULL,
    media_type VARCHAR,
    artifact_type VARCHAR,
    size_bytes BIGINT,
    from_at TIMESTAMPTZ NOT NULL,
    after_at TIMESTAMPTZ,
    first_seen_at TIMESTAMPTZ NOT NULL,
    from_run BIGINT NOT NULL,
    to_at TIMESTAMPTZ,
    to_after_at TIMESTAMPTZ,
    to_seen_at TIMESTAMPTZ,
    to_run BIGINT,
    ended VARCHAR
);

-- One row per manifest, package and vulnerability that the scanner names.
CREATE TABLE vulnerabilities_history (
    source_id VARCHAR NOT NULL,
    digest VARCHAR NOT NULL,
    package VARCHAR NOT NULL,
    package_version VARCHAR NOT NULL,
    vulnerability VARCHAR NOT NULL,
    severity VARCHAR,
    fixed_by VARCHAR,
    link VARCHAR,
    from_at TIMESTAMPTZ NOT NULL,
    after_at TIMESTAMPTZ,
    first_seen_at TIMESTAMPTZ NOT NULL,
    from_run BIGINT NOT NULL,
    to_at TIMESTAMPTZ,
    to_after_at TIMESTAMPTZ,
    to_seen_at TIMESTAMPTZ,
    to_run BIGINT,
    ended VARCHAR
);

-- One row per repository that mirrors another; credentials are never kept.
CREATE TABLE mirrors_history (
    source_id VARCHAR NOT NULL,
    namespace VARCHAR NOT NULL,
    repository VARCHAR NOT NULL,
    is_enabled BOOLEAN,
    mirror_type VARCHAR,
    external_reference VARCHAR,
    external_username VARCHAR,
    verify_tls BOOLEAN,
    sync_interval_s BIGINT,
    sync_status VARCHAR,
    tag_rules VARCHAR,
    robot VARCHAR,
    from_at TIMESTAMPTZ NOT NULL,
    after_at TIMESTAMPTZ,
    first_seen_at TIMESTAMPTZ NOT NULL,
    from_run BIGINT NOT NULL,
    to_at TIMESTAMPTZ,
    to_after_at TIMESTAMPTZ,
    to_seen_at TIMESTAMPTZ,
    to_run BIGINT,
    ended VARCHAR
);

-- One row per notification of a repository; `target` is a host, an address or a name, never a whole URL.
CREATE TABLE notifications_history (
    source_id VARCHAR NOT NULL,
    namespace VARCHAR NOT NULL,
    repository VARCHAR NOT NULL,
    uuid VARCHAR NOT NULL,
    title VARCHAR,
    event VARCHAR,
    method VARCHAR,
    target VARCHAR,
    event_config VARCHAR,
    from_at TIMESTAMPTZ NOT NULL,
    after_at TIMESTAMPTZ,
    first_seen_at TIMESTAMPTZ NOT NULL,
    from_run BIGINT NOT NULL,
    to_at TIMESTAMPTZ,
    to_after_at TIMESTAMPTZ,
    to_seen_at TIMESTAMPTZ,
    to_run BIGINT,
    ended VARCHAR
);

-- One row per build trigger; its credentials are never kept.
CREATE TABLE triggers_history (
    source_id VARCHAR NOT NULL,
    namespace VARCHAR NOT NULL,
    repository VARCHAR NOT NULL,
    trigger_id VARCHAR NOT NULL,
    service VARCHAR,
    is_active BOOLEAN,
    enabled BOOLEAN,
    disabled_reason VARCHAR,
    build_source VARCHAR,
    dockerfile_path VARCHAR,
    context VARCHAR,
    from_at TIMESTAMPTZ NOT NULL,
    after_at TIMESTAMPTZ,
    first_seen_at TIMESTAMPTZ NOT NULL,
    from_run BIGINT NOT NULL,
    to_at TIMESTAMPTZ,
    to_after_at TIMESTAMPTZ,
    to_seen_at TIMESTAMPTZ,
    to_run BIGINT,
    ended VARCHAR
);

-- One row per build and phase it was seen in.
CREATE TABLE builds_history (
    source_id VARCHAR NOT NULL,
    namespace VARCHAR NOT NULL,
    repository VARCHAR NOT NULL,
    build_id VARCHAR NOT NULL,
    phase VARCHAR,
    started_at TIMESTAMPTZ,
    trigger_id VARCHAR,
    trigger_kind VARCHAR,
    manual_user VARCHAR,
    from_at TIMESTAMPTZ NOT NULL,
    after_at TIMESTAMPTZ,
    first_seen_at TIMESTAMPTZ NOT NULL,
    from_run BIGINT NOT NULL,
    to_at TIMESTAMPTZ,
    to_after_at TIMESTAMPTZ,
    to_seen_at TIMESTAMPTZ,
    to_run BIGINT,
    ended VARCHAR
);

-- One row per auto-prune policy; `repository` empty: of the whole namespace.
CREATE TABLE autoprune_policies_history (
    source_id VARCHAR NOT NULL,
    namespace VARCHAR NOT NULL,
    repository VARCHAR NOT NULL,
    uuid VARCHAR NOT NULL,
    method VARCHAR,
    policy_value VARCHAR,
    tag_pattern VARCHAR,
    tag_pattern_matches BOOLEAN,
    from_at TIMESTAMPTZ NOT NULL,
    after_at TIMESTAMPTZ,
    first_seen_at TIMESTAMPTZ NOT NULL,
    from_run BIGINT NOT NULL,
    to_at TIMESTAMPTZ,
    to_after_at TIMESTAMPTZ,
    to_seen_at TIMESTAMPTZ,
    to_run BIGINT,
    ended VARCHAR
);

-- One row per organisation that is a pull-through cache.
CREATE TABLE proxy_caches_history (
    source_id VARCHAR NOT NULL,
    organization VARCHAR NOT NULL,
    upstream_registry VARCHAR,
    expiration_s BIGINT,
    insecure BOOLEAN,
    from_at TIMESTAMPTZ NOT NULL,
    after_at TIMESTAMPTZ,
    first_seen_at TIMESTAMPTZ NOT NULL,
    from_run BIGINT NOT NULL,
    to_at TIMESTAMPTZ,
    to_after_at TIMESTAMPTZ,
    to_seen_at TIMESTAMPTZ,
    to_run BIGINT,
    ended VARCHAR
);

-- One row per message that the registry shows to everybody.
CREATE TABLE messages_history (
    source_id VARCHAR NOT NULL,
    uuid VARCHAR NOT NULL,
    content VARCHAR,
    severity VARCHAR,
    media_type VARCHAR,
    from_at TIMESTAMPTZ NOT NULL,
    after_at TIMESTAMPTZ,
    first_seen_at TIMESTAMPTZ NOT NULL,
    from_run BIGINT NOT NULL,
    to_at TIMESTAMPTZ,
    to_after_at TIMESTAMPTZ,
    to_seen_at TIMESTAMPTZ,
    to_run BIGINT,
    ended VARCHAR
);

-- One row per repository that the token's own user starred.
CREATE TABLE stars_history (
    source_id VARCHAR NOT NULL,
    username VARCHAR NOT NULL,
    namespace VARCHAR NOT NULL,
    repository VARCHAR NOT NULL,
    from_at TIMESTAMPTZ NOT NULL,
    after_at TIMESTAMPTZ,
    first_seen_at TIMESTAMPTZ NOT NULL,
    from_run BIGINT NOT NULL,
    to_at TIMESTAMPTZ,
    to_after_at TIMESTAMPTZ,
    to_seen_at TIMESTAMPTZ,
    to_run BIGINT,
    ended VARCHAR
);

-- One row per operation that the registry's own reference lists; features that are off are missing.
CREATE TABLE offered_operations_history (
    source_id VARCHAR NOT NULL,
    operation VARCHAR NOT NULL,
    from_at TIMESTAMPTZ NOT NULL,
    after_at TIMESTAMPTZ,
    first_seen_at TIMESTAMPTZ NOT NULL,
    from_run BIGINT NOT NULL,
    to_at TIMESTAMPTZ,
    to_after_at TIMESTAMPTZ,
    to_seen_at TIMESTAMPTZ,
    to_run BIGINT,
    ended VARCHAR
);

-- One row per registry, namespace or repository (`level`; the names that do not apply are empty) and measurement. `backfill`: complete | running | waiting, '' where Quay does not say; only complete ones are whole sizes. `calculated_at`: when Quay last summed the registry up.
CREATE TABLE sizes (
    source_id VARCHAR NOT NULL,
    level VARCHAR NOT NULL,
    namespace VARCHAR NOT NULL,
    repository VARCHAR NOT NULL,
    size_bytes BIGINT,
    limit_bytes BIGINT,
    backfill VARCHAR,
    popularity DOUBLE,
    last_modified_at TIMESTAMPTZ,
    calculated_at TIMESTAMPTZ,
    measured_at TIMESTAMPTZ NOT NULL,
    run_id BIGINT NOT NULL
);

-- One row per robot, app_token, tag or manifest (`subject_kind`) and measurement; `last_used_at` null: never, as far as Quay knows; `uses` null: not counted.
CREATE TABLE last_uses (
    source_id VARCHAR NOT NULL,
    subject_kind VARCHAR NOT NULL,
    subject VARCHAR NOT NULL,
    last_used_at TIMESTAMPTZ,
    uses BIGINT,
    measured_at TIMESTAMPTZ NOT NULL,
    run_id BIGINT NOT NULL
);

-- One row per manifest and scan result; numbers count distinct (package, vulnerability) by severity, null where the status is not scanned.
CREATE TABLE scans (
    source_id VARCHAR NOT NULL,
    digest VARCHAR NOT NULL,
    namespace VARCHAR,
    repository VARCHAR,
    status VARCHAR,
    critical BIGINT,
    high BIGINT,
    medium BIGINT,
    low BIGINT,
    other BIGINT,
    fixable BIGINT,
    packages BIGINT,
    measured_at TIMESTAMPTZ NOT NULL,
    run_id BIGINT NOT NULL
);

-- One row per repository, UTC day and count of that day; Quay gives about three months of them.
CREATE TABLE repository_actions (
    source_id VARCHAR NOT NULL,
    namespace VARCHAR NOT NULL,
    repository VARCHAR NOT NULL,
    day DATE NOT NULL,
    actions BIGINT,
    measured_at TIMESTAMPTZ NOT NULL,
    run_id BIGINT NOT NULL
);

-- The newest look at each target. `state`: ok | partial (some rows could not be read) | refused | not_offered | gone | failed
-- | not_asked (others of its kind were refused); `ok_at`: the last one that was ok or partial.
CREATE TABLE looks (
    source_id VARCHAR NOT NULL,
    look VARCHAR NOT NULL,
    target VARCHAR NOT NULL,
    state VARCHAR NOT NULL,
    reason VARCHAR NOT NULL,
    tried_at TIMESTAMPTZ NOT NULL,
    first_ok_at TIMESTAMPTZ,
    ok_at TIMESTAMPTZ,
    rows BIGINT NOT NULL,
    rejected_rows BIGINT NOT NULL,
    requests BIGINT NOT NULL,
    run_id BIGINT NOT NULL
);

-- One row per look, target and stretch in which it ended the same way: what was unknown, and when.
CREATE TABLE looks_history (
    source_id VARCHAR NOT NULL,
    look VARCHAR NOT NULL,
    target VARCHAR NOT NULL,
    state VARCHAR NOT NULL,
    reason VARCHAR NOT NULL,
    from_at TIMESTAMPTZ NOT NULL,
    to_at TIMESTAMPTZ,
    run_id BIGINT NOT NULL
);

-- Looks that events ask for and that were not done yet. `caused_at`: the newest event's time, `cause` its kind.
CREATE TABLE looks_wanted (
    source_id VARCHAR NOT NULL,
    look VARCHAR NOT NULL,
    target VARCHAR NOT NULL,
    cause VARCHAR NOT NULL,
    caused_at TIMESTAMPTZ NOT NULL,
    events BIGINT NOT NULL
);

-- Up to which reading the events were looked through for what they change.
CREATE TABLE inventory_cursors (
    source_id VARCHAR NOT NULL,
    reading_id BIGINT NOT NULL,
    noted_at TIMESTAMPTZ NOT NULL
);

-- One row per rename that an event told of; `account_kind`: user | organization. A deleted namespace is renamed by Quay
-- to a UUID: then `new_name` is that UUID.
CREATE TABLE renames (
    source_id VARCHAR NOT NULL,
    account_kind VARCHAR NOT NULL,
    old_name VARCHAR NOT NULL,
    new_name VARCHAR NOT NULL,
    renamed_at TIMESTAMPTZ NOT NULL,
    cause VARCHAR NOT NULL,
    run_id BIGINT NOT NULL
);
