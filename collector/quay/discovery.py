"""Discovery: the operations that a Quay offers (`/discovery`), whatever the token may do. Chapter 4 of the API reference."""

from __future__ import annotations

from typing import Any

import msgspec

from quayledger.collector.quay.client import QuayClient
from quayledger.collector.quay.listing import read_one
from quayledger.collector.quay.rows import translated


class Discovery(msgspec.Struct, frozen=True):
    """Ids of the operations that the registry's public API reference lists (`listOrgLogs`, …)."""

    version: str
    operations: frozenset[str]


class _Swagger(msgspec.Struct):
    paths: dict[str, dict[str, Any]]
    swagger: str = ""
    info: dict[str, Any] = {}


def _from_wire(wire: _Swagger) -> Discovery:
    operations = frozenset(
        method["operationId"]
        for path in wire.paths.values()
        for method in path.values()
        if isinstance(method, dict) and isinstance(method.get("operationId"), str)
    )
    return Discovery(str(wire.info.get("version", "")), operations)


_discovery = translated(_Swagger, _from_wire)


async def get_discovery(client: QuayClient, *, internal: bool = False, purpose: str = "probe") -> Discovery:
    """`internal`: include operations that the public reference leaves out. `GET /discovery`
    (discovery, 4.1); anonymous, about 220 kB. Raises QuayError."""
    params = {"internal": "true"} if internal else {}
    return await read_one(client, "discovery.get_discovery", "/discovery", _discovery, params, purpose=purpose)
