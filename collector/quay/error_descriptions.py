"""Error descriptions: Quay's own description of an error type (`/error/{type}`). Chapter 5 of the API reference."""

from __future__ import annotations

import msgspec

from quayledger.collector.quay import paths
from quayledger.collector.quay.client import QuayClient
from quayledger.collector.quay.listing import read_one
from quayledger.collector.quay.rows import reader


class ErrorDescription(msgspec.Struct, frozen=True):
    """An error type; `type` is the URL of this description."""

    title: str
    description: str | None = None
    type: str | None = None


_description = reader(ErrorDescription)


async def get_error_description(client: QuayClient, error_type: str, *, purpose: str = "inventory") -> ErrorDescription:
    """`GET /error/{error_type}` (getErrorDescription, 5.1); anonymous. Raises QuayError; NotFound for an unknown type."""
    path = f"/error/{paths.segment(error_type)}"
    return await read_one(client, "error.get_error_description", path, _description, purpose=purpose)
