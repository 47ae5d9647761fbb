-- One row per run and source that the run asked.
SELECT
    spent.run_id, spent.source_id, runs.kind, runs.started_at, runs.outcome,
    CAST(sum(spent.requests) AS BIGINT) AS requests,
    sum(spent.seconds) AS seconds,
    CAST(sum(spent.received_bytes) AS BIGINT) AS received_bytes
FROM run_requests AS spent
JOIN runs ON runs.run_id = spent.run_id
GROUP BY spent.run_id, spent.source_id, runs.kind, runs.started_at, runs.outcome
