-- The ledger's tables. Kept to what DuckLake takes too: no keys, no constraints but NOT NULL, no indexes, no sequences.

CREATE TABLE sources (
    source_id VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    url VARCHAR NOT NULL,
    backend VARCHAR NOT NULL,
    backend_noted_at TIMESTAMPTZ,
    registered_at TIMESTAMPTZ NOT NULL
);

-- Every name and address a source has had.
CREATE TABLE source_names (
    source_id VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    url VARCHAR NOT NULL,
    from_at TIMESTAMPTZ NOT NULL
);

CREATE TABLE covers (
    source_id VARCHAR NOT NULL,
    version INTEGER NOT NULL,
    from_day DATE NOT NULL,
    scopes VARCHAR[] NOT NULL,
    hidden_kinds VARCHAR[] NOT NULL,
    reason VARCHAR NOT NULL
);

CREATE TABLE slices (
    source_id VARCHAR NOT NULL,
    day DATE NOT NULL,
    cover_version INTEGER NOT NULL,
    state VARCHAR NOT NULL,
    expected_events BIGINT,
    stored_events BIGINT NOT NULL,
    rejected_rows BIGINT NOT NULL,
    counted_at TIMESTAMPTZ,
    read_at TIMESTAMPTZ,
    sealed_at TIMESTAMPTZ,
    note VARCHAR NOT NULL
);

-- What a source said it holds. The row with kind '' says that the day was counted, even where it held nothing.
CREATE TABLE counts (
    source_id VARCHAR NOT NULL,
    scope VARCHAR NOT NULL,
    day DATE NOT NULL,
    kind VARCHAR NOT NULL,
    latest_events BIGINT NOT NULL,
    peak_events BIGINT NOT NULL,
    counted_at TIMESTAMPTZ NOT NULL,
    run_id BIGINT NOT NULL
);

CREATE TABLE readings (
    reading_id BIGINT NOT NULL,
    source_id VARCHAR NOT NULL,
    day DATE NOT NULL,
    scope VARCHAR NOT NULL,
    part VARCHAR NOT NULL,
    method VARCHAR NOT NULL,
    run_id BIGINT NOT NULL,
    started_at TIMESTAMPTZ NOT NULL,
    ended_at TIMESTAMPTZ NOT NULL,
    rows BIGINT NOT NULL,
    requests BIGINT NOT NULL,
    end_reason VARCHAR NOT NULL,
    complete BOOLEAN NOT NULL,
    state VARCHAR NOT NULL,
    reason VARCHAR NOT NULL,
    new_events BIGINT NOT NULL,
    known_events BIGINT NOT NULL,
    rejected_rows BIGINT NOT NULL
);

-- Events of months that are not final.
CREATE TABLE event_rows (
    source_id VARCHAR NOT NULL,
    day DATE NOT NULL,
    event_no BIGINT NOT NULL,
    scope VARCHAR NOT NULL,
    reading_id BIGINT NOT NULL,
    occurred_at TIMESTAMPTZ NOT NULL,
    kind VARCHAR NOT NULL,
    namespace VARCHAR,
    namespace_kind VARCHAR,
    performer VARCHAR,
    performer_kind VARCHAR,
    ip VARCHAR,
    repository VARCHAR,
    repository_namespace VARCHAR,
    tag VARCHAR,
    digest VARCHAR,
    user_agent VARCHAR,
    metadata VARCHAR,
    extra VARCHAR
);

-- Events that came after their month was final: a month's file never changes.
CREATE TABLE corrections (
    source_id VARCHAR NOT NULL,
    day DATE NOT NULL,
    event_no BIGINT NOT NULL,
    scope VARCHAR NOT NULL,
    reading_id BIGINT NOT NULL,
    occurred_at TIMESTAMPTZ NOT NULL,
    kind VARCHAR NOT NULL,
    namespace VARCHAR,
    namespace_kind VARCHAR,
    performer VARCHAR,
    performer_kind VARCHAR,
    ip VARCHAR,
    repository VARCHAR,
    repository_namespace VARCHAR,
    tag VARCHAR,
    digest VARCHAR,
    user_agent VARCHAR,
    metadata VARCHAR,
    extra VARCHAR
);

-- Final months; `month` is the first day, `file` is relative to the ledger's folder.
CREATE TABLE months (
    source_id VARCHAR NOT NULL,
    month DATE NOT NULL,
    file VARCHAR NOT NULL,
    rows BIGINT NOT NULL,
    sha256 VARCHAR NOT NULL,
    size_bytes BIGINT NOT NULL,
    final_on DATE NOT NULL
);

-- Names under which stored events were found again. The name first seen stays with the event.
CREATE TABLE aliases (
    source_id VARCHAR NOT NULL,
    day DATE NOT NULL,
    scope VARCHAR NOT NULL,
    field VARCHAR NOT NULL,
    first_name VARCHAR NOT NULL,
    later_name VARCHAR,
    events BIGINT NOT NULL,
    first_seen_at TIMESTAMPTZ NOT NULL,
    last_seen_at TIMESTAMPTZ NOT NULL
);

CREATE TABLE rejects (
    source_id VARCHAR NOT NULL,
    day DATE NOT NULL,
    scope VARCHAR NOT NULL,
    reading_id BIGINT NOT NULL,
    kind VARCHAR,
    reason VARCHAR NOT NULL,
    raw VARCHAR NOT NULL,
    seen_at TIMESTAMPTZ NOT NULL
);

-- A run without an end whose ledger was opened at another time than now was cut off.
CREATE TABLE runs (
    run_id BIGINT NOT NULL,
    kind VARCHAR NOT NULL,
    command VARCHAR NOT NULL,
    ledger_since TIMESTAMPTZ NOT NULL,
    started_at TIMESTAMPTZ NOT NULL,
    ended_at TIMESTAMPTZ,
    outcome VARCHAR NOT NULL,
    message VARCHAR NOT NULL
);

CREATE TABLE run_requests (
    run_id BIGINT NOT NULL,
    source_id VARCHAR NOT NULL,
    operation VARCHAR NOT NULL,
    purpose VARCHAR NOT NULL,
    outcome VARCHAR NOT NULL,
    requests BIGINT NOT NULL,
    seconds DOUBLE NOT NULL,
    received_bytes BIGINT NOT NULL
);

CREATE TABLE log_kinds (
    kind VARCHAR NOT NULL,
    category VARCHAR NOT NULL,
    meaning VARCHAR NOT NULL
);
