"""The rule by which a period is paid, as one small YAML file. Knows nothing of a period or its money."""

from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from tribute import months
from tribute.errors import RewardError
from tribute.money import parse_amount
from tribute.rewards.policy.decimals import Exact, check_whole, plain_day
from tribute.settings import Id, Strict, Version, read_yaml, validate

Fallback = Literal["content", "tokens"]
RECORDED = "recorded"
"""Validation context of a policy that a period or the registry already holds: what was promised then still holds."""


class Gate(Strict):
    """What a period's attribution card has to show for credit to count in full.

    With `fallback: content` each figure counts 1 within its limit and falls linearly to 0 at `zero_at` times it; the
    least decides how far credit counts. With `fallback: tokens` one figure beyond its limit, or not measured, makes
    training tokens pay. A check set to null is skipped.
    """

    leave_one_out_margin: Exact | None = "0.1"
    """How far the leave-one-out rank may lie below the ceiling, the rank of one seed against another."""
    duplicate_excluded: bool | None = True
    """Deduplication excludes every planted duplicate."""
    shuffled_below_zero: bool | None = True
    """The planted rows with shuffled labels have a credit whose whole interval is below 0."""
    seed_split: Exact | None = "0.3"
    """How far the shares from two disjoint halves of the seeds may differ, Σ|Δ| from 0 to 2."""
    mismatch: Exact | None = "0.2"
    """`content`: how far the credits of a training may sum from the improvement it measured, as a part of it."""
    told_from_content: bool | None = None
    """At least one credit is surely not what a division by distinct content would give."""
    zero_at: Exact = "2.5"
    """`content`: at so many times its limit a figure counts 0."""
    unmeasured: Exact = "0"
    """`content`: what a figure counts, 0 to 1, that was not measured."""

    @model_validator(mode="after")
    def _sane(self) -> "Gate":
        if Fraction(self.zero_at) <= 1:
            raise ValueError(f'zero_at is "{self.zero_at}", expected more than "1": a figure within its limit counts 1')
        if Fraction(self.unmeasured) > 1:
            raise ValueError(f'unmeasured is "{self.unmeasured}", expected at most "1"')
        return self


class Split(Strict):
    """The parts of the net fee; they sum to exactly 1."""

    platform: Exact = "0"
    model_owner: Exact = "0"
    reserve: Exact = "0"
    """What later corrections are paid from."""
    contributors: Exact = "1"

    @model_validator(mode="after")
    def _whole(self) -> "Split":
        check_whole((self.platform, self.model_owner, self.reserve, self.contributors))
        if Fraction(self.contributors) == 0:
            raise ValueError("contributors get 0; a period pays somebody")
        return self


class Pool(Strict):
    """One part of the contributors' money and what it pays."""

    part: Exact
    """Of the contributors' part; the pools' parts sum to exactly 1."""
    pays: Literal["shares", "queries"]
    """`shares`: credit on the evaluation set. `queries`: each payer's money by credit on what that payer asked; without
    a file of usage, each evaluation slice's part by credit on that slice."""
    beta: Exact = "0.05"
    """`queries`: β, relative to the median N_q of the payer's: queries with less positive credit are not blown up."""
    user_cap: Annotated[Exact | None, Field(exclude=True)] = None
    """Only in policies recorded before version 0.2.0, where it capped what a user's payments weigh."""

    @property
    def by_payers(self) -> bool:
        """Whether payers.csv says what credit counts: queries pay, and not by the rule of before 0.2.0."""
        return self.pays == "queries" and self.user_cap is None

    @model_validator(mode="before")
    @classmethod
    def _no_cap(cls, values: Any, info: ValidationInfo) -> Any:
        if isinstance(values, dict) and "user_cap" in values and not (info.context or {}).get(RECORDED):
            raise ValueError(
                "user_cap is gone: each payer's money is now paid out within what that payer asked, so nobody's "
                "queries move another's money; delete the line"
            )
        return values

    @model_validator(mode="after")
    def _sane(self) -> "Pool":
        if Fraction(self.part) == 0:
            raise ValueError("part is 0; leave the pool out instead")
        if Fraction(self.beta) == 0:
            raise ValueError("beta is 0, expected more")
        # By value: what a manifest keeps of a policy names every key.
        if self.pays == "shares" and self.beta != type(self).model_fields["beta"].default:
            raise ValueError("beta belongs to pools that pay queries")
        return self


class Holdback(Strict):
    """What of each accrual is held for a while, so that later findings still can take it back."""

    part: Exact = "0"
    days: Annotated[int, Field(ge=0, le=3660)] = 60

    @field_validator("part")
    @classmethod
    def _a_part(cls, part: str) -> str:
        if Fraction(part) > 1:
            raise ValueError(f'found "{part}", expected at most "1"')
        return part


