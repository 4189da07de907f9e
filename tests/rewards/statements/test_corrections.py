"""Theorem: what was corrected is on a statement with its amount, day, reason and entry, and an appeal is totalled."""

import html
import re
from decimal import Decimal

import pytest

from tests.rewards.helpers.disputing import decided, opened
from tests.rewards.helpers.people import House, make_house
from tribute.contributions.screening import REASONS
from tribute.rewards.disputes import resolution
from tribute.rewards.disputes.dispute import Step
from tribute.rewards.ledger import corrections, ledger
from tribute.rewards.statements import wording
from tribute.rewards.statements.document import Documents
from tribute.rewards.statements.page_parts import exclusions
from tribute.rewards.statements.records import PeriodRecords
from tribute.rewards.statements.statements import write_statements

DISPUTE = "2026-11-numpy-1"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    """November closed and disputed, with an appeal and a correction by hand in December; read only."""
    house = make_house(tmp_path_factory.mktemp("corrected") / "workspace")
    house.close("2026-11")
    opened(house)
    decided(house, DISPUTE, 150, day="2026-12-06")
    resolution.appeal(house.workspace, DISPUTE, Step("numpy", "three rows are missing", "2026-12-07"))
    decided(house, DISPUTE, 200, reviewers=("ruth", "rolf"), day="2026-12-08")
    with ledger.writing(house.workspace) as books:
        accruals = [posting for posting in books.postings if posting.event == "ACCRUE"]
        [accrual] = {posting.entry_id for posting in accruals if posting.contributor_id == "scipy"}
        cause = corrections.Cause("scipy", "EUR", accrual, "a row was counted twice", "2026-12-09")
        books.post(corrections.adjusted(books, cause, -300))
    house.close("2026-12")
    write_statements(house.workspace, "2026-11", ["numpy"], house.words)
    write_statements(house.workspace, "2026-12", ["numpy", "scipy", "pandas"], house.words)
    return house


def text(house: House, period: str, name: str) -> str:
    """A statement's words, without markup."""
    page = (house.root / "statements" / period / f"{name}.html").read_text(encoding="utf-8")
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.split("</style>", 1)[1])))


def test_an_appeal_is_totalled(house):
    """Both decisions stand there with their days, and what they come to together."""
    words = text(house, "2026-11", "numpy")

    assert "was decided on 6 December 2026: +1.50 EUR, and on appeal on 8 December 2026: +2.00 EUR" in words
    assert "Together +3.50 EUR" in words


def test_a_decision_is_a_correction_that_names_its_dispute(house):
    """On the statement of the month in which it was posted, once for each decision."""
    words = text(house, "2026-12", "numpy")

    assert f"+1.50 EUR Correction on 6 December 2026: Dispute {DISPUTE}, decided by the reviewers" in words
    assert f"+2.00 EUR Correction on 8 December 2026: Dispute {DISPUTE}, decided on appeal" in words
    assert "+3.50 EUR corrections" in words


def test_a_correction_by_hand_names_reason_entry_and_day(house):
    """The reason that was typed, the entry that corrects, and the entry that is corrected."""
    words = text(house, "2026-12", "scipy")

    assert re.search(
        r"−3\.00 EUR Correction on 9 December 2026: a row was counted twice entry 2026-12-\d{6} "
        r", corrects 2026-11-\d{6}",
        words,
    )
    assert "Corrections this month" not in text(house, "2026-12", "pandas")


def test_the_corrections_add_up_to_the_balance(house):
    """The list explains exactly what balances.csv calls adjusted."""
    folder = PeriodRecords(house.workspace.rewards / "2026-12")
    documents = Documents(folder, None, {})

    for name in folder.contributors:
        document = documents.make(name)
        [row] = document["proof"]["figures"]["balances"]
        assert sum(int(each["amount_minor"]) for each in document["corrections"]) == int(row["adjusted"])


def test_which_row_came_near_the_evaluation_is_not_told(house):
    """It is counted with its reason, and listed neither in the JSON nor on the page."""
    folder = PeriodRecords(house.workspace.rewards / "2026-12")

    document = Documents(folder, None, {}).make("scipy")

    assert document["not_counted"] == {"reasons": {"near_evaluation": 1}, "rows": []}
    assert exclusions(document, house.words("scipy")) == []
    assert f"Reason: {REASONS['near_evaluation']} (1)." in text(house, "2026-12", "scipy")


def test_one_sentence_leads_from_credit_to_the_amount(house):
    """Its three percentages are those of the page, and the quotient is the part of the pool."""
    words = text(house, "2026-12", "numpy")

    found = re.search(
        r"Your rows earned ([\d.]+) % of all credit; .* leaves ([\d.]+) % for you and ([\d.]+) % for all contributors "
        r"together, so you receive [\d.]+ ÷ [\d.]+ = ([\d.]+) % of the pool of 900\.00 EUR: ([\d.]+) EUR\.",
        words,
    )
    assert found
    credit, counted, everybody, part, amount = map(Decimal, found.groups())
    assert f"your credit {credit} %" in words
    assert abs(100 * counted / everybody - part) < Decimal("0.2")
    assert abs(part * 9 - amount) < Decimal("0.5")


def test_every_event_that_changes_a_balance_has_words():
    """A correction of any kind is named in a reader's words."""
    assert set(wording.EVENTS) == {"ADJUST", "CLAWBACK", "RETURN", "REVERSE"}
