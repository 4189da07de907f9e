"""What is paid for which period, and by which policy."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Discriminator, Field, Tag, field_validator, model_validator

from tribute.errors import RewardError
from tribute.money import parse_amount
from tribute.settings import Period, Strict


class PoolConfig(Strict):
    """The money of one period."""

    amount: str
    """A plain decimal in quotes, such as "1000.00": as text, so that no float touches it."""
    currency: str = "EUR"

    @field_validator("amount", mode="before")
    @classmethod
    def _as_text(cls, amount: Any) -> Any:
        if isinstance(amount, int | float) and not isinstance(amount, bool):
            raise ValueError(f'found the number {amount}; write it in quotes: "{amount}"')
        return amount

    @model_validator(mode="after")
    def _payable(self) -> "PoolConfig":
        try:
            parse_amount(self.amount, self.currency)
        except RewardError as error:
            raise ValueError(str(error)) from error
        return self


class UsagePool(Strict):
    """The money of one period that was metered: what each payer's answers of the month cost, once it is sealed."""

    model_config = ConfigDict(serialize_by_alias=True)

    source: Literal["usage"] = Field(alias="from")
    """`usage`: the sealed month `usage/<period>/` of the workspace."""


AnyPool = PoolConfig | UsagePool


def _kind(pool: Any) -> str:
    if isinstance(pool, list | tuple):
        return "several"
    return "usage" if isinstance(pool, UsagePool) or (isinstance(pool, dict) and "from" in pool) else "one"


class RewardsConfig(Strict):
    """What is paid for which period, and by which policy."""

    period: Period
    pool: Annotated[
        Annotated[PoolConfig, Tag("one")]
        | Annotated[UsagePool, Tag("usage")]
        | Annotated[
            tuple[
                Annotated[Annotated[PoolConfig, Tag("one")] | Annotated[UsagePool, Tag("usage")], Discriminator(_kind)],
                ...,
            ],
            Tag("several"),
            Field(min_length=1),
        ],
        Discriminator(_kind),
    ]
    """The net fee of the period, or a list of them, one a currency; `{from: usage}` is what was metered. The policy
    divides it."""
    policy: Path
    """The policy file, relative to the config file."""
    usage: Path | None = None
    """CSV with the columns query, user, amount: what users paid for the queries of pools that pay by query."""

    @field_validator("pool")
    @classmethod
    def _one_a_currency(cls, pool: AnyPool | tuple[AnyPool, ...]) -> AnyPool | tuple[AnyPool, ...]:
        kinds = [part.currency if isinstance(part, PoolConfig) else "from: usage" for part in _listed(pool)]
        if len(set(kinds)) < len(kinds):
            raise ValueError(f"pools {kinds} repeat one: add the amounts up")
        return pool

    @model_validator(mode="after")
    def _one_usage(self) -> "RewardsConfig":
        if self.is_metered and self.usage is not None:
            raise ValueError("usage is a file of what users paid, and the pool is {from: usage}: give one of both")
        return self

    @property
    def pools(self) -> tuple[PoolConfig, ...]:
        """The net fees that the config names, one a currency."""
        return tuple(part for part in _listed(self.pool) if isinstance(part, PoolConfig))

    @property
    def is_metered(self) -> bool:
        """Whether what was metered is paid, too."""
        return any(isinstance(part, UsagePool) for part in _listed(self.pool))

    @property
    def total(self) -> str:
        """The net fees in words: `1000.00 EUR and 5 USDC`."""
        words = [f"{pool.amount} {pool.currency}" for pool in self.pools]
        return " and ".join([*words, "what was metered"] if self.is_metered else words)


def _listed(pool: AnyPool | tuple[AnyPool, ...]) -> tuple[AnyPool, ...]:
    return pool if isinstance(pool, tuple) else (pool,)
