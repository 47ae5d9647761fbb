"""Tags: the tags of a repository and their history (`/repository/{repository}/tag/`). Chapter 22 of the API reference."""

from __future__ import annotations

from collections.abc import Hashable

import msgspec

from quayledger.collector.quay import paths
from quayledger.collector.quay.client import QuayClient
from quayledger.collector.quay.lenient_json import UNREADABLE
from quayledger.collector.quay.listing import read_overlapping
from quayledger.collector.quay.rows import Int64, Rows, reader
from quayledger.collector.quay.times import Moment


class Tag(msgspec.Struct, frozen=True):
    """A tag and the manifest it pointed to from `start` to `end`: None if it still does, in the future if it expires.
    `reversion`: the tag was reverted to it; `size_bytes`: of the layers, None for a manifest list; `immutable`: None if the
    registry does not support it. A list may contain two equal tags: set and replaced within one second."""

    name: str
    start: Moment = msgspec.field(name="start_ts")
    end: Moment | None = msgspec.field(default=None, name="end_ts")
    manifest_digest: str | None = None
    reversion: bool | None = None
    is_manifest_list: bool | None = None
    size_bytes: Int64 | None = msgspec.field(default=None, name="size")
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
    """Tags with their history, newest first. `only_active`: only current tags; `specific_tag`: of one name;
    `filter_tag_name`: like:PART or eq:NAME. `GET /repository/{repository}/tag/` (listRepoTags, 22.4); scope `repo:read`.

    Raises QuayError; BrokenReply if the pages do not join after several reads."""
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
    """The fields of a tag that do not change when it ends."""
    try:
        tag = _tag(row)
    except UNREADABLE:
        return bytes(row)
    return tag.name, tag.start, tag.manifest_digest, tag.reversion
