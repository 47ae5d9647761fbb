-- One row per event that no file of the current rules holds, as it is stored: of the live file, late ones of closed days, and those
-- in files of older versions.
SELECT * FROM event_rows
UNION ALL BY NAME
SELECT * FROM corrections
UNION ALL BY NAME
SELECT * FROM stg_plain_files
UNION ALL BY NAME
SELECT
    source_id,
    day,
    event_no,
    scope,
    reading_id,
    occurred_at,
    kind,
    CASE WHEN said_namespace IS NULL THEN namespace WHEN said_namespace <> '-' THEN substr(said_namespace, 2) END AS namespace,
    namespace_kind,
    performer,
    performer_kind,
    CASE WHEN said_ip IS NULL THEN ip WHEN said_ip <> '-' THEN substr(said_ip, 2) END AS ip,
    CASE WHEN said_repository IS NULL THEN repository WHEN said_repository <> '-' THEN substr(said_repository, 2) END AS repository,
    repository_namespace,
    CASE WHEN said_tag IS NULL THEN tag WHEN said_tag <> '-' THEN substr(said_tag, 2) END AS tag,
    CASE WHEN said_digest IS NULL THEN digest WHEN said_digest <> '-' THEN substr(said_digest, 2) END AS digest,
    CASE WHEN said_user_agent IS NULL THEN user_agent WHEN said_user_agent <> '-' THEN substr(said_user_agent, 2) END AS user_agent,
    metadata,
    extra
FROM stg_stale_files
