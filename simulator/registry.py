"""The simulator's registry: everything that has a name, how it is found, and how names come, change and go."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterable, Iterator

from quayledger.simulator.entities.accounts import AccessToken, Account, AccountKind, Robot
from quayledger.simulator.entities.content import Manifest, Repository
from quayledger.simulator.entities.installation import Message, RegistrySize, ServiceKey
from quayledger.simulator.secret_values import secret

RANK: dict[str, int] = {"": 0, "read": 1, "write": 2, "admin": 3}
MARKED = "MARKED_FOR_DELETION"


class Registry:
    """All accounts, repositories and tokens. `version` changes whenever a name that logs show does."""

    def __init__(self) -> None:
        self.accounts: dict[int, Account] = {}
        self.repositories: dict[int, Repository] = {}
        self.tokens: dict[str, AccessToken] = {}
        self.superusers: set[int] = set()
        self.readonly_superusers: set[int] = set()
        self.full_access = True
        self.service_keys: dict[str, ServiceKey] = {}
        self.messages: list[Message] = []
        self.size = RegistrySize()
        self.config_secrets = {name: secret("config", name) for name in ("MAIL_PASSWORD", "hec_token", "DB_PASSWORD")}
        self.sparse_manifests = False
        self.logged_secrets: list[str] = []  # those that rows of the log hold
        self.version = 0
        self.base_url = "https://quay.example"
        self._by_name: dict[str, int] = {}
        self._by_path: dict[tuple[int, str], int] = {}
        self._owned: dict[int, dict[int, Repository]] = {}
        self._robots: dict[int, dict[int, Account]] = {}
        self._bytes: dict[int, int] = {}
        self._ids = itertools.count(1)  # never given twice: log rows outlive what they name
        self._quota_ids = itertools.count(1)
        self._limit_ids = itertools.count(1)

    # finding

    def account(self, name: str | None) -> Account | None:
        """By exact name."""
        return self.accounts.get(self._by_name.get(name or "", 0))

    def namespace(self, name: str | None) -> Account | None:
        """A user or an organisation, by exact name."""
        found = self.account(name)
        return None if found is None or found.kind == "robot" else found

    def repository(self, namespace: str, name: str) -> Repository | None:
        """By exact names."""
        return self.repositories.get(self._by_path.get((self._by_name.get(namespace, 0), name), 0))

    def namespace_of(self, repository: Repository) -> Account:
        """The account that a repository belongs to."""
        return self.accounts[repository.account_id]

    def repositories_of(self, account_id: int, *, deleted: bool = False) -> list[Repository]:
        """A namespace's repositories, oldest first; with `deleted` those that are marked for deletion, too."""
        return [r for r in self._owned.get(account_id, {}).values() if deleted or not r.deleted]

    def robots_of(self, account_id: int) -> list[Account]:
        """A namespace's robots, oldest first."""
        return list(self._robots.get(account_id, {}).values())

    def live_repositories(self) -> Iterator[Repository]:
        """All repositories that are not marked for deletion, and whose namespace is not."""
        return (r for r in self.repositories.values() if not r.deleted and not self.accounts[r.account_id].deleted)

    @property
    def administrator(self) -> Account:
        """The first superuser; without any the oldest account."""
        return self.accounts[min(self.superusers or self.accounts)]

    def organizations_of(self, user_id: int) -> list[Account]:
        """The organisations in which a user is in some team, oldest first."""
        return [a for a in self.accounts.values() if a.kind == "org" and not a.deleted and a.has_member(user_id)]

    def role(self, user_id: int, repository: Repository) -> str:
        """The highest role that a user or robot has on a repository, by whichever way."""
        account = self.accounts[repository.account_id]
        if account.has_admin(user_id):
            return "admin"
        roles = [repository.permissions.get(user_id, "")]
        for name, role in repository.team_permissions.items():
            team = account.team(name)
            if team is not None and user_id in team.members:
                roles.append(role)
        return max(roles, key=RANK.__getitem__)

    # coming

    def add_account(
        self, name: str, kind: AccountKind, *, email: str = "", owner_id: int = 0, created_us: int = 0
    ) -> Account:
        """A new account with the next id; a robot gets its token."""
        account = Account(next(self._ids), name, kind, email=email, owner_id=owner_id)
        if kind == "robot":
            account.robot = Robot(created_us, secret("robot", account.id))
            self._robots.setdefault(owner_id, {})[account.id] = account
        self.accounts[account.id] = account
        self._by_name[name] = account.id
        self.version += 1
        return account

    def add_robot(self, owner: Account, shortname: str, *, created_us: int = 0) -> Account:
        """A new robot of a namespace."""
        return self.add_account(f"{owner.name}+{shortname}", "robot", owner_id=owner.id, created_us=created_us)

    def add_repository(self, account_id: int, name: str, *, public: bool = False, state: str = "NORMAL") -> Repository:
        """A new repository with the next id."""
        namespace = self.accounts[account_id].name
        made = Repository(next(self._ids), account_id, name, public, state, f"Repository {namespace}/{name}")
        made.badge_token = secret("badge", made.id)
        self.repositories[made.id] = made
        self._by_path[account_id, name] = made.id
        self._owned.setdefault(account_id, {})[made.id] = made
        return made

    def add_token(
        self, value: str, user_id: int, scopes: Iterable[str], expires_at_us: int | None = None
    ) -> AccessToken:
        """A new access token."""
        token = AccessToken(value, user_id, frozenset(scopes), expires_at_us)
        self.tokens[value] = token
        return token

    def next_quota_id(self) -> int:
        """An id for a quota."""
        return next(self._quota_ids)

    def next_limit_id(self) -> int:
        """An id for a quota's limit."""
        return next(self._limit_ids)

    # changing and going

    def rename(self, old: str, new: str) -> None:
        """Another name for an account; a namespace's robots follow. Raises KeyError for an unknown one."""
        account_id = self._by_name.pop(old)
        self._name(self.accounts[account_id], new)
        for robot in self.robots_of(account_id):
            self._by_name.pop(robot.name, None)
            self._name(robot, f"{new}+{robot.shortname}")

    def delete_namespace(self, name: str) -> str:
        """Marks a namespace for deletion: a UUID for a name, disabled, in no listing. Gives the UUID."""
        hidden = str(uuid.uuid5(uuid.NAMESPACE_DNS, name))
        self.rename(name, hidden)
        account = self.accounts[self._by_name[hidden]]
        account.deleted, account.enabled = True, False
        self.forget_principal(account.id)
        return hidden

    def purge(self, name: str) -> None:
        """Takes an account out for good (robots too): its log rows stay, without the name."""
        account_id = self._by_name.pop(name)
        for robot in self.robots_of(account_id):
            self.purge(robot.name)
        account = self.accounts.pop(account_id)
        self._robots.get(account.owner_id, {}).pop(account_id, None)
        for repository in self.repositories_of(account_id, deleted=True):
            self.forget_repository(repository)
        self.forget_principal(account_id)
        self.version += 1

    def delete_repository(self, repository: Repository) -> None:
        """Marks a repository for deletion: unknown by its name, a UUID for a name; log rows keep its id."""
        namespace = self.accounts[repository.account_id].name
        self._by_path.pop((repository.account_id, repository.name), None)
        repository.name = str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{namespace}/{repository.name}/{repository.id}"))
        repository.deleted, repository.state = True, MARKED
        self._bytes.pop(repository.account_id, None)

    def forget_repository(self, repository: Repository) -> None:
        """Takes a repository out for good."""
        self._by_path.pop((repository.account_id, repository.name), None)
        self.repositories.pop(repository.id, None)
        self._owned.get(repository.account_id, {}).pop(repository.id, None)
        self._bytes.pop(repository.account_id, None)

    def forget_principal(self, account_id: int) -> None:
        """Takes a user or robot out of all teams, permissions and default permissions."""
        for account in self.accounts.values():
            for team in account.teams:
                team.members.discard(account_id)
                team.invites = [invite for invite in team.invites if invite.user_id != account_id]
            account.prototypes = [p for p in account.prototypes if account_id not in (p.delegate_id, p.activating_id)]
        for repository in self.repositories.values():
            repository.permissions.pop(account_id, None)

    # sizes

    def put_manifest(self, repository: Repository, manifest: Manifest) -> None:
        """Adds a manifest to a repository."""
        repository.manifests[manifest.digest] = manifest
        self._bytes.pop(repository.account_id, None)

    def drop_manifest(self, repository: Repository, digest: str) -> None:
        """Takes a manifest out, as the garbage collection does."""
        repository.manifests.pop(digest, None)
        self._bytes.pop(repository.account_id, None)

    def repository_bytes(self, repository: Repository) -> int:
        """What a repository's distinct blobs take."""
        return _distinct(repository.manifests.values())

    def namespace_bytes(self, account_id: int) -> int:
        """What a namespace's distinct blobs take."""
        found = self._bytes.get(account_id)
        if found is None:
            manifests = (m for r in self.repositories_of(account_id) for m in r.manifests.values())
            found = self._bytes[account_id] = _distinct(manifests)
        return found

    def _name(self, account: Account, name: str) -> None:
        account.name = name
        self._by_name[name] = account.id
        self.version += 1


def _distinct(manifests: Iterable[Manifest]) -> int:
    blobs = {blob.digest: blob.size for m in manifests for blob in (*m.layers, *((m.config,) if m.config else ()))}
    return sum(blobs.values())
