"""What a call to a Quay can end in; each says what happened, at which source and operation, and what to do next."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

TEXT_LIMIT = 300
_SECRET_LIKE = re.compile(r"(?i)(bearer\s+|token=|://[^/@\s]+:)[^\s&@\"']+")


class QuayError(Exception):
    """Root of the family. `status` is the HTTP status, None where there was no reply."""

    next_step = ""

    def __init__(self, source_id: str, operation: str, says: str, *, status: int | None = None) -> None:
        self.source_id, self.operation, self.status = source_id, operation, status
        self.says = safe(says)
        code = f" ({status})" if status else ""
        text = f"{source_id}: {operation}{code}: {self.says}"
        super().__init__(f"{text.rstrip('.')}. {self.next_step}" if self.next_step else text)


class Unreachable(QuayError):
    """No reply: refused, no such host, a network that is gone, or a time-out on every try."""

    next_step = "Check the address, the network and the proxy; what was collected stays, the next run goes on"


class TimedOut(Unreachable):
    """No whole reply in time, on every try."""

    next_step = "The server is slow or hangs: raise timeout_seconds, or look into its log; the next run goes on"


class TlsFailure(QuayError):
    """The certificate is not trusted, or TLS could not be spoken."""

    next_step = (
        "Name the registry's certificate authority with ca_file; verify_tls = false is for test installations only"
    )


class NotAQuay(QuayError):
    """Something answers, but it is no Quay API."""

    next_step = "Check the address: it is the one that people open in the browser, without a path"


class NotOffered(NotAQuay):
    """404 as a page of HTML: the operation has no route here, as the feature is off or the version does not know it."""

    next_step = (
        "The feature is off there, or its version does not know the operation. Check the address where no other operation "
        "answers either"
    )


class Unauthenticated(QuayError):
    """401. Unknown and expired tokens look the same to Quay."""

    next_step = "The token is unknown, expired or revoked: make a new one and set it"


class Forbidden(QuayError):
    """403. The token's scopes or its user's rights do not reach that far."""

    next_step = "Give the token the scope, or its user the right; `quayledger doctor` says what it may read"


class NotFound(QuayError):
    """404, or what Quay answers in its place. What was asked for does not exist, or not any more."""


class BadRequest(QuayError):
    """400 and other refusals; the text is Quay's own."""


class ServerFailure(QuayError):
    """5xx on every try."""

    next_step = "The server failed on every try: look into its log; the next run tries again"


class Throttled(QuayError):
    """429 on every try."""

    next_step = "Lower requests_per_second of this source"


class WrongWindow(QuayError):
    """The server answered for other days than it was asked for; nothing of that answer is used."""

    next_step = (
        "The server ignored the dates; nothing of this answer is used. Its version may be unknown to us: report it"
    )


class SearchUnavailable(QuayError):
    """The server's log lies where it cannot search it."""

    next_step = "The Quay must be given search access to its log store (Splunk: search_token)"


class BrokenReply(QuayError):
    """A reply that is cut, or is not what the reference says, on every try."""

    next_step = "A proxy between may cut replies; the next run tries again"


@contextmanager
def absent_where_it_says(words: str) -> Iterator[None]:
    """For operations that answer 400 where others answer 404: NotFound in place of a BadRequest that says these words."""
    try:
        yield
    except BadRequest as error:
        if words not in error.says:
            raise
        raise NotFound(error.source_id, error.operation, error.says, status=error.status) from None


def safe(text: str) -> str:
    """Foreign text on one line, short, without anything that looks like a secret."""
    line = _SECRET_LIKE.sub(r"\1…", " ".join(text.split()))
    return line if len(line) <= TEXT_LIMIT else line[: TEXT_LIMIT - 1] + "…"
