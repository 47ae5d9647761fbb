"""Builds: images that Quay builds itself, their state and logs (`/repository/{repository}/build/`). Chapter 3 of
the API reference, and 21.22 to 21.24, which read a build by its id alone.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from quayledger.collector.quay import paths
from quayledger.collector.quay.client import QuayClient
from quayledger.collector.quay.listing import Params, read_list, read_one
from quayledger.collector.quay.rows import Int64, Rows, items, read_rows, reader, translated
from quayledger.collector.quay.times import Moment


class BuildTrigger(msgspec.Struct, frozen=True):
    """What started a build; `service`: github | gitlab | bitbucket | custom-git."""

    id: str
    service: str | None = None


class BuildProgress(msgspec.Struct, frozen=True):
    """Progress of a build, while Quay keeps it; completions are fractions of 1."""

    total_commands: Int64 | None = None
    current_command: Int64 | None = None
    push_completion: float | None = None
    pull_completion: float | None = None


class BuiltRepository(msgspec.Struct, frozen=True):
    """The repository that receives a build's image."""

    namespace: str
    name: str


class Build(msgspec.Struct, frozen=True):
    """A build, without the addresses of its source. `phase`: waiting | building | pushing | complete | error | cancelled |
    …; `manual_user`: who started it; None if a trigger did."""

    id: str
    phase: str
    started: Moment | None = None
    display_name: str | None = None
    tags: tuple[str, ...] = ()
    manual_user: str | None = None
    trigger: BuildTrigger | None = None
    progress: BuildProgress | None = msgspec.field(default=None, name="status")
    repository: BuiltRepository | None = None


class BuildLogEntry(msgspec.Struct, frozen=True):
    """A line of a build's log; `type`: phase | command | error, None for the output of a command."""

    message: str
    type: str | None = None


class BuildLogs(msgspec.Struct, frozen=True):
    """The log of a build from entry `start` on; `total` entries so far. An archived log is a file behind a signed address, which
    is not kept: then there are no entries."""

    entries: Rows[BuildLogEntry] = Rows()
    start: Int64 | None = None
    total: Int64 | None = None
    is_archived: bool = False


class _Logs(msgspec.Struct):
    logs: msgspec.Raw = msgspec.Raw(b"[]")
    start: Int64 | None = None
    total: Int64 | None = None
    logs_url: str | None = None


read_build = reader(Build)
_entry = reader(BuildLogEntry)
_entries = items(None)


def _from_wire(wire: _Logs) -> BuildLogs:
    if wire.logs_url is not None:
        return BuildLogs(is_archived=True)
    return BuildLogs(read_rows("logs", _entries(wire.logs), _entry), wire.start, wire.total)


_logs = translated(_Logs, _from_wire)


async def list_builds(
    client: QuayClient,
    repository: str,
    *,
    limit: Int64 = 100,
    since: datetime | None = None,
    purpose: str = "inventory",
) -> Rows[Build]:
    """The newest builds, newest first. If `limit` builds come there may be more, because there is no next page. `since`: aware.
    `GET /repository/{repository}/build/` (getRepoBuilds, 3.6); scope `repo:read`. Raises QuayError."""
    params: dict[str, str | int] = {"limit": limit}
    if since is not None:
        params["since"] = int(since.timestamp())
    path = f"{paths.repository(repository)}/build/"
    return await read_list(client, "build.list_builds", path, "builds", read_build, params, purpose=purpose)


async def get_build(client: QuayClient, repository: str, uuid: str, *, purpose: str = "inventory") -> Build:
    """`GET /repository/{repository}/build/{build_uuid}` (getRepoBuild, 3.3); scope `repo:read`. Raises QuayError; NotFound."""
    return await read_one(client, "build.get_build", _path(repository, uuid), read_build, purpose=purpose)


async def get_build_status(client: QuayClient, repository: str, uuid: str, *, purpose: str = "inventory") -> Build:
    """The build with its progress. `GET /repository/{repository}/build/{build_uuid}/status` (getRepoBuildStatus, 3.1); scope
    `repo:read`. Raises QuayError; NotFound."""
    path = f"{_path(repository, uuid)}/status"
    return await read_one(client, "build.get_build_status", path, read_build, purpose=purpose)


async def get_build_logs(
    client: QuayClient, repository: str, uuid: str, *, start: int = 0, purpose: str = "inventory"
) -> BuildLogs:
    """`GET /repository/{repository}/build/{build_uuid}/logs` (getRepoBuildLogs, 3.2); scope `repo:read` and the right to write
    to the repository, or a superuser. Raises QuayError; Forbidden if the user may only read it; NotFound."""
    path = f"{_path(repository, uuid)}/logs"
    return await read_one(client, "build.get_build_logs", path, _logs, _from(start), purpose=purpose)


async def get_superuser_build(client: QuayClient, uuid: str, *, purpose: str = "inventory") -> Build:
    """`GET /superuser/{build_uuid}/build` (getRepoBuildSuperUser, 21.23); scope `super:user`. Raises QuayError; NotFound."""
    path = f"/superuser/{paths.segment(uuid)}/build"
    return await read_one(client, "build.get_superuser_build", path, read_build, purpose=purpose)


async def get_superuser_build_status(client: QuayClient, uuid: str, *, purpose: str = "inventory") -> Build:
    """`GET /superuser/{build_uuid}/status` (getRepoBuildStatusSuperUser, 21.22); scope `super:user`. Raises QuayError;
    NotFound."""
    path = f"/superuser/{paths.segment(uuid)}/status"
    return await read_one(client, "build.get_superuser_build_status", path, read_build, purpose=purpose)


async def get_superuser_build_logs(
    client: QuayClient, uuid: str, *, start: int = 0, purpose: str = "inventory"
) -> BuildLogs:
    """`GET /superuser/{build_uuid}/logs` (getRepoBuildLogsSuperUser, 21.24); scope `super:user`. Raises QuayError; NotFound."""
    path = f"/superuser/{paths.segment(uuid)}/logs"
    return await read_one(client, "build.get_superuser_build_logs", path, _logs, _from(start), purpose=purpose)


def _path(repository: str, uuid: str) -> str:
    return f"{paths.repository(repository)}/build/{paths.segment(uuid)}"


def _from(start: int) -> Params:
    return {"start": start} if start else {}
