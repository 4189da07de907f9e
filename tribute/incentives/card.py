"""The incentive card: what every attack earns against every defence, and what the defences cost, as HTML and Markdown.

Knows no attack: it shows summaries of draws.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tribute.files import write_atomically
from tribute.html import template
from tribute.incentives.draws import Draw
from tribute.incentives.ratios import Ratio, Summary, summarise
from tribute.incentives.screened import DEFENCES

PAYS, BARELY = 1.25, 1.05
"""Above the first a trick pays, up to the second it does not."""
PARTS = (("certain", "credit, κ 1"), ("credit", "credit, κ 0"), ("content", "content"), ("victim", "victim"))
"""Figures of a summary that the card shows for each defence; of the last a high value is good."""
WORDS = {
    "exact": "the checks that every dataset has",
    "screening": "all checks at their defaults",
    "payees": "these, and pay netted by payee; the attacker has one bank account",
    "payees-5": "the same, and the attacker has five bank accounts",
    "sealed-later": "as payees, paid by evaluation rows that were sealed after everybody had contributed",
    "harm-out": "as payees, and harmful rows are taken out",
    "harm-alone": "the checks that every dataset has, netting, and harmful rows are taken out",
}
"""What a defence is."""
NOTE = (
    "Rows that earn less than half do so against the same world where nobody looks for harm. "
    "An equal contributor's part is its mean share and its scatter between worlds. Honest doubling is what twice as "
    "many real rows earn. A quarter, four times: what four contributors with a quarter of the rows earn together, of "
    "what one with all of them earns; below 1 it is a tax on small contributors. All at κ 1."
)
PRICES = {
    "price": "honest rows kept out",
    "halved": "honest rows that earn less than half",
    "unpaid": "evaluation rows that pay nobody",
}
"""What a defence takes of an honest world, a field of a draw → in words."""
COSTS = ("worlds", *PRICES.values(), "an equal contributor's part", "honest doubling", "a quarter, four times")
"""Columns of what a defence costs."""
HONEST = "no attack"
"""What the sentence about an honest comparison begins with: its ratios are neither good nor bad."""


@dataclass(frozen=True)
class Cell:
    """A ratio as text, and how it is coloured: `good`, `even`, `bad`, or nothing where there is no draw."""

    text: str
    interval: str
    tone: str


@dataclass(frozen=True)
class Line:
    """One attack against all defences."""

    attack: str
    summary: str
    kept_out: str
    displaced: str
    cells: Sequence[Cell]

    @property
    def is_exact(self) -> bool:
        """Whether every defence that met it kept it out whole in every world."""
        return {cell.interval for cell in self.cells if cell.interval} == {"exactly"}


def write_card(draws: Sequence[Draw], about: dict[str, str], folder: Path) -> list[Path]:
    """`incentives.html` and `incentives.md` of the draws; `about` maps an attack to a sentence."""
    summaries = by_defence(draws)
    defences = list(summaries)
    names = [name for name in about if any(name in known for known in summaries.values())]
    every = [_line(name, about[name], [summaries[defence].get(name) for defence in defences]) for name in names]
    lines = [line for line in every if not line.is_exact]
    exact = [line.attack for line in every if line.is_exact]
    facts = [_facts(defence, summaries[defence], draws) for defence in defences]
    folder.mkdir(parents=True, exist_ok=True)
    page = template("tribute.incentives", "card.html").render(
        lines=lines,
        defences=defences,
        parts=[words for _, words in PARTS],
        facts=facts,
        exact=exact,
        prices=PRICES,
        note=NOTE,
    )
    files = {"incentives.html": page, "incentives.md": _markdown(lines, exact, defences, facts)}
    for name, content in files.items():
        write_atomically(folder / name, content.encode())
    return [folder / name for name in files]


def by_defence(draws: Sequence[Draw]) -> dict[str, dict[str, Summary]]:
    """Defence → attack → what its draws say, in the order of the draws."""
    groups: dict[str, dict[str, list[Draw]]] = {}
    for draw in draws:
        groups.setdefault(draw.defence, {}).setdefault(draw.attack, []).append(draw)
    return {
        defence: {attack: summarise(group) for attack, group in attacks.items()} for defence, attacks in groups.items()
    }


def _line(name: str, about: str, summaries: Sequence[Summary | None]) -> Line:
    last = summaries[-1]
    cells = [
        _cell(getattr(summary, part), summary, is_harm=part == "victim") if summary else Cell("–", "", "")
        for summary in summaries
        for part, _ in PARTS
    ]
    if about.startswith(HONEST):
        cells = [replace(cell, tone="") for cell in cells]
    kept_out, displaced = (f"{last.removed:.0%}", f"{last.displaced:.1%}") if last else ("–", "–")
    return Line(name, about, kept_out, displaced, cells)


def _cell(ratio: Ratio, summary: Summary, *, is_harm: bool) -> Cell:
    if summary.exact == summary.draws:
        return Cell("1", "exactly", "good")
    gain = 2 - ratio.ratio if is_harm else ratio.ratio
    tone = "good" if gain <= BARELY else "even" if gain <= PAYS else "bad"
    return Cell(f"{ratio.ratio:.2f}", f"{ratio.low:.2f}–{ratio.high:.2f}", tone)


def _facts(defence: str, summaries: dict[str, Summary], draws: Sequence[Draw]) -> dict[str, str]:
    """What the defence costs honest contributors, and how much equal work is paid unequally anyway."""
    of = {draw.seed: draw for draw in draws if draw.defence == defence}
    parts = np.array([draw.equal for draw in of.values()])
    doubled = summaries.get("honest-doubling")
    # Netting is for names of one payee, and small contributors are not one.
    split = None if DEFENCES[defence].accounts else summaries.get("split-4")
    return {
        "defence": defence,
        "words": WORDS.get(defence, ""),
        "worlds": str(len(of)),
        **{name: f"{np.mean([getattr(draw, name) for draw in of.values()]):.2%}" for name in PRICES},
        "scatter": f"{parts.mean():.1%} ± {parts.std():.1%}",
        "doubling": f"{doubled.certain.ratio:.2f}" if doubled else "–",
        "small": f"{split.certain.ratio:.2f}" if split else "–",
    }


def _markdown(
    lines: Sequence[Line], exact: Sequence[str], defences: Sequence[str], facts: Sequence[dict[str, str]]
) -> str:
    columns = [f"{defence}: {words}" for defence in defences for _, words in PARTS]
    head = ["attack", *columns, "kept out", "others' rows lost"]
    rows = [
        [f"`{line.attack}`", *(_with_interval(cell) for cell in line.cells), line.kept_out, line.displaced]
        for line in lines
    ]
    costs = ["defence", *COSTS]
    keys = ("worlds", *PRICES, "scatter", "doubling", "small")
    prices = [[f"{fact['defence']}: {fact['words']}", *(fact[key] for key in keys)] for fact in facts]
    parts = ["# Incentive card", _table(head, rows)]
    if exact:
        names = ", ".join(f"`{name}`" for name in exact)
        parts.append(f"Kept out whole in every world, so every ratio is exactly 1: {names}.")
    return "\n\n".join([*parts, _table(costs, prices), NOTE]) + "\n"


def _with_interval(cell: Cell) -> str:
    if cell.interval == "exactly":
        return "1 exactly"
    return f"{cell.text} ({cell.interval})" if cell.interval else cell.text


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
