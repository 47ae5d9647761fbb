"""The inventory's readers of tags: what each stood for and when, and how often it is pulled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from quayledger.collector.inventory.inventory_run import InventoryRun
from quayledger.collector.inventory.readers.common import in_repository, named, told
from quayledger.collector.inventory.results import Found, Row, brought, measured
from quayledger.collector.quay import pull_statistics, tags
from quayledger.collector.quay.tags import Tag


async def _tags(run: InventoryRun, target: str) -> Found:
    namespace, name = named(target)
    found = await tags.list_tags(run.client, target, purpose="inventory")
    return Found((brought("tags", in_repository(target), tag_rows(namespace, name, found.rows)),), rejected=told(found))


async def _tag(run: InventoryRun, target: str) -> Found:
    repository, _, tag = target.rpartition(":")
    namespace, name = named(repository)
    found = await tags.list_tags(run.client, repository, specific_tag=tag, purpose="inventory")
    rows = tag_rows(namespace, name, found.rows)
    return Found((brought("tags", {**in_repository(repository), "tag": tag}, rows),), rejected=told(found))


def tag_rows(namespace: str, repository: str, rows: Iterable[Tag]) -> Iterable[Row]:
    """Rows of the family `tags`. A tag that was moved twice within a second has equal keys: their order tells them apart."""
    seen: Counter[tuple[object, ...]] = Counter()
    for tag in sorted(rows, key=lambda one: (one.start, one.end is None, one.end or one.start)):
        key = (tag.name, tag.start, tag.manifest_digest or "")
        yield (
            namespace,
            repository,
            *key,
            seen[key],
            tag.end,
            tag.reversion,
            tag.is_manifest_list,
            tag.size_bytes,
            tag.immutable,
        )
        seen[key] += 1


async def _tag_pulls(run: InventoryRun, target: str) -> Found:
    repository, _, tag = target.rpartition(":")
    found = await pull_statistics.get_tag_pulls(run.client, repository, tag, purpose="inventory")
    points: list[Row] = [("tag", target, found.last_tag_pull_date, found.tag_pull_count)]
    if found.current_manifest_digest:
        manifest = f"{repository}@{found.current_manifest_digest}"
        points.append(("manifest", manifest, found.last_manifest_pull_date, found.manifest_pull_count))
    return Found((), (measured("last_uses", points),))


READERS = {"tags": _tags, "tag": _tag, "tag_pulls": _tag_pulls}
