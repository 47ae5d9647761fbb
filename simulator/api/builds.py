"""The simulator's build operations: builds and their logs, by repository and for superusers, and build triggers."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from quayledger.simulator.api import access, views
from quayledger.simulator.api.operations import Answer, Operation
from quayledger.simulator.api.replies import Caller, not_found, quay_of, reply, superuser
from quayledger.simulator.clock import DAY_US, SECOND_US, rfc_822
from quayledger.simulator.entities.builds import Build, Trigger
from quayledger.simulator.entities.content import Repository
from quayledger.simulator.quay import Quay

_USUAL_LIMIT = 5
_LOG_LIFE_US = 7 * DAY_US
_REPOSITORY_URL = {"github": "https://github.com/", "gitlab": "https://gitlab.com/"}


def _trigger(trigger: Trigger, *, reads: bool, administers: bool) -> dict[str, Any]:
    """What a reader sees of a trigger is less than what an administrator does."""
    host = _REPOSITORY_URL.get(trigger.service)
    return {
        "id": trigger.uuid,
        "service": trigger.service,
        "is_active": trigger.is_active,
        "build_source": trigger.build_source if reads else None,
        "repository_url": f"{host}{trigger.build_source}" if host and reads else None,
        "config": trigger.config if administers else {},
        "can_invoke": administers,
        "enabled": trigger.enabled,
        "disabled_reason": trigger.disabled_reason,
    }


def _build(quay: Quay, found: Repository, build: Build, who: Caller | None) -> dict[str, Any]:
    reads, writes = access.may(who, found, "read"), access.may(who, found, "write")
    trigger = found.trigger(build.trigger_uuid)
    administers = access.may(who, found, "admin")
    body: dict[str, Any] = {
        "id": build.uuid,
        "phase": build.phase,
        "started": rfc_822(build.started_us),
        "display_name": build.display_name,
        "status": build.progress,
        "subdirectory": build.subdirectory,
        "dockerfile_path": build.dockerfile_path,
        "context": build.context,
        "tags": build.tags,
        "manual_user": build.manual_user,
        "is_writer": writes,
        "trigger": _trigger(trigger, reads=reads, administers=administers) if trigger else None,
        "trigger_metadata": build.trigger_metadata,
        "resource_key": build.resource_key,
        "pull_robot": build.pull_robot,
        "repository": {"namespace": quay.registry.namespace_of(found).name, "name": found.name},
        "error": None,
    }
    if writes and build.archive_url:
        body["archive_url"] = build.archive_url
    return body


def _newest(quay: Quay, found: Repository, builds: list[Build], request: Request, who: Caller | None) -> Response:
    """The newest first; there is no next page."""
    since = views.number(request, "since", 0)
    limit = views.number(request, "limit", _USUAL_LIMIT)
    wanted = [build for build in builds if build.started_us // SECOND_US >= since]
    wanted.sort(key=lambda build: build.started_us)
    wanted.reverse()
    return reply({"builds": [_build(quay, found, build, who) for build in wanted[:limit]]})


def _builds(request: Request) -> Response:
    who, found = access.of_repository(request, "read")
    return _newest(quay_of(request), found, found.builds, request, who)


def _named(request: Request, found: Repository) -> Build:
    build = found.build(request.path_params["build_uuid"])
    if build is None:
        raise not_found(request)
    return build


def _one(request: Request) -> Response:
    who, found = access.of_repository(request, "read")
    return reply(_build(quay_of(request), found, _named(request, found), who))


def _log(request: Request, build: Build) -> Response:
    """After a week the log is in an archive: then it is an address."""
    if quay_of(request).clock.now_us() - build.started_us > _LOG_LIFE_US:
        return reply({"logs_url": f"{request.base_url}buildlogs/{build.uuid}"})
    start = max(0, views.number(request, "start", 0))
    return reply({"start": start, "total": len(build.log), "logs": build.log[start:]})


def _logs(request: Request) -> Response:
    """For those who may write, and for superusers."""
    _, found = access.of_repository(request, "write")
    return _log(request, _named(request, found))


def _anywhere(request: Request) -> tuple[Caller, Repository, Build]:
    who = superuser(request)
    for found in quay_of(request).registry.live_repositories():
        build = found.build(request.path_params["build_uuid"])
        if build is not None:
            return who, found, build
    raise not_found(request)


def _superuser_one(request: Request) -> Response:
    """Without tags and without what the trigger told."""
    who, found, build = _anywhere(request)
    body = _build(quay_of(request), found, build, who)
    if body["trigger"] is not None:
        del body["trigger"]["enabled"], body["trigger"]["disabled_reason"]
    return reply({**body, "tags": [], "trigger_metadata": None, "status": {}})


def _superuser_logs(request: Request) -> Response:
    return _log(request, _anywhere(request)[2])


def _triggers(request: Request) -> Response:
    """With everything, also for a superuser who only reads."""
    _, found = access.of_repository(request, "admin")
    return reply({"triggers": [_trigger(one, reads=True, administers=True) for one in found.triggers]})


def _named_trigger(request: Request, found: Repository) -> Trigger:
    trigger = found.trigger(request.path_params["trigger_uuid"])
    if trigger is None:
        raise not_found(request)
    return trigger


def _one_trigger(request: Request) -> Response:
    _, found = access.of_repository(request, "admin")
    return reply(_trigger(_named_trigger(request, found), reads=True, administers=True))


def _trigger_builds(request: Request) -> Response:
    who, found = access.of_repository(request, "admin")
    trigger = _named_trigger(request, found)
    builds = [build for build in found.builds if build.trigger_uuid == trigger.uuid]
    return _newest(quay_of(request), found, builds, request, who)


def _operation(name: str, path: str, answer: Answer, scope: str, parameters: tuple[str, ...] = ()) -> Operation:
    return Operation(name, path, answer, scope, parameters, feature="builds")


_BUILD, _TRIGGER, _ANY = "/repository/{repository}/build", "/repository/{repository}/trigger", "/superuser/{build_uuid}"
OPERATIONS = (
    _operation("getRepoBuilds", f"{_BUILD}/", _builds, "repo:read", ("limit", "since")),
    _operation("getRepoBuild", f"{_BUILD}/{{build_uuid}}", _one, "repo:read"),
    _operation("getRepoBuildStatus", f"{_BUILD}/{{build_uuid}}/status", _one, "repo:read"),
    _operation("getRepoBuildLogs", f"{_BUILD}/{{build_uuid}}/logs", _logs, "repo:read"),
    _operation("getRepoBuildStatusSuperUser", f"{_ANY}/status", _superuser_one, "super:user"),
    _operation("getRepoBuildSuperUser", f"{_ANY}/build", _superuser_one, "super:user"),
    _operation("getRepoBuildLogsSuperUser", f"{_ANY}/logs", _superuser_logs, "super:user"),
    _operation("listBuildTriggers", f"{_TRIGGER}/", _triggers, "repo:admin"),
    _operation("getBuildTrigger", f"{_TRIGGER}/{{trigger_uuid}}", _one_trigger, "repo:admin"),
    _operation(
        "listTriggerRecentBuilds", f"{_TRIGGER}/{{trigger_uuid}}/builds", _trigger_builds, "repo:admin", ("limit",)
    ),
)
