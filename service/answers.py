"""Answers: progress and result of a job, as the inbox carries them and the terminal shows them."""

from __future__ import annotations

from quayledger.collector.inventory.inventory_sync import InventoryOutcome, InventoryProgress
from quayledger.collector.sync import Progress, SyncOutcome
from quayledger.service import inbox
from quayledger.service.exit_codes import exit_of


def progress_answer(progress: Progress) -> inbox.SourceAnswer:
    """How far a source is, for whoever waits."""
    return inbox.SourceAnswer(
        progress.source_id,
        progress.events_new,
        progress.events_expected,
        progress.days_done,
        progress.days_total,
        progress.requests,
        alert=progress.alert,
        stage=progress.stage,
    )


def sync_answers(outcome: SyncOutcome) -> tuple[inbox.SourceAnswer, ...]:
    """How a sync went, source by source, for whoever waits."""
    return tuple(
        inbox.SourceAnswer(
            source_id=item.source_id,
            events_new=item.events_new,
            events_expected=item.events_new,
            days_done=item.days_read,
            days_total=item.days_read,
            requests=item.requests,
            error=item.error,
            exit_code=int(exit_of(item.failure)) if item.failure else 0,
            notes=item.notes,
            states=item.states,
        )
        for item in outcome.sources
    )


def inventory_progress_answer(progress: InventoryProgress) -> inbox.InventoryAnswer:
    """How far the inventory of a source is."""
    return inbox.InventoryAnswer(
        progress.source_id, progress.fetches_done, progress.fetches_total, progress.changes, progress.requests
    )


def inventory_answers(outcomes: tuple[InventoryOutcome, ...]) -> tuple[inbox.InventoryAnswer, ...]:
    """How the inventory went, source by source."""
    return tuple(
        inbox.InventoryAnswer(
            source_id=item.source_id,
            looks_done=sum(item.states.values()),
            looks_total=sum(item.states.values()) + item.left,
            changes=item.opened + item.changed + item.closed,
            requests=item.requests,
            opened=item.opened,
            changed=item.changed,
            closed=item.closed,
            points=item.points,
            rejected_rows=item.rejected_rows,
            left=item.left,
            states=item.states,
            by_why=item.by_why,
            notes=item.notes,
            error=item.error,
            exit_code=int(exit_of(item.failure)) if item.failure else 0,
        )
        for item in outcomes
    )
