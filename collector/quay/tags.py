"""Tags: what a repository's tags stand for and stood for (`/repository/{repository}/tag/`). Chapter 22 of the API reference."""

from __future__ import annotations

from collections.abc import Hashable

import msgspec

from quayledger.collector.quay import paths
from quayledger.collector.quay.client import QuayClient
from quayledger.collector.quay.listing import read_overlapping
from quayledger.collector.quay.refusals import UNREADABLE
from quayledger.collector.quay.rows import Rows, reader
from quayledger.collector.quay.times import Moment


class Tag(msgspec.Struct, frozen=True):
    """A tag and what it stood for from `start` to `end`: None where it does not end, in the future where it expires.
    `reversion`: it was set back to that; `size_bytes`: of the layers, None for a list of manifests; `immutable`: None where
    the registry does not know of that. Two equal ones may be in a list: they were set and replaced within a second."""

    name: str
    start: Moment = msgspec.field(name="start_ts")
    end: Moment | None = msgspec.field(default=None, name="end_ts")
    manifest_digest: str | None = None
    reversion: bool | None = None
    is_manifest_list: bool | None = None
    size_bytes: int | None = msgspec.field(default=None, name="size")
    immutable: bool | None = None


_tag = reader(Tag)


async def list_tags(
    client: QuayClient,
    repository: str,
    *,
    only_active: bool = False,
    specific_tag: str | None = None,
    filter_tag_name: str | None = None,
    purpose: str = "inventory",
) -> Rows[Tag]:
    """Tags with their past, newest first. `only_active`: those that stand for something now; `specific_tag`: of one name;
    `filter_tag_name`: like:PART or eq:NAME. `GET /repository/{repository}/tag/` (listRepoTags, 22.4); scope `repo:read`.

    Raises QuayError; BrokenReply where the pages do not join, however often they are read."""
    params: dict[str, str | int] = {}
    if only_active:
        params["onlyActiveTags"] = "true"
    if specific_tag is not None:
        params["specificTag"] = specific_tag
    if filter_tag_name is not None:
        params["filter_tag_name"] = filter_tag_name
    operation, path = "tag.list_tags", f"{paths.repository(repository)}/tag/"
    return await read_overlapping(client, operation, path, "tags", _tag, params, same=_same, purpose=purpose)


def _same(row: msgspec.Raw) -> Hashable:
    """What stays of a tag when it ends."""
    try:
        tag = _tag(row)
    except UNREADABLE:
        return bytes(row)
    return tag.name, tag.start, tag.manifest_digest, tag.reversion
