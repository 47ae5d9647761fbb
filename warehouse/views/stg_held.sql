-- One row per source, UTC day, scope and kind of which events are stored.
WITH held AS (
    SELECT source_id, day, scope, kind, count(*) AS events FROM event_rows GROUP BY ALL
    UNION ALL
    SELECT source_id, day, scope, kind, count(*) FROM corrections GROUP BY ALL
    UNION ALL
    SELECT source_id, day, scope, kind, count(*) FROM stg_plain_files GROUP BY ALL
    UNION ALL
    SELECT source_id, day, scope, kind, events FROM filed_counts
)
SELECT source_id, day, scope, kind, CAST(sum(events) AS BIGINT) AS stored_events
FROM held
GROUP BY source_id, day, scope, kind
