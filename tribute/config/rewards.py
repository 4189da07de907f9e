"""What is paid for which period, and by which policy."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

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


class RewardsConfig(Strict):
    """What is paid for which period, and by which policy."""

    period: Period
    pool: Annotated[
        Annotated[PoolConfig, Tag("one")] | Annotated[tuple[PoolConfig, ...], Tag("several"), Field(min_length=1)],
        Discriminator(lambda pool: "several" if isinstance(pool, list | tuple) else "one"),
    ]
    """The net fee of the period, or a list of them, one a currency; the policy divides it."""
    policy: Path
    """The policy file, relative to the config file."""
    usage: Path | None = None
    """CSV with the columns query, user, amount: what users paid for the queries of pools that pay by query."""

    @field_validator("pool")
    @classmethod
    def _one_a_currency(cls, pool: PoolConfig | tuple[PoolConfig, ...]) -> PoolConfig | tuple[PoolConfig, ...]:
        currencies = [one.currency for one in pool] if isinstance(pool, tuple) else []
        if len(set(currencies)) < len(currencies):
            raise ValueError(f"currencies {currencies} repeat one: add the amounts up")
        return pool

    @property
    def pools(self) -> tuple[PoolConfig, ...]:
        """The net fees, one a currency."""
        return self.pool if isinstance(self.pool, tuple) else (self.pool,)

    @property
    def total(self) -> str:
        """The net fees in words: `1000.00 EUR and 5 USDC`."""
        return " and ".join(f"{pool.amount} {pool.currency}" for pool in self.pools)
