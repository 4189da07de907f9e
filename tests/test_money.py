"""Theorem: `parse_amount` and `format_amount` are inverse, and only a plain positive decimal is money."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tribute.errors import RewardError
from tribute.money import EXPONENTS, exponent, format_amount, parse_amount

BAD = yaml.safe_load((Path(__file__).parent / "bad" / "rewards" / "pools.yaml").read_text(encoding="utf-8"))


@given(st.integers(min_value=1, max_value=10**30), st.sampled_from(sorted(EXPONENTS)))
def test_writing_and_reading_an_amount_gives_it_back(minor, currency):
    """Every positive amount survives the way to text and back, in every currency."""
    text = format_amount(minor, currency)

    assert parse_amount(text, currency) == minor


@pytest.mark.parametrize("pool", BAD, ids=lambda pool: f"{pool['amount']} {pool['currency']}")
def test_a_bad_pool_is_refused_with_its_message(pool):
    """Each amount and currency in tests/bad/rewards/pools.yaml is refused with the message beside it."""
    with pytest.raises(RewardError) as raised:
        parse_amount(pool["amount"], pool["currency"])

    assert str(raised.value) == pool["message"]


@pytest.mark.parametrize(
    ("currency", "digits"), [("JPY", 0), ("EUR", 2), ("KWD", 3), ("CLF", 4), ("USDC", 6), ("ETH", 18)]
)
def test_exponents_are_the_currencies_own(currency, digits):
    """A minor unit is 10^-exponent of the currency."""
    assert exponent(currency) == digits
    assert parse_amount("1", currency) == 10**digits


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [
        (100_000, "EUR", "1000.00"),
        (5, "EUR", "0.05"),
        (-5, "EUR", "-0.05"),
        (7, "JPY", "7"),
        (1, "ETH", f"0.{1:018d}"),
    ],
)
def test_amounts_are_written_with_all_their_decimals(minor, currency, text):
    """An amount is written with exactly the currency's decimals."""
    assert format_amount(minor, currency) == text


def test_grouping_is_for_people_only():
    """Thousands are grouped where a person reads, and such a text is not read back."""
    assert format_amount(123_456_789, "EUR", grouped=True) == "1,234,567.89"
