-- One row per source, UTC day and scope that was counted, whatever the count.
SELECT source_id, day, scope, counted_at
FROM counts
WHERE kind = ''
