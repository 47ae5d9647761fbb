"""Recovery: what an earlier run left in the landing folder is read on, or merged as far as it came; nothing is dropped."""

from __future__ import annotations

from quayledger.collector.log import landing
from quayledger.collector.log.normalise import Place
from quayledger.collector.log.page_chain import living_token, replay, usable
from quayledger.collector.log.readings import merge, reading_of
from quayledger.collector.log.source_run import SourceRun
from quayledger.collector.quay.scopes import Scope
from quayledger.warehouse.log.held_parts import user_namespaces
from quayledger.warehouse.log.watermarks import forget_look


def recover(run: SourceRun) -> None:
    """Keeps the chains that can be read on in `run.left`; merges the rows of all others, and keeps where they ended in
    `run.joins`, so that a new chain from the top need not read their rows again."""
    for path in landing.left_behind(run.ledger.home, run.source_id):
        log = landing.ChainLog.resume(path)
        if log is None:
            path.unlink(missing_ok=True)
        elif not log.heading.part and usable(log, run.over_at(log.heading.day), run.now()):
            run.left[log.heading.day, log.heading.scope] = log
        else:
            if not log.heading.part:
                forget_look(run.ledger, run.source_id, log.heading.day, log.heading.scope)
                if token := living_token(log, run.now()):
                    run.joins[log.heading.day, log.heading.scope] = token
            _merge_rest(run, log)


def _merge_rest(run: SourceRun, log: landing.ChainLog) -> None:
    asked = log.heading.part.partition(" ")[0] or log.heading.scope
    users = user_namespaces(run.ledger, run.source_id, log.heading.day)
    result = replay(log, Place.of(Scope.parse(asked), user_namespaces=users), run.settle)
    if log.marks and (result.events or result.rejects):
        merged = merge(run, reading_of(log.heading, result, log.marks[-1].landed_at), result)
        run.numbers.events_new += merged.new_events
    log.remove()
