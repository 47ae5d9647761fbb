"""The simulator's registry: accounts, repositories and access tokens, and what changes about them."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterable
from typing import Literal

import msgspec

AccountKind = Literal["user", "org", "robot"]


class Team(msgspec.Struct):
    """A team of an organisation; `role`: admin | creator | member."""

    name: str
    role: str
    description: str = ""
    members: set[int] = msgspec.field(default_factory=set)


class Account(msgspec.Struct):
    """A user, an organisation or a robot. Log rows hold its id, so they follow its name."""

    id: int
    name: str
    kind: AccountKind
    email: str = ""
    enabled: bool = True
    deleted: bool = False  # the name is a UUID by then, and no listing shows it
    owner_id: int = 0  # of a robot: its namespace
    teams: list[Team] = msgspec.field(default_factory=list)

    def has_member(self, user_id: int) -> bool:
        """Whether the user is in any team of this organisation."""
        return any(user_id in team.members for team in self.teams)

    def has_admin(self, user_id: int) -> bool:
        """Whether the user may administer this namespace."""
        return self.id == user_id or any(team.role == "admin" and user_id in team.members for team in self.teams)


class Repository(msgspec.Struct):
    """A repository; `last_modified`: seconds since 1970."""

    id: int
    account_id: int
    name: str
    public: bool = False
    state: str = "NORMAL"
    description: str = ""
    last_modified: int | None = None


class AccessToken(msgspec.Struct, frozen=True):
    """An OAuth access token. `expires_at_us`: None = never."""

    value: str
    user_id: int
    scopes: frozenset[str]
    expires_at_us: int | None = None


class Registry:
    """Everything that has a name. `version` changes whenever a name that logs show does."""

    def __init__(self) -> None:
        self.accounts: dict[int, Account] = {}
        self.repositories: dict[int, Repository] = {}
        self.tokens: dict[str, AccessToken] = {}
        self.superusers: set[int] = set()
        self.readonly_superusers: set[int] = set()
        self.full_access = True
        self.version = 0
        self._by_name: dict[str, int] = {}
        self._by_path: dict[tuple[int, str], int] = {}
        self._ids = itertools.count(1)  # never given twice: log rows outlive what they name

    def account(self, name: str | None) -> Account | None:
        """By exact name."""
        return self.accounts.get(self._by_name.get(name or "", 0))

    def repository(self, namespace: str, name: str) -> Repository | None:
        """By exact names."""
        return self.repositories.get(self._by_path.get((self._by_name.get(namespace, 0), name), 0))

    def add_account(self, name: str, kind: AccountKind, *, email: str = "", owner_id: int = 0) -> Account:
        """A new account with the next id."""
        account = Account(next(self._ids), name, kind, email=email, owner_id=owner_id)
        self.accounts[account.id] = account
        self._by_name[name] = account.id
        self.version += 1
        return account

    def add_repository(self, account_id: int, name: str, *, public: bool = False, state: str = "NORMAL") -> Repository:
        """A new repository with the next id."""
        namespace = self.accounts[account_id].name
        made = Repository(next(self._ids), account_id, name, public, state, f"Repository {namespace}/{name}")
        self.repositories[made.id] = made
        self._by_path[account_id, name] = made.id
        return made

    def add_token(
        self, value: str, user_id: int, scopes: Iterable[str], expires_at_us: int | None = None
    ) -> AccessToken:
        """A new access token."""
        token = AccessToken(value, user_id, frozenset(scopes), expires_at_us)
        self.tokens[value] = token
        return token

    def rename(self, old: str, new: str) -> None:
        """Another name for an account; a namespace's robots follow. Raises KeyError for an unknown one."""
        account_id = self._by_name.pop(old)
        self._name(self.accounts[account_id], new)
        for robot in self._robots(account_id):
            self._by_name.pop(robot.name, None)
            self._name(robot, f"{new}+{robot.name.partition('+')[2]}")

    def delete_namespace(self, name: str) -> str:
        """Marks a namespace for deletion: a UUID for a name, disabled, in no listing. Gives the UUID."""
        hidden = str(uuid.uuid5(uuid.NAMESPACE_DNS, name))
        self.rename(name, hidden)
        account = self.accounts[self._by_name[hidden]]
        account.deleted, account.enabled = True, False
        return hidden

    def purge(self, name: str) -> None:
        """Takes an account out for good (robots too): its log rows stay, without the name."""
        account_id = self._by_name.pop(name)
        for robot in self._robots(account_id):
            self.purge(robot.name)
        del self.accounts[account_id]
        for repository in [r for r in self.repositories.values() if r.account_id == account_id]:
            self.delete_repository(repository)
        self.version += 1

    def delete_repository(self, repository: Repository) -> None:
        """A deleted repository: unknown by name; log rows keep its id."""
        self._by_path.pop((repository.account_id, repository.name), None)
        self.repositories.pop(repository.id, None)

    def organizations_of(self, user_id: int) -> list[Account]:
        """The organisations in which a user is in some team, oldest first."""
        return [a for a in self.accounts.values() if a.kind == "org" and not a.deleted and a.has_member(user_id)]

    def _robots(self, account_id: int) -> list[Account]:
        return [a for a in self.accounts.values() if a.kind == "robot" and a.owner_id == account_id]

    def _name(self, account: Account, name: str) -> None:
        account.name = name
        self._by_name[name] = account.id
        self.version += 1
