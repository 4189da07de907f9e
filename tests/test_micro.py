"""Theorem: an amount that is written exactly is read back as it was, and figures show what people can tell apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tribute.errors import ConfigError
from tribute.micro import exact_micro, parse_micro, rounded_micro


@given(st.integers(-(10**15) + 1, 10**15 - 1))
def test_exact_is_read_back(micro: int):
    """No amount is lost on its way through text."""
    assert parse_micro(exact_micro(micro)) == micro


@pytest.mark.parametrize(
    ("micro", "exact", "rounded"),
    [
        (0, "0.00", "0.00"),
        (1_250_000, "1.25", "1.25"),
        (1_273_456, "1.273456", "1.27"),
        (2_149, "0.002149", "0.0021"),
        (-2_149, "-0.002149", "−0.0021"),
        (100_000, "0.10", "0.10"),
        (3_100_000_000, "3100.00", "3,100.00"),
    ],
)
def test_amounts_in_words(micro: int, exact: str, rounded: str):
    """All decimals where they are needed, and two or four in a figure."""
    assert (exact_micro(micro), rounded_micro(micro)) == (exact, rounded)


@pytest.mark.parametrize("amount", ["", "1,25", "0.0000001", "1e3", "+1", "1.", ".5", "1234567890"])
def test_what_is_no_amount_is_refused(amount: str):
    """One line says what was found and what is expected."""
    with pytest.raises(ConfigError, match="expected one such as 100"):
        parse_micro(amount)
