"""The simulator's effects on tags and manifests: pushes and pulls, moves, deletions, expiry, locks and labels."""

from __future__ import annotations

import re

from quayledger.simulator.clock import SECOND_US
from quayledger.simulator.effects.event import Effect, Event
from quayledger.simulator.effects.repositories import open_repository
from quayledger.simulator.entities.content import NEVER_MS, Label, Repository, Tag, TagPulls
from quayledger.simulator.images import artifact, digest_of, image, uuid_of
from quayledger.simulator.registry import Registry


def push(registry: Registry, event: Event) -> None:
    """`tag` stands for a new manifest, which is scanned a little later; `digest` and `subject` are told beside the log. A
    push of a manifest alone (`manifest_digest`) brings no tag."""
    note_login(event)
    repository = event.repository
    if repository is None:
        name = event.text("repo")
        if not name:
            return
        repository = registry.repository(event.account.name, name)
        repository = repository or open_repository(registry, event.account, name, event.performer)
    name, subject = event.text("tag"), event.text("subject")
    if subject:
        digest = event.text("manifest_digest") or digest_of("artifact", subject, event.at_us)
        registry.put_manifest(repository, artifact(digest, event.at_us, subject))
    elif name:
        point(registry, repository, name, event.text("digest") or next_digest(repository, name), event.at_us)
    elif event.text("manifest_digest"):
        _ensure(registry, repository, event.text("manifest_digest"), event.at_us)


def next_digest(repository: Repository, name: str) -> str:
    """What the next push of a tag brings: something else each time."""
    before = repository.current.get(name)
    if before is None:
        return digest_of(repository.id, name)
    return digest_of(repository.id, name, before.start_ms, before.digest)


def point(
    registry: Registry, repository: Repository, name: str, digest: str, at_us: int, *, reversion: bool = False
) -> None:
    """Lets a tag stand for a manifest from then on, unless it does already or is locked."""
    now_ms = at_us // 1000
    before = repository.standing(name, now_ms)
    if before is not None and (before.immutable or before.digest == digest):
        return
    _ensure(registry, repository, digest, at_us)
    repository.put(Tag(name, digest, now_ms, reversion=reversion))


def _ensure(registry: Registry, repository: Repository, digest: str, at_us: int) -> None:
    if digest not in repository.manifests:
        registry.put_manifest(repository, image(digest, at_us, family=repository.id))


def pull(_: Registry, event: Event) -> None:
    """Counts for the tag and its manifest, or for the manifest alone."""
    note_login(event)
    if event.repository is not None:
        count_pull(event.repository, event.text("tag"), event.text("manifest_digest"), event.at_us)


def count_pull(repository: Repository, name: str, digest: str, at_us: int) -> None:
    """Notes a pull, where what was pulled is known."""
    if name:
        tag = repository.current.get(name)
        if tag is None:
            return
        pulls = repository.tag_pulls.get(name)
        if pulls is None:
            pulls = repository.tag_pulls[name] = TagPulls()
        pulls.count, pulls.last_us = pulls.count + 1, at_us
        digest = tag.digest
    manifest = repository.manifests.get(digest)
    if manifest is not None:
        manifest.pulls, manifest.last_pull_us = manifest.pulls + 1, at_us


def note_login(event: Event) -> None:
    """A robot that pushes or pulls was used."""
    if event.performer is not None and event.performer.robot is not None:
        event.performer.robot.last_accessed_us = event.at_us


def create_or_move(registry: Registry, event: Event) -> None:
    """`tag` to `manifest_digest`."""
    if event.repository is not None and event.text("tag") and event.text("manifest_digest"):
        point(registry, event.repository, event.text("tag"), event.text("manifest_digest"), event.at_us)


def revert(registry: Registry, event: Event) -> None:
    """`tag` back to `manifest_digest`."""
    if event.repository is not None and event.text("tag") and event.text("manifest_digest"):
        name, digest = event.text("tag"), event.text("manifest_digest")
        point(registry, event.repository, name, digest, event.at_us, reversion=True)


