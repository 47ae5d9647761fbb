"""App tokens: credentials that people use instead of their password to log in to the registry (`/user/apptoken`). Chapter 2 of the API
reference, which lacks the superuser's list of all of them.
"""

from __future__ import annotations

import msgspec

from quayledger.collector.quay import paths
from quayledger.collector.quay.client import QuayClient
from quayledger.collector.quay.listing import NO_PARAMS, Params, read_list, read_one
from quayledger.collector.quay.rows import Rows, reader, translated
from quayledger.collector.quay.times import Moment


class AppToken(msgspec.Struct, frozen=True):
    """An app token without its secret. No reply says whose it is. `expiration` None: does not expire; `last_accessed`
    None: never used."""

    uuid: str
    title: str | None = None
    created: Moment | None = None
    expiration: Moment | None = None
    last_accessed: Moment | None = None


class _One(msgspec.Struct):
    token: AppToken


_token = reader(AppToken)
_one = translated(_One, lambda wire: wire.token)


async def list_app_tokens(client: QuayClient, *, expiring: bool = False, purpose: str = "inventory") -> Rows[AppToken]:
    """Of the token's user; `expiring`: only those that expire soon. `GET /user/apptoken` (listAppTokens, 2.2); scope `user:admin`.
    Raises QuayError."""
    operation = "app_token.list_app_tokens"
    return await read_list(client, operation, "/user/apptoken", "tokens", _token, _expiring(expiring), purpose=purpose)


async def get_app_token(client: QuayClient, uuid: str, *, purpose: str = "inventory") -> AppToken:
    """`GET /user/apptoken/{token_uuid}` (getAppToken, 2.3); scope `user:admin`. The reply contains the usable secret, which
    is redacted before anything reads it. Raises QuayError; NotFound, also for a token of another user."""
    path = f"/user/apptoken/{paths.segment(uuid)}"
    return await read_one(client, "app_token.get_app_token", path, _one, purpose=purpose)


async def list_all_app_tokens(
    client: QuayClient, *, expiring: bool = False, purpose: str = "inventory"
) -> Rows[AppToken]:
    """Of all users. `GET /superuser/apptokens` (listAllAppTokens); scope `super:user`, and superusers must have full access in
    this Quay, else Forbidden. Raises QuayError."""
    operation, path = "app_token.list_all_app_tokens", "/superuser/apptokens"
    return await read_list(client, operation, path, "tokens", _token, _expiring(expiring), purpose=purpose)


def _expiring(expiring: bool) -> Params:
    return {"expiring": "true"} if expiring else NO_PARAMS
