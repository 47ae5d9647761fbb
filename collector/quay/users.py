"""Users: who the token's own user is (`/user/`). Chapter 25 of the API reference."""

from __future__ import annotations

import msgspec

from collector.quay.client import QuayClient, Reply, decoded


class Membership(msgspec.Struct, frozen=True):
    """An organisation that the user belongs to."""

    name: str
    is_org_admin: bool = False
    public: bool = False


class User(msgspec.Struct, frozen=True):
    """The token's own user, and the organisations that it belongs to."""

    username: str
    organizations: tuple[Membership, ...] = ()
    super_user: bool = False
    verified: bool = False


_decode = msgspec.json.Decoder(User).decode


async def get_logged_in_user(client: QuayClient, *, purpose: str = "probe") -> User:
    """`GET /user/`; scope `user:read` (without it the answer is 401). Raises QuayError."""
    operation = "user.get_logged_in_user"

    def decode(reply: Reply) -> User:
        return decoded(client, operation, reply.body, _decode)

    return await client.get(operation, "/user/", {}, decode, purpose=purpose)
