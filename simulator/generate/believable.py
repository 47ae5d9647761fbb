"""The generator's director: incidents, rarer days and the everyday, in an exact number of rows."""

from __future__ import annotations

import random

import msgspec

from quayledger.simulator.effects.replay import replay
from quayledger.simulator.entities.accounts import Account
from quayledger.simulator.generate import life, traffic, world
from quayledger.simulator.generate.furnish import furnish, settle
from quayledger.simulator.generate.incidents import INCIDENTS, SPOKEN
from quayledger.simulator.generate.stage import Stage
from quayledger.simulator.registry import Registry
from quayledger.simulator.table import Row

ADMINISTRATIVE_SHARE = 0.04
HOUSEKEEPING_SHARE = 0.03
STORY_SHARE = 0.4


def believable(seed: int, events: int, start_us: int, end_us: int, unit_us: int) -> tuple[Registry, list[Row]]:
    """`events` rows of [start, end), oldest first, and the names that hold at its end. `unit_us`: stamps' precision."""
    rng = random.Random(seed)
    made = world.make(rng)
    stage = Stage(made, rng, start_us, end_us, unit_us)
    life.changes(stage)
    for share, incident in INCIDENTS:
        incident(stage, stage.at(share))
    del stage.rows[round(events * STORY_SHARE) :]
    life.acts(stage, round(events * ADMINISTRATIVE_SHARE))
    life.housekeeping(stage, round(events * HOUSEKEEPING_SHARE))
    del stage.rows[round(events * (STORY_SHARE + 0.1)) :]
    traffic.play(stage, events)
    stage.rows.sort(key=lambda row: row.stamp_us)
    if unit_us == 1:
        _untie(stage.rows)
    furnish(made, stage.rows, seed, start_us)
    made.registry.logged_secrets += SPOKEN
    closed = made.organisation(world.DELETED_ORGANISATION).account
    replay(made.registry, stage.rows)
    _end(made, closed)
    settle(made.registry, end_us)
    return made.registry, stage.rows


def _untie(rows: list[Row]) -> None:
    """A clock of microseconds gives no two rows the same stamp, whatever the script says."""
    last_us = -1
    for number, row in enumerate(rows):
        if row.stamp_us <= last_us:
            rows[number] = row = msgspec.structs.replace(row, stamp_us=last_us + 1)
        last_us = row.stamp_us


def _end(made: world.World, closed: Account) -> None:
    """What is gone at the end, also where the rows had no room to tell of it."""
    if not closed.deleted:
        made.registry.delete_namespace(closed.name)
    for organisation in made.organisations:
        if organisation.old_ci is not None and organisation.old_ci.id in made.registry.accounts:
            made.registry.purge(organisation.old_ci.name)
