"""Repositories: what a namespace holds (`/repository`). Chapter 16 of the API reference."""

from __future__ import annotations

import msgspec

from collector.quay.client import QuayClient, Reply, decoded

_MOST_PAGES = 1_000


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
    operation = "repository.list_repositories"

    def decode(reply: Reply) -> _List:
        return decoded(client, operation, reply.body, _decode)

    found: list[Repository] = []
    params: dict[str, str | int] = {"namespace": namespace}
    for _ in range(_MOST_PAGES):
        page = await client.get(operation, "/repository", params, decode, purpose=purpose)
        found += page.repositories
        if not page.next_page:
            break
        params["next_page"] = page.next_page
    return found
