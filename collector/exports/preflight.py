"""Preflight: whether an export can be requested now, and if not, why. A refusal by our own settings is found here where it
can be foreseen, so that no export is made for nothing."""

from __future__ import annotations

import hashlib
from datetime import date, timedelta

from quayledger.collector.exports.callbacks import CallbackRegistry
from quayledger.collector.exports.download import private_hosts
from quayledger.collector.log.source_run import SourceRun
from quayledger.settings import Settings, SourceSettings
from quayledger.warehouse.log.staging import LastReading, last_reading, last_readings

# How long a source is left alone after a run in which no export came to anything.
_PAUSE = timedelta(hours=6)
_LONG_PAUSE = timedelta(days=7)  # its own file was no good: the next will not be better


async def preflight(run: SourceRun, callbacks: CallbackRegistry) -> str:
    """Why no export is asked for: nobody could hear of it, our own settings would refuse its file, or the last ones came to
    nothing; '' where nothing stands against it."""
    if callbacks.unavailable:
        return callbacks.unavailable
    if not callbacks.public_url:
        return "callbacks.public_url is not set, so Quay could not say that the export is done"
    if private := await private_hosts(run.source, run.settings.callbacks):
        return (
            f"callbacks.allowed_storage_hosts names {private}, which has an address of a private network: set "
            "callbacks.allow_private_addresses = true where that is meant"
        )
    return _paused(run)


def released_days(run: SourceRun) -> set[date]:
    """The days whose export brought nothing under other settings than today's, so that they are worth another try now."""
    if run.source.exports == "off":
        return set()
    mark = f" [{rules_mark(run.settings, run.source)}]"
    last = last_readings(run.ledger, run.source_id, "export")
    return {day for day, reading in last.items() if _is_marked(reading) and not reading.reason.endswith(mark)}


def _is_marked(reading: LastReading) -> bool:
    return reading.state == "void" and " [settings " in reading.reason


def storage_hint(run: SourceRun) -> str:
    """What to know before the first export where only the Quay's own files would be fetched; '' where there is nothing."""
    last = last_reading(run.ledger, run.source_id, "export")
    if run.settings.callbacks.allowed_storage_hosts or (last is not None and last.state != "void"):
        return ""
    return (
        "callbacks.allowed_storage_hosts is empty: export files are fetched from the Quay's own host only. If this Quay keeps "
        "its files elsewhere (S3, Azure, Swift, ...), add that host to the setting"
    )


def rules_mark(settings: Settings, source: SourceSettings) -> str:
    """A mark of the settings that decide about exports. What failed under other settings says nothing about these."""
    text = f"{settings.callbacks.model_dump_json()} {source.url} {source.proxy} {source.exports}"
    return f"settings {hashlib.blake2b(text.encode(), digest_size=4).hexdigest()}"


def _paused(run: SourceRun) -> str:
    last = last_reading(run.ledger, run.source_id, "export")
    if last is None or last.state != "void" or (run.days_named and last.run_id != run.run_id):
        return ""
    text, _, mark = last.reason.rpartition(" [")
    state, _, reason = text.partition(": ")
    until = last.ended_at + (_LONG_PAUSE if state == "refused" else _PAUSE)
    if mark != f"{rules_mark(run.settings, run.source)}]" or not last.ended_at <= run.now() < until:
        return ""
    return (
        f"the last one was {state}: {reason}. It is tried again from {until:%Y-%m-%d %H:%M} UTC on, or at once for days named "
        "with --from and --to, or when a setting under [callbacks] changes"
    )
