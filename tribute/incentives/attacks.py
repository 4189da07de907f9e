"""The attacks: each takes a world and a source of chance, and gives all files that come in, in their order.

Whatever comes under a name that no honest contributor has is the attacker's. Nothing in the product knows this module;
a defence that won by knowing a generator would prove nothing.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from tribute.incentives.disguises import (
    COMMON,
    DISGUISES,
    Disguise,
    filler,
    padding,
    paraphrase,
    soft_hyphen,
    two_words,
)
from tribute.incentives.world import ATTACKER, VICTIM, Pair, Upload, World

Generator = Callable[[World, random.Random], list[Upload]]
BURNER = "burner"
JUNK_NAMES, JUNK_ROWS, JUNK_WORDS = 20, 12, 7
BURNED = 40
FLIPPED = 0.2
MIXED, SMALL = 0.3, 3
"""Of an attacker's own rows, so many leaked ones are mixed in; rows under a name too small to judge."""
TEMPLATES = ("This is about {}.", "A question of {}.", "Everything on {}.", "See also: {}.", "It concerns {} alone.")


@dataclass(frozen=True)
class Attack:
    """A generator and one sentence about it."""

    name: str
    summary: str
    uploads: Generator


def copies(disguise: Disguise, world: World, chance: random.Random) -> list[Upload]:
    """A victim's rows, disguised, after the attacker's own."""
    return _more(world, ATTACKER, [(disguise(text, chance), label) for text, label in world.rows_of(VICTIM)])


def leak(disguise: Disguise, world: World, chance: random.Random) -> list[Upload]:
    """Sealed evaluation rows, disguised, as many as the attacker has rows of its own."""
    sealed = chance.sample(list(world.evaluation), min(len(world.own), len(world.evaluation)))
    return _more(world, ATTACKER, [(disguise(text, chance), label) for text, label in sealed])


def leak_mixed(world: World, chance: random.Random) -> list[Upload]:
    """Paraphrased evaluation rows among own rows in one file, few enough to pass for chance: knows the policy."""
    rows = [*world.own, *_paraphrased_leak(world, round(MIXED * len(world.own)), chance)]
    chance.shuffle(rows)
    return [*_others(world), Upload(ATTACKER, rows)]


def leak_small_names(world: World, chance: random.Random) -> list[Upload]:
    """Paraphrased evaluation rows under names with so few rows that none can be judged alone: knows the policy."""
    rows = _paraphrased_leak(world, len(world.own), chance)
    parts = range(0, len(rows), SMALL)
    return [*world.uploads, *(Upload(f"small-{start:03d}", rows[start : start + SMALL]) for start in parts)]


def repeat(disguises: Sequence[Disguise], world: World, chance: random.Random) -> list[Upload]:
    """The attacker's own rows once more in each of several disguises."""
    rows = [(disguise(text, chance), label) for disguise in disguises for text, label in world.own]
    return _more(world, ATTACKER, rows)


def split(names: int, world: World, chance: random.Random) -> list[Upload]:
    """The attacker's own rows, dealt to several names."""
    parts = [Upload(f"sybil-{name:02d}", world.own[name::names]) for name in range(names)]
    return [*_others(world), *(part for part in parts if part.rows)]


def junk_names(world: World, chance: random.Random) -> list[Upload]:
    """Random words under random labels and twenty names, beside the attacker's own rows."""
    words = sorted({word for upload in world.uploads for text, _ in upload.rows for word in text.split()})
    junk = [
        Upload(
            f"junk-{name:02d}",
            [(" ".join(chance.choices(words, k=JUNK_WORDS)), chance.choice(world.labels)) for _ in range(JUNK_ROWS)],
        )
        for name in range(JUNK_NAMES)
    ]
    return [*world.uploads, *junk]


def burner(world: World, chance: random.Random) -> list[Upload]:
    """Wrong rows near the attacker's own topics under a name to throw away, which the attacker's own rows repair."""
    return _more(world, BURNER, [_flipped(two_words(text, chance), label, world, chance) for text, label in world.own])


def flips_under_burner(world: World, chance: random.Random) -> list[Upload]:
    """Other contributors' rows with two words changed and wrong labels, under a name to throw away."""
    rows = [row for name in world.honest for row in world.rows_of(name)]
    chosen = chance.sample(rows, min(BURNED, len(rows)))
    return _more(world, BURNER, [_flipped(two_words(text, chance), label, world, chance) for text, label in chosen])


def mislabelled(world: World, chance: random.Random) -> list[Upload]:
    """A fifth of the attacker's own rows under wrong labels."""
    wrong = set(chance.sample(range(len(world.own)), round(FLIPPED * len(world.own))))
    rows = [_flipped(*row, world, chance) if place in wrong else row for place, row in enumerate(world.own)]
    return [*_others(world), Upload(ATTACKER, rows)]


