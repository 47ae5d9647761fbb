"""Discovery: what the Quay at an address offers (`/discovery`), without a token's rights. Chapter 4 of the API reference."""

from __future__ import annotations

from typing import Any

import msgspec

from quayledger.collector.quay.client import QuayClient
from quayledger.collector.quay.listing import read_one
from quayledger.collector.quay.rows import translated


class Discovery(msgspec.Struct, frozen=True):
    """The operations that the registry's own reference lists, by their ids (`listOrgLogs`, …)."""

    version: str
    operations: frozenset[str]


class _Swagger(msgspec.Struct):
    paths: dict[str, dict[str, Any]]
    swagger: str = ""
    info: dict[str, Any] = {}


def _told(wire: _Swagger) -> Discovery:
    operations = frozenset(
        method["operationId"]
        for path in wire.paths.values()
        for method in path.values()
        if isinstance(method, dict) and isinstance(method.get("operationId"), str)
    )
    return Discovery(str(wire.info.get("version", "")), operations)


_discovery = translated(_Swagger, _told)


async def get_discovery(client: QuayClient, *, internal: bool = False, purpose: str = "probe") -> Discovery:
    """`internal`: with those operations too that answer though the public reference leaves them out. `GET /discovery`
    (discovery, 4.1); anonymous, about 220 kB. Raises QuayError."""
    params = {"internal": "true"} if internal else {}
    return await read_one(client, "discovery.get_discovery", "/discovery", _discovery, params, purpose=purpose)
