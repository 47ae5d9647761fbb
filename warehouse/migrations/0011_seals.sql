-- The entries of the ledger's log, in their order: manifests of days. `leaf` is the RFC 6962 hash of the entry, in hexadecimal.
CREATE TABLE log_entries (
    leaf_index BIGINT NOT NULL,
    entry VARCHAR NOT NULL,
    leaf VARCHAR NOT NULL,
    appended_at TIMESTAMPTZ NOT NULL
);

-- What is sealed of a day, by manifest: `sequence` 0 is the first. The events are those from `first_event_no` to `last_event_no`.
CREATE TABLE day_seals (
    source_id VARCHAR NOT NULL,
    day DATE NOT NULL,
    sequence INTEGER NOT NULL,
    leaf_index BIGINT NOT NULL,
    state VARCHAR NOT NULL,
    expected_events BIGINT,
    stored_events BIGINT NOT NULL,
    rejected_rows BIGINT NOT NULL,
    first_event_no BIGINT NOT NULL,
    last_event_no BIGINT NOT NULL,
    root VARCHAR NOT NULL,
    sealed_at TIMESTAMPTZ NOT NULL
);

-- The secrets that the salts of a seal's events come from, in hexadecimal. They are in no manifest: where one is deleted, nobody
-- can find out from the hashes what the events were.
CREATE TABLE seal_secrets (
    source_id VARCHAR NOT NULL,
    day DATE NOT NULL,
    sequence INTEGER NOT NULL,
    secret VARCHAR NOT NULL
);

-- Every head of the log that was signed, as a note.
CREATE TABLE log_heads (
    size BIGINT NOT NULL,
    root VARCHAR NOT NULL,
    note VARCHAR NOT NULL,
    signed_at TIMESTAMPTZ NOT NULL
);
