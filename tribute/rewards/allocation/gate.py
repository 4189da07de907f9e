"""Whether a period is paid by credit: the policy's gate, judged on the attribution's card. Pays nothing.

    passed       weight = credit less κ standard errors
    not passed   weight = training tokens after deduplication, 0 for credit significantly below 0

A figure that was not measured does not pass. Figures are compared as they are printed, see `card.rounded`.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from tribute.errors import IntegrityError
from tribute.formatting import minus
from tribute.rewards.allocation import card_figures as cards
from tribute.rewards.allocation.allocate import CREDIT, TOKENS, Rule
from tribute.rewards.allocation.card_figures import Card, measured, rank, rounded
from tribute.rewards.policy.policy import Gate
from tribute.strict import parse_json

VERDICT = "gate.json"


@dataclass(frozen=True)
class Check:
    """One check of the gate in plain words."""

    name: str
    found: str
    needed: str
    passed: bool


@dataclass(frozen=True)
class Verdict:
    """What the gate found, check by check."""

    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether every check passed; also where the policy asks for none."""
        return all(check.passed for check in self.checks)

    @property
    def rule(self) -> Rule:
        """By what the period is paid."""
        return CREDIT if self.passed else TOKENS

    @property
    def failed(self) -> str:
        """The names of the checks that did not pass, such as `leave-one-out rank, planted duplicates`."""
        return ", ".join(check.name for check in self.checks if not check.passed)

    @property
    def sentence(self) -> str:
        """By what the period is paid, and why."""
        if not self.passed:
            return f"{BY_TOKENS} What did not pass: {self.failed}."
        why = (
            "the measurement of credit passed every check that the policy asks for"
            if self.checks
            else "the policy asks for no check of the measurement"
        )
        return f"This period is paid by credit: {why}."

    def document(self) -> dict[str, Any]:
        """`gate.json`."""
        return {"passed": self.passed, "rule": self.rule, "checks": [asdict(check) for check in self.checks]}


def judge(card: Card, gate: Gate) -> Verdict:
    """Hold a card against a gate; one check for every setting that is not null."""
    return Verdict(tuple(_checks(card, gate)))


def read_verdict(folder: Path) -> Verdict:
    """The verdict of a period's folder. Raises IntegrityError where it cannot be read."""
    try:
        content = parse_json((folder / VERDICT).read_text(encoding="utf-8"))
        return Verdict(tuple(Check(**check) for check in content["checks"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise IntegrityError(f"{folder / VERDICT}: cannot be read ({error}); make the period again") from error


def fallback_note(folder: Path) -> str:
    """What a command adds to its line where a period was not paid by credit; else nothing."""
    verdict = read_verdict(folder)
    return "" if verdict.passed else f", paid by training tokens (the attribution card fails: {verdict.failed})"


def _checks(card: Card, gate: Gate) -> Iterator[Check]:
    if gate.leave_one_out_margin is not None:
        yield _leave_one_out(card, Decimal(gate.leave_one_out_margin))
    if gate.duplicate_excluded:
        rows, excluded = (measured(card, "controls", "duplicate", key) for key in ("rows", "excluded"))
        found_all = rows is not None and excluded == rows > 0
        yield Check(cards.DUPLICATE, cards.duplicates(card), "every row excluded", found_all)
    if gate.shuffled_below_zero:
        found = cards.control(card, "shuffled")
        below = found != cards.NOT_MEASURED and measured(card, "controls", "shuffled", "high") < 0
        yield Check(cards.SHUFFLED, found, "the whole interval below 0", below)
    if gate.seed_split is not None:
        split = rounded(measured(card, "seed_split"))
        close = split is not None and split <= Decimal(gate.seed_split)
        yield Check(cards.SEED_SPLIT, rank(measured(card, "seed_split")), f"{gate.seed_split} or less", close)


def _leave_one_out(card: Card, margin: Decimal) -> Check:
    found, ceiling = (rounded(measured(card, "leave_one_out", key)) for key in ("spearman", "ceiling"))
    if ceiling is None:
        needed, passed = f"no more than {margin} below seed against seed, which was not measured", False
    else:
        needed = f"{minus(str(ceiling - margin))} or more (seed against seed {minus(str(ceiling))}, less {margin})"
        passed = found is not None and found >= ceiling - margin
    return Check(cards.LEAVE_ONE_OUT, rank(measured(card, "leave_one_out", "spearman")), needed, passed)


BY_TOKENS = (
    "This period is paid by training tokens, not by credit, because the measurement of credit did not pass its checks."
)
