-- One row per slice: a source and a UTC day of which anything was collected or judged.
SELECT
    source_id, day, state, cover_version, expected_events, stored_events, rejected_rows, counted_at, read_at, sealed_at,
    note
FROM slices
