"""Tokens for the registry (`/v2`), which does not accept API tokens: cached in memory for some minutes.

No I/O: the client exchanges the token, this module caches it and translates the registry's errors.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from pydantic import SecretStr

from quayledger.collector.quay.errors import Forbidden, NotFound, QuayError

KEPT_S = 240.0  # Quay's tokens last an hour
MOST_KEPT = 256
_ABSENT = ("MANIFEST_INVALID", "MANIFEST_UNKNOWN", "NAME_INVALID", "NAME_UNKNOWN")


class TokenReply(msgspec.Struct):
    """The reply of `/v2/auth`."""

    token: str


class RegistryTokens:
    """A cache of one token per repository, so that many reads of one need one exchange. `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._kept: dict[str, tuple[SecretStr, float]] = {}

    def get(self, repository: str) -> SecretStr | None:
        """The cached token if it is fresh enough, else None."""
        token, until = self._kept.get(repository, (None, 0.0))
        return token if self._clock() < until else None

    def keep(self, repository: str, token: SecretStr) -> None:
        """Caches a new token; the oldest is dropped if there are too many."""
        self._kept.pop(repository, None)
        while len(self._kept) >= MOST_KEPT:
            del self._kept[next(iter(self._kept))]
        self._kept[repository] = (token, self._clock() + KEPT_S)

    def drop(self, repository: str) -> None:
        """Drops the token of a repository."""
        self._kept.pop(repository, None)

    def tokens(self) -> list[SecretStr]:
        """All cached tokens, to keep them out of error texts."""
        return [token for token, _ in self._kept.values()]


def translate_error(error: QuayError) -> QuayError:
    """The registry's error in the API's terms: NotFound for an unknown manifest or name (the registry answers 400),
    Forbidden for a repository that the user may not pull (401). Errors about the token itself stay as they are."""
    kind: type[QuayError] | None = None
    if error.says.endswith(tuple(f"[{code}]" for code in _ABSENT)):
        kind = NotFound
    elif error.says.endswith(("[UNAUTHORIZED]", "[DENIED]")):
        kind = Forbidden
    return error if kind is None else kind(error.source_id, error.operation, error.says, status=error.status)
