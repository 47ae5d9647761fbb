"""Repositories: what a namespace holds (`/repository`). Chapter 16 of the API reference."""

from __future__ import annotations

import msgspec

from collector.quay.client import QuayClient
from collector.quay.paging import read_all


class Repository(msgspec.Struct, frozen=True):
    """One repository as the list tells of it; `last_modified`: seconds since 1970, None where nothing was pushed."""

    namespace: str
    name: str
    is_public: bool = False
    state: str | None = None
    last_modified: int | None = None


class _List(msgspec.Struct):
    repositories: tuple[Repository, ...]
    next_page: str | None = None


_decode = msgspec.json.Decoder(_List).decode


async def list_repositories(client: QuayClient, namespace: str, *, purpose: str = "probe") -> list[Repository]:
    """All repositories of a namespace that the token sees. `GET /repository?namespace=`; scope `repo:read`. Raises QuayError."""
    operation, params = "repository.list_repositories", {"namespace": namespace}
    pages = await read_all(client, operation, "/repository", {**params}, _decode, purpose=purpose)
    return [repository for page in pages for repository in page.repositories]
