"""The rule by which a pool is paid, as one small YAML file. Knows nothing of a period or its money."""

import re
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationInfo

from tribute.config import Id, Strict, Version, read_yaml, validate

_DECIMAL = re.compile(r"(0|[1-9][0-9]{0,5})(\.[0-9]{1,6})?")


def _exact_decimal(value: Any, field: ValidationInfo) -> Any:
    if isinstance(value, int | float):
        raise ValueError(f'{value} is a number; write it in quotes, {field.field_name}: "{value}", to keep it exact')
    if isinstance(value, str) and not _DECIMAL.fullmatch(value):
        raise ValueError(f'found "{value}", expected 0 or more with at most 6 decimals, such as "1" or "1.96"')
    return value


Exact = Annotated[str, BeforeValidator(_exact_decimal)]
"""A decimal in quotes, so that no float touches it."""


class Gate(Strict):
    """What a period's attribution card has to show before credit pays.

    Where it does not, the pool is paid by training tokens after deduplication. A check set to null is skipped;
    a figure that was not measured does not pass.
    """

    leave_one_out_margin: Exact | None = "0.1"
    """How far the leave-one-out rank may lie below the ceiling, the rank of one seed against another."""
    duplicate_excluded: bool | None = True
    """Deduplication excludes every planted duplicate."""
    shuffled_below_zero: bool | None = True
    """The planted rows with shuffled labels have a credit whose whole interval is below 0."""
    seed_split: Exact | None = "0.3"
    """How far the shares from two disjoint halves of the seeds may differ, Σ|Δ| from 0 to 2."""


class Policy(Strict):
    """How credit becomes weight, and weight money. `configs/policy.yaml` shows every setting."""

    id: Id
    """A name that stays when the numbers change."""
    version: Version
    """Raised whenever a setting changes, so that two statements can be told apart."""
    description: Annotated[str, Field(min_length=1, max_length=2000)]
    """The policy in a contributor's words; it stands on every statement."""
    kappa: Exact = "1"
    """κ ≥ 0: how many standard errors are taken off a credit before it is paid.

    Higher makes splitting into many names lose more, and taxes small honest contributors more."""
    gate: Gate = Gate()
    """What the attribution card has to show before credit pays."""
    rounding: Literal["largest-remainder"] = "largest-remainder"
    """The only rounding that keeps both the sum and everybody's quota."""

    @property
    def exact_kappa(self) -> Fraction:
        """κ as a rational."""
        return Fraction(self.kappa)


def load_policy(path: Path) -> Policy:
    """Read and check a policy file. Raises ConfigError listing every fault at once."""
    return validate(Policy, read_yaml(path), path)
