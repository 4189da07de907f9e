"""How far a period is paid by credit: the policy's gate, judged on the attribution's card. Pays nothing.

    fallback: content   each check counts from 0 to 1 (reliability.py), and the least is the reliability w:
                        pay = w · share of credit + (1 − w) · share of distinct content
    fallback: tokens    all checks pass, and credit pays, or one does not, and training tokens do

Figures are compared as they are printed, see `card_figures.rounded`.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

from tribute.errors import IntegrityError
from tribute.formatting import minus, percent
from tribute.rewards.allocation import card_figures as cards
from tribute.rewards.allocation import reliability as grades
from tribute.rewards.allocation.card_figures import Card, measured, rank, rounded
from tribute.rewards.allocation.weights import BLEND, CREDIT, TOKENS, Rule
from tribute.rewards.policy.policy import Fallback, Gate
from tribute.strict import parse_json

VERDICT = "gate.json"


@dataclass(frozen=True)
class Check:
    """One check of the gate in plain words; `counts` is 0.000 to 1.000 where content is the fallback."""

    name: str
    found: str
    needed: str
    passed: bool
    counts: str | None = None

    def document(self) -> dict[str, Any]:
        """As `gate.json` has it."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True)
class Verdict:
    """What the gate found, check by check; `reliability` is None where tokens are the fallback."""

    checks: tuple[Check, ...]
    reliability: Decimal | None = None

    @property
    def passed(self) -> bool:
        """Whether every check passed; also where the policy asks for none."""
        return all(check.passed for check in self.checks)

    @property
    def rule(self) -> Rule:
        """By what the period is paid."""
        if self.reliability is not None:
            return BLEND
        return CREDIT if self.passed else TOKENS

    @property
    def credit_part(self) -> Fraction:
        """w: how far credit decides."""
        return Fraction(self.passed if self.reliability is None else self.reliability)

    @property
    def failed(self) -> str:
        """The names of the checks that did not pass, such as `leave-one-out rank, planted duplicates`."""
        return ", ".join(check.name for check in self.checks if not check.passed)

    @property
    def weakest(self) -> str:
        """The names of the checks that count least, where credit does not count in full."""
        return ", ".join(check.name for check in self.checks if check.counts == str(self.reliability))

    @property
    def words(self) -> str:
        """By what the period is paid, in a word or two: `credit`, `tokens`, `content`, `85 % credit`."""
        if self.rule != BLEND:
            return self.rule
        if self.credit_part in (0, 1):
            return "credit" if self.credit_part else "content"
        return f"{self._parts[0]} credit"

    @property
    def blend(self) -> str:
        """By what a blended period is paid, such as `85 % by credit and 15 % by distinct content`."""
        credit, content = self._parts
        return f"{credit} by credit and {content} by distinct content" if self.credit_part else BY_CONTENT

    @property
    def sentence(self) -> str:
        """By what the period is paid, and why."""
        if self.rule == BLEND and self.credit_part < 1:
            counts = f"credit counts as far as its weakest check allows ({self.weakest})"
            return f"This period is paid {self.blend}: {counts}."
        if not self.passed:
            return f"{BY_TOKENS} What did not pass: {self.failed}."
        why = (
            "the measurement of credit passed every check that the policy asks for"
            if self.checks
            else "the policy asks for no check of the measurement"
        )
        return f"This period is paid by credit: {why}."

    @property
    def _parts(self) -> tuple[str, str]:
        return percent(self.credit_part, 1), percent(1 - self.credit_part, 1)

    @property
    def record(self) -> dict[str, str]:
        """What the manifest says of it."""
        return {} if self.reliability is None else {"reliability": str(self.reliability)}

    def document(self) -> dict[str, Any]:
        """`gate.json`."""
        about = {"passed": self.passed, "rule": self.rule, "checks": [check.document() for check in self.checks]}
        return about | self.record


def judge(card: Card, gate: Gate, fallback: Fallback = "tokens") -> Verdict:
    """Hold a card against a policy's gate; one check for every setting that is not null."""
    if fallback == "tokens":
        return Verdict(tuple(_checks(card, gate)))
    checks = list(_checks(card, gate))
    if gate.mismatch is not None:
        checks.insert(0, _mismatch(card, Decimal(gate.mismatch)))
    graded = tuple(_graded(check, card, gate) for check in checks)
    return Verdict(graded, min((Decimal(check.counts or "0") for check in graded), default=grades.FULL))


