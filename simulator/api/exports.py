"""The simulator's export requests: their immediate answers. What follows is the worker's, `simulator.exports`."""

from __future__ import annotations

import ipaddress
import json
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from quayledger.simulator.api import scopes
from quayledger.simulator.api.logs import window
from quayledger.simulator.api.operations import Operation
from quayledger.simulator.api.replies import Refusal, caller, invalid, message, quay_of, reply, server_error
from quayledger.simulator.api.scopes import LogScope
from quayledger.simulator.exports import Job
from quayledger.simulator.table import Row

NOT_JSON = "Did not attempt to load JSON data because the request Content-Type was not 'application/json'."


async def _wishes(request: Request) -> dict[str, Any]:
    """The body. Raises 415 where it is not JSON."""
    if not request.headers.get("content-type", "").startswith("application/json"):
        raise message(NOT_JSON, 415)
    try:
        body = json.loads(await request.body())
    except ValueError:
        raise message("Failed to decode JSON object", 400) from None
    return body if isinstance(body, dict) else {}


def _check(request: Request, wishes: dict[str, Any]) -> None:
    url = wishes.get("callback_url") or ""
    if url and (urlsplit(url).scheme not in ("http", "https") or _is_internal(request, urlsplit(url).hostname or "")):
        raise invalid(request, "Invalid callback URL")
    email = wishes.get("callback_email") or ""
    if email and "@" not in email:
        raise invalid(request, "Invalid callback e-mail")
    if window(request).width_us < 0:
        raise invalid(request, "Invalid time span selected")


def _is_internal(request: Request, host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_private and (quay_of(request).exports.plan.strict_callbacks or not address.is_loopback)


def _export(request: Request, scope: LogScope, wishes: dict[str, Any]) -> Response:
    """Accepts the export and leaves its trace in the same log."""
    _check(request, wishes)
    quay = quay_of(request)
    export_id = str(uuid.uuid4())
    metadata = {
        "date/time": quay.clock.now_us() // 1_000_000,
        "export_id": export_id,
        "message": "queued for export",
        "url": wishes.get("callback_url"),
        "email": wishes.get("callback_email"),
        **({"repo": scope.repository} if scope.repository else {}),
    }
    account = quay.registry.account(scope.namespace)
    row = Row(
        quay.clock.now_us(),
        "export_logs_success",
        account.id if account else 0,
        caller(request).user.id,
        ip=request.client.host if request.client else None,
        metadata=json.dumps(metadata).encode(),
    )
    quay.write(row)
    job = Job(
        export_id=export_id,
        namespace=scope.namespace or "",
        repository=scope.repository,
        selection=scope.selection,
        window=window(request),
        callback_url=wishes.get("callback_url") or "",
        callback_email=wishes.get("callback_email") or "",
        base_url=str(request.base_url),
    )
    quay.exports.queue(quay, job)
    return reply({"export_id": export_id})


def _of_organization(request: Request) -> LogScope:
    try:
        return scopes.of_organization(request)
    except Refusal as refusal:
        if refusal.response.status_code == 400:
            raise server_error() from None
        raise


def _of_repository(request: Request) -> LogScope:
    return scopes.of_repository(request, writing=True)


def _operation(name: str, path: str, opened: Callable[[Request], LogScope], scope: str) -> Operation:
    async def answer(request: Request) -> Response:
        wishes = await _wishes(request)
        return _export(request, opened(request), wishes)

    return Operation(name, f"{path}/exportlogs", answer, scope, ("starttime", "endtime"), "POST")


OPERATIONS = (
    _operation("exportOrgLogs", "/organization/{orgname}", _of_organization, "org:admin"),
    _operation("exportUserLogs", "/user", scopes.of_user, "user:admin"),
    _operation("exportRepoLogs", "/repository/{repository}", _of_repository, "repo:admin"),
)
