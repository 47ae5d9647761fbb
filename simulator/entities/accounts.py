"""The simulator's accounts: users, organisations and robots, and what belongs to a namespace as a whole."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

AccountKind = Literal["user", "org", "robot"]
TWO_WEEKS_S = 1_209_600


class Invite(msgspec.Struct, frozen=True):
    """A pending invitation to a team: of a user, or of an e-mail address."""

    user_id: int = 0
    email: str = ""


class Team(msgspec.Struct):
    """A team of an organisation; `role`: admin | creator | member."""

    name: str
    role: str
    description: str = ""
    members: set[int] = msgspec.field(default_factory=set)
    is_synced: bool = False
    invites: list[Invite] = msgspec.field(default_factory=list)


class Identity(msgspec.Struct, frozen=True):
    """An outside identity (OIDC) that may act as a robot."""

    issuer: str
    subject: str


class Robot(msgspec.Struct):
    """What makes a robot of an account. `token` is its password."""

    created_us: int = 0
    token: str = ""
    description: str | None = ""
    last_accessed_us: int | None = None
    metadata: dict[str, Any] = msgspec.field(default_factory=dict)
    federation: list[Identity] = msgspec.field(default_factory=list)


class Application(msgspec.Struct):
    """An OAuth application of an organisation."""

    client_id: str
    name: str
    secret: str
    description: str = ""
    uri: str = ""
    redirect_uri: str = ""


class AppToken(msgspec.Struct):
    """An application-specific token of a user; `code` is what it is good for."""

    uuid: str
    title: str
    code: str
    created_us: int = 0
    expires_us: int | None = None
    last_accessed_us: int | None = None


class Prototype(msgspec.Struct):
    """A default permission for repositories to come. `activating_id` 0: whoever creates them; the delegate is an account
    or, where that is 0, a team."""

    uuid: str
    role: str
    delegate_id: int = 0
    delegate_team: str = ""
    activating_id: int = 0


class QuotaLimit(msgspec.Struct):
    """A threshold of a quota; `kind`: Warning | Reject."""

    id: int
    kind: str
    percent: int


class Quota(msgspec.Struct):
    """A quota of a namespace."""

    id: int
    limit_bytes: int
    limits: list[QuotaLimit] = msgspec.field(default_factory=list)


class ProxyCache(msgspec.Struct):
    """What an organisation is a pull-through cache of."""

    upstream: str
    expiration_s: int = 86_400
    insecure: bool = False


class PrunePolicy(msgspec.Struct):
    """An auto-prune policy; `method`: number_of_tags (with a number) | creation_date (with "30d")."""

    uuid: str
    method: str
    value: int | str
    pattern: str | None = None
    matches: bool | None = None


class ImmutabilityPolicy(msgspec.Struct):
    """Tags that match the pattern, or that do not, cannot be changed."""

    uuid: str
    pattern: str
    matches: bool = True


class OauthToken(msgspec.Struct):
    """An access token of an application; `secret` is the token itself, which no list shows."""

    uuid: str
    client_id: str
    secret: str
    scope: str = "repo:read"
    name: str | None = None
    created_by: int = 0
    created_us: int = 0
    expires_us: int | None = None
    last_accessed_us: int | None = None


class MirroredRepository(msgspec.Struct):
    """A repository that an organization's mirror found at the source."""

    name: str
    status: str = "SUCCESS"
    discovered_us: int = 0
    is_created: bool = True


class OrganizationMirror(msgspec.Struct):
    """A namespace of another registry that an organization mirrors."""

    url: str
    namespace: str
    robot_id: int
    kind: str = "quay"
    username: str | None = None
    password: str = ""
    filters: list[str] = msgspec.field(default_factory=list)
    is_enabled: bool = True
    interval_s: int = 86_400
    created_us: int = 0
    status: str = "SUCCESS"
    repositories: list[MirroredRepository] = msgspec.field(default_factory=list)


class NamespaceNotification(msgspec.Struct):
    """A quota alert of an organization."""

    uuid: str
    event: str
    method: str
    title: str | None = None
    config: dict[str, Any] = msgspec.field(default_factory=dict)
    failures: int = 0


class Account(msgspec.Struct):
    """A user, an organisation or a robot. Log rows hold its id, so they follow its name. `backfill` None: it follows from
    whether there is content; else complete | running | waiting."""

    id: int
    name: str
    kind: AccountKind
    email: str = ""
    enabled: bool = True
    deleted: bool = False  # the name is a UUID by then, and no listing shows it
    owner_id: int = 0  # of a robot: its namespace
    teams: list[Team] = msgspec.field(default_factory=list)
    verified: bool = True
    tag_expiration_s: int = TWO_WEEKS_S
    invoice_email: bool = False
    invoice_email_address: str | None = None
    backfill: str | None = None
    profile: dict[str, str | None] = msgspec.field(default_factory=dict)
    robot: Robot | None = None
    applications: list[Application] = msgspec.field(default_factory=list)
    app_tokens: list[AppToken] = msgspec.field(default_factory=list)
    prototypes: list[Prototype] = msgspec.field(default_factory=list)
    quotas: list[Quota] = msgspec.field(default_factory=list)
    prune_policies: list[PrunePolicy] = msgspec.field(default_factory=list)
    proxy_cache: ProxyCache | None = None
    immutability: list[ImmutabilityPolicy] = msgspec.field(default_factory=list)
    oauth_tokens: list[OauthToken] = msgspec.field(default_factory=list)
    mirror: OrganizationMirror | None = None
    notifications: list[NamespaceNotification] = msgspec.field(default_factory=list)
    stars: list[int] = msgspec.field(default_factory=list)  # ids of repositories, as they were starred

    @property
    def shortname(self) -> str:
        """Of a robot: the part after the plus sign."""
        return self.name.partition("+")[2]

    def team(self, name: str) -> Team | None:
        """By exact name."""
        return next((team for team in self.teams if team.name == name), None)

    def has_member(self, user_id: int) -> bool:
        """Whether the user is in any team of this organisation."""
        return any(user_id in team.members for team in self.teams)

    def has_admin(self, user_id: int) -> bool:
        """Whether the user may administer this namespace."""
        return self.id == user_id or any(team.role == "admin" and user_id in team.members for team in self.teams)

    def may_create(self, user_id: int) -> bool:
        """Whether the user may create repositories here."""
        return self.id == user_id or any(
            team.role in ("admin", "creator") and user_id in team.members for team in self.teams
        )


class AccessToken(msgspec.Struct, frozen=True):
    """An OAuth access token. `expires_at_us`: None = never."""

    value: str
    user_id: int
    scopes: frozenset[str]
    expires_at_us: int | None = None
