"""Theorem: a statement tells everybody in words why the amount is what it is, by whichever rule it was paid."""

import re
from decimal import Decimal
from fractions import Fraction

import pytest

from tests.rewards.helpers.cards import CARD, UNMEASURED
from tests.rewards.helpers.stated import Stated, stated
from tribute.rewards.allocation import card_figures
from tribute.rewards.allocation.allocate import ZERO_CREDIT_BELOW_ZERO, AllocationLine
from tribute.rewards.allocation.weights import CREDIT, ContributorScore
from tribute.rewards.period.read import read_rewards
from tribute.rewards.statements import wording


@pytest.fixture(scope="module")
def paid(tmp_path_factory: pytest.TempPathFactory) -> Stated:
    """Paid by credit; read only."""
    return stated(tmp_path_factory.mktemp("stated") / "workspace")


@pytest.fixture(scope="module")
def fallen(tmp_path_factory: pytest.TempPathFactory) -> Stated:
    """Paid by tokens, because the card was not measured; read only."""
    return stated(tmp_path_factory.mktemp("fallen") / "workspace", card=UNMEASURED)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("numpy", "The model learned from your 24 rows, and they made it better"),
        ("copycat", "None of your rows was counted"),
        ("scrambler", "By the calculation the model would be better without your 24 rows"),
        ("faint", "by no more than the measurement could be wrong"),
        ("absent", "The model was not trained on any row of yours"),
    ],
)
def test_the_page_says_why(paid, name, sentence):
    """Everybody reads in words why the amount is what it is."""
    assert sentence in paid.page(name)


@pytest.mark.parametrize(("high", "sentence"), [("0.1", "whether they helped cannot be told"), ("-0.1", "be better")])
def test_a_credit_below_zero_is_harm_only_where_that_is_sure(high, sentence):
    """With an interval that reaches above zero, nobody is told that the model would be better without them."""
    claim = ContributorScore("ada", Decimal("-0.2"), Decimal("0.1"), 3, 3, 0, Decimal(high), 30)
    line = AllocationLine(claim, CREDIT, Fraction(0), Fraction(0), 0, ZERO_CREDIT_BELOW_ZERO)

    said = wording.reason(line, credit_share="0.0 %", token_share="0.0 %", smallest="0.01 EUR", tag="docs@v1.0.0")

    assert sentence in said
    assert "nothing is taken from you" in said


def test_excluded_rows_say_that_another_came_first_and_not_who(paid):
    """The copied rows are counted and listed with their reason; of the earlier contributor the page has no name."""
    shown = paid.page("copycat")

    assert shown.count("repeats a row that was recorded earlier") == 1 + 10
    assert "repeats a row that was recorded earlier (14). The first 10 are listed here." in " ".join(shown.split())
    assert shown.count("first: another contributor’s") == 10
    assert "numpy" not in paid.text("copycat").lower()


def test_what_the_model_would_lose_is_measured_or_said_not_to_be(paid):
    """Measured by retraining for whom it was, with its error where there is one; else it says so."""
    assert "loss would be higher by 12.3 ± 2.0 thousandths of a nat, 1.4 % of all" in " ".join(
        paid.page("numpy").split()
    )
    assert "loss would be lower by 2.1 thousandths of a nat" in " ".join(paid.page("scrambler").split())
    assert "was not measured this month" in paid.page("scipy")


NAMES = ("numpy", "faint", "copycat", "absent", "scrambler")


@pytest.mark.parametrize("name", NAMES)
def test_every_statement_says_that_credit_paid(paid, name):
    """Where the card passed, the page says so, and what was found and needed."""
    words = paid.text(name)

    assert "paid by credit: the measurement of credit passed every check that the policy asks for" in words
    assert "0.900 0.850 or more (seed against seed 0.950, less 0.1)" in words
    assert "✗" not in words
    assert "tokens instead" in words
    assert "paid by training tokens" not in words


@pytest.mark.parametrize("name", NAMES)
def test_every_statement_says_that_tokens_paid_and_why(fallen, name):
    """On the fall-back each page, also of who gets nothing, names the checks that did not pass."""
    words = fallen.text(name)

    assert (
        "This period is paid by training tokens, not by credit, because the measurement of credit did not pass its "
        "checks. What did not pass: leave-one-out rank, planted duplicates, planted shuffled labels." in words
    )
    assert words.count("✗") == 3
    assert words.count("✓") == 1
    assert "passed every check" not in words


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("numpy", r"Yours are [\d,]+ tokens, \d\d\.\d % of all that count\."),
        ("scrambler", "Nothing goes to rows whose credit is surely below zero, as that of your 24 rows"),
        ("copycat", "None of your rows was counted"),
        ("absent", "The model was not trained on any row of yours"),
    ],
)
def test_by_tokens_the_page_says_why_the_amount_is_what_it_is(fallen, name, sentence):
    """The reason speaks of tokens, never of credit that was paid."""
    assert re.search(sentence, fallen.text(name))


def test_by_tokens_the_steps_lead_from_tokens_to_the_amount(fallen):
    """The calculation starts with the contributor's tokens, and the weight is in tokens."""
    line = read_rewards(fallen.path).set_index("contributor_id").loc["numpy"]
    words = fallen.text("numpy")

    assert f"duplicates left out {line['weight_num']:,} tokens" in words
    assert f"where the upper end is below zero {line['weight_num']:,} tokens" in words
    assert "× standard error, never below zero" not in words
    assert "counted after uncertainty" not in words


def test_the_whole_card_is_on_every_statement(paid, fallen):
    """Every figure stands there with the best to be found; what was not measured says so."""
    passed, failed = paid.text("copycat"), fallen.text("copycat")

    for figure in card_figures.figures(CARD):
        assert figure.name.lower() in passed.lower()
        assert figure.found == card_figures.NOT_MEASURED or figure.found in passed
    assert "rank of the credits: 0.700 at best 0.950 (seed against seed)" in passed
    absent = "random rows removed (LDS), LDS without harmful contributors, coalitions, gap of old to fresh"
    assert f"Not measured this month: {absent} evaluation rows." in passed
    assert "Not measured this month: leave-one-out rank of the credits, " in failed
    made = "19.4 on all rows (walking them again for credit and predictions not counted)"
    assert f"Method: in-run; trainings made: {made}; validation: quick." in passed
