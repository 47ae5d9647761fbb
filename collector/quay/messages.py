"""Messages: announcements that the registry shows to everyone (`/messages`). Chapter 6 of the API reference."""

from __future__ import annotations

import msgspec

from quayledger.collector.quay.client import QuayClient
from quayledger.collector.quay.listing import read_list
from quayledger.collector.quay.rows import Rows, reader


class Message(msgspec.Struct, frozen=True):
    """A message; `severity`: info | warning | error; `media_type`: text/plain | text/markdown."""

    uuid: str
    content: str
    severity: str | None = None
    media_type: str | None = None


_message = reader(Message)


async def list_messages(client: QuayClient, *, purpose: str = "inventory") -> Rows[Message]:
    """`GET /messages` (getGlobalMessages, 6.2); anonymous. Raises QuayError."""
    return await read_list(client, "message.list_messages", "/messages", "messages", _message, purpose=purpose)
