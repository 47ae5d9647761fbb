"""The inventory's readers of tags: their history of digests, and how often they are pulled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from quayledger.collector.inventory.inventory_run import InventoryRun
from quayledger.collector.inventory.readers.common import in_repository, reasons, use_row
from quayledger.collector.inventory.results import FetchResult, Row, family_rows, series_rows
from quayledger.collector.quay import pull_statistics, tags
from quayledger.collector.quay.tags import Tag


async def _tags(run: InventoryRun, target: str) -> FetchResult:
    found = await tags.list_tags(run.client, target, purpose="inventory")
    key = in_repository(target)
    return FetchResult((family_rows("tags", key, tag_rows(key, found.rows)),), rejected=reasons(found))


async def _tag(run: InventoryRun, target: str) -> FetchResult:
    repository, _, tag = target.rpartition(":")
    found = await tags.list_tags(run.client, repository, specific_tag=tag, purpose="inventory")
    key = in_repository(repository)
    rows = tag_rows(key, found.rows)
    return FetchResult((family_rows("tags", {**key, "tag": tag}, rows),), rejected=reasons(found))


def tag_rows(repository: Row, rows: Iterable[Tag]) -> Iterable[Row]:
    """Rows of the family `tags`. A tag that was moved twice within a second has equal keys: their order tells them apart."""
    seen: Counter[tuple[object, ...]] = Counter()
    for tag in sorted(rows, key=lambda one: (one.start, one.end is None, one.end or one.start)):
        key = (tag.name, tag.start, tag.manifest_digest or "")
        yield {
            **repository,
            "tag": tag.name,
            "started_at": tag.start,
            "digest": tag.manifest_digest or "",
            "ordinal": seen[key],
            "ended_at": tag.end,
            "reversion": tag.reversion,
            "is_manifest_list": tag.is_manifest_list,
            "size_bytes": tag.size_bytes,
            "immutable": tag.immutable,
        }
        seen[key] += 1


async def _tag_pulls(run: InventoryRun, target: str) -> FetchResult:
    repository, _, tag = target.rpartition(":")
    found = await pull_statistics.get_tag_pulls(run.client, repository, tag, purpose="inventory")
    points = [use_row("tag", target, found.last_tag_pull_date, found.tag_pull_count)]
    if found.current_manifest_digest:
        manifest = f"{repository}@{found.current_manifest_digest}"
        points.append(use_row("manifest", manifest, found.last_manifest_pull_date, found.manifest_pull_count))
    return FetchResult((), (series_rows("last_uses", points),))


READERS = {"tags": _tags, "tag": _tag, "tag_pulls": _tag_pulls}
