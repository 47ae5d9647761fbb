"""The errors of collecting, beyond those of a single call (`collector.quay.errors`)."""

from __future__ import annotations


class CollectorError(Exception):
    """Root of the family. The text says what happened, where (source, scope, day), and what to do next."""


class NothingReadable(CollectorError):
    """The token may read no log at all."""


class BadCover(CollectorError):
    """The scopes that are set overlap, or are written wrongly."""


class UnknownSource(CollectorError):
    """A source was named that the settings do not hold."""
