"""The simulator's garbage collection: what Quay's workers take away for good, some time after it was deleted."""

from __future__ import annotations

from quayledger.simulator.entities.content import Repository
from quayledger.simulator.registry import Registry


def collect(registry: Registry, now_us: int) -> dict[str, int]:
    """Repositories and namespaces that are marked for deletion; tags that ended longer ago than their namespace keeps
    them; manifests that no tag stands or stood for. Gives how many of each went."""
    gone = dict.fromkeys(("namespaces", "repositories", "tags", "manifests"), 0)
    for account in [a for a in registry.accounts.values() if a.deleted]:
        registry.purge(account.name)
        gone["namespaces"] += 1
    for repository in list(registry.repositories.values()):
        if repository.deleted:
            registry.forget_repository(repository)
            gone["repositories"] += 1
            continue
        kept_ms = registry.namespace_of(repository).tag_expiration_s * 1000
        gone["tags"] += _drop_tags(repository, now_us // 1000 - kept_ms)
        gone["manifests"] += _drop_manifests(registry, repository)
    return gone


def _drop_tags(repository: Repository, ended_before_ms: int) -> int:
    kept = [tag for tag in repository.tags if tag.end_ms > ended_before_ms]
    dropped = len(repository.tags) - len(kept)
    repository.tags = kept
    names = {tag.name for tag in kept}
    repository.current = {name: tag for name, tag in repository.current.items() if name in names}
    return dropped


def _drop_manifests(registry: Registry, repository: Repository) -> int:
    """What a tag leads to stays, with the images of a list and the artifacts that refer to it."""
    reached = {tag.digest for tag in repository.tags}
    reached |= {child for d in reached if (m := repository.manifests.get(d)) is not None for child in m.children}
    unreached = [
        m.digest for m in repository.manifests.values() if m.digest not in reached and m.subject not in reached
    ]
    for digest in unreached:
        registry.drop_manifest(repository, digest)
    return len(unreached)
