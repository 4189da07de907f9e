"""Do attacks earn more than they did? Figures of fixed seeds, held against those that were committed.

The same code gives the same figures, so the tolerance, half of the committed interval, is for changes that move every
credit a little. An attack that was kept out exactly has none.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from tribute.errors import ConfigError
from tribute.files import write_json
from tribute.incentives.suite import Summary
from tribute.strict import parse_json

FIGURES = ("credit", "content")
"""What pay is a blend of; by credit less an error, an honest attacker may earn nothing to compare with."""
BOUND = 1.05


def write_figures(summaries: Sequence[Summary], file: Path) -> None:
    """Attack → draws, whether it is kept out exactly, and of each figure the ratio and half its interval."""
    write_json(file, {summary.attack: _figures(summary) for summary in summaries}, indent=1)


def worse(summaries: Sequence[Summary], file: Path) -> Iterator[str]:
    """A sentence for every figure above the committed one. Raises ConfigError where the file cannot be compared."""
    try:
        committed = parse_json(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{file}: no figures as `tribute attack --figures` writes them ({error})") from error
    for summary in summaries:
        before = committed.get(summary.attack)
        if before is None or before["draws"] != summary.draws:
            raise ConfigError(f"{file}: no figures of {summary.attack} in {summary.draws} worlds; write them anew")
        if before["exact"] and summary.exact < summary.draws:
            yield f"{summary.attack}: kept out whole before, now in {summary.exact} of {summary.draws} worlds"
            continue
        for name in FIGURES:
            ratio, (least, tolerance) = getattr(summary, name).ratio, before[name]
            if ratio > least + tolerance or least <= BOUND < ratio - tolerance:
                yield f"{summary.attack}: {name} pays {ratio:.2f}, committed are {least:.2f} ± {tolerance:.2f}"


def _figures(summary: Summary) -> dict[str, object]:
    pairs = {name: getattr(summary, name) for name in FIGURES}
    ratios = {name: [round(ratio.ratio, 3), round(ratio.half_width, 3)] for name, ratio in pairs.items()}
    return {"draws": summary.draws, "exact": summary.exact == summary.draws, **ratios}
