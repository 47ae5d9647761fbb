-- One row per source, with what is held of it and what was spent on it.
WITH held AS (
    SELECT
        slices.source_id,
        count(*) AS days,
        min(slices.day) AS first_day,
        max(slices.day) AS last_day,
        sum(slices.stored_events) AS events,
        sum(slices.rejected_rows) AS rejected_rows
    FROM slices
    GROUP BY slices.source_id
),
-- What a day's cover counts; a slice that vouches for another number, after the source lost rows, has the say.
counted AS (
    SELECT counts.source_id, counts.day, sum(counts.latest_events) AS events
    FROM stg_counts AS counts
    JOIN slices ON slices.source_id = counts.source_id AND slices.day = counts.day
    JOIN covers ON covers.source_id = slices.source_id AND covers.version = slices.cover_version
    WHERE list_contains(covers.scopes, counts.scope)
    GROUP BY counts.source_id, counts.day
),
expected AS (
    SELECT
        slices.source_id,
        -- A day that is not over grows after its count: the source holds as many events as it gave, at least.
        sum(
            CASE
                WHEN slices.state IN ('open', 'provisional') AND coalesce(slices.expected_events, counted.events) IS NOT NULL
                    THEN greatest(coalesce(slices.expected_events, counted.events), slices.stored_events)
                ELSE coalesce(slices.expected_events, counted.events)
            END
        ) AS events
    FROM slices
    LEFT JOIN counted ON counted.source_id = slices.source_id AND counted.day = slices.day
    GROUP BY slices.source_id
),
newest AS (
    SELECT source_id, max(last_event_at) AS last_event_at
    FROM (
        SELECT source_id, max(occurred_at) AS last_event_at FROM event_rows GROUP BY source_id
        UNION ALL
        SELECT source_id, max(occurred_at) FROM corrections GROUP BY source_id
        UNION ALL
        SELECT source_id, max(occurred_at) FROM stg_plain_files GROUP BY source_id
        UNION ALL
        SELECT source_id, max(last_event_at) FROM event_files GROUP BY source_id
    ) AS held
    GROUP BY source_id
),
spent AS (
    SELECT
        source_id,
        sum(requests) AS requests,
        -- Of the log: how a look at the registry went says nothing of it.
        max(started_at) FILTER (kind <> 'inventory') AS last_run_at,
        arg_max(outcome, run_id) FILTER (kind <> 'inventory') AS last_run_outcome
    FROM mart_spent
    GROUP BY source_id
)
SELECT
    sources.source_id, sources.name, sources.url, sources.backend, held.first_day, held.last_day,
    CAST(coalesce(held.days, 0) AS BIGINT) AS days,
    CAST(coalesce(held.events, 0) AS BIGINT) AS events,
    CAST(expected.events AS BIGINT) AS expected_events,
    newest.last_event_at,
    CAST(coalesce(spent.requests, 0) AS BIGINT) AS requests,
    CAST(coalesce(held.rejected_rows, 0) AS BIGINT) AS rejected_rows,
    spent.last_run_at,
    spent.last_run_outcome
FROM sources
LEFT JOIN held ON held.source_id = sources.source_id
LEFT JOIN expected ON expected.source_id = sources.source_id
LEFT JOIN newest ON newest.source_id = sources.source_id
LEFT JOIN spent ON spent.source_id = sources.source_id
