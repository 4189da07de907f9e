"""The rule by which a pool is paid, as one small YAML file. Knows nothing of a period or its money."""

import re
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from tribute.config import Id, Strict, Version, read_yaml, validate

_DECIMAL = re.compile(r"(0|[1-9][0-9]{0,5})(\.[0-9]{1,6})?")


class Policy(Strict):
    """How credit becomes weight, and weight money. `configs/policy.yaml` shows every setting."""

    id: Id
    """A name that stays when the numbers change."""
    version: Version
    """Raised whenever a setting changes, so that two statements can be told apart."""
    description: Annotated[str, Field(min_length=1, max_length=2000)]
    """The policy in a contributor's words; it stands on every statement."""
    kappa: str = "1"
    """κ ≥ 0: how many standard errors are taken off a credit before it is paid.

    A decimal in quotes, so that no float touches it. Higher makes splitting into many names lose more,
    and taxes small honest contributors more."""
    rounding: Literal["largest-remainder"] = "largest-remainder"
    """The only rounding that keeps both the sum and everybody's quota."""

    @field_validator("kappa", mode="before")
    @classmethod
    def _exact_decimal(cls, value: Any) -> Any:
        if isinstance(value, int | float):
            raise ValueError(f'{value} is a number; write it in quotes, such as kappa: "1", to keep it exact')
        if isinstance(value, str) and not _DECIMAL.fullmatch(value):
            raise ValueError(f'found "{value}", expected 0 or more with at most 6 decimals, such as "1" or "1.96"')
        return value

    @property
    def exact_kappa(self) -> Fraction:
        """κ as a rational."""
        return Fraction(self.kappa)


def load_policy(path: Path) -> Policy:
    """Read and check a policy file. Raises ConfigError listing every fault at once."""
    return validate(Policy, read_yaml(path), path)
