-- One row per source, UTC day, scope and kind that the source once counted; 0: it counts none any more.
SELECT source_id, day, scope, kind, latest_events, peak_events, counted_at
FROM counts
WHERE kind <> ''
