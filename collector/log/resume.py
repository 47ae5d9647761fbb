"""Resume: continues the chains that an earlier run left on disk, or merges what they brought; nothing is dropped."""

from __future__ import annotations

from datetime import date

from quayledger.collector.log import landing
from quayledger.collector.log.normalise import DefaultNamespace
from quayledger.collector.log.page_chain import living_token, replay, usable
from quayledger.collector.log.readings import merge_chain, reading_of
from quayledger.collector.log.source_run import SourceRun
from quayledger.collector.quay.scopes import Scope
from quayledger.warehouse.errors import DamagedFile
from quayledger.warehouse.log.held_parts import user_namespaces
from quayledger.warehouse.log.slices import slices
from quayledger.warehouse.log.watermarks import clear_watermark
from quayledger.warehouse.schema import SEALED_STATES


def resume_chains(run: SourceRun) -> None:
    """Puts the chains that can be read on into `run.state.resumable`. The rows of all others are merged; where a chain of an
    open day ended is kept in `run.state.join_tokens`, so that a new chain from the top need not read its rows again."""
    for path in landing.unfinished_files(run.ledger.home, run.source_id):
        log = landing.LandingFile.resume(path)
        if log is None:
            path.unlink(missing_ok=True)
            continue
        header = log.header
        # The chain of a part belongs to a repair: it is short, and the repair decides anew what to read.
        if header.part:
            _merge_landed(run, log)
        elif _is_sealed(run, header.day):
            # Killed between the day's seal and the removal of its pages: nobody reads the day again, which would keep them.
            _merge_landed(run, log)
        elif usable(log, run.over_at(header.day), run.now()):
            run.state.resumable[header.day, header.scope] = log
        else:
            # Newer rows may lie above what landed, so the next chain starts at the top and joins this one further down.
            clear_watermark(run.ledger, run.source_id, header.day, header.scope)
            if token := living_token(log, run.now()):
                run.state.join_tokens[header.day, header.scope] = token
            _merge_landed(run, log)


def _is_sealed(run: SourceRun, day: date) -> bool:
    row = slices(run.ledger, run.source_id, day, day).get(day)
    return row is not None and row.state in SEALED_STATES


def _merge_landed(run: SourceRun, log: landing.LandingFile) -> None:
    """Merges what landed and removes the file. Merging rows that are held already changes nothing."""
    listed = log.header.part.partition(" ")[0] or log.header.scope
    users = user_namespaces(run.ledger, run.source_id, log.header.day)
    result = replay(log, DefaultNamespace.of(Scope.parse(listed), user_namespaces=users), run.settle)
    if log.marks and (result.events or result.rejects):
        try:
            merged = merge_chain(run, reading_of(log.header, result, log.marks[-1].landed_at), result)
        except DamagedFile as error:  # the pages wait for the file to be put back
            run.state.notes.append(f"{log.header.day}: {error}")
            return
        run.state.progress.events_new += merged.new_events
    log.remove()
