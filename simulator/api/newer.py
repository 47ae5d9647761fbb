"""The simulator's operations that newer versions of Quay have: immutability policies, organization mirrors and their repositories,
tokens of OAuth applications, quota alerts, and the dump of the configuration."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from quayledger.simulator.api import access
from quayledger.simulator.api.notifications import view as notification_view
from quayledger.simulator.api.operations import Operation
from quayledger.simulator.api.replies import not_found, quay_of, reply, superuser
from quayledger.simulator.clock import from_us
from quayledger.simulator.entities.accounts import ImmutabilityPolicy, OauthToken, OrganizationMirror

_STATUSES = ("NEVER_RUN", "SYNC_NOW", "SYNCING", "SUCCESS", "FAIL", "CANCEL", "SKIP")
_MOST_ROWS = 500


def _iso(at_us: int | None) -> str | None:
    """As these operations write times: ISO 8601 with microseconds and a Z."""
    return None if at_us is None else from_us(at_us).replace(tzinfo=None).isoformat() + "Z"


def _policies(policies: list[ImmutabilityPolicy]) -> Response:
    return reply(
        {
            "policies": [
                {"uuid": one.uuid, "tagPattern": one.pattern, "tagPatternMatches": one.matches} for one in policies
            ]
        }
    )


def _of_organization(request: Request) -> Response:
    return _policies(access.of_organization(request).account.immutability)


def _of_repository(request: Request) -> Response:
    return _policies(access.of_repository(request, "admin").repository.immutability)


def _mirror_of(request: Request) -> OrganizationMirror:
    mirror = access.of_organization(request).account.mirror
    if mirror is None:
        raise not_found(request)
    return mirror


def _mirror(request: Request) -> Response:
    """With the name that it signs in with, never the password."""
    mirror = _mirror_of(request)
    robot = quay_of(request).registry.accounts.get(mirror.robot_id)
    counts = dict.fromkeys(_STATUSES, 0)
    for one in mirror.repositories:
        counts[one.status] += 1
    body: dict[str, Any] = {
        "is_enabled": mirror.is_enabled,
        "external_registry_type": mirror.kind,
        "external_registry_url": mirror.url,
        "external_namespace": mirror.namespace,
        "external_registry_username": mirror.username,
        "has_external_registry_password": bool(mirror.password),
        "external_registry_config": {"verify_tls": True, "proxy": {}},
        "repository_filters": mirror.filters,
        "robot_username": robot.name if robot else None,
        "visibility": "private",
        "sync_interval": mirror.interval_s,
        "sync_start_date": _iso(mirror.created_us),
        "sync_expiration_date": None,
        "sync_status": mirror.status,
        "sync_retries_remaining": 3,
        "repo_sync_status_counts": counts,
        "skopeo_timeout": 300,
        "creation_date": _iso(mirror.created_us),
    }
    return reply(body)


def _mirrored(request: Request) -> Response:
    """By page and limit, 100 at once unless asked otherwise."""
    name, mirror = request.path_params["orgname"], _mirror_of(request)
    page = max(1, int(request.query_params.get("page", 1)))
    limit = min(max(1, int(request.query_params.get("limit", 100))), _MOST_ROWS)
    total = len(mirror.repositories)
    rows = [
        {
            "name": one.name,
            "sync_status": one.status,
            "discovery_date": _iso(one.discovered_us),
            "last_sync_date": None,
            "status_message": None,
            "quay_repository": f"{name}/{one.name}" if one.is_created else None,
        }
        for one in mirror.repositories[(page - 1) * limit : page * limit]
    ]
    return reply({"repositories": rows, "page": page, "limit": limit, "total": total, "has_next": page * limit < total})


def _tokens(request: Request) -> Response:
    """What they are called and may do; the tokens themselves are shown when they are made, and never again."""
    _, account = access.of_organization(request)
    client_id = request.path_params["client_id"]
    if all(one.client_id != client_id for one in account.applications):
        raise not_found(request)
    registry = quay_of(request).registry
    return reply(
        {"tokens": [_token(one, registry.accounts) for one in account.oauth_tokens if one.client_id == client_id]}
    )


def _token(one: OauthToken, accounts: Any) -> dict[str, Any]:
    by = accounts.get(one.created_by)
    return {
        "uuid": one.uuid,
        "name": one.name,
        "scope": one.scope,
        "expires_at": _iso(one.expires_us),
        "created": _iso(one.created_us),
        "created_by": by.name if by else None,
        "last_accessed": _iso(one.last_accessed_us),
    }


def _notifications(request: Request) -> Response:
    _, account = access.of_organization(request)
    return reply(
        {
            "notifications": [
                notification_view(one.uuid, one.title, one.event, one.method, one.config, {}, one.failures)
                for one in account.notifications
            ]
        }
    )


def _mirror_health(request: Request) -> Response:
    """How many repositories mirror, and how that goes; 503 where more than a fifth fails."""
    superuser(request)
    found = [r.mirror for r in quay_of(request).registry.live_repositories() if r.mirror is not None]
    failed = sum(one.status == "FAIL" for one in found)
    healthy = failed <= 0.2 * len(found)
    body = {
        "healthy": healthy,
        "workers": {"active": 1, "configured": 1, "status": "healthy" if healthy else "degraded"},
        "repositories": {
            "total": len(found),
            "syncing": sum(one.status == "SYNCING" for one in found),
            "completed": sum(one.status == "SUCCESS" for one in found),
            "failed": failed,
            "never_run": sum(one.status == "NEVER_RUN" for one in found),
        },
        "tags_pending": 0,
        "last_check": _iso(quay_of(request).clock.now_us()),
        "issues": [],
    }
    return reply(body, 200 if healthy else 503)


def _config(request: Request) -> Response:
    """What a Quay dumps: its configuration with some secrets starred out, its environment with none."""
    superuser(request)
    quay = quay_of(request)
    config = {
        "ACTION_LOG_AUDIT_LOGINS": True,
        "ACTION_LOG_AUDIT_LOGIN_FAILURES": False,
        "ACTION_LOG_ROTATION_THRESHOLD": "30d",
        "FEATURE_ACTION_LOG_ROTATION": False,
        "LOGS_MODEL": quay.config.backend,
        "ACTION_LOG_MAX_PAGE": quay.config.max_page,
        "DISABLED_FOR_PULL_LOGS": ["scratch"],
        "FEATURE_QUOTA_MANAGEMENT": quay.config.quota_management,
        "SECRET_KEY": "********** (36)",
        "MAIL_PASSWORD": quay.registry.config_secrets["MAIL_PASSWORD"],
        "LOGS_MODEL_CONFIG": {"splunk_config": {"hec_token": quay.registry.config_secrets["hec_token"]}},
    }
    env = {"PATH": "/usr/bin", "DB_PASSWORD": quay.registry.config_secrets["DB_PASSWORD"]}
    return reply({"config": config, "warning": {}, "env": env, "schema": {"type": "object"}})


_ORG, _REPO = "/organization/{orgname}", "/repository/{repository}"
OPERATIONS = (
    Operation(
        "listOrgImmutabilityPolicies",
        f"{_ORG}/immutabilitypolicy/",
        _of_organization,
        "org:admin",
        feature="immutable_tags",
    ),
    Operation(
        "listRepositoryImmutabilityPolicies",
        f"{_REPO}/immutabilitypolicy/",
        _of_repository,
        "repo:admin",
        feature="immutable_tags",
    ),
    Operation("getOrgMirrorConfig", f"{_ORG}/mirror", _mirror, "org:admin", feature="org_mirror"),
    Operation(
        "listOrgMirrorRepositories",
        f"{_ORG}/mirror/repositories",
        _mirrored,
        "org:admin",
        ("page", "limit"),
        feature="org_mirror",
    ),
    Operation(
        "listOrganizationApplicationTokens",
        f"{_ORG}/applications/{{client_id}}/tokens",
        _tokens,
        "org:admin",
        ("next_page",),
        feature="oauth_token_lists",
    ),
    Operation("listOrgNotifications", f"{_ORG}/notifications", _notifications, "", feature="quota_notifications"),
    Operation(
        "getSuperUserRepositoryMirrorHealth",
        "/superuser/mirror/health",
        _mirror_health,
        feature="mirror_health",
    ),
    Operation("getSuperUserConfig", "/superuser/config", _config, "super:user", unlisted=True, feature="config_dump"),
)
