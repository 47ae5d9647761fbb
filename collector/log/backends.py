"""Backends: where a Quay keeps its log (database, Elasticsearch), as far as its answers show, and what that means for counts."""

from __future__ import annotations

from collections.abc import Collection

from quayledger.collector.log.source_run import SourceRun
from quayledger.warehouse import sources

MOST_KINDS = 10  # on Elasticsearch a count names ten kinds at most, the most frequent ones


def may_omit_kinds(run: SourceRun, kinds: Collection[str]) -> bool:
    """Whether a count may leave kinds out: exactly ten are named, on what is not known to be the database backend."""
    return len(kinds) == MOST_KINDS and sources.backend(run.ledger, run.source_id) != "database"
