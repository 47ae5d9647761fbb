"""On-demand queries that no round sends: a build's log, a search, a user's role as Quay states it. Stores nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import msgspec

from quayledger.collector.errors import CollectorError
from quayledger.collector.quay import builds, error_descriptions, organizations, permissions, search, users
from quayledger.collector.quay.client import QuayClient
from quayledger.collector.quay.errors import Forbidden
from quayledger.settings import SourceSettings


class BadQuestion(CollectorError):
    """A question was asked with too few or too many words."""


class Question(msgspec.Struct, frozen=True):
    """One kind of question. `words`: what it wants to know, in order."""

    name: str
    says: str
    words: tuple[str, ...]
    ask: Callable[..., Awaitable[object]]


async def _build(client: QuayClient, repository: str, build: str) -> object:
    try:
        return await builds.get_build_status(client, repository, build, purpose="ask")
    except Forbidden:
        return await builds.get_superuser_build_status(client, build, purpose="ask")


async def _build_logs(client: QuayClient, repository: str, build: str) -> object:
    try:
        return await builds.get_build_logs(client, repository, build, purpose="ask")
    except Forbidden:
        return await builds.get_superuser_build_logs(client, build, purpose="ask")


async def _access(client: QuayClient, repository: str, username: str) -> object:
    return await permissions.list_transitive_roles(client, repository, username, purpose="ask")


async def _search(client: QuayClient, query: str) -> object:
    return await search.find_all(client, query, purpose="ask")


async def _repositories(client: QuayClient, query: str) -> object:
    return await search.find_repositories(client, query, include_usage=True, purpose="ask")


async def _entity(client: QuayClient, prefix: str) -> object:
    return await search.list_entities(client, prefix, purpose="ask")


async def _user(client: QuayClient, username: str) -> object:
    return await users.get_user_information(client, username, purpose="ask")


async def _application(client: QuayClient, client_id: str) -> object:
    return await organizations.get_application_information(client, client_id, purpose="ask")


async def _error(client: QuayClient, error_type: str) -> object:
    return await error_descriptions.get_error_description(client, error_type, purpose="ask")


QUESTIONS: tuple[Question, ...] = (
    Question("build", "how far a build is", ("NAMESPACE/REPOSITORY", "BUILD"), _build),
    Question("build-logs", "what a build wrote", ("NAMESPACE/REPOSITORY", "BUILD"), _build_logs),
    Question("access", "Quay's own word on a user's roles", ("NAMESPACE/REPOSITORY", "USER"), _access),
    Question("search", "anything by a part of its name", ("QUERY",), _search),
    Question("repositories", "repositories by a part of their name", ("QUERY",), _repositories),
    Question("entity", "users by the beginning of their name", ("PREFIX",), _entity),
    Question("user", "whether a user exists", ("USER",), _user),
    Question("application", "who is behind an OAuth client id", ("CLIENT_ID",), _application),
    Question("error", "what an error type of Quay's means", ("TYPE",), _error),
)


async def ask(source_id: str, source: SourceSettings, name: str, words: Sequence[str]) -> object:
    """The answer, as a frozen struct. Raises BadQuestion, QuayError, SettingsError."""
    question = next((one for one in QUESTIONS if one.name == name), None)
    if question is None:
        raise BadQuestion(f"there is no question {name[:40]!r}: there are {', '.join(one.name for one in QUESTIONS)}")
    if len(words) != len(question.words):
        raise BadQuestion(f"{name} wants {' '.join(question.words)}: {len(words)} word(s) were given")
    async with QuayClient(source_id, source) as client:
        return await question.ask(client, *words)
