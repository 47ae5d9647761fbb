"""The cover: the disjoint scopes that together are one source's record, chosen from what its token may read."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

import msgspec

from quayledger.collector.errors import BadCover, NothingReadable
from quayledger.collector.quay import logs, repositories, users
from quayledger.collector.quay.client import QuayClient
from quayledger.collector.quay.errors import (
    BadRequest,
    Forbidden,
    NotFound,
    QuayError,
    SearchUnavailable,
    Unauthenticated,
    UnusableCount,
)
from quayledger.collector.quay.scopes import Scope, overlapping
from quayledger.warehouse.sources import CoverRow

# Repositories are asked one by one; a token that needs more than this is better served by scopes in the settings.
MOST_REPOSITORIES = 50
_WIDTH = {"superuser": 0, "organization": 1, "user": 2, "repository": 3}
_REFUSED = (Forbidden, NotFound, BadRequest)


class Access(msgspec.Struct, frozen=True):
    """What a token may read, as it was found out. `refused` says for each other scope that was tried why not."""

    username: str | None
    scopes: tuple[Scope, ...]
    refused: tuple[tuple[Scope, str], ...]


def parse_scopes(source_id: str, texts: Iterable[str]) -> tuple[Scope, ...]:
    """The scopes of the settings. Raises BadCover where one is written wrongly or two would count an event twice."""
    try:
        scopes = tuple(Scope.parse(text) for text in texts)
    except ValueError as error:
        raise BadCover(f"sources.{source_id}.scopes: {error}") from None
    if clash := overlapping(scopes):
        raise BadCover(
            f"sources.{source_id}.scopes: {clash[0].text} and {clash[1].text} overlap, so events would count twice; "
            "keep the wider one, or make them two sources"
        )
    return scopes


async def find_access(client: QuayClient, today: date) -> Access:
    """Tries the widest scope first and goes down only where it is refused. One count of today for each scope tried."""
    superuser = Scope("superuser")
    refused: list[tuple[Scope, str]] = []
    if reason := await _refusal(client, superuser, today):
        refused.append((superuser, reason))
    else:
        return Access(None, (superuser,), ())
    try:
        me = await users.get_logged_in_user(client, purpose="probe")
    except (Unauthenticated, Forbidden) as error:
        raise NothingReadable(
            f"{client.source_id}: the token may not read the superuser log, and Quay does not say whose token it is "
            f"({error.says}). Give it the scopes org:admin, user:admin and user:read, or set what to collect in "
            f"sources.{client.source_id}.scopes"
        ) from error
    readable: list[Scope] = []
    own = Scope("user", me.username)
    for scope in (*(Scope("organization", org.name) for org in me.organizations), own):
        reason = await _refusal(client, scope, today)
        if reason is None:
            readable.append(scope)
            continue
        refused.append((scope, reason))
        readable.extend(await _repositories(client, scope, today, refused))
    if not readable:
        raise NothingReadable(
            f"{client.source_id}: the token of {me.username} may read no log: not the superuser's, not its own, and no "
            "organization's or repository's. It needs super:user, or org:admin in an organization it administers, or "
            "repo:admin, or user:admin"
        )
    return Access(me.username, tuple(readable), tuple(refused))


async def _repositories(client: QuayClient, scope: Scope, today: date, refused: list[tuple[Scope, str]]) -> list[Scope]:
    """The repositories of a refused namespace whose own log the token may read."""
    try:
        listed = await repositories.list_repositories(client, scope.name, purpose="probe")
    except QuayError:
        return []
    readable = []
    for repository in listed[:MOST_REPOSITORIES]:
        part = Scope("repository", f"{repository.namespace}/{repository.name}")
        reason = await _refusal(client, part, today)
        if reason is None:
            readable.append(part)
        else:
            refused.append((part, reason))
    return readable


async def _refusal(client: QuayClient, scope: Scope, today: date) -> str | None:
    """Why the token may not count this scope; None where it may."""
    try:
        await logs.aggregate_logs(client, scope, today, today, purpose="probe")
    except UnusableCount:
        return None  # it may be read; its days will say that the count cannot be true
    except SearchUnavailable:
        return None  # it may be read, as far as rights go; its days will say that the log cannot be searched
    except Unauthenticated as error:
        if scope.kind == "user":
            return str(error)
        raise
    except _REFUSED as error:
        return str(error)
    return None


def cover_of(day: date, covers: tuple[CoverRow, ...]) -> CoverRow | None:
    """The cover in force on a day: the newest that begins on it or before; the first one reaches back as far as anybody asks.
    `covers` are oldest first."""
    first = covers[0] if covers else None
    return next((cover for cover in reversed(covers) if cover.from_day <= day), first)


def widen(covers: tuple[CoverRow, ...], readable: tuple[Scope, ...]) -> tuple[Scope, ...]:
    """The scopes to cover from now on: what was covered and what became readable; the wider of two that overlap.

    A scope that is refused today stays in the cover: its days say so, rather than being left out without a word."""
    before = tuple(Scope.parse(text) for text in covers[-1].scopes) if covers else ()
    widest = sorted({*before, *readable}, key=lambda scope: (_WIDTH[scope.kind], scope.name))
    kept: tuple[Scope, ...] = ()
    for scope in widest:
        if overlapping((*kept, scope)) is None:
            kept = (*kept, scope)
    return kept


def next_cover(
    covers: tuple[CoverRow, ...], scopes: tuple[Scope, ...], today: date, first: date, reason: str
) -> CoverRow | None:
    """The row to add so that `scopes` become the cover; None where they already are.

    The first cover, and one that only adds scopes, counts from `first` on (what was added is collected backwards too);
    any other change counts from tomorrow, because a day must not be made of two covers."""
    texts = tuple(sorted(scope.text for scope in scopes))
    if covers and set(covers[-1].scopes) == set(texts):
        return None
    grows = not covers or set(texts) >= set(covers[-1].scopes)
    hidden = tuple(sorted({kind for scope in scopes for kind in scope.hidden_kinds}))
    return CoverRow(
        version=covers[-1].version + 1 if covers else 1,
        from_day=first if grows else today + timedelta(days=1),
        scopes=texts,
        hidden_kinds=hidden,
        reason=reason,
    )
