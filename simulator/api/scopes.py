"""The simulator's four logs: whose rows a path reads, and who may."""

from __future__ import annotations

import msgspec
from starlette.requests import Request

from quayledger.simulator.api.replies import caller, forbidden, message, not_found, quay_of, superuser
from quayledger.simulator.table import Selection


class LogScope(msgspec.Struct, frozen=True):
    """One log. `checks_order`: a start after the end is refused. `filters`: the performer parameter counts."""

    selection: Selection
    namespace: str | None = None
    repository: str | None = None
    checks_order: bool = True
    filters: bool = False
    shows_namespace: bool = False


def of_superuser(request: Request) -> LogScope:
    """The whole registry's log."""
    superuser(request)
    return LogScope(Selection(), checks_order=False, shows_namespace=True)


def of_user(request: Request) -> LogScope:
    """The caller's own log, without service keys."""
    who = caller(request)
    if "user:admin" not in who.token.scopes:
        raise forbidden(request)
    return LogScope(Selection(account_id=who.user.id, hide_service_keys=True), who.user.name, filters=True)


def of_organization(request: Request) -> LogScope:
    """A namespace's log: for its admins with `org:admin`, and for superusers."""
    who = caller(request)
    name = request.path_params["orgname"]
    account = quay_of(request).registry.account(name)
    if not (who.sees_all or ("org:admin" in who.token.scopes and who.administers(account))):
        raise forbidden(request)
    if account is None:
        raise message(f"Invalid namespace requested: {name}", 400)
    return LogScope(Selection(account_id=account.id), name, filters=True)


def of_repository(request: Request, *, writing: bool = False) -> LogScope:
    """A repository's log: for its namespace's admins with `repo:admin`, and for superusers; read-only ones only read."""
    who = caller(request)
    registry = quay_of(request).registry
    namespace, _, name = request.path_params["repository"].partition("/")
    through = who.is_superuser if writing else who.sees_all
    if not (through or ("repo:admin" in who.token.scopes and who.administers(registry.account(namespace)))):
        raise forbidden(request)
    repository = registry.repository(namespace, name)
    if repository is None:
        raise not_found(request)
    return LogScope(Selection(repository_id=repository.id), namespace, name)
