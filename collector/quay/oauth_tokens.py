"""OAuth tokens: access tokens of an organization's OAuth applications (`/organization/{orgname}/applications/{client_id}/tokens`), of
Quay 3.18 and later; the API reference lacks them. A list never contains the token itself.
"""

from __future__ import annotations

import msgspec

from quayledger.collector.quay import paths
from quayledger.collector.quay.client import QuayClient
from quayledger.collector.quay.listing import read_pages
from quayledger.collector.quay.rows import Rows, reader
from quayledger.collector.quay.times import Moment


class OauthToken(msgspec.Struct, frozen=True):
    """A token without its secret. `name` None: made before tokens had names; `scope`: as Quay writes it, separated by spaces;
    `created_by`: the user whose rights it has; `last_accessed` None: never used since Quay records it."""

    uuid: str
    name: str | None = None
    scope: str | None = None
    expires_at: Moment | None = None
    created: Moment | None = None
    created_by: str | None = None
    last_accessed: Moment | None = None


_token = reader(OauthToken)


async def list_oauth_tokens(
    client: QuayClient, organization: str, client_id: str, *, purpose: str = "inventory"
) -> Rows[OauthToken]:
    """`GET /organization/{orgname}/applications/{client_id}/tokens` (listOrganizationApplicationTokens); scope `org:admin`.
    Raises QuayError; NotFound for an unknown application."""
    path = f"{paths.organization(organization)}/applications/{paths.segment(client_id)}/tokens"
    return await read_pages(client, "oauth_tokens.list_oauth_tokens", path, "tokens", _token, purpose=purpose)
