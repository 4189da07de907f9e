"""What payers paid for answers, as ways of money: payer, agent, model, and whom it reached. Decides nobody's pay.

Amounts are integers of 10⁻⁶ of the currency's unit, as they were metered. Each payer's money is divided as payers.csv
and the period's funding say, the same for all that this payer asked.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import pyarrow.parquet as pq

from tribute.micro import DECIMALS, rounded_micro
from tribute.money import exponent
from tribute.rewards.allocation import largest_remainder
from tribute.rewards.period import PeriodFolder
from tribute.rewards.statements import reached
from tribute.rewards.usage import SealedUsage

USAGE = "usage.parquet"
COLUMNS = [
    *("payer", "agent", "model", "micro", "currency", "test", "affiliated"),
    *("receipt", "corrects", "status"),
]
DIRECT, CARRIED = "asked directly", "carried over"
SHARES = {"platform": "platform", "model_owner": "model owner", "reserve": "reserve"}
"""Parts of the net fee that are not the contributors', in words."""
EXPLAINED = "explained"
MOST = 9
"""Receipts that are listed."""
WHY = {
    "never": "its payer forbids to measure it",
    "no_gain": "the fine-tune made it no more probable",
    "stand_in_below_half": "cannot be told well enough",
    "no_probability": "has no probability",
    "not_drawn": "was not drawn to be measured",
    "failed": "could not be measured",
}
"""Why an answer names nobody."""


@dataclass(frozen=True)
class UsePath:
    """Money of one payer that went one way: who asked, which model answered, and whom it reached.

    `model` is None of what an agent keeps.
    """

    payer: str
    agent: str
    model: str | None
    target: str
    micro: int


@dataclass(frozen=True)
class UsedAnswer:
    """A paid answer; `moved_by` is the contributor with the most credit and that share of all positive credit."""

    receipt: str
    payer: str
    agent: str
    model: str
    micro: int
    status: str
    moved_by: tuple[str, float] | None


@dataclass(frozen=True)
class Use:
    """A month's use of a run's dataset in one currency."""

    currency: str
    paths: list[UsePath]
    answers: list[UsedAnswer]


def read_use(period: PeriodFolder, currency: str) -> Use | None:
    """What funded a period, where use did, and its sealed files are still there."""
    sealed = period.sealed
    if sealed is None or not sealed.is_there:
        return None
    events = list(_events(sealed, currency))
    return Use(currency, list(_paths(period, events, currency)), _answers(sealed, events))


def _events(sealed: SealedUsage, currency: str) -> Iterator[Mapping[str, Any]]:
    """The events that others than the operator paid: of the dataset's models, and what agents keep in the month."""
    for folder in sealed.folders:
        for batch in pq.ParquetFile(folder / USAGE).iter_batches(columns=COLUMNS):
            for event in batch.to_pylist():
                of_month = folder == sealed.folder and _is_agents(event)
                of_dataset = event["model"].partition("@")[0] == sealed.dataset or of_month
                if of_dataset and event["currency"] == currency and not (event["test"] or event["affiliated"]):
                    yield event


def _is_agents(event: Mapping[str, Any]) -> bool:
    return str(event["model"]).startswith("agent:")


def _paths(period: PeriodFolder, events: list[Mapping[str, Any]], currency: str) -> Iterator[UsePath]:
    kept, used = Counter[tuple[str, str]](), Counter[tuple[str, str, str]]()
    for event in events:
        payer, agent = event["payer"], event["agent"] or ""
        if _is_agents(event):
            kept[payer, agent] += event["micro"]
        else:
            used[payer, agent or DIRECT, event["model"]] += event["micro"]
    for (payer, agent), micro in sorted(kept.items()):
        if micro > 0:
            yield UsePath(payer, agent, None, f"{agent} keeps", micro)
    sums = Counter[str]()
    for (payer, _, _), micro in used.items():
        sums[payer] += micro
    funds = next((each.payers for each in period.fundings if each.currency == currency), {})
    for (payer, agent, model), micro in sorted(used.items()):
        if micro > 0 and sums[payer] > 0:
            targets = _targets(period, payer, Fraction(funds.get(payer, 0) * _unit(currency), sums[payer]), currency)
            for target, part in largest_remainder(micro, targets, period.period).items():
                if part:
                    yield UsePath(payer, agent, model, target, part)


def _targets(period: PeriodFolder, payer: str, funding: Fraction, currency: str) -> dict[str, Fraction]:
    """Target → its part of a payer's money, of which `funding` funds the period; they sum to 1."""
    paid = min(funding, Fraction(1))
    [whole] = [each for each in period.fundings if each.currency == currency]
    parts = {word: Fraction(getattr(whole, name), whole.net) for name, word in SHARES.items()}
    parts |= reached(period, payer, currency)
    total = sum(parts.values()) or Fraction(1)
    targets = {name: paid * part / total for name, part in parts.items() if part}
    return targets | {CARRIED: 1 - paid} if paid < 1 else targets


def _answers(sealed: SealedUsage, events: list[Mapping[str, Any]]) -> list[UsedAnswer]:
    """The paid answers, in the order of their receipts."""
    best, positive = dict[str, tuple[int, str]](), Counter[str]()
    for batch in sealed.credits():
        for row in batch:
            positive[row["receipt"]] += max(row["signed"], 0)
            best[row["receipt"]] = max(best.get(row["receipt"], (0, "")), (row["signed"], row["contributor"]))
    answers = []
    for event in events:
        if event["corrects"] is None and not _is_agents(event):
            signed, name = best.get(event["receipt"], (0, ""))
            moved_by = (name, signed / positive[event["receipt"]]) if signed > 0 else None
            about = (event["receipt"], event["payer"], event["agent"] or DIRECT, event["model"], event["micro"])
            answers.append(UsedAnswer(*about, event["status"] or "never", moved_by))
    return answers


def _unit(currency: str) -> int:
    return int(10 ** (DECIMALS - exponent(currency)))


def shown_use(use: Use) -> dict[str, Any]:
    """What the page says of a month's use, in words and numbers."""
    return {
        "currency": use.currency,
        "total": rounded_micro(sum(path.micro for path in use.paths)),
        "count": len(use.answers),
        "explained": sum(answer.status == EXPLAINED for answer in use.answers),
        "unmoved": sum(answer.status != EXPLAINED for answer in use.answers),
        "answers": [_line(answer) for answer in _some(use.answers)],
    }


def _some(answers: list[UsedAnswer]) -> list[UsedAnswer]:
    """Answers of all who asked in turn, those first that name somebody."""
    of_asker = defaultdict[tuple[str, str], int](int)
    turns = []
    for answer in sorted(answers, key=lambda answer: answer.moved_by is None):
        turns.append((of_asker[answer.payer, answer.agent], answer))
        of_asker[answer.payer, answer.agent] += 1
    chosen = sorted(turns, key=lambda turn: turn[0])[:MOST]
    return sorted((answer for _, answer in chosen), key=lambda answer: (answer.payer, answer.agent, answer.receipt))


def _line(answer: UsedAnswer) -> dict[str, Any]:
    why = WHY.get(answer.status, answer.status.replace("_", " "))
    return vars(answer) | {"micro": rounded_micro(answer.micro), "why": why}
