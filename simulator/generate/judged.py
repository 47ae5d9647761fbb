"""The generator's months for judging: quiet ones with noise, and ones with every incident in several shapes, with what is to be found."""

from __future__ import annotations

import random

from quayledger.simulator.clock import DAY_US
from quayledger.simulator.effects.replay import replay
from quayledger.simulator.generate import life, noise, traffic, world
from quayledger.simulator.generate.attacks import ATTACKS, SHAPES, Attack, Cast, Planted
from quayledger.simulator.generate.stage import Stage
from quayledger.simulator.registry import Registry
from quayledger.simulator.table import Row

ADMINISTRATIVE_SHARE = 0.01


def judged(
    seed: int, events: int, start_us: int, end_us: int, judged_us: int, *, shapes: int = len(SHAPES)
) -> tuple[Registry, list[Row], list[Planted]]:
    """About `events` rows of [start, end), oldest first, and what is to be found from `judged` on, a midnight; before it all is
    quiet. `shapes`: how many of each incident (0: none, a quiet month)."""
    rng = random.Random(f"judged {seed}")
    made = world.make(rng)
    stage = Stage(made, rng, start_us, end_us, 1)
    life.changes(stage)
    noise.play(stage)
    planted = _attacks(stage, rng, judged_us, shapes)
    life.acts(stage, round(events * ADMINISTRATIVE_SHARE))
    traffic.play(stage, max(events, len(stage.rows) * 2))
    stage.rows.sort(key=lambda row: row.stamp_us)
    replay(made.registry, [])
    return made.registry, stage.rows, planted


def _attacks(stage: Stage, rng: random.Random, judged_us: int, shapes: int) -> list[Planted]:
    """The incidents in random order, spread evenly over the working days, so that none follows from another."""
    cast, planted = Cast(stage, rng), []
    staged = [(attack, shape) for attack in ATTACKS for shape in rng.sample(SHAPES, shapes)]
    rng.shuffle(staged)
    days = [day for day in range(judged_us // DAY_US + 1, stage.end_us // DAY_US - 2) if (day + 3) % 7 < 5]
    for number, (attack, shape) in enumerate(staged):
        day_us = days[number * len(days) // len(staged)] * DAY_US
        planted += attack(Attack(stage, rng, cast, day_us, shape))
    return planted
