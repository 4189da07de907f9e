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
SLACK, WIDEST = 0.03, 1.0
"""How far beyond its bound a ratio may come that stood within. Of tolerances, the least, for what worlds agree on, and
the most: an interval has no end where a resample of worlds has nobody who earned honestly."""


def write_figures(summaries: Sequence[Summary], file: Path) -> None:
    """Attack → draws, whether it is kept out exactly, and of each figure the ratio and half its interval."""
    lines = [f"{json.dumps(summary.attack)}: {json.dumps(_figures(summary))}" for summary in _compared(summaries)]
    write_atomically(file, ("{\n" + ",\n".join(lines) + "\n}\n").encode())


def worse(summaries: Sequence[Summary], file: Path) -> Iterator[str]:
    """A sentence for every figure beyond the committed one. Raises ConfigError where the file cannot be compared."""
    try:
        committed = parse_json(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{file}: no figures as `tribute attack --figures` writes them ({error})") from error
    for summary in _compared(summaries):
        before = committed.get(summary.attack)
        if before is None or before["draws"] != summary.draws:
            raise ConfigError(f"{file}: no figures of {summary.attack} in {summary.draws} worlds; write them anew")
        if before["exact"] and summary.exact < summary.draws:
            yield f"{summary.attack}: kept out whole before, now in {summary.exact} of {summary.draws} worlds"
        else:
            yield from _risen(summary, before)


def _risen(summary: Summary, before: Mapping[str, Any]) -> Iterator[str]:
    for name in (*PAID, *HARMED):
        ratio: Ratio = getattr(summary, name)
        if before[name] is None:
            continue
        least, tolerance = before[name]
        # A ratio of nothing to nothing is neither above nor below.
        sign, bound = (1, BOUND) if name in PAID else (-1, LEFT)
        left_bound = sign * least <= sign * bound and sign * ratio.ratio > sign * bound + SLACK
        if sign * ratio.ratio > sign * least + tolerance or left_bound:
            what = "pays" if name in PAID else "is left"
            yield f"{summary.attack}: {name} {what} {ratio.ratio:.2f}, committed are {least:.2f} ± {tolerance:.2f}"


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
