"""What junk under many names earns, by what the standard error that pay is cut by holds. See names.py."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np

from lib.row_evidence import on_these_rows, paid
from lib.stored import Stored
from lib.synthetic import Kind, World
from lib.synthetic_trials import Trial
from tribute.attribution.shares.shares import clipped_shares
from tribute.incentives.attacks import JUNK_NAMES, JUNK_ROWS

KINDS: tuple[Kind, ...] = ("overlapping", "disjoint", "dealt")
FIRST_JUNK, WORLDS, HONEST, ATTACKER = 100, 18, 7, 0
"""First number, how many worlds, names in each, and whose name junk is beside."""
RESAMPLED = 2000


@dataclass(frozen=True)
class Junked(Trial):
    """A world with the attacker's junk in it."""

    @cached_property
    def world(self) -> World:
        """See Trial."""
        return World.of(self.kind, self.names, self.even, self.number).with_junk(JUNK_NAMES, JUNK_ROWS, self.number)


def junk_lines(stored: Stored) -> Iterator[str]:
    """The attacker's pay with junk ÷ without, with and without the choice of evaluation rows in the error."""
    numbers = range(FIRST_JUNK, FIRST_JUNK + WORLDS)
    worlds = [(KINDS[number % len(KINDS)], True, HONEST, number, stored) for number in numbers]
    pairs = [(Trial(*world), Junked(*world)) for world in worlds]
    yield "### κ and junk under many names"
    yield ""
    yield (
        f"In {WORLDS} worlds of {HONEST} names of 70 rows one name adds {JUNK_NAMES} names with {JUNK_ROWS} rows like "
        "random words each, and nobody nets them. *Paid*: the part of a pool that goes to its names with junk ÷ "
        "without, summed over the worlds, with a 95 % interval by a paired bootstrap; *to junk*: the part that goes "
        "to the names of junk; *others unpaid*: the part of the other names that is paid nothing. *Evaluation*: "
        "whether the standard error holds what other evaluation rows would change."
    )
    yield ""
    yield "| κ | evaluation | paid | to junk | others unpaid without junk | with |"
    yield "|---|---|---|---|---|---|"
    for kappa, is_whole in ((0, True), *product((1, 2), (True, False))):
        parts = np.array([[paid_to(one, kappa, is_whole) for one in pair] for pair in pairs])
        before, after = parts[:, 0, 0], parts[:, 1, :2].sum(1)
        chosen = np.random.default_rng(0).integers(WORLDS, size=(RESAMPLED, WORLDS))
        low, high = np.percentile(after[chosen].sum(1) / before[chosen].sum(1), (2.5, 97.5))
        ratio = f"{after.sum() / before.sum():.2f} ({low:.2f}–{high:.2f})"
        unpaid = " | ".join(f"{parts[:, place, 2].mean():.1%}" for place in range(2))
        yield f"| {kappa} | {'with' if is_whole else 'without'} | {ratio} | {parts[:, 1, 1].mean():.3f} | {unpaid} |"


def paid_to(one: Trial, kappa: float, is_whole: bool) -> Sequence[float]:
    """The parts of a pool that go to the attacker's first name and to junk; and of the others, the part unpaid."""
    rows = one.evidence.by_row()
    if not is_whole:
        rows = on_these_rows(rows)
    shares = clipped_shares(paid(rows.named(one.owner), kappa))
    return shares[ATTACKER], shares[HONEST:].sum(), float((shares[1:HONEST] == 0).mean())
