-- One row per event, in the words of its readers: who did what, from where, with what outcome.
WITH told AS (
    SELECT
        *,
        lower(user_agent) AS agent,
        -- A robot's deletion takes the performer from its old rows; pulls, pushes and tag changes keep the name themselves.
        CASE
            WHEN performer IS NULL AND (kind IN ('pull_repo', 'push_repo') OR contains(kind, '_tag'))
                THEN json_extract_string(metadata, '$.username')
            WHEN performer IS NULL AND kind = 'login_success' THEN namespace
        END AS named
    FROM stg_events
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
        WHEN performer IS NOT NULL THEN coalesce(performer_kind, 'user')
        WHEN contains(named, '+') THEN 'robot'
        WHEN named IS NOT NULL THEN 'user'
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
        WHEN kind IN ('pull_repo', 'push_repo') AND contains(metadata, '"token":') THEN 'access token'
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
    metadata,
    extra,
    scope,
    reading_id
FROM told
LEFT JOIN log_kinds USING (kind)