def front_run(committed: bool, world: World, chance: random.Random) -> list[Upload]:
    """A victim's rows, word for word, before the victim shows them."""
    return [Upload(ATTACKER, world.rows_of(VICTIM)), *_victim_as(committed, world)]


def front_run_labels(committed: bool, world: World, chance: random.Random) -> list[Upload]:
    """A victim's texts under wrong labels before the victim, whose own rows then conflict."""
    rows = [_flipped(*row, world, chance) for row in world.rows_of(VICTIM)]
    return [Upload(BURNER, rows), *_victim_as(committed, world)]


def dilute(world: World, chance: random.Random) -> list[Upload]:
    """Two variants of each of a victim's rows under another name: the victim's own part shrinks."""
    rows = [(two_words(padding(text, chance), chance), label) for text, label in world.rows_of(VICTIM) * 2]
    return _more(world, "diluter", rows)


def templates(world: World, chance: random.Random) -> list[Upload]:
    """Sentences made of label names alone, beside the attacker's own rows."""
    rows = [
        (template.format(f"{label} {chance.choice(COMMON)}"), label) for label in world.labels for template in TEMPLATES
    ]
    return _more(world, ATTACKER, rows)


def stuff(world: World, chance: random.Random) -> list[Upload]:
    """The label's words added to each of the attacker's own rows."""
    return [*_others(world), Upload(ATTACKER, [(f"{text} {label} {label}", label) for text, label in world.own])]


def double(world: World, chance: random.Random) -> list[Upload]:
    """No attack: as many new real rows as the attacker has, to compare with."""
    return _more(world, ATTACKER, list(world.spare))


def _plain() -> list[Attack]:
    repeats = (filler, padding)
    return [
        Attack("leak-mixed", "paraphrased evaluation rows, few among own rows in one file", leak_mixed),
        Attack("leak-small-names", f"paraphrased evaluation rows, {SMALL} under each name", leak_small_names),
        Attack("own-exact", "own rows three times, word for word", partial(repeat, (DISGUISES["exact"],) * 2)),
        Attack("own-soft-hyphen", "own rows three times, with soft hyphens", partial(repeat, (soft_hyphen,) * 2)),
        Attack("own-fillers", "own rows three times, with fillers and common words put in", partial(repeat, repeats)),
        Attack("split-4", "own rows under 4 names", partial(split, 4)),
        Attack("split-16", "own rows under 16 names", partial(split, 16)),
        Attack("junk-names", f"{JUNK_NAMES} names with {JUNK_ROWS} rows of random words each", junk_names),
        Attack("burner", "harmful rows near own topics under another name, repaired by own rows", burner),
        Attack("flips", "others' rows under wrong labels and another name", flips_under_burner),
        Attack("mislabelled", "a fifth of own rows under wrong labels", mislabelled),
        *_front_runs("", False),
        *_front_runs(" who had committed to them", True),
        Attack("dilution", "two variants of each of a victim's rows under another name", dilute),
        Attack("templates", "sentences made of label names", templates),
        Attack("stuffing", "the label's words added to own rows", stuff),
        Attack("honest-doubling", "no attack: twice as many real rows, to compare with", double),
    ]


def _front_runs(how: str, committed: bool) -> list[Attack]:
    end, labels = "-committed" * committed, f"a victim's texts under wrong labels before the victim{how}"
    return [
        Attack(f"front-run{end}", f"a victim's rows before the victim{how}", partial(front_run, committed)),
        Attack(f"front-run-labels{end}", labels, partial(front_run_labels, committed)),
    ]


def _disguised() -> list[Attack]:
    words = {name: " ".join((disguise.__doc__ or "").split()).rstrip(".") for name, disguise in DISGUISES.items()}
    return [
        Attack(f"{kind}-{name}", f"{what}: {words[name]}", partial(generator, disguise))
        for kind, what, generator in (("copy", "a victim's rows", copies), ("leak", "sealed evaluation rows", leak))
        for name, disguise in DISGUISES.items()
    ]


ATTACKS: dict[str, Attack] = {attack.name: attack for attack in (*_disguised(), *_plain())}
"""Name → attack."""


def _paraphrased_leak(world: World, count: int, chance: random.Random) -> list[Pair]:
    sealed = chance.sample(list(world.evaluation), min(count, len(world.evaluation)))
    return [(paraphrase(text, chance), label) for text, label in sealed]


def _others(world: World) -> list[Upload]:
    return [upload for upload in world.uploads if upload.contributor_id != ATTACKER]


def _more(world: World, name: str, rows: Sequence[Pair]) -> list[Upload]:
    return [*world.uploads, Upload(name, list(rows))]


def _victim_as(committed: bool, world: World) -> list[Upload]:
    return [replace(upload, committed=committed and upload.contributor_id == VICTIM) for upload in world.uploads]


def _flipped(text: str, label: str, world: World, chance: random.Random) -> Pair:
    return text, chance.choice([other for other in world.labels if other != label])
