"""Property: a page says what allocation.csv says, shows nobody else's rows, and nothing in it can act."""

import html
import re
from decimal import Decimal
from html.parser import HTMLParser

import pytest

from tests.rewards.cards import CARD
from tribute.rewards import card, charts, read_rewards
from tribute.rewards.statements import RowCredit, _extremes, _shorten


def page(paid, name):
    return (paid.path / "statements" / f"{name}.html").read_text(encoding="utf-8")


class Tags(HTMLParser):
    """Collects tags and attributes."""

    def __init__(self):
        super().__init__()
        self.names, self.attributes = [], []

    def handle_starttag(self, tag, attributes):
        self.names.append(tag)
        self.attributes += attributes


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
    assert sentence in page(paid, name)


def test_every_amount_is_the_allocated_one(paid):
    """The amount on a page is that of allocation.csv."""
    for name, amount in read_rewards(paid.path)[["contributor_id", "amount"]].itertuples(index=False):
        assert f"<strong>{amount:,} <span>EUR</span></strong>" in page(paid, name)


def test_a_page_is_self_contained(paid):
    """No script, nothing loaded, no link out of the page."""
    tags = Tags()
    tags.feed(page(paid, "numpy"))

    assert not {"script", "link", "img", "iframe", "object"} & set(tags.names)
    assert not {"src", "href"} & {name for name, _ in tags.attributes}
    assert "url(" not in page(paid, "numpy")


def test_contributed_text_is_never_markup(make, tmp_path):
    """A row that is HTML is shown as text."""
    attack = "<script>alert(1)</script><img src=x onerror=alert(1)>{{ 7 * 7 }}"
    paid = make(tmp_path / "world", text=attack).pay(tmp_path / "workspace")

    shown = page(paid, "numpy")

    assert "<script" not in shown
    assert "<img" not in shown
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown
    assert "{{ 7 * 7 }}" in shown


def test_a_page_shows_own_rows_only(paid):
    """No row id of another contributor stands on a page."""
    for name in ("numpy", "copycat", "scrambler"):
        owners = set(re.findall(r"([a-z]+)-1:\d+", page(paid, name)))
        assert owners == {name}


def test_excluded_rows_name_whose_came_first(paid):
    """The copied rows are listed with their reason and the earlier contributor."""
    shown = page(paid, "copycat")

    assert shown.count("repeats a row that came first") == 10
    assert "came first: NumPy" in shown
    assert "and 4 more; exclusions.csv lists every one" in shown


def test_every_id_is_on_the_page(world, paid):
    """Dataset, adapters, attribution, policy and runs can be looked up from the page."""
    shown = page(paid, "numpy")

    ids = [world.dataset.id, world.attribution.id, *(adapter.id for adapter in world.adapters)]
    ids += [paid.inputs["policy"], "0123456789abcdef0123456789abcdef.dir", "docs@v1.0.0"]
    assert all(id_ in shown for id_ in ids)
    assert "tribute verify period 2026-11" in shown


def test_no_row_is_both_best_and_worst():
    """With few rows, the two lists share none; only rows above zero count as helping."""
    rows = [RowCredit(f"r:{n}", "", "", Decimal(credit)) for n, credit in enumerate((5, 3, 1, 0, -2))]

    helped, least = _extremes(rows)

    assert [row.credit for row in helped] == [5, 3, 1]
    assert [row.credit for row in least] == [-2, 0]


def test_many_slices_are_summed_up():
    """Beyond twelve slices the smallest stand as one, and the sum stays the same."""
    slices = [(f"s{n:03d}", Decimal(100 - n)) for n in range(150)]

    short = _shorten(slices)

    assert len(short) == 12
    assert short[-1][0] == "139 others"
    assert sum(value for _, value in short) == sum(value for _, value in slices)


def test_bars_start_at_zero_and_stay_on_the_page():
    """Positive bars run right of the zero, negative ones left, all within 0 and 100 %."""
    plus, minus = charts.bars([("a", Decimal(3)), ("b", Decimal(-1))])

    assert plus.start == plus.zero == minus.zero == "26.00%"
    assert (minus.start, minus.width, plus.width) == ("2.00%", "24.00%", "72.00%")
    assert (plus.tone, minus.tone) == ("plus", "minus")


def test_nothing_to_draw_is_drawn_as_nothing():
    """All values zero is no division by zero."""
    assert charts.bars([("a", Decimal(0))])[0].width == "0.00%"


def text(paid, name):
    """A page's words, without markup."""
    body = page(paid, name).split("</style>", 1)[1]
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body)))


NAMES = ("numpy", "faint", "copycat", "absent", "scrambler")


@pytest.mark.parametrize("name", NAMES)
def test_every_statement_says_that_credit_paid(paid, name):
    """Where the card passed, the page says so, and what was found and needed."""
    words = text(paid, name)

    assert "paid by credit: the measurement of credit passed every check that the policy asks for" in words
    assert "0.900 0.850 or more (seed against seed 0.950, less 0.1)" in words
    assert "✗" not in words
    assert "tokens instead" in words
    assert "paid by training tokens" not in words


@pytest.mark.parametrize("name", NAMES)
def test_every_statement_says_that_tokens_paid_and_why(fallen, name):
    """On the fall-back each page, also of who gets nothing, names the checks that did not pass."""
    words = text(fallen, name)

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
    assert re.search(sentence, text(fallen, name))


def test_by_tokens_the_steps_lead_from_tokens_to_the_amount(fallen):
    """The calculation starts with the contributor's tokens, and the weight is in tokens."""
    line = read_rewards(fallen.path).set_index("contributor_id").loc["numpy"]
    words = text(fallen, "numpy")

    assert f"duplicates left out {line['weight_num']:,} tokens" in words
    assert f"where the upper end is below zero {line['weight_num']:,} tokens" in words
    assert "× standard error, never below zero" not in words
    assert "counted after uncertainty" not in words


def test_the_whole_card_is_on_every_statement(paid, fallen):
    """Every figure stands there with the best to be found; what was not measured says so."""
    passed, failed = text(paid, "copycat"), text(fallen, "copycat")

    for figure in card.figures(CARD):
        assert figure.name.lower() in passed.lower()
        assert figure.found in passed
    assert "0.700 0.950 (seed against seed)" in passed
    assert passed.count("not measured") == 5
    assert failed.count("not measured") > 10
    assert "Method: in-run; cost: 19.4 trainings on all rows; validation: quick." in passed