class Policy(Strict):
    """How credit becomes weight, and weight money. `configs/policy.yaml` shows every setting."""

    id: Id
    """A name that stays when the numbers change."""
    version: Version
    """Raised whenever a setting changes, so that two statements can be told apart."""
    description: Annotated[str, Field(min_length=1, max_length=2000)]
    """The policy in a contributor's words; it stands on every statement."""
    effective_from: Annotated[date | None, BeforeValidator(plain_day)] = None
    """Periods that begin before this day are not paid by it. None holds for all, and can not be published."""
    kappa: Exact = "1"
    """κ ≥ 0: how many standard errors are taken off a credit before it is paid.

    Higher makes splitting into many names lose more, and taxes small honest contributors more."""
    netting: Literal["none", "payees"] = "none"
    """`payees`: names of one organisation or bank account are paid no more together than one name with all their rows
    would be, in pools that pay shares. Which names belong together stands in the period's manifest."""
    fallback: Fallback = "tokens"
    """What pays as far as the card does not show enough for credit: distinct content, in a blend with credit, or
    training tokens instead of it. `tokens` where a policy does not say, as before version 0.2.0."""
    gate: Gate = Gate()
    """What the attribution card has to show for credit to count in full."""
    rounding: Literal["largest-remainder"] = "largest-remainder"
    """The only rounding that keeps both the sum and everybody's quota."""
    split: Split = Split()
    """How the net fee is divided."""
    pools: dict[Id, Pool] = Field(default_factory=lambda: {"evaluation": Pool(part="1", pays="shares")}, min_length=1)
    """How the contributors' part is divided, and by what each pool pays."""
    holdback: Holdback = Holdback()
    dispute_days: Annotated[int, Field(ge=0, le=3660)] = 30
    """So long after a period's last day its amounts can be disputed; then they become payable."""
    threshold: dict[str, str] = Field(default_factory=dict)
    """Currency → the least amount that is paid out; what is below carries forward and is never forfeited."""
    withholding: Exact = "0"
    """The part of each payment that is kept back for tax, rounded down."""
    closers: tuple[Id, ...] = ()
    """Who may close a period; it takes two of them, with keys of their own."""
    reviewers: tuple[Id, ...] = ()
    """Who may decide disputes; it takes two of them."""
    stewards: tuple[Id, ...] = ()
    """Who may open a dispute for a contributor, and vouch for the day on which one came in."""
    second_name_above: dict[str, str] = Field(default_factory=dict)
    """Currency → the amount up to which one person may post corrections for a contributor in a month; above it two
    closers have to sign them. A currency that is not named has no such limit."""

    @field_validator("threshold", "second_name_above")
    @classmethod
    def _amounts(cls, amounts: dict[str, str]) -> dict[str, str]:
        for currency, amount in amounts.items():
            try:
                parse_amount(amount, currency)
            except RewardError as error:
                raise ValueError(str(error)) from error
        return amounts

    @field_validator("closers", "reviewers", "stewards")
    @classmethod
    def _distinct(cls, ids: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(ids)) < len(ids):
            raise ValueError(f"{list(ids)} repeat one: each must differ")
        return ids

    @field_validator("pools")
    @classmethod
    def _whole(cls, pools: dict[str, Pool]) -> dict[str, Pool]:
        check_whole(pool.part for pool in pools.values())
        return pools

    @field_validator("withholding")
    @classmethod
    def _not_all(cls, withholding: str) -> str:
        if Fraction(withholding) >= 1:
            raise ValueError(f'found "{withholding}", expected less than "1"')
        return withholding

    @property
    def exact_kappa(self) -> Fraction:
        """κ as a rational."""
        return Fraction(self.kappa)

    def least(self, currency: str) -> int:
        """The least amount that is paid out, in minor units; at least 1."""
        return parse_amount(self.threshold[currency], currency) if currency in self.threshold else 1

    def second_name(self, currency: str) -> int | None:
        """The most minor units that one person may correct by; None where there is no limit."""
        limit = self.second_name_above.get(currency)
        return None if limit is None else parse_amount(limit, currency)


def recorded_policy(document: Any) -> Policy:
    """A policy as a manifest or the registry holds it. Raises ValueError for what never was one."""
    return Policy.model_validate(document, context={RECORDED: True})


def load_policy(path: Path) -> Policy:
    """Read and check a policy file. Raises ConfigError listing every fault at once."""
    return validate(Policy, read_yaml(path), path)


def refuse_period(period: str, policy: Policy) -> None:
    """Raise RewardError where the period is no month, or begins before the policy holds."""
    months.last_day(period)
    if policy.effective_from and f"{period}-01" < policy.effective_from.isoformat():
        raise RewardError(
            f"policy {policy.id} {policy.version} is effective from {policy.effective_from}, {period} begins before; "
            "use the policy that held then"
        )
