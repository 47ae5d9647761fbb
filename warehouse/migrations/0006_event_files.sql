-- Events that left the live file, by Parquet file: a closed day of one source, or a final month. `file` is relative to the ledger's
-- folder. `layout` 0: the stored columns alone; 1: what readers see too, as the interpretation `rules` gives it. `has_rollups`: the
-- files with its usage and its distinct values lie beside it.
CREATE TABLE event_files (
    source_id VARCHAR NOT NULL,
    first_day DATE NOT NULL,
    last_day DATE NOT NULL,
    file VARCHAR NOT NULL,
    rows BIGINT NOT NULL,
    sha256 VARCHAR NOT NULL,
    size_bytes BIGINT NOT NULL,
    layout INTEGER NOT NULL,
    rules VARCHAR NOT NULL,
    has_rollups BOOLEAN NOT NULL,
    last_event_at TIMESTAMPTZ,
    closed_on DATE NOT NULL
);

INSERT INTO event_files
SELECT source_id, month, CAST(month + INTERVAL 1 MONTH - INTERVAL 1 DAY AS DATE), file, rows, sha256, size_bytes, 0, '', false, NULL, final_on
FROM months;

DROP TABLE months;

-- Stored events of the days that are in files, by kind: nobody has to open a file to know what is held.
CREATE TABLE filed_counts (
    source_id VARCHAR NOT NULL,
    day DATE NOT NULL,
    scope VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    events BIGINT NOT NULL
);

-- The same by quarter of an hour (0 to 95, UTC): every time zone's hours and days are sums of them.
CREATE TABLE filed_quarters (
    source_id VARCHAR NOT NULL,
    day DATE NOT NULL,
    quarter INTEGER NOT NULL,
    kind VARCHAR NOT NULL,
    events BIGINT NOT NULL
);

-- Files whose rows are in another file now. They stay while a published copy names them.
CREATE TABLE superseded_files (
    file VARCHAR NOT NULL,
    superseded_at TIMESTAMPTZ NOT NULL
);
