-- One row on the mirrors of the whole registry (`namespace` empty), as Quay itself judges them.
CREATE TABLE mirror_health_history (
    source_id VARCHAR NOT NULL,
    namespace VARCHAR NOT NULL,
    is_healthy BOOLEAN,
    worker_status VARCHAR,
    active_workers BIGINT,
    mirrors BIGINT,
    syncing BIGINT,
    completed BIGINT,
    failed BIGINT,
    never_run BIGINT,
    pending_tags BIGINT,
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
