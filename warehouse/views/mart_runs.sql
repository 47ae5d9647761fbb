-- One row per run.
WITH spent AS (
    SELECT run_id, sum(requests) AS requests, sum(received_bytes) AS received_bytes FROM run_requests GROUP BY run_id
),
read AS (
    SELECT run_id, count(*) AS readings, sum(new_events) AS new_events FROM readings GROUP BY run_id
)
SELECT
    runs.run_id, runs.kind, runs.command, runs.started_at, runs.ended_at, runs.outcome, runs.message,
    CAST(coalesce(spent.requests, 0) AS BIGINT) AS requests,
    CAST(coalesce(spent.received_bytes, 0) AS BIGINT) AS received_bytes,
    CAST(coalesce(read.readings, 0) AS BIGINT) AS readings,
    CAST(coalesce(read.new_events, 0) AS BIGINT) AS new_events
FROM runs
LEFT JOIN spent ON spent.run_id = runs.run_id
LEFT JOIN read ON read.run_id = runs.run_id
