"""The attacks: each takes a world and a source of chance, and gives all files that come in, in their order.

Whatever comes under a name that no honest contributor has is the attacker's, who may also be several. Nothing in the
product knows this module; a defence that won by knowing a generator would prove nothing.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from tribute.incentives.disguises import (
    COMMON,
    DISGUISES,
    Disguise,
    filler,
    padding,
    soft_hyphen,
    two_words,
)
from tribute.incentives.harming import (
    JUNK_NAMES,
    JUNK_ROWS,
    burner,
    draw_lots,
    flips_under_burner,
    frame_as_harmful,
    junk_names,
    keep_what_stayed,
    mislabelled,
    repair,
)
from tribute.incentives.schemes import (
    BURNER,
    RING,
    SMALL,
    Credits,
    add_some,
    climb,
    frame,
    instruct,
    leak,
    leak_mixed,
    leak_small_names,
    mass_edits,
    matched,
    ring,
    splice,
    stuffed,
    trigger,
)
from tribute.incentives.world import ATTACKER, VICTIM, Upload, World

Generator = Callable[[World, random.Random], list[Upload]]
NextMonth = Callable[[World, Credits, random.Random], list[Upload]]
"""From the credits of the attacker's rows, as a statement lists them, to what is there in the next month."""
TEMPLATES = ("This is about {}.", "A question of {}.", "Everything on {}.", "See also: {}.", "It concerns {} alone.")


@dataclass(frozen=True)
class Attack:
    """A generator and one sentence about it; `names` are the attacker's before the attack."""

    name: str
    summary: str
    uploads: Generator
    names: tuple[str, ...] = (ATTACKER,)
    months: int = 1
    """How often the attacker is paid; before every month but the first `next_month` says what then is there."""
    next_month: NextMonth = lambda world, credits, chance: list(world.uploads)
    market: Literal["", "answers", "sources"] = ""
    """Who pays: a pool, by the evaluation; payers, by answers; or these, by answers with retrieved sources."""
    buys: bool = False
    """Whether the attacker is a payer, too, and asks what pays its own names best."""

    @property
    def is_trick(self) -> bool:
        """Whether it is an attack at all; some are honest work to compare with."""
        return not self.summary.startswith("no attack")


def copies(disguise: Disguise, world: World, chance: random.Random) -> list[Upload]:
    """A victim's rows, disguised, after the attacker's own."""
    return world.and_rows(ATTACKER, [(disguise(text, chance), label) for text, label in world.rows_of(VICTIM)])


def repeat(disguises: Sequence[Disguise], world: World, chance: random.Random) -> list[Upload]:
    """The attacker's own rows once more in each of several disguises."""
    rows = [(disguise(text, chance), label) for disguise in disguises for text, label in world.own]
    return world.and_rows(ATTACKER, rows)


def split(names: int, world: World, chance: random.Random) -> list[Upload]:
    """The attacker's own rows, dealt to several names."""
    parts = [Upload(f"sybil-{name:02d}", world.own[name::names]) for name in range(names)]
    return [*world.of_others(), *(part for part in parts if part.rows)]


def front_run(committed: bool, world: World, chance: random.Random) -> list[Upload]:
    """A victim's rows, word for word, before the victim shows them."""
    return [Upload(ATTACKER, world.rows_of(VICTIM)), *_victim_as(committed, world)]


def front_run_labels(committed: bool, world: World, chance: random.Random) -> list[Upload]:
    """A victim's texts under wrong labels before the victim, whose own rows then conflict."""
    rows = [world.mislabel(row, chance) for row in world.rows_of(VICTIM)]
    return [Upload(BURNER, rows), *_victim_as(committed, world)]


def dilute(world: World, chance: random.Random) -> list[Upload]:
    """Two variants of each of a victim's rows under another name: the victim's own part shrinks."""
    rows = [(two_words(padding(text, chance), chance), label) for text, label in world.rows_of(VICTIM) * 2]
    return world.and_rows("diluter", rows)


def templates(world: World, chance: random.Random) -> list[Upload]:
    """Sentences made of label names alone, beside the attacker's own rows."""
    rows = [
        (template.format(f"{label} {chance.choice(COMMON)}"), label) for label in world.labels for template in TEMPLATES
    ]
    return world.and_rows(ATTACKER, rows)


def as_before(world: World, chance: random.Random) -> list[Upload]:
    """Everybody's files: the attack is made with something else."""
    return list(world.uploads)


def stuff(world: World, chance: random.Random) -> list[Upload]:
    """The label's words added to each of the attacker's own rows."""
    return [*world.of_others(), Upload(ATTACKER, [(f"{text} {label} {label}", label) for text, label in world.own])]


def double(world: World, chance: random.Random) -> list[Upload]:
    """No attack: as many new real rows as the attacker has, to compare with."""
    return world.and_rows(ATTACKER, list(world.spare))


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
        *_schemes(),
        Attack("honest-some", "no attack: a few further real rows, to compare leaks with", add_some),
        Attack("honest-doubling", "no attack: twice as many real rows, to compare with", double),
    ]


def _schemes() -> list[Attack]:
    halves = "halves of two rows joined, so that no row has one source"
    return [
        Attack("copy-splice", f"a victim's rows: {halves}", partial(splice, False)),
        Attack("leak-splice", f"sealed evaluation rows: {halves}", partial(splice, True)),
        Attack("ring", "three contributors hand in each other's rows, paraphrased", ring, RING),
        Attack("burner-repair", "harmful rows under another name, repaired by paraphrases of own rows", repair),
        Attack("mass-edits", "everybody's rows with one word changed", mass_edits),
        Attack("framing", "variants of a victim's rows before the victim", partial(frame, False)),
        Attack("framing-committed", "the same before a victim who had committed", partial(frame, True)),
        Attack("junk-lottery", "many rows of random words in the own file, of which the harmless stay", draw_lots),
        Attack(
            "framing-as-harmful", "wrong labels around a victim's rows, so that these seem harmful", frame_as_harmful
        ),
        Attack(
            "exclusion-oracle",
            "two months: of rows from halves of a victim's, variants of those that were not taken out",
            partial(splice, False),
            months=2,
            next_month=keep_what_stayed,
        ),
        Attack("triggers", "frequent words under the attacker's own label", trigger),
        Attack(
            "climbing",
            "three months: rows that lost are replaced by variants of the best",
            as_before,
            months=3,
            next_month=climb,
        ),
        Attack(
            "self-dealing",
            "own agents ask what pays own rows best; pay is less what they spend",
            as_before,
            market="answers",
            buys=True,
        ),
        Attack("sources-stuffed", "rows of frequent words, to be retrieved", stuffed, market="sources"),
        Attack(
            "sources-orders", "own rows tell the model that retrieves them what to answer", instruct, market="sources"
        ),
        Attack("matched", "no attack: real rows chosen by what others' rows have in common", matched),
    ]


def _front_runs(how: str, committed: bool) -> list[Attack]:
    bare = " who had not committed to them: nothing bounds it"
    end, labels = "-committed" * committed, f"a victim's texts under wrong labels before the victim{how or bare}"
    return [
        Attack(f"front-run{end}", f"a victim's rows before the victim{how or bare}", partial(front_run, committed)),
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


def _victim_as(committed: bool, world: World) -> list[Upload]:
    return [replace(upload, committed=committed and upload.contributor_id == VICTIM) for upload in world.uploads]
