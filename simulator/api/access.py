"""The simulator's permissions: whom an operation lets in, and what it is about; refusals otherwise."""

from __future__ import annotations

from typing import NamedTuple

from starlette.requests import Request

from quayledger.simulator.api.replies import Caller, caller, caller_of, forbidden, not_found, quay_of, unauthenticated
from quayledger.simulator.entities.accounts import Account
from quayledger.simulator.entities.content import Repository
from quayledger.simulator.registry import RANK

_READING = frozenset({"repo:read", "repo:write", "repo:admin"})
_WRITING = frozenset({"repo:write", "repo:admin"})
_ADMINISTERING = frozenset({"repo:admin"})
_SCOPES = {"read": _READING, "write": _WRITING, "admin": _ADMINISTERING}


class OnRepository(NamedTuple):
    """Who asks (None: anybody), and about which repository."""

    who: Caller | None
    repository: Repository


class OnNamespace(NamedTuple):
    """Who asks, and about which namespace."""

    who: Caller
    account: Account


def may(who: Caller | None, repository: Repository, role: str) -> bool:
    """Whether the caller has at least this role, by the token's scopes and the user's permissions or as a superuser with
    full access. A superuser who only reads has no role by that."""
    if role == "read" and repository.public:
        return True
    if who is None:
        return False
    if who.rules_all:
        return True
    if not who.token.scopes & _SCOPES[role]:
        return False
    return RANK[who.quay.registry.role(who.user.id, repository)] >= RANK[role]


def of_repository(request: Request, role: str, *, readonly_superuser: bool = True) -> OnRepository:
    """The repository of the path, for those who have `role` there. Raises 401, 403, or 404 to those who administer the
    namespace."""
    who = caller_of(request)
    registry = quay_of(request).registry
    namespace, _, name = request.path_params["repository"].partition("/")
    found = registry.repository(namespace, name)
    allowed = who is not None and readonly_superuser and who.is_readonly_superuser
    if found is not None:
        allowed = allowed or may(who, found, role)
    elif who is not None:
        owner = registry.account(namespace)
        own = owner is not None and owner.has_admin(who.user.id) and bool(who.token.scopes & _SCOPES[role])
        allowed = allowed or who.rules_all or own
    if not allowed:
        raise unauthenticated(request) if who is None else forbidden(request)
    if found is None or registry.namespace_of(found).deleted:
        raise not_found(request)
    return OnRepository(who, found)


def of_organization(
    request: Request, *, member: bool = False, superuser: bool = False, users: bool = False
) -> OnNamespace:
    """The organisation of the path, for its admins (or its members) with `org:admin`, and for superusers who see all
    (`superuser`: for any superuser; `users`: a user's namespace too). Raises 401, 403, or 404 to superusers."""
    who = caller(request)
    account = quay_of(request).registry.account(request.path_params["orgname"])
    through = who.sees_all or (superuser and who.is_superuser)
    if account is None or account.kind != "org":
        if through and users and account is not None and account.kind == "user":
            return OnNamespace(who, account)
        raise not_found(request) if through else forbidden(request)
    own = "org:admin" in who.token.scopes and (
        account.has_member(who.user.id) if member else account.has_admin(who.user.id)
    )
    if not (through or own):
        raise forbidden(request)
    return OnNamespace(who, account)


def of_own_user(request: Request) -> OnNamespace:
    """The token's own user, with `user:admin`. Raises the refusals."""
    who = caller(request)
    if "user:admin" not in who.token.scopes:
        raise forbidden(request)
    return OnNamespace(who, who.user)


def administers(who: Caller, account: Account) -> bool:
    """Whether the caller administers an organisation: may see its secrets. A superuser who only reads does not."""
    return who.rules_all or ("org:admin" in who.token.scopes and account.has_admin(who.user.id))


def visible(who: Caller | None, repository: Repository) -> bool:
    """Whether lists show a repository to the caller."""
    return repository.public or (who is not None and (who.sees_all or may(who, repository, "read")))
