-- One row per source, UTC day, scope and kind that is stored or counted; source_count null: that part was never counted. What could
-- not be read as an event is no difference: the source counts it, and it was seen.
WITH both_sides AS (
    SELECT source_id, day, scope, kind, latest_events AS source_events, 0 AS stored_events, 0 AS rejected_rows FROM stg_counts
    UNION ALL
    SELECT source_id, day, scope, kind, 0, stored_events, 0 FROM stg_held
    UNION ALL
    SELECT source_id, day, scope, kind, 0, 0, rejected_rows FROM stg_rejected WHERE kind IS NOT NULL
),
compared AS (
    SELECT
        source_id, day, scope, kind,
        CAST(sum(source_events) AS BIGINT) AS source_events,
        CAST(sum(stored_events) AS BIGINT) AS stored_count,
        CAST(sum(rejected_rows) AS BIGINT) AS rejected_count
    FROM both_sides
    GROUP BY source_id, day, scope, kind
),
without_rejects AS (
    SELECT
        *,
        source_events - stored_count - least(rejected_count, greatest(source_events - stored_count, 0)) AS beyond
    FROM compared
),
-- A row of no readable kind may be any that is missing: only where such rows are as many as all that is missing is it all of them.
of_no_kind AS (
    SELECT source_id, day, scope, rejected_rows FROM stg_rejected WHERE kind IS NULL
),
summed AS (
    SELECT *, sum(greatest(beyond, 0)) OVER (PARTITION BY source_id, day, scope) AS missing_events FROM without_rejects
)
SELECT
    summed.source_id, summed.day, summed.scope, summed.kind,
    CASE WHEN parts.counted_at IS NOT NULL THEN summed.source_events END AS source_count,
    summed.stored_count,
    CASE
        WHEN parts.counted_at IS NULL THEN NULL
        WHEN summed.missing_events <= coalesce(of_no_kind.rejected_rows, 0) THEN least(summed.beyond, 0)
        ELSE summed.beyond
    END AS difference,
    parts.counted_at
FROM summed
LEFT JOIN stg_counted_parts AS parts
    ON parts.source_id = summed.source_id AND parts.day = summed.day AND parts.scope = summed.scope
LEFT JOIN of_no_kind
    ON of_no_kind.source_id = summed.source_id AND of_no_kind.day = summed.day AND of_no_kind.scope = summed.scope