def delete(_: Registry, event: Event) -> None:
    """It ends, and stays in the history."""
    tag = event.repository.standing(event.text("tag"), event.at_ms) if event.repository else None
    if tag is not None:
        tag.end_ms, tag.immutable = event.at_ms, False


def delete_for_good(_: Registry, event: Event) -> None:
    """It leaves the history, too."""
    repository, name = event.repository, event.text("tag")
    if repository is None:
        return
    digest = event.text("manifest_digest")
    gone = {id(t) for t in repository.tags if t.name == name and (not digest or t.digest == digest)}
    repository.tags = [tag for tag in repository.tags if id(tag) not in gone]
    left = [tag for tag in repository.tags if tag.name == name]
    if left:
        repository.current[name] = left[-1]
    else:
        repository.current.pop(name, None)


def change_expiration(_: Registry, event: Event) -> None:
    """`expiration_date`, seconds since 1970; null: never."""
    tag = event.repository.standing(event.text("tag"), event.at_ms) if event.repository else None
    if tag is not None:
        expires = event.metadata.get("expiration_date")
        tag.end_ms = NEVER_MS if expires is None else int(expires) * 1000


def change_immutability(_: Registry, event: Event) -> None:
    """`immutable`."""
    tag = event.repository.standing(event.text("tag"), event.at_ms) if event.repository else None
    if tag is not None:
        tag.immutable = bool(event.get("immutable", False))


def lock(registry: Registry, event: Event) -> None:
    """A rule locked `tag`; the log mostly does not tell in which repository: then in the one that got it last."""
    repositories = [event.repository] if event.repository else registry.repositories_of(event.account.id)
    found = [tag for r in repositories if (tag := r.standing(event.text("tag"), event.at_ms)) is not None]
    if found:
        max(found, key=lambda tag: tag.start_ms).immutable = True


def lock_matching(registry: Registry, event: Event) -> None:
    """A rule locked all tags of the namespace that match it (or do not)."""
    pattern, matching = event.text("tag_pattern"), bool(event.get("tag_pattern_matches", True))
    for repository in registry.repositories_of(event.account.id):
        for tag in repository.alive(event.at_ms):
            if bool(re.match(pattern, tag.name)) == matching:
                tag.immutable = True


def add_label(_: Registry, event: Event) -> None:
    """`key`, `value`, by the API."""
    manifest = event.repository.manifests.get(event.text("manifest_digest")) if event.repository else None
    if manifest is not None:
        uuid = event.text("id") or uuid_of("label", manifest.digest, event.at_us)
        if all(label.uuid != uuid for label in manifest.labels):
            media_type = event.text("media_type") or "text/plain"
            manifest.labels.append(Label(uuid, event.text("key"), event.text("value"), "api", media_type))


def delete_label(_: Registry, event: Event) -> None:
    """By `id`."""
    manifest = event.repository.manifests.get(event.text("manifest_digest")) if event.repository else None
    if manifest is not None:
        manifest.labels = [label for label in manifest.labels if label.uuid != event.text("id")]


def exchange(registry: Registry, event: Event) -> None:
    """An outside identity acted as `robot`."""
    name = event.text("robot")
    found = registry.account(name if "+" in name else f"{event.account.name}+{name}")
    if found is not None and found.robot is not None:
        found.robot.last_accessed_us = event.at_us // SECOND_US * SECOND_US


EFFECTS: dict[str, Effect] = {
    "autoprune_tag_delete": delete,
    "change_tag_expiration": change_expiration,
    "change_tag_immutability": change_immutability,
    "create_tag": create_or_move,
    "delete_tag": delete,
    "federated_robot_token_exchange": exchange,
    "manifest_label_add": add_label,
    "manifest_label_delete": delete_label,
    "move_tag": create_or_move,
    "permanently_delete_tag": delete_for_good,
    "pull_repo": pull,
    "push_repo": push,
    "revert_tag": revert,
    "tag_made_immutable_by_policy": lock,
    "tags_made_immutable_by_policy": lock_matching,
}
