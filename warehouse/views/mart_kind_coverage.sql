-- One row per source, UTC day, scope and kind that is stored or counted; source_count null: that part was never counted.
WITH both_sides AS (
    SELECT source_id, day, scope, kind, latest_events AS source_events, 0 AS stored_events FROM stg_counts
    UNION ALL
    SELECT source_id, day, scope, kind, 0, stored_events FROM stg_held
),
compared AS (
    SELECT
        source_id, day, scope, kind,
        CAST(sum(source_events) AS BIGINT) AS source_events,
        CAST(sum(stored_events) AS BIGINT) AS stored_count
    FROM both_sides
    GROUP BY source_id, day, scope, kind
)
SELECT
    compared.source_id, compared.day, compared.scope, compared.kind,
    CASE WHEN parts.counted_at IS NOT NULL THEN compared.source_events END AS source_count,
    compared.stored_count,
    CASE WHEN parts.counted_at IS NOT NULL THEN compared.source_events - compared.stored_count END AS difference,
    parts.counted_at
FROM compared
LEFT JOIN stg_counted_parts AS parts
    ON parts.source_id = compared.source_id AND parts.day = compared.day AND parts.scope = compared.scope
