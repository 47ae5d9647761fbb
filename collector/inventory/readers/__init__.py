"""The inventory's readers: the request of each query and the rows made from its answer, by kind of object."""

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
