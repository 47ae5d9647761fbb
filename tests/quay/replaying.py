"""Replays what was recorded: the call is made, and answered as it was then."""

from __future__ import annotations

from typing import Any

import httpx

from quayledger.collector.quay import errors
from tests.quay.calls import ask
from tests.quay.wire import client, recording, replay

REGISTRY_TOKEN = "registry-token-0123456789"
# Only an excerpt of this one was kept.
EXCERPT = "315_discovery_internal"


class Replay:
    """Answers the first request with what was recorded and later ones with the end of its list; keeps what was asked."""

    def __init__(self, recorded: dict[str, Any]) -> None:
        self.recorded = recorded
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v2/auth" and not self.recorded["request"]["path"].endswith("/auth"):
            return httpx.Response(200, json={"token": REGISTRY_TOKEN})
        self.asked.append(request)
        if len(self.asked) == 1 and self.recorded["status"] != 308:
            return replay(self.recorded)
        return httpx.Response(200, json=_end(self.recorded["body"], request))


def _end(body: Any, request: httpx.Request) -> dict[str, Any]:
    """What closes a list: nothing more by token, the last row once more by number."""
    if request.url.path.startswith("/v2/"):
        return {"manifests": []}
    key = request.url.path.rstrip("/").rpartition("/")[2].replace("tag", "tags")
    if not isinstance(body, dict):
        return {key: []}
    key = next(key for key, value in body.items() if isinstance(value, list))
    return {key: body[key][-1:] if "has_additional" in body else [], "page": 2, "has_additional": False}


def recorded_body(name: str) -> dict[str, Any]:
    recorded = recording(name)
    if name == EXCERPT:
        added = recorded["body"]["operations_added"]
        recorded["body"] = {"paths": {f"/{one}": {"get": {"operationId": one}} for one in added}}
    return recorded


async def outcome(operation: str, recorded: dict[str, Any]) -> tuple[object, Replay]:
    """What the call gives, or the error that it ends in."""
    wire = Replay(recorded)
    async with client(wire, retries=0) as quay:
        try:
            return await ask(quay, operation, recorded["request"]), wire
        except errors.QuayError as error:
            return error, wire
