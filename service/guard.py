"""The guard behind which every job, poll and order of the service runs: what fails is logged, and the service goes on."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TypeVar

import msgspec

from quayledger.service.exit_codes import EXPECTED, Exit, describe, exit_of

log = logging.getLogger("quayledger")
_T = TypeVar("_T")
_REPEAT_S = 300.0
_EXPECTED: tuple[type[Exception], ...] = (*EXPECTED, OSError)


class Failure(msgspec.Struct, frozen=True):
    """Why something did not work: a sentence for people, and the exit code that a command would end with."""

    message: str
    exit_code: int


class Guard:
    """Runs work and turns whatever it raises into a `Failure`. The same failure of the same work, as of a poll that meets a
    full disk three times a second, is logged once in five minutes; that it works again is logged once. Thread-safe."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._failing: dict[str, tuple[str, float]] = {}

    def attempt(self, what: str, work: Callable[[], _T]) -> _T | Failure:
        """What the work returns, or why it failed. `what` names it in the log."""
        try:
            result = work()
        except _EXPECTED as error:
            failure = Failure(describe(error), int(exit_of(error)))
            if self._is_news(what, failure):
                log.error("%s: %s", what, failure.message)  # noqa: TRY400 -- an expected error is a sentence
        except Exception as error:
            failure = Failure(f"a fault of quayledger's own ({type(error).__name__}); its log has more", int(Exit.BUG))
            if self._is_news(what, failure):
                log.exception("%s: a fault of quayledger's own; the service goes on", what)
        else:
            if self._failing.pop(what, None) is not None:
                log.info("%s: works again", what)
            return result
        return failure

    def _is_news(self, what: str, failure: Failure) -> bool:
        now = self._monotonic()
        message, logged_at = self._failing.get(what, ("", now))
        if message == failure.message and now - logged_at < _REPEAT_S:
            return False
        self._failing[what] = (failure.message, now)
        return True
