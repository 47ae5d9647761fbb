-- What newer versions of Quay let read: immutability policies, organization mirrors, OAuth tokens, quota alerts, settings.

-- One row per policy by which tags cannot be changed; `repository` empty: of the whole organization.
CREATE TABLE immutability_policies_history (
    source_id VARCHAR NOT NULL,
    namespace VARCHAR NOT NULL,
    repository VARCHAR NOT NULL,
    uuid VARCHAR NOT NULL,
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

-- One row per organization that mirrors a namespace of another registry; credentials are never kept.
CREATE TABLE organization_mirrors_history (
    source_id VARCHAR NOT NULL,
    organization VARCHAR NOT NULL,
    is_enabled BOOLEAN,
    external_registry_type VARCHAR,
    external_registry VARCHAR,
    external_namespace VARCHAR,
    external_username VARCHAR,
    verify_tls BOOLEAN,
    repository_filters VARCHAR,
    robot VARCHAR,
    visibility VARCHAR,
    sync_interval_s BIGINT,
    sync_status VARCHAR,
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

-- One row per repository that an organization's mirror found at its source; `created_as`: `namespace/name` here, null until it is created.
CREATE TABLE mirrored_repositories_history (
    source_id VARCHAR NOT NULL,
    organization VARCHAR NOT NULL,
    external_repository VARCHAR NOT NULL,
    sync_status VARCHAR,
    created_as VARCHAR,
    discovered_at TIMESTAMPTZ,
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

-- One row per access token of an organization's OAuth application; the token itself is never kept. `token_name` null: it was made before tokens had names.
CREATE TABLE oauth_tokens_history (
    source_id VARCHAR NOT NULL,
    organization VARCHAR NOT NULL,
    client_id VARCHAR NOT NULL,
    uuid VARCHAR NOT NULL,
    token_name VARCHAR,
    scope VARCHAR,
    created_at TIMESTAMPTZ,
    created_by VARCHAR,
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

-- One row per notification of an organization (quota alerts); `target` as of a repository's.
CREATE TABLE namespace_notifications_history (
    source_id VARCHAR NOT NULL,
    organization VARCHAR NOT NULL,
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

-- One row per setting of the registry that decides what its log records and what it can do; `origin`: capabilities | config; `value`: JSON.
CREATE TABLE registry_settings_history (
    source_id VARCHAR NOT NULL,
    origin VARCHAR NOT NULL,
    setting VARCHAR NOT NULL,
    value VARCHAR,
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
