-- How far a day was read while it was not over: of each kind, the counted events whose places were all looked at, whether paging
-- brought them or skipped them. The row with kind '' says that the day was read down to its beginning, or to what was.
CREATE TABLE open_days (
    source_id VARCHAR NOT NULL,
    day DATE NOT NULL,
    scope VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    events BIGINT NOT NULL,
    read_at TIMESTAMPTZ NOT NULL
);
