"""The sources that a command works on, and a client for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from quayledger.collector.errors import UnknownSource
from quayledger.collector.quay.client import QuayClient
from quayledger.collector.quay.credentials import credential_of
from quayledger.collector.quay.rate_limit import RateLimit
from quayledger.settings import Settings, SettingsError, SourceSettings

RateLimits = Mapping[str, RateLimit]


def choose_sources(settings: Settings, source_ids: Sequence[str]) -> list[tuple[str, SourceSettings]]:
    """The named sources, or all enabled ones. Raises UnknownSource, and SettingsError if there is none."""
    if unknown := [source_id for source_id in source_ids if source_id not in settings.sources]:
        known = ", ".join(sorted(settings.sources)) or "none"
        raise UnknownSource(f"unknown source: {', '.join(unknown)}. Configured sources: {known}")
    chosen = [(key, source) for key, source in settings.sources.items() if (key in source_ids or not source_ids)]
    chosen = [(key, source) for key, source in chosen if source.enabled or key in source_ids]
    if not chosen:
        raise SettingsError(
            "no source is configured. Run `quayledger init`, or set QUAYLEDGER_SOURCES__MAIN__URL and "
            "QUAYLEDGER_SOURCES__MAIN__TOKEN"
        )
    for source_id, source in chosen:
        credential_of(source_id, source)
    return chosen


def client_of(source_id: str, source: SourceSettings, rate_limits: RateLimits | None) -> QuayClient:
    """A client of a source, with the rate limit that it shares with others, if any."""
    return QuayClient(source_id, source, rate_limit=(rate_limits or {}).get(source_id))
