"""The simulator's effects on builds and their triggers."""

from __future__ import annotations

from typing import Any

from quayledger.simulator.effects.event import Effect, Event
from quayledger.simulator.entities.builds import Build, Trigger
from quayledger.simulator.entities.content import Repository
from quayledger.simulator.images import uuid_of
from quayledger.simulator.registry import Registry
from quayledger.simulator.secret_values import secret

_TAKES_US = 4 * 60 * 1_000_000
SERVICES = ("custom-git", "github", "gitlab")


def set_up(registry: Registry, event: Event) -> None:
    """`trigger_id`, `service`, `config`."""
    repository = event.repository
    if repository is None:
        return
    uuid = event.text("trigger_id") or uuid_of("trigger", repository.id, event.at_us)
    if repository.trigger(uuid) is None:
        namespace = registry.namespace_of(repository).name
        service = event.text("service") or SERVICES[0]
        made = new_trigger(uuid, service, f"{namespace}/{repository.name}", event.get("config"))
        repository.triggers.append(made)


def new_trigger(uuid: str, service: str, path: str, config: dict[str, Any] | None = None) -> Trigger:
    """An active trigger; one of custom-git calls back an address that holds a token."""
    if service != "custom-git":
        source = {"build_source": path, "subdir": "", "dockerfile_path": "Dockerfile", "context": "/"}
        return Trigger(uuid, service, config or source)
    token = secret("trigger", uuid)
    usual: dict[str, Any] = {
        "build_source": f"https://git.example.com/{path}.git",
        "context": "/",
        "dockerfile_path": "/Dockerfile",
        "default_tag_from_ref": True,
        "latest_for_default_branch": True,
        "tag_templates": [],
    }
    hook = f"http://$token:{token}@quay.example/webhooks/push/trigger/{uuid}"
    credentials = [
        {"name": "SSH Public Key", "value": "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQ"},
        {"name": "Webhook Endpoint URL", "value": hook},
    ]
    return Trigger(uuid, service, usual | {"credentials": credentials} | (config or {}), secret=token)


def toggle(_: Registry, event: Event) -> None:
    """`enabled`."""
    trigger = event.repository.trigger(event.text("trigger_id")) if event.repository else None
    if trigger is not None:
        trigger.enabled = bool(event.get("enabled", False))
        trigger.disabled_reason = "user_toggled"


def delete(_: Registry, event: Event) -> None:
    """By `trigger_id`."""
    if event.repository is not None:
        uuid = event.text("trigger_id")
        event.repository.triggers = [one for one in event.repository.triggers if one.uuid != uuid]


def build(registry: Registry, event: Event) -> None:
    """`build_id`, `docker_tags`, and the trigger that started it; a trigger nobody knew was there before."""
    repository = event.repository
    if repository is None:
        return
    uuid = event.text("build_id") or uuid_of("build", repository.id, event.at_us)
    if repository.build(uuid) is not None:
        return
    trigger_uuid, told = event.text("trigger_id"), event.get("trigger_metadata", {})
    if trigger_uuid and repository.trigger(trigger_uuid) is None:
        path = f"{registry.namespace_of(repository).name}/{repository.name}"
        repository.triggers.append(new_trigger(trigger_uuid, event.text("trigger_kind") or SERVICES[0], path))
    phase = event.text("phase") or "complete"
    made = Build(uuid, phase, event.at_us, _display_name(told, uuid), list(event.get("docker_tags", [])))
    made.subdirectory = made.dockerfile_path = "/Dockerfile"
    made.context, made.manual_user = "/", event.text("manual_user") or None
    made.trigger_uuid, made.trigger_metadata = trigger_uuid, dict(told)
    made.archive_url = event.text("archive_url") or None
    made.log = log_of(phase, repository)
    repository.builds.append(made)


def _display_name(told: dict[str, Any], uuid: str) -> str:
    return str(told.get("commit") or uuid)[:7]


def log_of(phase: str, repository: Repository) -> list[dict[str, Any]]:
    """The entries of a build's log, as far as its phase."""
    entries: list[dict[str, Any]] = [
        {"message": "build-scheduled", "type": "phase"},
        {"message": "pulling", "type": "phase"},
        {"message": f"Step 1/2 : FROM quay.example/{repository.name}:latest", "type": "command"},
        {"message": " ---> 4f5b6c7d8e9f\n"},
    ]
    ends = {"complete": 4, "error": 3, "building": 3, "waiting": 0, "cancelled": 1}
    return [*entries[: ends.get(phase, 1)], {"message": phase, "type": "phase"}]


def cancel(_: Registry, event: Event) -> None:
    """By `build_uuid`."""
    found = event.repository.build(event.text("build_uuid")) if event.repository else None
    if found is not None:
        found.phase = "cancelled"


EFFECTS: dict[str, Effect] = {
    "build_dockerfile": build,
    "cancel_build": cancel,
    "delete_repo_trigger": delete,
    "setup_repo_trigger": set_up,
    "toggle_repo_trigger": toggle,
}
