"""Do attacks earn more than they did? Figures of fixed seeds, held against those that were committed.

The same code gives the same figures, so the tolerance, half of the committed interval, is for changes that move every
credit a little. An attack that was kept out exactly has none, and what stood within its bound has to stay there.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tribute.errors import ConfigError
from tribute.files import write_atomically
from tribute.incentives.ratios import CHOOSER, Ratio, Summary
from tribute.strict import parse_json

PAID, HARMED = ("credit", "content"), ("victim",)
"""What pay is a blend of; by credit less an error, an honest attacker may earn nothing to compare with. And what is
left of the victim's."""
BOUND, LEFT = 1.05, 0.95
REWORDED = ("copy-paraphrase", "leak-paraphrase", "leak-mixed", "leak-small-names", "templates")
"""Attacks that write text anew, which takes work and may teach something: theirs are wider bounds."""
BOUND_REWORDED, LEFT_REWORDED = 1.25, 0.80
SLACK, WIDEST = 0.03, 0.3
"""How far beyond its bound a ratio may come that stood within. Of tolerances, the least, for what worlds agree on, and
the most: few worlds give wide intervals, but the same ones."""


def write_figures(summaries: Sequence[Summary], file: Path) -> None:
    """Attack → draws, whether it is kept out exactly, and of each figure the ratio and half its interval."""
    lines = [f"{json.dumps(summary.attack)}: {json.dumps(_figures(summary))}" for summary in _compared(summaries)]
    write_atomically(file, ("{\n" + ",\n".join(lines) + "\n}\n").encode())


def check_figures(file: Path, attacks: Sequence[str], draws: int) -> Mapping[str, Any]:
    """The figures in a file. Raises ConfigError where these attacks in so many worlds cannot be compared with them."""
    try:
        committed = parse_json(file.read_text(encoding="utf-8"))
        known = {attack: figures["draws"] for attack, figures in committed.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"{file}: no figures as `tribute attack --figures` writes them ({error})") from error
    if missing := [attack for attack in attacks if known.get(attack) != draws]:
        raise ConfigError(f"{file}: no figures of {missing[0]} in {draws} worlds; write them anew")
    return dict(committed)


def worse(summaries: Sequence[Summary], file: Path) -> Iterator[str]:
    """A sentence for every figure beyond the committed one. Raises ConfigError where the file cannot be compared."""
    for summary in _compared(summaries):
        before = check_figures(file, [summary.attack], summary.draws)[summary.attack]
        if before["exact"] and summary.exact < summary.draws:
            yield f"{summary.attack}: kept out whole before, now in {summary.exact} of {summary.draws} worlds"
        else:
            yield from _risen(summary, before)


def _risen(summary: Summary, before: Mapping[str, Any]) -> Iterator[str]:
    is_reworded = summary.attack in REWORDED
    for name in (*PAID, *HARMED):
        # Nobody earned anything honestly, which nothing can be compared with.
        if before[name] is None:
            continue
        least, tolerance = before[name]
        ratio = getattr(summary, name).ratio
        if name in PAID:
            what, sign, bound = "pays", 1, BOUND_REWORDED if is_reworded else BOUND
        else:
            what, sign, bound = "is left", -1, LEFT_REWORDED if is_reworded else LEFT
        left_bound = sign * least <= sign * bound and sign * ratio > sign * bound + SLACK
        if not math.isfinite(ratio) or sign * ratio > sign * least + tolerance or left_bound:
            yield f"{summary.attack}: {name} {what} {ratio:.2f}, committed are {least:.2f} ± {tolerance:.2f}"


def _compared(summaries: Sequence[Summary]) -> list[Summary]:
    """Which attack the chooser makes hangs on small differences; each of them is compared itself."""
    return [summary for summary in summaries if not summary.attack.startswith(CHOOSER)]


def _figures(summary: Summary) -> dict[str, object]:
    pairs = {name: getattr(summary, name) for name in (*PAID, *HARMED)}
    ratios = {name: _figure(ratio) for name, ratio in pairs.items()}
    return {"draws": summary.draws, "exact": summary.exact == summary.draws, **ratios}


def _figure(ratio: Ratio) -> list[float] | None:
    """None where nobody earned anything honestly, which no figure can be compared with."""
    if not math.isfinite(ratio.ratio):
        return None
    return [round(ratio.ratio, 3), round(min(max(ratio.half_width, SLACK), WIDEST), 3)]
