"""The errors of this client. Each says what happened, at which source and operation, and what to do next."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

TEXT_LIMIT = 300
_SECRET_LIKE = re.compile(r"(?i)(bearer\s+|token=|://[^/@\s]+:)[^\s&@\"']+")


class QuayError(Exception):
    """Root of the family. `status` is the HTTP status, None where there was no reply."""

    next_step = ""

    def __init__(
        self, source_id: str, operation: str, says: str, *, status: int | None = None, next_step: str | None = None
    ) -> None:
        """`says`: what happened, made safe to show; `next_step`: what to do where the class's own advice does not fit."""
        self.source_id, self.operation, self.status = source_id, operation, status
        self.says = safe(says)
        if next_step is not None:
            self.next_step = next_step
        code = f" ({status})" if status else ""
        text = f"{source_id}: {operation}{code}: {self.says}"
        super().__init__(f"{text.rstrip('.')}. {self.next_step}" if self.next_step else text)


class Unreachable(QuayError):
    """No reply on any attempt: connection refused, unknown host, no network, or a timeout."""

    next_step = "Check the address, the network and the proxy. Collected data is kept; the next run continues"


class TimedOut(Unreachable):
    """No complete reply within `timeout_seconds`, on any attempt."""

    next_step = "The server is slow or hangs. Raise timeout_seconds or check the server's log; the next run continues"


class TlsFailure(QuayError):
    """The certificate is not trusted, or the TLS handshake failed."""

    next_step = "Set ca_file to the registry's certificate authority. verify_tls = false is for test installations only"


class NotAQuay(QuayError):
    """Something answers, but it is not the Quay API."""

    next_step = "Check the address. It is the one that people open in the browser, without a path"


class Shadowed(QuayError):
    """A repository whose name ends in the name of an operation, so that its address is another repository's operation."""

    next_step = "Quay cannot be asked for it. Renaming the repository is the only remedy"


class UnexpectedReply(NotAQuay):
    """JSON, but not in the form that the API reference describes for this operation."""

    next_step = (
        "If other operations work, this version of Quay answers in a form that quayledger does not know: please report it. "
        "If none works, check the address"
    )


class NotOffered(NotAQuay):
    """404 as an HTML page: this Quay has no such operation, because a feature is off or its version is older."""

    next_step = (
        "The feature is off in this Quay, or its version does not have the operation. If no operation works, check the "
        "address"
    )


class Unauthenticated(QuayError):
    """401. Quay gives the same answer to an unknown, an expired and a revoked token."""

    next_step = "The token is unknown, expired or revoked. Create a new one and set it"


class BadCredential(QuayError):
    """The token of the OIDC provider is one that Quay would refuse. Quay was not asked."""

    next_step = "docs/oidc.md says what the provider and Quay need"


class ProviderFailure(QuayError):
    """The OIDC provider does not answer here, or gives no token."""

    next_step = "Check oidc_token_endpoint, the client and its secret, and the network from here to the provider"


class ProviderUnreachable(QuayError):
    """Quay answers without a token and closes the connection on one: it cannot reach its own OIDC provider."""

    next_step = (
        "Check the network from Quay to the provider, and whether Quay trusts its certificate; the next run continues"
    )


class WrongAccount(QuayError):
    """Quay takes the token for another account than the one that the settings name."""

    next_step = (
        "Quay may have created this account by itself, because the name was taken: delete it, link the right account to the "
        "provider, and check oidc_username"
    )


class Forbidden(QuayError):
    """403. The scopes of the token or the permissions of its user are not sufficient."""

    next_step = (
        "Give the token the scope, or its user the permission. `quayledger doctor` shows what the token may read"
    )


class NotFound(QuayError):
    """404, or what Quay answers in its place. The object does not exist, or no longer exists."""


class BadRequest(QuayError):
    """400 and other 4xx replies; the text is Quay's own."""


class ServerFailure(QuayError):
    """5xx on every attempt."""

    next_step = "Every attempt failed. Check the server's log; the next run tries again"


class Throttled(QuayError):
    """429 on every attempt."""

    next_step = "Lower requests_per_second for this source"


class WrongWindow(QuayError):
    """The server answered for days other than those requested; the reply is not used."""

    next_step = (
        "The server ignored the requested dates, so this reply is not used. If it happens again, please report it with the "
        "version of your Quay"
    )


class SearchUnavailable(QuayError):
    """The server keeps its log in a store that it cannot search."""

    next_step = "Give Quay search access to its log store (for Splunk: search_token)"


class UnusableCount(QuayError):
    """A count that cannot be true: below zero, or more than any log can hold. `usable`: the counts of the other days;
    `reasons`: what was wrong, by day."""

    next_step = "The days are collected as far as they can be, without proof. Check the server's log store"

    def __init__(
        self, source_id: str, operation: str, usable: dict[date, dict[str, int]], reasons: dict[date, str]
    ) -> None:
        self.usable, self.reasons = usable, reasons
        super().__init__(
            source_id, operation, "; ".join(f"{day}: {text}" for day, text in sorted(reasons.items())), status=200
        )


class BrokenReply(QuayError):
    """An incomplete reply, or one that is not valid JSON, on every attempt."""

    next_step = "A proxy on the way may cut replies short. The next run tries again"


class TooLarge(BrokenReply):
    """A reply beyond the size that any reply of Quay may have. It is not requested again."""

    next_step = "No reply of Quay is that large: check the address, and any proxy on the way"


def is_page_failure(error: QuayError) -> bool:
    """Whether the server answers, but cannot give what was asked for: a 500, each time (Quay does so for every list page that
    holds a row with unparsable metadata), or a whole reply that is none. A dead server answers otherwise."""
    if isinstance(error, ServerFailure):
        return error.status == 500
    return isinstance(error, BrokenReply) and error.status == 200


@contextmanager
def absent_where_it_says(words: str) -> Iterator[None]:
    """Some operations answer 400 where others answer 404: turns a BadRequest with these words into NotFound."""
    try:
        yield
    except BadRequest as error:
        if words not in error.says:
            raise
        raise NotFound(error.source_id, error.operation, error.says, status=error.status) from None


def safe(text: str) -> str:
    """Text from outside on one line, shortened, without anything that looks like a secret."""
    line = _SECRET_LIKE.sub(r"\1…", " ".join(text.split()))
    return line if len(line) <= TEXT_LIMIT else line[: TEXT_LIMIT - 1] + "…"
