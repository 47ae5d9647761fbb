-- One row per source and query (on disk: look): its targets by how the newest read of each ended. A note that speaks for many targets
-- (all of a namespace that were not asked, since others of it were refused) is one target.
SELECT
    source_id,
    look,
    count(*) AS targets,
    count(*) FILTER (state = 'ok') AS ok,
    count(*) FILTER (state = 'partial') AS partial,
    count(*) FILTER (state = 'refused') AS refused,
    count(*) FILTER (state = 'not_offered') AS not_offered,
    count(*) FILTER (state = 'failed') AS failed,
    count(*) FILTER (state = 'not_asked') AS not_asked,
    count(*) FILTER (state = 'gone') AS gone,
    -- What is gone does not grow old; what is refused now is as old as the last time it was not.
    min(ok_at) FILTER (state <> 'gone') AS oldest_ok_at,
    max(ok_at) FILTER (state <> 'gone') AS newest_ok_at
FROM looks
GROUP BY source_id, look
