-- One row per source, UTC day, scope and kind of which events are stored.
SELECT source_id, day, scope, kind, count(*) AS stored_events
FROM stg_events
GROUP BY source_id, day, scope, kind
