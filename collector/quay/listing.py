"""Listing: reads one object, or a list row by row, from one call or from all its pages. I/O through the client."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import TypeVar

import msgspec

from quayledger.collector.quay import pagination, paths
from quayledger.collector.quay.client import QuayClient, Reply, decoded
from quayledger.collector.quay.errors import Shadowed
from quayledger.collector.quay.rows import Reader, Rows, items, read_rows

Params = Mapping[str, str | int]
NO_PARAMS: Params = {}
_T = TypeVar("_T")


def refuse_shadowed(client: QuayClient, operation: str, repository: str, suffix: str = "") -> None:
    """Raises Shadowed where Quay would answer for another repository; nothing is sent."""
    if other := paths.shadow(repository, suffix):
        said = f"Quay answers for {other} where {repository} is asked for: its name ends in the name of an operation"
        raise Shadowed(client.source_id, operation, said)


async def read_one(
    client: QuayClient,
    operation: str,
    path: str,
    read: Reader[_T],
    params: Params = NO_PARAMS,
    *,
    purpose: str,
    most_failures: int | None = None,
) -> _T:
    """One object. Raises QuayError; UnexpectedReply if it has another shape."""

    def decode(reply: Reply) -> _T:
        return decoded(client, operation, reply.body, read)

    return await client.get(operation, path, params, decode, purpose=purpose, most_failures=most_failures)


async def read_list(
    client: QuayClient,
    operation: str,
    path: str,
    key: str | None,
    read: Reader[_T],
    params: Params = NO_PARAMS,
    *,
    purpose: str,
) -> Rows[_T]:
    """A list without pagination: under `key`, or bare. Raises QuayError; UnexpectedReply if there is no list."""
    found = await read_one(client, operation, path, items(key), params, purpose=purpose)
    return read_rows(key or operation, found, read)


async def read_pages(
    client: QuayClient,
    operation: str,
    path: str,
    key: str,
    read: Reader[_T],
    params: Params = NO_PARAMS,
    *,
    purpose: str,
) -> Rows[_T]:
    """A list paginated by `next_page`, to its end. Raises QuayError; BrokenReply if a page repeats."""
    ask = _asker(client, operation, path, key, params, purpose)
    return read_rows(key, await pagination.read_all(client.source_id, operation, ask), read)


async def read_numbered(
    client: QuayClient,
    operation: str,
    path: str,
    key: str,
    read: Reader[_T],
    params: Params = NO_PARAMS,
    *,
    most_pages: int,
    purpose: str,
) -> Rows[_T]:
    """A list paginated by `page` with Quay's own page size. Raises QuayError as `pagination.read_numbered`."""
    ask = _asker(client, operation, path, key, params, purpose)
    return read_rows(key, await pagination.read_numbered(client.source_id, operation, ask, most_pages), read)


async def read_overlapping(
    client: QuayClient,
    operation: str,
    path: str,
    key: str,
    read: Reader[_T],
    params: Params = NO_PARAMS,
    *,
    same: Callable[[msgspec.Raw], Hashable],
    purpose: str,
) -> Rows[_T]:
    """A list paginated by `page` and `limit`, without loss while rows are added and removed; `same` identifies a
    row. Raises QuayError as `pagination.read_overlapping`."""
    ask = _asker(client, operation, path, key, params, purpose)
    return read_rows(key, await pagination.read_overlapping(client.source_id, operation, ask, same), read)


def _asker(client: QuayClient, operation: str, path: str, key: str, params: Params, purpose: str) -> pagination.Ask:
    """Fetches the page that some parameters select."""
    rows = items(key)

    def read(body: bytes) -> pagination.ResultPage:
        return pagination.ResultPage(rows(body), pagination.decode_marks(body, key))

    async def ask(chosen: dict[str, str | int]) -> pagination.ResultPage:
        return await read_one(client, operation, path, read, {**params, **chosen}, purpose=purpose)

    return ask
