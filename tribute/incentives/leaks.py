"""Attacks by somebody who knows sealed evaluation rows; see attacks.py."""

import random
from collections.abc import Sequence

from tribute.incentives.disguises import Disguise, paraphrase
from tribute.incentives.world import ATTACKER, Pair, Upload, World

MIXED, SMALL = 0.3, 3
"""Of an attacker's own rows, so many leaked ones are mixed in; rows under a name too small to judge."""


def leak(disguise: Disguise, world: World, chance: random.Random) -> list[Upload]:
    """Sealed evaluation rows, disguised, as many as the attacker has rows of its own."""
    sealed = chance.sample(list(world.evaluation), min(len(world.own), len(world.evaluation)))
    return world.and_rows(ATTACKER, [(disguise(text, chance), label) for text, label in sealed])


def leak_mixed(world: World, chance: random.Random) -> list[Upload]:
    """Paraphrased evaluation rows among own rows in one file, few enough to pass for chance: knows the policy."""
    return _mixed(world, _paraphrased(world.evaluation, round(MIXED * len(world.own)), chance), chance)


def add_some(world: World, chance: random.Random) -> list[Upload]:
    """No attack: as many further real rows as `leak_mixed` leaks."""
    return _mixed(world, world.spare[: round(MIXED * len(world.own))], chance)


def leak_small_names(world: World, chance: random.Random) -> list[Upload]:
    """Paraphrased evaluation rows under names with so few rows that none can be judged alone: knows the policy."""
    rows = _paraphrased(world.evaluation, len(world.own), chance)
    parts = range(0, len(rows), SMALL)
    return [*world.uploads, *(Upload(f"small-{start:03d}", rows[start : start + SMALL]) for start in parts)]


def _paraphrased(rows: Sequence[Pair], count: int, chance: random.Random) -> list[Pair]:
    return [(paraphrase(text, chance), label) for text, label in chance.sample(list(rows), min(count, len(rows)))]


def _mixed(world: World, further: Sequence[Pair], chance: random.Random) -> list[Upload]:
    rows = [*world.own, *further]
    chance.shuffle(rows)
    return [*world.of_others(), Upload(ATTACKER, rows)]
