"""Property: every figure of a card stands in words beside the best to be found, and a missing one says so."""

import pytest

from tests.rewards.helpers.cards import CARD, UNMEASURED
from tribute.rewards.allocation import card_figures as cards

FULL = CARD | {
    "lds": {
        "subsets": 100,
        "removed": 0.2,
        "seeds": 2,
        "score": 0.861,
        "without_harmful": 0.842,
        "noisy_rows": 0.744,
        "ceiling": 0.774,
    },
    "coalitions": {"count": 180, "error": 3.14},
    "proxy": {"layers": [4, 5], "spearman": 0.93},
    "rotation": {
        "old": {"rows": 40, "gain": 0.521},
        "fresh": {"rows": 120, "gain": 0.49},
        "gap": 0.031,
        "se": 0.012,
    },
}


def found(card):
    return {figure.name: (figure.found, figure.best) for figure in cards.figures(card)}


def test_a_full_card_is_told_figure_by_figure():
    """Ranks stand beside the seed-against-seed ceiling, the others beside what would be right."""
    assert found(FULL) == {
        "leave-one-out rank": ("0.900", "0.950 (seed against seed)"),
        "planted duplicates": ("12 of 12 rows excluded", "all"),
        "planted shuffled labels": ("−0.031 nats (−0.050 to −0.012)", "all below 0"),
        "two halves of the seeds": ("0.121", "0"),
        "credits against the gain": ("0.052", "0"),
        "shares told from content": ("3 of 4 differ", "one or more"),
        "leave-one-out rank of the credits": ("0.700", "0.950 (seed against seed)"),
        "leave-one-out slope": ("1.040", "1"),
        "random rows removed (LDS)": ("0.861", "0.774 (seed against seed)"),
        "LDS without harmful contributors": ("0.842", "0.774 (seed against seed)"),
        "coalitions": ("3.1 points off", "0"),
        "intervals that held": ("87.5 % of 24", "90 %"),
        "gap of old to fresh evaluation rows": (
            "+0.0310 nats ± 0.0120 (40 old rows gain 0.5210, 120 fresh ones 0.4900; above 0 by more than two standard "
            "errors)",
            "0",
        ),
        "seeds’ rank agreement": ("0.931", "1"),
        "stand-in for full trainings": ("0.930 (layers 4, 5)", "1"),
        "planted irrelevant text": ("0.00040 nats (−0.00300 to 0.00380)", "0 or below"),
        "planted outlier rows": ("−0.0020 nats (−0.0100 to 0.0060)", "0 or below"),
        "one contributor split in 10": ("+0.000000 nats, share +0.00 points", "0"),
    }


def test_what_was_not_measured_says_so():
    """No figure is blank, and none is made up; that no proxy was used is a fact, not a gap."""
    nothing = {"told_from_content": None}
    shown = found(
        UNMEASURED | {"seed_split": None, "mismatch": None, "seed_agreement": None, "trainings": None} | nothing
    )

    measured = {name for name, (value, _) in shown.items() if value != "not measured"}
    assert measured == {"stand-in for full trainings"}
    assert shown["leave-one-out rank"] == ("not measured", "not measured (seed against seed)")
    made_by = cards.made_by(UNMEASURED | {"trainings": None})
    assert made_by == "Method: in-run; trainings made: not measured; validation: off." + cards.IN_RUN_ALONE


def test_a_gap_between_old_and_fresh_rows_is_told():
    """What chance explains is not called large; without a fresh row there is nothing to compare with."""
    old, fresh = {"rows": 40, "gain": 0.5}, {"rows": 120, "gain": 0.49}
    small = found(FULL | {"rotation": {"old": old, "fresh": fresh, "gap": -0.01, "se": 0.02}})
    none = found(FULL | {"rotation": {"old": old, "fresh": {"rows": 0, "gain": None}, "gap": None, "se": None}})

    name = "gap of old to fresh evaluation rows"
    assert small[name][0] == "−0.0100 nats ± 0.0200 (40 old rows gain 0.5000, 120 fresh ones 0.4900)"
    assert none[name][0] == "all 40 rows are old"
    assert found(FULL | {"rotation": None})[name][0] == "no row is old"


def test_what_was_not_counted_is_said():
    """Trainings are counted; walking them again costs too."""
    assert cards.made_by(CARD | {"method": "in-run", "trainings": 19.44, "validation": "quick"}) == (
        "Method: in-run; trainings made: 19.4 on all rows (walking them again for credit and predictions not counted); "
        "validation: quick." + cards.IN_RUN_ALONE
    )
    assert cards.IN_RUN_ALONE not in cards.made_by(CARD | {"method": "in-run + rate design"})


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (-0.05, -1e-5, "−0.031200 nats (−0.050000 to −0.000010)"),
        (-0.05, 0.0, "−0.031 nats (−0.050 to 0.000)"),
    ],
)
def test_an_end_that_is_not_zero_is_never_written_as_zero(low, high, text):
    """The sign of an end can be read."""
    card = CARD | {"controls": {"shuffled": {"rows": 9, "credit": -0.0312, "low": low, "high": high}}}

    assert cards.control(card, "shuffled") == text
