-- One row per event that is not yet in a file of the current rules, in the words of its readers: who did what, from where,
-- with what outcome. This text is the rules: where it changes, files are interpreted anew.
WITH read_events AS (
    SELECT
        * EXCLUDE (ip, user_agent, digest),
        ip AS stored_ip,
        user_agent AS stored_user_agent,
        digest AS stored_digest,
        -- Kinds write the same thing under several keys: deletes `digest`, logins `useragent`, service keys `user_agent`.
        CASE
            WHEN digest IS NULL AND contains(metadata, '"digest":') THEN json_extract_string(metadata, '$.digest')
            ELSE digest
        END AS digest,
        CASE
            WHEN user_agent IS NULL AND contains(metadata, '"useragent":') THEN json_extract_string(metadata, '$.useragent')
            WHEN user_agent IS NULL AND contains(metadata, '"user_agent":') THEN json_extract_string(metadata, '$.user_agent')
            ELSE user_agent
        END AS user_agent,
        -- Elasticsearch stores a missing address as the text None; an IPv4 address may come in its IPv6 form.
        CASE
            WHEN ip IN ('', 'None') THEN NULL
            WHEN starts_with(lower(ip), '::ffff:') AND contains(ip, '.') THEN substr(ip, 8)
            ELSE ip
        END AS ip,
        -- A robot's deletion takes the performer from its old rows; these kinds name the account in their metadata too.
        CASE
            WHEN performer IS NOT NULL THEN NULL
            WHEN kind IN ('pull_repo', 'push_repo', 'pull_repo_failed', 'push_repo_failed', 'login_failure')
                OR contains(kind, '_tag')
                THEN nullif(json_extract_string(metadata, '$.username'), '[secret-removed]')
            WHEN kind = 'login_success' THEN namespace
        END AS named,
        -- Of a pull or push without an account, whether an access token made it; `token` is the token's name.
        performer IS NULL AND contains(metadata, '"token":')
        AND kind IN (
            'pull_repo', 'push_repo', 'delete_tag', 'pull_repo_failed', 'push_repo_failed', 'delete_tag_failed'
        ) AS by_access_token
    FROM stg_uninterpreted_events
),
told AS (
    SELECT *, lower(user_agent) AS agent FROM read_events
)
SELECT
    concat(source_id, '-', strftime(day, '%Y%m%d'), '-', event_no) AS event_id,
    source_id,
    day,
    event_no,
    occurred_at,
    kind,
    coalesce(log_kinds.category, 'unknown') AS category,
    coalesce(performer, named) AS actor,
    CASE
        -- Only robots have a + in their name; Splunk does not say of a deleted one that it was a robot.
        WHEN contains(coalesce(performer, named), '+') THEN 'robot'
        WHEN performer IS NOT NULL THEN coalesce(performer_kind, 'user')
        WHEN named IS NOT NULL THEN 'user'
        WHEN by_access_token THEN 'token'
        WHEN kind IN ('pull_repo', 'push_repo', 'pull_repo_failed', 'push_repo_failed', 'login_failure') THEN 'anonymous'
        ELSE 'system'
    END AS actor_type,
    CASE
        WHEN metadata IS NULL OR NOT contains(metadata, 'token') THEN NULL
        WHEN contains(metadata, '"oauth_token_id":')
            THEN 'OAuth token of ' || coalesce(json_extract_string(metadata, '$.oauth_token_application'), 'an application')
        WHEN kind IN ('pull_repo', 'push_repo') AND contains(metadata, '"app_specific_token_title":')
            THEN 'app token ' || json_extract_string(metadata, '$.app_specific_token_title')
        WHEN kind IN ('pull_repo', 'push_repo') AND contains(metadata, '"app_specific_token":') THEN 'app token'
        WHEN by_access_token
            THEN 'access token' || coalesce(' ' || nullif(json_extract_string(metadata, '$.token'), '[secret-removed]'), '')
    END AS credential,
    ip,
    user_agent,
    CASE
        WHEN agent IS NULL THEN NULL
        WHEN starts_with(agent, 'docker/') OR starts_with(agent, 'docker-client') THEN 'docker'
        WHEN contains(agent, 'skopeo') THEN 'skopeo'
        WHEN contains(agent, 'buildah') THEN 'buildah'
        WHEN contains(agent, 'podman') OR contains(agent, 'libpod') THEN 'podman'
        WHEN starts_with(agent, 'cri-o') THEN 'cri-o'
        WHEN contains(agent, 'buildkit') OR contains(agent, 'buildx') THEN 'buildkit'
        WHEN starts_with(agent, 'containerd') OR starts_with(agent, 'nerdctl') THEN 'containerd'
        WHEN starts_with(agent, 'containers/') OR contains(agent, 'containers/image') THEN 'podman/containers'
        WHEN contains(agent, 'kaniko') THEN 'kaniko'
        WHEN contains(agent, 'go-containerregistry') OR starts_with(agent, 'crane') THEN 'go-containerregistry'
        WHEN contains(agent, 'oras') THEN 'oras'
        WHEN contains(agent, 'helm') THEN 'helm'
        WHEN contains(agent, 'cosign') THEN 'cosign'
        WHEN contains(agent, 'trivy') THEN 'trivy'
        WHEN contains(agent, 'clair') THEN 'clair'
        WHEN contains(agent, 'jib') THEN 'jib'
        WHEN contains(agent, 'kubelet') OR contains(agent, 'kubernetes') THEN 'kubernetes'
        WHEN starts_with(agent, 'mozilla/') THEN 'browser'
        ELSE 'other'
    END AS client,
    -- A purged namespace leaves its old rows nameless; the repository's own namespace still says where it was.
    coalesce(namespace, repository_namespace) AS namespace,
    namespace_kind,
    repository,
    tag,
    digest,
    CASE WHEN contains(kind, '_fail') THEN 'failure' ELSE 'success' END AS outcome,
    performer,
    performer_kind,
    repository_namespace,
    stored_ip,
    stored_user_agent,
    stored_digest,
    metadata,
    extra,
    scope,
    reading_id
FROM told
LEFT JOIN log_kinds USING (kind)
