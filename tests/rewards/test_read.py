"""Property: what finance reads is exact: no float, no 64-bit limit."""

from decimal import Decimal

from tribute import rewards
from tribute.rewards import read_rewards


def test_a_three_line_script_adds_up(paid):
    """Reading, grouping and summing gives the pool to the cent."""
    lines = read_rewards(paid.path)

    assert lines.groupby("currency")["amount"].sum().to_dict() == {"EUR": Decimal("1000.00")}


def test_eighteen_decimals_are_exact(world, tmp_path):
    """A large pool of ETH sums exactly; a float would lose the last digits."""
    path = world.pay(tmp_path, pool_amount="123456789.000000000000000001", currency="ETH").path

    lines = read_rewards(path)

    assert lines["amount_minor"].sum() == 123456789 * 10**18 + 1
    assert lines["amount"].sum() == Decimal("123456789.000000000000000001")
    assert {type(value) for value in lines["score"]} == {Decimal}


def test_the_public_names_are_these():
    """The list is an agreement with tasks, flows and commands."""
    assert rewards.__all__ == [
        "EXPONENTS",
        "Claim",
        "Gate",
        "Line",
        "Policy",
        "allocate",
        "exponent",
        "fallback_note",
        "format_amount",
        "judge",
        "largest_remainder",
        "load_policy",
        "parse_amount",
        "read_rewards",
        "verify_period",
        "write_period",
    ]
    assert all(hasattr(rewards, name) for name in rewards.__all__)
