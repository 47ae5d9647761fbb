"""The sources of a command: which are meant, and a client for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from quayledger.collector.errors import UnknownSource
from quayledger.collector.quay.budget import Budget
from quayledger.collector.quay.client import QuayClient
from quayledger.settings import Settings, SettingsError, SourceSettings

Budgets = Mapping[str, Budget]


def choose_sources(settings: Settings, source_ids: Sequence[str]) -> list[tuple[str, SourceSettings]]:
    """The sources that are named, or all that are enabled. Raises UnknownSource, and SettingsError where there is none."""
    if unknown := [source_id for source_id in source_ids if source_id not in settings.sources]:
        known = ", ".join(sorted(settings.sources)) or "none is set"
        raise UnknownSource(f"no source is called {', '.join(unknown)}; the settings know: {known}")
    chosen = [(key, source) for key, source in settings.sources.items() if (key in source_ids or not source_ids)]
    chosen = [(key, source) for key, source in chosen if source.enabled or key in source_ids]
    if not chosen:
        raise SettingsError(
            "no source is set: run `quayledger init`, or set QUAYLEDGER_SOURCES__MAIN__URL and QUAYLEDGER_SOURCES__MAIN__TOKEN"
        )
    for _, source in chosen:
        source.secret()
    return chosen


def client_of(source_id: str, source: SourceSettings, budgets: Budgets | None) -> QuayClient:
    """A client of a source, within the budget that it shares with others, where there is one."""
    return QuayClient(source_id, source, budget=(budgets or {}).get(source_id))
