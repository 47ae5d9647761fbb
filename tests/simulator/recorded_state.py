"""The recorded Quay's registry as it was when the first part of its calls was made, and what its log then did to it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from quayledger.simulator.clock import DAY_US, SECOND_US, to_us
from quayledger.simulator.effects.named import happen
from quayledger.simulator.entities.accounts import (
    Application,
    AppToken,
    Prototype,
    PrunePolicy,
    Quota,
    QuotaLimit,
    Team,
)
from quayledger.simulator.entities.builds import Build, Mirror, Notification, Trigger
from quayledger.simulator.entities.content import Blob, Feature, Label, Manifest, Repository, Scan, Tag, Vulnerability
from quayledger.simulator.entities.installation import Message, RegistrySize, ServiceKey
from quayledger.simulator.images import artifact
from quayledger.simulator.registry import Registry

USERS = ("admin", "auditor", "orgadmin", "alice", "bob", "carol", "dave", "mallory", "eve", "newbie")
ORGANIZATIONS = {
    "acme": ("orgadmin", "acme-org@example.com"),
    "globex": ("alice", "globex-org@example.com"),
    "initech": ("bob", "initech-org@example.com"),
    "umbrella": ("admin", "umbrella@example.com"),
    "newns": ("bob", "bob+newns@example.com"),
}
REPOSITORIES = (
    *(f"acme/{name}" for name in ("web", "api", "worker", "base", "legacy", "team/nested/app")),
    *("globex/frontend", "globex/backend", "globex/db", "initech/tps", "alice/sandbox", "alice/dotfiles"),
    *("bob/private", "admin/tools", "newns/newrepo"),
)
DELETED = "5de81db7-ed7e-4cbf-bd5b-9042ebdd095c"
LARGE = "sha256:240c057d9517ed9372b4c3688bfa6eee72c6f3f79dd27f7c1d7db571f986ae18"
MIDDLE = "sha256:63688cc632c9b5e9aa20b47bda28f4085d32f769d50ff66514731764753a2ecf"
SMALL = "sha256:d122997276b2f75922ea121d44e1d6b98e9645fba5eed5f8d512d7075d5da6b3"
REFERRER = "sha256:ee53c05abc4106ffde32e61e20c9a49239bd19c4d918cf1cdf417ee8e2823a0a"
POLICIES = {
    ("alice", None, 20): "dc328ae2-baac-4680-b695-7885e1d8f543",
    ("alice", None, "7d"): "71414f34-1214-42f2-98c3-27f834c37342",
    ("globex", None, "30d"): "2b8a9b67-3056-43c7-a416-5110816aa7ca",
    ("globex", "frontend", "30d"): "c8145f0c-5e86-4a13-8b1c-9030ee9ce1f9",
}
LAST_SEEN_US = to_us(datetime(2026, 11, 23, 8, 17, 27, tzinfo=UTC))
SEEDED_US = to_us(datetime(2026, 11, 23, 8, 15, 37, tzinfo=UTC))
# name, digest, start and end in seconds of 17957…, whether a reversion; the order within a second is the order here
WEB_TAGS = (
    ("v1", SMALL, 21793, None, False),
    ("latest", SMALL, 21842, 21845, False),
    ("latest", MIDDLE, 21845, None, False),
    ("stable", SMALL, 21893, 21894, False),
    ("stable", MIDDLE, 21894, 21894, False),
    ("stable", SMALL, 21894, 21895, True),
)


def read(recordings: Path, name: str) -> Any:
    """The body of one recording, by its number."""
    (path,) = recordings.glob(f"{name}_*.json")
    return json.loads(path.read_bytes())["body"]


def build(recordings: Path) -> Registry:
    """The registry at the first part of the calls."""
    registry = Registry()
    _accounts(registry)
    _repositories(registry)
    for repository, tag, digest, second in (
        ("acme/api", "v1", MIDDLE, 21848),
        ("acme/api", "v2", LARGE, 21851),
        ("acme/base", "latest", LARGE, 21869),
        ("globex/frontend", "latest", LARGE, 21870),
        ("globex/backend", "1.0", SMALL, 21871),
        ("initech/tps", "latest", SMALL, 21872),
        ("alice/sandbox", "latest", MIDDLE, 21873),
        ("newns/newrepo", "a", MIDDLE, 21874),
    ):
        _put(registry, _at(registry, repository), tag, digest, second)
    for tag, digest, start, end, reversion in WEB_TAGS:
        _put(registry, _at(registry, "acme/web"), tag, digest, start, end, reversion=reversion)
    _fill(registry, recordings)
    _belongings(registry)
    _automation(registry, recordings)
    _installation(registry, recordings)
    return registry


def _accounts(registry: Registry) -> None:
    for name in USERS:
        account = registry.add_account(name, "user", email=f"{name}@example.com")
        account.enabled = name not in ("mallory", "newbie")
    _named(registry, "newbie").email = "newbie2@example.com"
    for name, (admin, email) in ORGANIZATIONS.items():
        org = registry.add_account(name, "org", email=email)
        org.teams.append(Team("owners", "admin", members={_named(registry, admin).id}))
    for name in ("acme+deploy", "acme+ci", "alice+bot"):
        owner = _named(registry, name.partition("+")[0])
        registry.add_robot(owner, name.partition("+")[2], created_us=SEEDED_US)
    robot = _named(registry, "acme+ci").robot
    assert robot is not None
    robot.last_accessed_us = LAST_SEEN_US
    acme = _named(registry, "acme")
    acme.teams.append(Team("developers", "creator", "Developers", _ids(registry, "alice", "bob", "acme+ci")))
    acme.teams.append(Team("operators", "member", "Ops", _ids(registry, "carol")))
    registry.superusers, registry.readonly_superusers = _ids(registry, "admin"), _ids(registry, "auditor")


def _repositories(registry: Registry) -> None:
    admin = _named(registry, "orgadmin").id
    for number, path in enumerate(REPOSITORIES):
        namespace, _, name = path.partition("/")
        made = registry.add_repository(_named(registry, namespace).id, name, public=path == "acme/base")
        if namespace == "acme":
            made.permissions[admin] = "admin"
        for back in range(13):
            made.actions[_day("2026-11-21") - back] = 9 + 7 * number + back
    gone = registry.add_repository(_named(registry, "acme").id, "tmp")
    gone.permissions[admin] = "admin"
    registry.delete_repository(gone)
    gone.name = DELETED
    _at(registry, "newns/newrepo").description = None
    web, api = _at(registry, "acme/web"), _at(registry, "acme/api")
    for name, role in (("carol", "read"), ("acme+deploy", "write"), ("dave", "admin")):
        web.permissions[_named(registry, name).id] = role
    web.team_permissions["operators"] = _at(registry, "acme/base").team_permissions["operators"] = "read"
    api.team_permissions["developers"] = "write"
    _at(registry, "alice/sandbox").permissions[_named(registry, "alice+bot").id] = "write"


def _put(
    registry: Registry,
    repository: Repository,
    tag: str,
    digest: str,
    start: int,
    end: int | None = None,
    *,
    reversion: bool = False,
) -> None:
    if digest not in repository.manifests:
        sizes = {LARGE: (600_000, 5_654), SMALL: (200_401, 5_141), MIDDLE: (400_325, 5_141, 147)}[digest]
        blobs = tuple(Blob(f"sha256:{n:02}{digest[9:]}", size) for n, size in enumerate(sizes))
        config = Blob(f"sha256:c0{digest[9:]}", 603)
        created_us = to_us(datetime(2026, 11, 1, tzinfo=UTC))
        registry.put_manifest(repository, Manifest(digest, created_us, config, blobs))
    order = len(repository.tags)
    made = Tag(tag, digest, (1_795_400_000 + start) * 1000 + order, reversion=reversion)
    repository.put(made)
    if end is not None:
        made.end_ms = (1_795_400_000 + end) * 1000 + order + 1


def _fill(registry: Registry, recordings: Path) -> None:
    """The manifest, labels and scans that were recorded."""
    web = _at(registry, "acme/web")
    told = json.loads(read(recordings, "123")["manifest_data"])
    web.manifests[MIDDLE].config = Blob(told["config"]["digest"], told["config"]["size"])
    web.manifests[MIDDLE].layers = tuple(Blob(layer["digest"], layer["size"]) for layer in told["layers"])
    web.manifests[MIDDLE].labels = [
        Label(one["id"], one["key"], one["value"], one["source_type"]) for one in read(recordings, "124")["labels"]
    ]
    api, frontend = _at(registry, "acme/api"), _at(registry, "globex/frontend")
    api.manifests[MIDDLE] = _copy(web.manifests[MIDDLE])
    for repository, digest, name in (
        (web, MIDDLE, "114"),
        (web, SMALL, "115"),
        (api, LARGE, "116"),
        (api, MIDDLE, "117"),
        (_at(registry, "acme/base"), LARGE, "118"),
        (frontend, LARGE, "119"),
    ):
        repository.manifests[digest].scan = _scan(read(recordings, name))
    _at(registry, "newns/newrepo").manifests[MIDDLE].scan = Scan("queued")


def _copy(manifest: Manifest) -> Manifest:
    return Manifest(manifest.digest, manifest.created_us, manifest.config, manifest.layers)


def _scan(body: dict[str, Any]) -> Scan:
    features = body["data"]["Layer"]["Features"] if body["data"] else []
    return Scan(body["status"], tuple(_feature(one) for one in features))


def _feature(told: dict[str, Any]) -> Feature:
    found = tuple(
        Vulnerability(v["Name"], v["Severity"], v["FixedBy"], v["Link"], v["Description"])
        for v in told["Vulnerabilities"]
    )
    return Feature(told["Name"], told["Version"], tuple(told["CVEIds"]), found)


def _belongings(registry: Registry) -> None:
    acme, alice = _named(registry, "acme"), _named(registry, "alice")
    for name, limit, limits in (
        ("acme", 10_737_418_240, (("Warning", 80), ("Reject", 100))),
        ("globex", 1_000_000_000, (("Warning", 50),)),
        ("alice", 2_147_483_648, (("Reject", 90),)),
    ):
        made = [QuotaLimit(registry.next_limit_id(), kind, percent) for kind, percent in limits]
        _named(registry, name).quotas.append(Quota(registry.next_quota_id(), limit, made))
    acme.applications.append(
        Application(
            "4SUU3HB3CSQXUP8UCKUI",
            "audit-pipeline",
            "s3cr3t-client",
            "Reads logs",
            "https://app.example",
            "https://app.example/oauth",
        )
    )
    robot = _named(registry, "acme+ci").id
    acme.prototypes = [
        Prototype("c94d8e00-6ab0-477b-bdb6-6f84f86d0c81", "write", robot, activating_id=alice.id),
        Prototype("e5d47d7a-b935-487a-b60c-de40dbc7670c", "read", delegate_team="operators"),
    ]
    acme.prune_policies.append(PrunePolicy("b1b4c637-569b-41ec-8c47-9586530f7329", "number_of_tags", 10))
    web = _at(registry, "acme/web")
    web.prune_policies.append(PrunePolicy("f4b7da79-dfeb-4793-a9e7-39c28440fb8d", "creation_date", "30d"))
    created_us = SEEDED_US + SECOND_US
    for name, uuid, title in (
        ("alice", "fdc0e37f-e24f-47c9-8bed-de40e5153525", "laptop"),
        ("admin", "bceaabaf-9021-4cca-8bda-5851e1b3017e", "admin-cli"),
    ):
        _named(registry, name).app_tokens.append(AppToken(uuid, title, "s3cr3t-code", created_us))
    alice.stars = [web.id, _at(registry, "acme/base").id, _at(registry, "globex/frontend").id]


def _automation(registry: Registry, recordings: Path) -> None:
    web, api, worker = (_at(registry, f"acme/{name}") for name in ("web", "api", "worker"))
    web.notifications = [
        Notification(n["uuid"], n["event"], n["method"], n["title"], n["config"], n["event_config"])
        for n in read(recordings, "102")["notifications"]
    ]
    (told,) = read(recordings, "103")["triggers"]
    api.triggers.append(Trigger(told["id"], told["service"], told["config"], is_active=False))
    logs = {"complete": read(recordings, "167")["logs"]}
    for one in reversed(read(recordings, "079")["builds"]):
        at_us = to_us(parsedate_to_datetime(one["started"].replace("-0000", "+0000")))
        made = Build(one["id"], one["phase"], at_us, one["display_name"], one["tags"], trigger_uuid=told["id"])
        made.trigger_metadata, made.resource_key = one["trigger_metadata"], one["resource_key"]
        made.archive_url, made.log = one["archive_url"], logs.get(one["phase"], [])
        api.builds.append(made)
    worker.state = "MIRROR"
    worker.mirror = Mirror("registry.example.com/acme/worker", _named(registry, "acme+ci").id)
    worker.mirror.start, worker.mirror.rule = "2026-11-23T08:34:53.475074Z", ["v*", "latest"]


def _installation(registry: Registry, recordings: Path) -> None:
    for told in read(recordings, "093")["keys"]:
        approval = told["approval"]
        key = ServiceKey(told["kid"], told["service"], _us(told["created_date"]), told["name"])
        key.expires_us, key.metadata = _us(told["expiration_date"]), told["metadata"]
        key.approval_type = approval["approval_type"].rpartition(".")[2]
        key.approved_us, key.notes = _us(approval["approved_date"]), approval["notes"]
        key.approver_id = _named(registry, "admin").id if approval["approver"] else 0
        registry.service_keys[key.kid] = key
    registry.size = RegistrySize(3_049_597, 1_795_420_000_000)


def go_on(registry: Registry, recordings: Path, until: datetime) -> None:
    """Does what the recorded log tells of the 23rd from 09:00 on, and the little that no log tells."""
    for event in _events(recordings):
        at = parsedate_to_datetime(event["datetime"].replace("-0000", "+0000"))
        if at.hour < 9 or at > until:
            continue
        metadata = event["metadata"]
        account = registry.account(event["namespace"]["name"])
        if account is None and event["kind"] not in ("user_create", "org_create"):
            continue  # of a user or an organisation that was renamed afterwards
        performer = event.get("performer", {}).get("name", "")
        happen(
            registry,
            event["kind"],
            to_us(at),
            event["namespace"]["name"],
            metadata,
            performer=performer if registry.account(performer) else "",
            more=_untold(event),
        )
    _untold_state(registry)


def _untold(event: dict[str, Any]) -> dict[str, Any]:
    """What the log does not tell of an event, and the answers do."""
    metadata = event["metadata"]
    if event["kind"] in ("create_namespace_autoprune_policy", "create_repository_autoprune_policy"):
        return {"uuid": POLICIES[metadata["namespace"], metadata.get("repo"), metadata["value"]]}
    if event["kind"] == "create_proxy_cache_config":
        return {"expiration_s": 3600, "insecure": True}
    if event["kind"].startswith("service_key_"):
        return {"notes": "n"}
    if event["kind"] == "org_create_team":
        return {"description": "QA"}
    if metadata.get("build_id", "").startswith("cc608628"):
        return {"archive_url": "https://files.example.com/src.tar.gz"}
    return {"phase": "waiting"} if event["kind"] == "build_dockerfile" else {}


def _untold_state(registry: Registry) -> None:
    web, api, worker = (_at(registry, f"acme/{name}") for name in ("web", "api", "worker"))
    made = artifact(REFERRER, SEEDED_US, MIDDLE)
    made.config, made.layers, made.manifest_bytes = Blob("sha256:e0", 2), (Blob("sha256:e1", 44),), 674
    made.annotations = {"org.opencontainers.image.created": "2026-11-23T09:00:00Z"}
    registry.put_manifest(web, made)
    assert worker.mirror is not None
    worker.mirror.start = "2026-11-23T10:34:54.268977Z"
    for build in api.builds:
        if build.phase == "building":
            progress = {"total_commands": 2, "current_command": 2, "push_completion": 1.0, "pull_completion": 1.0}
            build.progress = progress
        if build.archive_url == "https://files.example.com/src.tar.gz":
            build.display_name = "3b3337e"
    registry.messages = [
        Message("0de02dae-7c1c-40ea-921a-e2e92bdab7c7", "Maintenance on Saturday, 02:00 UTC", "warning"),
        Message("75ff56a2-2d1d-49b7-ba93-384502e37cce", "Plain **note**", "info", "text/plain"),
    ]
    robot = _named(registry, "acme+ci").robot
    if robot.last_accessed_us > LAST_SEEN_US:
        robot.last_accessed_us -= SECOND_US  # it signed in a second before it pushed


def _events(recordings: Path) -> Iterator[dict[str, Any]]:
    """Of the 23rd, oldest first."""
    pages = sorted(recordings.glob("*_superuser_logs_11_23_2026_p*.json"))
    rows = [row for path in pages for row in json.loads(path.read_bytes())["body"]["logs"]]
    yield from reversed(rows)


def _named(registry: Registry, name: str) -> Any:
    account = registry.account(name)
    assert account is not None, name
    return account


def _at(registry: Registry, path: str) -> Repository:
    namespace, _, name = path.partition("/")
    found = registry.repository(namespace, name)
    assert found is not None, path
    return found


def _ids(registry: Registry, *names: str) -> set[int]:
    return {_named(registry, name).id for name in names}


def _day(text: str) -> int:
    return to_us(datetime.fromisoformat(text).replace(tzinfo=UTC)) // DAY_US


def _us(text: str) -> int:
    return to_us(parsedate_to_datetime(text))
