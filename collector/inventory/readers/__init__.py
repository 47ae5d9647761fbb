"""The inventory's readers: how each fetch is asked for and what of its answer is kept, by what they are about."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from quayledger.collector.inventory.inventory_run import InventoryRun
from quayledger.collector.inventory.readers import manifests, namespaces, registry, repositories, tags
from quayledger.collector.inventory.results import FetchResult

READERS: Mapping[str, Callable[[InventoryRun, str], Awaitable[FetchResult]]] = {
    **registry.READERS,
    **namespaces.READERS,
    **repositories.READERS,
    **tags.READERS,
    **manifests.READERS,
}
