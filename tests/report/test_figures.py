"""Figures place values where they belong and never let a label out of the picture."""

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tribute.formatting import decimals, number, signed
from tribute.report.figures import Point, curve, interval
from tribute.report.money_flows import Flow
from tribute.report.sankey import WIDTH, sankey
from tribute.report.svg import Scale, scale_over, tag

EUR = "EUR"


def tips(svg: str) -> list[str]:
    return re.findall(r'data-tip="([^"]*)"', svg)


def test_sankey_names_every_flow_with_its_amount():
    """Each ribbon says from where, to whom and how much."""
    figure = sankey([Flow("plotting", "ann", 250), Flow("graphs", "ann", 100), Flow("graphs", "bob", 50)], EUR)

    assert {
        "pool → plotting: 2.50 EUR",
        "pool → graphs: 1.50 EUR",
        "plotting → ann: 2.50 EUR",
        "graphs → ann: 1.00 EUR",
        "graphs → bob: 0.50 EUR",
    } <= set(tips(figure))


@given(st.lists(st.integers(1, 10**9), min_size=1, max_size=90))
def test_sankey_labels_never_overlap(amounts):
    """However uneven the amounts, two labels of a column are a line apart and inside the picture."""
    figure = sankey([Flow(f"topic {n % 30}", f"name-{n}", minor) for n, minor in enumerate(amounts)], EUR)

    height = float(re.search(rf'viewBox="0 0 {WIDTH:.0f} (\d+)"', figure)[1])
    places = sorted(float(y) for y in re.findall(r'<text x="890.0" y="([\d.]+)">', figure))
    assert len(places) == min(len(amounts), 21)
    assert all(later - earlier >= 20 for earlier, later in pairwise(places))
    assert places[-1] < height


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_ticks_lie_inside_their_scale(low, width):
    """No tick is drawn outside, and there are a few of them."""
    scale = Scale(low, low + width)

    ticks = scale.ticks()

    assert 1 <= len(ticks) <= 7
    assert all(scale.low - width * 1e-6 <= tick <= scale.high + width * 1e-6 for tick in ticks)


@pytest.mark.parametrize(("credit", "colour"), [(0.1, "var(--accent)"), (-0.1, "var(--minus)")])
def test_credit_below_zero_is_amber(credit, colour):
    """The sign can be seen."""
    figure = interval(scale_over([-1, 1]), credit, credit - 0.05, credit + 0.05, "")

    assert f'fill="{colour}"' in figure


def test_curve_draws_every_point():
    """One dot for each evaluation point, with step and loss."""
    evaluation = [Point(0, 2.1), Point(10, 1.5), Point(20, 1.25)]

    figure = curve([Point(step, 2.0) for step in range(1, 21)], evaluation)

    assert tips(figure)[-1] == "step 20: evaluation loss 1.250 nats"
    assert len(tips(figure)) == 3


def test_a_curve_has_the_validation_only_where_there_is_one():
    """Dashed, with dots of its own."""
    training, evaluation = [Point(step, 2.0) for step in range(1, 21)], [Point(0, 2.1), Point(20, 1.25)]

    without, watched = curve(training, evaluation), curve(training, evaluation, [Point(10, 1.7), Point(20, 1.6)])

    assert "dasharray" not in without
    assert watched.count("stroke-dasharray") == 1
    assert [tip for tip in tips(watched) if "validation" in tip] == [
        "step 10: validation loss 1.700 nats",
        "step 20: validation loss 1.600 nats",
    ]


@pytest.mark.parametrize(
    ("value", "places", "text"),
    [(0.1234, 2, "+0.12"), (-0.5, 1, "−0.5"), (-0.0001, 2, "0.00"), (None, 2, "–")],
)
def test_signed_numbers(value, places, text):
    """A real minus, a plus, no negative zero, a dash for nothing."""
    assert signed(value, places) == text


def test_numbers_keep_three_significant_digits():
    """Small credits are not rounded away."""
    places = decimals([0.00123, -0.0004])

    assert number(0.00123, places) == "0.00123"


def test_tag_escapes_attributes_and_text():
    """A name can close neither its attribute nor its element."""
    written = tag("text", '</text><script>"', data_tip='"><script>')

    assert "<script>" not in written
