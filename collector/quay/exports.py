"""Exports: asking Quay to write a log to a file and to call back when it is done (`…/exportlogs`). Chapter 7 of the API
reference.
"""

from __future__ import annotations

from datetime import date

import msgspec

from quayledger.collector.quay.client import QuayClient, Reply, decoded
from quayledger.collector.quay.errors import BrokenReply
from quayledger.collector.quay.scopes import Scope


class _Accepted(msgspec.Struct):
    export_id: str


_decode = msgspec.json.Decoder(_Accepted).decode


async def request_export(
    client: QuayClient,
    scope: Scope,
    first: date,
    last: date,
    *,
    callback_url: str | None = None,
    callback_email: str | None = None,
) -> str:
    """Requests the log of an organization, of the token's user or of a repository for the UTC days `first` to `last`
    inclusive; returns the export's id. `POST {scope}/exportlogs` (`exportOrgLogs`, `exportUserLogs`, `exportRepoLogs`); scope
    `super:user`, `org:admin`, `user:admin` or `repo:admin`.

    Each accepted request writes a row `export_logs_success` with the callback's address into that log. Raises QuayError, and
    ValueError for the superuser's log, which cannot be exported, and for a request without callback."""
    if scope.kind == "superuser":
        raise ValueError("the log of the whole registry cannot be exported; export each namespace instead")
    if last < first:
        raise ValueError(f"{first} to {last} is not a valid range of days")
    body = {"callback_url": callback_url, "callback_email": callback_email}
    told = {key: value for key, value in body.items() if value}
    if not told:
        raise ValueError(
            "an export needs a callback URL or an e-mail address, because its result cannot be found otherwise"
        )
    operation = f"{scope.kind}.request_export"
    params = {"starttime": f"{first:%m/%d/%Y}", "endtime": f"{last:%m/%d/%Y}"}

    def decode(reply: Reply) -> str:
        export_id = decoded(client, operation, reply.body, _decode).export_id
        if not export_id:
            raise BrokenReply(
                client.source_id, operation, "the reply to the export request has no export_id", status=200
            )
        return export_id

    return await client.ask_export(operation, f"{scope.path}/exportlogs", params, told, decode)
