"""The registry beside the API (`/v2`): it wants a token of its own, which is kept in memory for some minutes and told to nobody.

No I/O: the client exchanges the token, this module keeps it and says what the registry's refusals mean.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from pydantic import SecretStr

from quayledger.collector.quay.errors import Forbidden, NotFound, QuayError

KEPT_S = 240.0  # Quay's tokens last an hour
MOST_KEPT = 256
_ABSENT = ("MANIFEST_INVALID", "MANIFEST_UNKNOWN", "NAME_INVALID", "NAME_UNKNOWN")


class Exchanged(msgspec.Struct):
    """What `/v2/auth` answers."""

    token: str


class RegistryTokens:
    """One token for each repository, so that many questions about one cost one exchange. Times come from `clock`."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._kept: dict[str, tuple[SecretStr, float]] = {}

    def held(self, repository: str) -> SecretStr | None:
        """A token that is young enough; None where there is none."""
        token, until = self._kept.get(repository, (None, 0.0))
        return token if self._clock() < until else None

    def keep(self, repository: str, token: SecretStr) -> None:
        """Keeps a token that was just given; the oldest goes where there are too many."""
        self._kept.pop(repository, None)
        while len(self._kept) >= MOST_KEPT:
            del self._kept[next(iter(self._kept))]
        self._kept[repository] = (token, self._clock() + KEPT_S)

    def drop(self, repository: str) -> None:
        """Forgets the token of a repository."""
        self._kept.pop(repository, None)

    def tokens(self) -> list[SecretStr]:
        """All that are kept, to look for them in text that must not hold them."""
        return [token for token, _ in self._kept.values()]


def meaning(error: QuayError) -> QuayError:
    """A refusal of the registry's in the terms of the API: a manifest or name that it does not know is NotFound (it says
    400), a repository that the user may not pull is Forbidden (it says 401). What concerns the token stays as it is."""
    kind: type[QuayError] | None = None
    if error.says.endswith(tuple(f"[{code}]" for code in _ABSENT)):
        kind = NotFound
    elif error.says.endswith(("[UNAUTHORIZED]", "[DENIED]")):
        kind = Forbidden
    return error if kind is None else kind(error.source_id, error.operation, error.says, status=error.status)
