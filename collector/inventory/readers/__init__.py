"""The inventory's readers: how each look is asked for and what of its answer is kept, by what they are about."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from collector.inventory.found import Found
from collector.inventory.readers import manifests, namespaces, registry, repositories, tags
from collector.inventory.run import InventoryRun

READERS: Mapping[str, Callable[[InventoryRun, str], Awaitable[Found]]] = {
    **registry.READERS,
    **namespaces.READERS,
    **repositories.READERS,
    **tags.READERS,
    **manifests.READERS,
}
