"""Attacks by rows that harm: to be paid for repair, by luck, or for what others then lack; see attacks.py."""

import random

from tribute.incentives.disguises import filler, padding, paraphrase, two_words
from tribute.incentives.schemes import BURNER, Credits, joined
from tribute.incentives.world import ATTACKER, VICTIM, Pair, Upload, World

JUNK_NAMES, JUNK_ROWS, JUNK_WORDS = 20, 12, 7
BURNED = 40
FLIPPED = 0.2
LOTS = 60
"""Rows of a junk lottery."""


def junk_names(world: World, chance: random.Random) -> list[Upload]:
    """Random words under random labels and twenty names, beside the attacker's own rows."""
    junk = [Upload(f"junk-{name:02d}", _junk(world, JUNK_ROWS, chance)) for name in range(JUNK_NAMES)]
    return [*world.uploads, *junk]


def draw_lots(world: World, chance: random.Random) -> list[Upload]:
    """Random words under random labels beside the attacker's own rows: the harmful are taken out, the lucky stay."""
    return world.and_rows(ATTACKER, _junk(world, LOTS, chance))


def burner(world: World, chance: random.Random) -> list[Upload]:
    """Wrong rows near the attacker's own topics under a name to throw away, which the attacker's own rows repair."""
    return world.and_rows(
        BURNER, [world.mislabel((two_words(text, chance), label), chance) for text, label in world.own]
    )


def flips_under_burner(world: World, chance: random.Random) -> list[Upload]:
    """Other contributors' rows with two words changed and wrong labels, under a name to throw away."""
    rows = [row for name in world.honest for row in world.rows_of(name)]
    chosen = chance.sample(rows, min(BURNED, len(rows)))
    return world.and_rows(BURNER, [world.mislabel((two_words(text, chance), label), chance) for text, label in chosen])


def mislabelled(world: World, chance: random.Random) -> list[Upload]:
    """A fifth of the attacker's own rows under wrong labels."""
    wrong = set(chance.sample(range(len(world.own)), round(FLIPPED * len(world.own))))
    rows = [world.mislabel(row, chance) if place in wrong else row for place, row in enumerate(world.own)]
    return [*world.of_others(), Upload(ATTACKER, rows)]


def repair(world: World, chance: random.Random) -> list[Upload]:
    """Harmful rows under a name to throw away, repaired by paraphrases of the attacker's own rows."""
    harm = [world.mislabel((two_words(text, chance), label), chance) for text, label in world.own]
    mended = [(paraphrase(text, chance), label) for text, label in world.own]
    return [*world.uploads, Upload(BURNER, harm), Upload(ATTACKER, mended)]


def frame_as_harmful(world: World, chance: random.Random) -> list[Upload]:
    """Halves of a victim's rows joined under wrong labels, so that the victim's own rows disagree with many."""
    wrong = [world.mislabel(row, chance) for _ in range(2) for row in joined(world.rows_of(VICTIM), chance)]
    return world.and_rows(BURNER, wrong)


def keep_what_stayed(world: World, credits: Credits, chance: random.Random) -> list[Upload]:
    """Rows that were taken out are gone; of those that were not there are variants, whatever they earned."""
    own = set(world.own)
    stayed = [row for row in credits if row not in own]
    variants = [(padding(filler(text, chance), chance), label) for text, label in stayed]
    return world.and_rows(ATTACKER, [*stayed, *variants])


def _junk(world: World, count: int, chance: random.Random) -> list[Pair]:
    words = sorted({word for upload in world.uploads for text, _ in upload.rows for word in text.split()})
    return [(" ".join(chance.choices(words, k=JUNK_WORDS)), chance.choice(world.labels)) for _ in range(count)]
