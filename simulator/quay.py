"""The simulator's one state: registry, logs, clock, settings and faults of a stand-in Quay."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import msgspec

from quayledger.simulator.clock import Clock
from quayledger.simulator.exports import Exports
from quayledger.simulator.faults import Faults, Stats
from quayledger.simulator.models import DatabaseLogs, ElasticsearchLogs, LogsModel
from quayledger.simulator.oidc import Verifier
from quayledger.simulator.pagetokens import PageTokens
from quayledger.simulator.registry import Registry
from quayledger.simulator.render import Renderer
from quayledger.simulator.table import UNPARSABLE, Row, Table

Backend = Literal["database", "elasticsearch", "splunk"]


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How this Quay is set up. `max_page`: ACTION_LOG_MAX_PAGE. The flags are features: what is off has no operations.
    `scanner_state`: down answers 520, idle never comes to a manifest."""

    backend: Backend = "database"
    max_page: int | None = None
    service_log_account_id: int = 1
    app_tokens: bool = True
    auto_prune: bool = True
    builds: bool = True
    capabilities: bool = True
    immutable_tags: bool = True
    mirroring: bool = True
    mirror_health: bool = False
    org_mirror: bool = True
    config_dump: bool = True
    oauth_token_lists: bool = True
    quota_notifications: bool = True
    proxy_cache: bool = True
    pull_statistics: bool = True
    quota_management: bool = True
    security_scanner: bool = True
    scanner_state: Literal["up", "down", "idle"] = "up"


FEATURES = tuple(name for name in Config.__struct_fields__ if isinstance(getattr(Config(), name), bool))


class Content(msgspec.Struct, frozen=True):
    """What a scenario puts in: names, log rows by table (newest table first), settings, and who the tokens are."""

    registry: Registry
    tables: tuple[list[Row], ...]
    config: Config = Config()
    tokens: dict[str, str] = {}


class Quay:
    """What all operations share."""

    def __init__(self, content: Content, clock: Clock, *, seed: int = 0) -> None:
        self.registry = content.registry
        self.config = content.config
        self.tokens = content.tokens
        self.clock = clock
        self.logs: LogsModel = _logs(content)
        self.page_tokens = PageTokens(clock, seed)
        self.renderer = Renderer(self.registry)
        self.faults = Faults(seed)
        self.stats = Stats()
        self.exports = Exports(seed)
        self.oidc: Verifier | None = None
        self.played = 0  # how often planted changes were done
        self.registry_tokens: dict[str, tuple[frozenset[str], int]] = {}  # what each may pull, and until when

    def write(self, row: Row) -> None:
        """A new row in the newest table."""
        self.logs.tables[0].insert(row)

    def truth(self) -> Iterator[bytes]:
        """Every event that is held, oldest first, in the form of the superuser's log; metadata that is no JSON as a text."""
        for table in reversed(self.logs.tables):
            for row in table.in_order():
                event = self.renderer.event(table, row, namespace=True, missing_ip=self.logs.missing_ip)
                yield event.replace(UNPARSABLE, b'"unparsable"') if table.metadata[row] == UNPARSABLE else event


def _logs(content: Content) -> LogsModel:
    if content.config.backend == "elasticsearch":
        return ElasticsearchLogs([row for rows in content.tables for row in rows])
    return DatabaseLogs([Table(rows) for rows in content.tables])


def settings_of(quay: Quay) -> dict[str, Any]:
    """What control calls show of the set-up."""
    return {
        "now": quay.clock.now().isoformat(),
        "backend": quay.config.backend,
        "max_page": quay.config.max_page,
        "features": {name: getattr(quay.config, name) for name in FEATURES},
        "full_access": quay.registry.full_access,
        "events": [len(table) for table in quay.logs.tables],
        "tokens": quay.tokens,
    }
