-- One row per event, in the words of its readers: who did what, from where, with what outcome.
SELECT * FROM stg_interpreted_events
UNION ALL BY NAME
SELECT
    concat(source_id, '-', strftime(day, '%Y%m%d'), '-', event_no) AS event_id,
    COLUMNS(name -> NOT starts_with(name, 'said_')),
    CASE WHEN said_ip IS NULL THEN ip WHEN said_ip <> '-' THEN substr(said_ip, 2) END AS stored_ip,
    CASE WHEN said_user_agent IS NULL THEN user_agent WHEN said_user_agent <> '-' THEN substr(said_user_agent, 2) END AS stored_user_agent,
    CASE WHEN said_digest IS NULL THEN digest WHEN said_digest <> '-' THEN substr(said_digest, 2) END AS stored_digest
FROM stg_current_files
