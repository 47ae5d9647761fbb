"""Scopes: which log a call reads, as one value for the URL, the cover and the ledger."""

from __future__ import annotations

from typing import Literal
from urllib.parse import quote

import msgspec

ScopeKind = Literal["superuser", "organization", "user", "repository"]

# Both /user endpoints leave these out, in lists and in counts; the other endpoints of the same namespace show them.
USER_HIDDEN_KINDS = (
    "service_key_approve",
    "service_key_create",
    "service_key_delete",
    "service_key_extend",
    "service_key_modify",
    "service_key_rotate",
)


class Scope(msgspec.Struct, frozen=True, order=True):
    """One log of Quay's: the whole registry's, an organization's (or any namespace's, for a superuser), the token's
    own user's, or a repository's. `name` is empty for `superuser`, a namespace for `organization` and `user`, and
    `namespace/repository` for `repository` (the repository may itself hold slashes)."""

    kind: ScopeKind
    name: str = ""

    @property
    def text(self) -> str:
        """The form used in settings and in the ledger: `superuser`, `organization:acme`, …"""
        return f"{self.kind}:{self.name}" if self.name else self.kind

    @property
    def namespace(self) -> str | None:
        """The namespace of this scope; None for the whole registry."""
        if self.kind == "superuser":
            return None
        return self.name.partition("/")[0]

    @property
    def path(self) -> str:
        """The path below `/api/v1` under which the log operations of this scope are."""
        if self.kind == "superuser":
            return "/superuser"
        if self.kind == "user":
            return "/user"
        return f"/{self.kind}/{quote(self.name, safe='/')}"

    @property
    def hidden_kinds(self) -> tuple[str, ...]:
        """Kinds that this scope's endpoints never show."""
        return USER_HIDDEN_KINDS if self.kind == "user" else ()

    @classmethod
    def parse(cls, text: str) -> Scope:
        """Reads `text`'s form back. Raises ValueError that says what is wrong with it."""
        kind, _, name = text.strip().partition(":")
        match kind:
            case "superuser" if not name:
                return cls("superuser")
            case "organization" | "user" if name and "/" not in name:
                return cls(kind, name)
            case "repository" if name.count("/") >= 1 and all(name.split("/")):
                return cls("repository", name)
        raise ValueError(
            f"{text!r} is no scope: write superuser, organization:NAME, user:NAME or repository:NAMESPACE/NAME"
        )


def overlapping(scopes: tuple[Scope, ...]) -> tuple[Scope, Scope] | None:
    """The first pair that would count an event twice, or None where the scopes are disjoint."""
    for index, one in enumerate(scopes):
        for other in scopes[index + 1 :]:
            if "superuser" in (one.kind, other.kind) or one == other:
                return one, other
            same_namespace = one.namespace == other.namespace
            if same_namespace and not (one.kind == other.kind == "repository"):
                return one, other
    return None