def read_verdict(folder: Path) -> Verdict:
    """The verdict of a period's folder. Raises IntegrityError where it cannot be read."""
    try:
        content = parse_json((folder / VERDICT).read_text(encoding="utf-8"))
        reliability = content.get("reliability")
        checks = tuple(Check(**check) for check in content["checks"])
        return Verdict(checks, None if reliability is None else Decimal(reliability))
    except (OSError, ValueError, KeyError, TypeError, ArithmeticError, AttributeError) as error:
        raise IntegrityError(f"{folder / VERDICT}: cannot be read ({error}); make the period again") from error


def fallback_note(folder: Path) -> str:
    """What a command adds to its line where a period was not paid by credit alone; else nothing."""
    verdict = read_verdict(folder)
    if verdict.rule == BLEND and verdict.credit_part < 1:
        return f", paid {verdict.blend} (weakest check: {verdict.weakest})"
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
    if gate.told_from_content:
        differs = bool(measured(card, "told_from_content", "names"))
        yield Check(cards.APART, cards.told_apart(card), "one or more", differs)


def _leave_one_out(card: Card, margin: Decimal) -> Check:
    spearman, ceiling = (rounded(measured(card, "leave_one_out", key)) for key in ("spearman", "ceiling"))
    if ceiling is None:
        needed, passed = f"no more than {margin} below seed against seed, which was not measured", False
    else:
        needed = f"{minus(str(ceiling - margin))} or more (seed against seed {minus(str(ceiling))}, less {margin})"
        passed = spearman is not None and spearman >= ceiling - margin
    return Check(cards.LEAVE_ONE_OUT, rank(measured(card, "leave_one_out", "spearman")), needed, passed)


def _mismatch(card: Card, limit: Decimal) -> Check:
    largest = cards.largest_mismatch(card)
    close = largest is not None and largest <= limit
    return Check(cards.MISMATCH, rank(largest), f"{limit} or less", close)


def _graded(check: Check, card: Card, gate: Gate) -> Check:
    counts = _counts(check.name, card, gate)
    return Check(
        check.name, check.found, check.needed, check.passed, str(_unmeasured(gate) if counts is None else counts)
    )


def _counts(name: str, card: Card, gate: Gate) -> Decimal | None:
    """What a check counts, None where its figure was not measured."""
    zero_at = Decimal(gate.zero_at)
    if name == cards.DUPLICATE:
        rows, excluded = (measured(card, "controls", "duplicate", key) for key in ("rows", "excluded"))
        return None if rows is None or excluded is None else grades.excluded_part(excluded, rows)
    if name == cards.SHUFFLED:
        if cards.control(card, "shuffled") == cards.NOT_MEASURED:
            return None
        return grades.below_zero(*(measured(card, "controls", "shuffled", key) for key in ("credit", "high")))
    if name == cards.LEAVE_ONE_OUT:
        spearman, ceiling = (rounded(measured(card, "leave_one_out", key)) for key in ("spearman", "ceiling"))
        missing = None if spearman is None or ceiling is None else ceiling - spearman
        return _falling(missing, gate.leave_one_out_margin, zero_at)
    if name == cards.SEED_SPLIT:
        return _falling(rounded(measured(card, "seed_split")), gate.seed_split, zero_at)
    if name == cards.APART:
        names = measured(card, "told_from_content", "names")
        return None if names is None else grades.FULL if names else grades.NONE
    if name == cards.MISMATCH:
        return _falling(cards.largest_mismatch(card), gate.mismatch, zero_at)
    raise ValueError(f"the check {name!r} says nowhere how far it counts")


def _falling(value: Decimal | None, limit: str | None, zero_at: Decimal) -> Decimal | None:
    return None if value is None or limit is None else grades.falling(value, Decimal(limit), zero_at)


def _unmeasured(gate: Gate) -> Decimal:
    return Decimal(gate.unmeasured).quantize(grades.STEP)


BY_TOKENS = (
    "This period is paid by training tokens, not by credit, because the measurement of credit did not pass its checks."
)
BY_CONTENT = "by distinct content, not by credit"
