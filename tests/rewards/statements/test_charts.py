"""Theorem: a statement's lists and drawings show what there is, once, to scale and within the page."""

from decimal import Decimal

from tribute.rewards.statements import charts
from tribute.rewards.statements.document import _extremes
from tribute.rewards.statements.page_parts import shortened


def credits(*values: int) -> list[tuple[str, Decimal]]:
    """Row hashes with credits."""
    return [(f"h{place}", Decimal(value)) for place, value in enumerate(values)]


def test_the_best_and_the_worst_rows():
    """Ten each way, the least first; only rows above zero count as helping."""
    found = _extremes(credits(5, 3, *[0] * 27, -2))

    assert [row["credit"] for row in found["helped"]] == ["5", "3"]
    assert [row["credit"] for row in found["least"]] == ["-2", *["0"] * 9]


def test_few_rows_are_not_listed():
    """A row that is missing in a list of nearly all rows would be one that came close to the sealed evaluation."""
    assert _extremes(credits(*[1] * 29)) == {"helped": [], "least": []}


def test_many_slices_are_summed_up():
    """Beyond eight slices the smallest stand as one, and the sum stays the same."""
    slices = [(f"s{n:03d}", Decimal(100 - n)) for n in range(150)]

    short = shortened(slices)

    assert len(short) == 8
    assert short[-1][0] == "143 others"
    assert sum(value for _, value in short) == sum(value for _, value in slices)


def test_bars_start_at_zero_and_stay_on_the_page():
    """Positive bars run right of the zero, negative ones left, all within 0 and 100 %."""
    plus, minus = charts.bars([("a", Decimal(3)), ("b", Decimal(-1))])

    assert plus.start == plus.zero == minus.zero == "26.00%"
    assert (minus.start, minus.width, plus.width) == ("2.00%", "24.00%", "72.00%")
    assert (plus.tone, minus.tone) == ("plus", "minus")


def test_a_ladder_ends_where_it_should():
    """Each step starts where the one before ended."""
    up, down = charts.ladder(Decimal(50), [("a", Decimal(50)), ("b", Decimal(-75))])

    assert (up.start, up.width) == ("50.00%", "48.00%")
    assert (down.start, down.width) == ("26.00%", "72.00%")


def test_nothing_to_draw_is_drawn_as_nothing():
    """All values zero is no division by zero."""
    assert charts.bars([("a", Decimal(0))])[0].width == "0.00%"
