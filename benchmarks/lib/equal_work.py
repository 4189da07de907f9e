"""Equal work in arenas, against brute force. See names.py."""

from collections.abc import Iterator, Sequence

import numpy as np

from lib.arena import Arena
from lib.ground_truth import complete, truth
from lib.row_evidence import of_arena, paid
from lib.synthetic import EQUAL
from tribute.attribution.shares.shares import clipped_shares


def brute_force_lines(arenas: Sequence[Arena]) -> Iterator[str]:
    """How far pay for equal work is from the true shares, by arena."""
    yield "### Equal work against brute force"
    yield ""
    yield (
        f"Arenas of equal names of {EQUAL} honest rows each, dealt at random and trained on alone. *Pay − share*: the "
        "standard deviation over names of what a name is paid at κ = 1, with two seeds and no budget, less its share "
        "by brute force, ÷ the mean. *Own error*: that of brute force, by the jackknife over its repetitions of the "
        "rate design, in the same unit: a part of the deviation, squares add. *Shares scatter*: how far the names' "
        "shares by brute force are from each other. *Unpaid*: names with a true share above 0 that are paid nothing. "
        "Arenas with fewer than two repetitions are left out."
    )
    yield ""
    yield "| arena | rows | pay − share | own error | less own error | shares scatter | repetitions | unpaid |"
    yield "|---" * 8 + "|"
    for arena in arenas:
        if len(complete(arena)) < 2:
            continue
        found, names = truth(arena), len(arena.names)
        true = found.shares()
        pay = clipped_shares(paid(of_arena(arena).by_row().named(arena.owner)))
        whole, own = names * (pay - true).std(ddof=1), names * np.sqrt(np.mean(found.errors() ** 2))
        cells = [f"{value:.2f}" for value in (whole, own, np.sqrt(max(whole**2 - own**2, 0)), names * true.std(ddof=1))]
        cells += [f"{len(found.effects)}", f"{int(((pay <= 0) & (true > 0)).sum())} of {int((true > 0).sum())}"]
        yield f"| {arena.name} | {len(arena)} | " + " | ".join(cells) + " |"
