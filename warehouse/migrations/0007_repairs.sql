-- What the repair of a short (day, scope) came to, so that the next run goes on from there, and asks nothing twice that brought
-- nothing. It holds for the count by which it was made: another count begins another repair.
CREATE TABLE repairs (
    source_id VARCHAR NOT NULL,
    day DATE NOT NULL,
    scope VARCHAR NOT NULL,
    state VARCHAR NOT NULL, -- waiting: goes on at the next run; exhausted: every way was tried
    counted_events BIGINT NOT NULL,
    lacking_events BIGINT NOT NULL,
    requests BIGINT NOT NULL, -- in all runs
    brought_events BIGINT NOT NULL,
    remaining_requests BIGINT NOT NULL, -- about how many the rest takes; 0 where it is exhausted
    reason VARCHAR NOT NULL, -- what stood in the way, '' where nothing did
    updated_at TIMESTAMPTZ NOT NULL
);

-- One row per part of such a day that was counted, with what the source counted of it by kind (JSON), and what came of it.
CREATE TABLE repair_parts (
    source_id VARCHAR NOT NULL,
    day DATE NOT NULL,
    scope VARCHAR NOT NULL,
    part VARCHAR NOT NULL,
    outcome VARCHAR NOT NULL, -- whole: lacks nothing; lossy: read, or too large to be read, and lacks events; gone: not known there
    counted VARCHAR NOT NULL
);

-- A count of nothing proves nothing before the source's first event, nor of the day that this event is of: earlier versions
-- called such days verified. Those that are still in the source's reach are judged anew at the next sync.
UPDATE slices SET
    state = 'rotated', sealed_at = NULL, counted_at = NULL,
    note = 'no older event is held, so events of this day may have been rotated away at the source'
WHERE state IN ('verified', 'repaired') AND NOT EXISTS (
    SELECT 1 FROM slices AS older
    WHERE older.source_id = slices.source_id AND older.day < slices.day AND older.stored_events > 0
);
