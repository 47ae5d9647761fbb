-- One row per source and state that any of its days is in.
SELECT source_id, state, count(*) AS days
FROM slices
GROUP BY source_id, state
