"""The generator's odd names: every character that Quay allows in a name, texts that people write, and a very long list."""

from __future__ import annotations

from quayledger.simulator.clock import DAY_US, SECOND_US
from quayledger.simulator.entities.accounts import Account, Application, AppToken, Team
from quayledger.simulator.entities.builds import Notification
from quayledger.simulator.entities.content import Label, Repository, Tag
from quayledger.simulator.images import digest_of, image, uuid_of
from quayledger.simulator.registry import Registry
from quayledger.simulator.secret_values import secret

NAMESPACES = ("a0", "dotted.name", "dash-ed", "under_score", "a.b-c_d__e", "0digits", "x" * 60)
REPOSITORIES = (
    "logs",
    "tag",
    "tag/latest",
    "manifest",
    "permissions/user",
    "a/b/c/d/e",
    "deep/nested.path/with-dashes/and_underscores/v1",
    "dots.and-dashes_and__double",
    "0.1",
    "build/logs",
    "y" * 100,
)
TAGS = ("latest", "UPPER-and-lower", "_underscore_first", "v1.0.0-rc.1_build.5", "1", "L" * 128, "like.eq", "0_-.0")
DESCRIPTIONS = (
    "<script>alert('description')</script>",
    "Grüße aus Köln – ümläüts, ß, €",
    "コンテナの説明 🐳🚢",
    "نص من اليمين إلى اليسار",
    '=HYPERLINK("https://example.com","click")',
    "tab\tand\nnew line\r\nand \u202eturned\u202c text",
    "| a | table |\n|---|---|\n| `code` | [link](javascript:alert(1)) |",
    "'; DROP TABLE repositories; --",
    "",
    "x" * 4000,
    '\u0000null and \\ backslash "quotes"',
)
LONG, LONG_TAGS = "many-tags", 2_500


def make(now_us: int) -> Registry:
    """Namespaces, repositories, tags, labels and descriptions of all sorts; one repository of 2,500 tags."""
    registry = Registry()
    for name in ("admin", "auditor", "orgadmin", "alice", "dotted.user", "under_score-user"):
        registry.add_account(name, "user", email=f"{name}+tag@sub-domain.example.com")
    owner = registry.account("orgadmin")
    for number, name in enumerate(NAMESPACES):
        account = registry.add_account(name, "org", email=f"org{number}@example.com")
        account.teams.append(Team("owners", "admin", DESCRIPTIONS[number], {owner.id} if owner else set()))
        account.teams.append(Team("team2_with-all.signs", "member", DESCRIPTIONS[-1 - number]))
        _belongings(registry, account, number, now_us)
        for serial, repository in enumerate(REPOSITORIES):
            made = registry.add_repository(account.id, repository, public=serial % 2 == 0)
            made.description = DESCRIPTIONS[(serial + number) % len(DESCRIPTIONS)]
            _fill(registry, made, now_us)
    _long(registry, now_us)
    return registry


def _belongings(registry: Registry, account: Account, number: int, now_us: int) -> None:
    text = DESCRIPTIONS[number]
    for shortname in ("ci", "a.b-c_d", "r0"):
        robot = registry.add_robot(account, shortname, created_us=now_us - 30 * DAY_US).robot
        if robot is not None:
            robot.description, robot.metadata = text, {"owner": text, "nested": {"list": [1, None, "x"]}}
    client_id = uuid_of("client", account.id).replace("-", "").upper()[:20]
    account.applications.append(Application(client_id, text or "unnamed", secret("client", client_id), text))
    user = registry.account("alice")
    if user is not None:
        uuid = uuid_of("app token", account.id)
        user.app_tokens.append(AppToken(uuid, text, secret("app token", uuid), now_us - DAY_US))


def _fill(registry: Registry, found: Repository, now_us: int) -> None:
    for number, name in enumerate(TAGS):
        digest = digest_of(found.id, name)
        made = image(digest, now_us - 20 * DAY_US, family=found.id)
        value = DESCRIPTIONS[number % len(DESCRIPTIONS)]
        made.labels.append(Label(uuid_of("odd", digest), "io.example/odd.key_1", value, "api"))
        registry.put_manifest(found, made)
        found.put(Tag(name, digest, (now_us - (20 - number) * DAY_US) // 1000))
    uuid = uuid_of("notification", found.id)
    found.notifications.append(Notification(uuid, "repo_push", "email", DESCRIPTIONS[0], {"email": "a+b@example.com"}))


def _long(registry: Registry, now_us: int) -> None:
    account = registry.account(NAMESPACES[0])
    if account is None:
        return
    found = registry.add_repository(account.id, LONG)
    digests = [digest_of(found.id, n) for n in range(4)]
    for digest in digests:
        registry.put_manifest(found, image(digest, now_us - 40 * DAY_US, family=found.id))
    first_us = now_us - 39 * DAY_US
    for number in range(LONG_TAGS):
        found.put(Tag(f"build-{number:04}", digests[number % 4], (first_us + number * 1300 * SECOND_US) // 1000))
