"""Organizations: what the token's user is in one (`/organization/{name}`). Chapter 11 of the API reference."""

from __future__ import annotations

from urllib.parse import quote

import msgspec

from collector.quay.client import QuayClient, Reply, decoded


class Organization(msgspec.Struct, frozen=True):
    """An organisation as the token's user sees it; its log can be read by its admins and by superusers."""

    name: str
    is_admin: bool = False
    is_member: bool = False


_decode = msgspec.json.Decoder(Organization).decode


async def get_organization(client: QuayClient, name: str, *, purpose: str = "probe") -> Organization:
    """`GET /organization/{name}`; answers without any scope, then with both flags false. Raises QuayError; NotFound."""
    operation = "organization.get_organization"

    def decode(reply: Reply) -> Organization:
        return decoded(client, operation, reply.body, _decode)

    return await client.get(operation, f"/organization/{quote(name, safe='')}", {}, decode, purpose=purpose)
