"""Discovery: what the Quay at an address offers (`/discovery`), without a token's rights. Chapter 4 of the API reference."""

from __future__ import annotations

from typing import Any

import msgspec

from collector.quay.client import QuayClient, Reply, decoded


class Discovery(msgspec.Struct, frozen=True):
    """The operations of the public reference, by their ids (`listOrgLogs`, …). Internal ones are not among them."""

    version: str
    operations: frozenset[str]


class _Swagger(msgspec.Struct):
    paths: dict[str, dict[str, Any]]
    swagger: str = ""
    info: dict[str, Any] = {}


_decode = msgspec.json.Decoder(_Swagger).decode


async def get_discovery(client: QuayClient, *, purpose: str = "probe") -> Discovery:
    """`GET /discovery`; anonymous, about 220 kB. Raises QuayError."""
    operation = "discovery.get_discovery"

    def decode(reply: Reply) -> Discovery:
        found = decoded(client, operation, reply.body, _decode)
        operations = frozenset(
            method["operationId"]
            for path in found.paths.values()
            for method in path.values()
            if isinstance(method, dict) and isinstance(method.get("operationId"), str)
        )
        return Discovery(str(found.info.get("version", "")), operations)

    return await client.get(operation, "/discovery", {}, decode, purpose=purpose)
