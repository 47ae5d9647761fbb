"""Paging: reads a list to its end, page by page, and notices a server that gives the same page again and again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

import msgspec

from collector.quay.client import QuayClient, Reply, decoded
from collector.quay.errors import BrokenReply


class Page(Protocol):
    """A wire struct with the token of the page after it; None or '' on the last one."""

    @property
    def next_page(self) -> str | None:
        """Opaque; an unknown or expired one is answered with the first page, without a word."""


_Page = TypeVar("_Page", bound=Page)


async def read_all(
    client: QuayClient,
    operation: str,
    path: str,
    params: dict[str, str | int],
    decode_body: Callable[[bytes], _Page],
    *,
    purpose: str,
) -> list[_Page]:
    """All pages of a list whose rows are distinct. Raises QuayError; BrokenReply where a page comes a second time."""

    def decode(reply: Reply) -> _Page:
        return decoded(client, operation, reply.body, decode_body)

    pages: list[_Page] = []
    seen: set[bytes] = set()
    while True:
        page = await client.get(operation, path, params, decode, purpose=purpose)
        rows = msgspec.json.encode(msgspec.structs.replace(page, next_page=None))  # type: ignore[type-var]
        if rows in seen:
            raise BrokenReply(client.source_id, operation, f"page {len(pages) + 1} is one that came before", status=200)
        seen.add(rows)
        pages.append(page)
        if not page.next_page:
            return pages
        params = {**params, "next_page": page.next_page}
